/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
pp_own_open (int folder, const char *name, int flags, mode_t mode)
{
  return openat (folder, name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
}

int
pp_terminal_open (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  return isatty (fd) == 1 ? pp_own_open (AT_FDCWD, path, O_WRONLY, 0) : -1;
}

gboolean
pp_terminal_obeys (int fd)
{
  const char *terminal = g_getenv ("TERM");

  return isatty (fd) == 1 && terminal != NULL && strcmp (terminal, "dumb") != 0;
}

GDir *
pp_own_folder_read (const char *path)
{
  return g_dir_open (path, 0, NULL);
}

gboolean
pp_own_file_write (const char *path, const char *text, GError **error)
{
  g_autofree char *target = realpath (path, NULL);
  FILE *file;

  if (target == NULL || g_file_test (target, G_FILE_TEST_IS_REGULAR))
    {
      mode_t before = umask (S_IRWXG | S_IRWXO);
      gboolean written = g_file_set_contents (target != NULL ? target : path, text, -1, error);

      umask (before);
      return written;
    }
  /* Write to a pipe or a device (/dev/stdout); do not replace it. */
  file = fopen (target, "we");
  if (file != NULL && fputs (text, file) >= 0 && fflush (file) == 0)
    {
      fclose (file);
      return TRUE;
    }
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s: cannot be written: %s",
               path, g_strerror (errno));
  if (file != NULL)
    fclose (file);
  return FALSE;
}
