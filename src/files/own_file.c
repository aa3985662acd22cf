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

/* Replaces the content of the regular file TARGET, or creates it. Returns FALSE with errno. */
static gboolean
replace_file (const char *target, const char *text)
{
  g_autofree char *temporary = g_strconcat (target, ".XXXXXX", NULL);
  int fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;

  if (file == NULL)
    return FALSE;
  gboolean written = fputs (text, file) >= 0;
  written = fclose (file) == 0 && written;
  if (written && rename (temporary, target) == 0)
    return TRUE;
  int why = errno;
  unlink (temporary);
  errno = why;
  return FALSE;
}

/* Writes TEXT into what is at PATH: a pipe, a device, or /dev/stdout. Returns FALSE with errno. */
static gboolean
write_into (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
  FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;

  if (file == NULL)
    return FALSE;
  gboolean written = fputs (text, file) >= 0 && fflush (file) == 0;
  int why = errno;
  fclose (file);
  errno = why;
  return written;
}

gboolean
pp_own_file_write (const char *path, const char *text, GError **error)
{
  g_autofree char *target = realpath (path, NULL);
  struct stat status;
  gboolean is_new = lstat (path, &status) != 0;
  gboolean written;

  /* /dev/stdout may lead to a pipe or to a deleted file, which have no path. */
  if (is_new || (target != NULL && g_file_test (target, G_FILE_TEST_IS_REGULAR)))
    written = replace_file (is_new ? path : target, text);
  else
    written = write_into (path, text);
  if (written)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s: cannot be written: %s",
               path, g_strerror (errno));
  return FALSE;
}
