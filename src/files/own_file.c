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

/* The most symbolic links that are followed, as in the kernel. */
#define MAX_LINKS 40

/* Returns what the symbolic link PATH leads to, as a path from here; new string, or NULL. */
static char *
follow_link (const char *path)
{
  g_autofree char *target = g_file_read_link (path, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  if (target == NULL || g_path_is_absolute (target))
    return g_steal_pointer (&target);
  return g_build_filename (folder, target, NULL);
}

/* Returns the number of this process's descriptor that PATH names (/dev/stdout, /dev/fd/3, or a
 * link to one of them), or -1. */
static int
find_descriptor (const char *path)
{
  g_autofree char *descriptors = g_strdup_printf ("/proc/%d/fd", (int)getpid ());
  g_autofree char *here = g_strdup (path);

  for (guint i = 0; i < MAX_LINKS && here != NULL; i++)
    {
      g_autofree char *folder = g_path_get_dirname (here);
      g_autofree char *name = g_path_get_basename (here);
      g_autofree char *real = realpath (folder, NULL);
      guint64 number;

      if (g_strcmp0 (real, descriptors) == 0)
        return g_ascii_string_to_unsigned (name, 10, 0, G_MAXINT, &number, NULL) ? (int)number : -1;
      char *next = follow_link (here);
      g_free (here);
      here = next;
    }
  return -1;
}

/* Writes TEXT to FD and closes it. Returns FALSE with errno, also if FD is -1. */
static gboolean
write_and_close (int fd, const char *text)
{
  FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;

  if (file == NULL)
    return FALSE;
  gboolean written = fputs (text, file) >= 0 && fflush (file) == 0;
  int why = errno;
  fclose (file);
  errno = why;
  return written;
}

/* Writes TEXT into what is at PATH: a pipe, a device, a file that cannot be replaced, or a missing
 * file to which a link leads. Returns FALSE with errno. */
static gboolean
write_into (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, S_IRUSR | S_IWUSR);

  return write_and_close (fd, text);
}

/* Replaces the regular file TARGET, to which PATH leads. If TARGET is a mount point, or if its
 * folder may not be changed, writes TEXT into the existing file. Returns FALSE with errno. */
static gboolean
replace_or_write (const char *path, const char *target, const char *text)
{
  if (replace_file (target, text))
    return TRUE;
  return (errno == EBUSY || errno == EACCES || errno == EPERM || errno == EROFS)
         && write_into (path, text);
}

gboolean
pp_own_file_write (const char *path, const char *text, GError **error)
{
  g_autofree char *target = realpath (path, NULL);
  int descriptor = find_descriptor (path);
  struct stat status;
  gboolean written;

  /* If PATH names an open descriptor (/dev/stdout), write through it, and do not replace its file.
   * The shell may have opened a file that other processes also write to, or that has no path any
   * more. */
  if (descriptor >= 0)
    written = write_and_close (fcntl (descriptor, F_DUPFD_CLOEXEC, 0), text);
  else if (lstat (path, &status) != 0)
    written = replace_file (path, text);
  else if (target != NULL && g_file_test (target, G_FILE_TEST_IS_REGULAR))
    written = replace_or_write (path, target, text);
  else
    written = write_into (path, text);
  if (written)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s: cannot be written: %s",
               path, g_strerror (errno));
  return FALSE;
}
