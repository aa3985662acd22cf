/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif
#endif

G_DEFINE_QUARK (pp - file - error - quark, pp_file_error)

static void
set_system_error (GError **error, const char *name, int error_number)
{
  gboolean missing = error_number == ENOENT || error_number == ENOTDIR;

  g_set_error (error, PP_FILE_ERROR,
               error_number == ELOOP || error_number == EXDEV ? PP_FILE_ERROR_REFUSED
               : missing                                      ? PP_FILE_ERROR_MISSING
                                                              : PP_FILE_ERROR_SYSTEM,
               "%s: %s", name,
               error_number == ELOOP || error_number == EXDEV
                   ? "is a symbolic link, or its path contains one"
                   : g_strerror (error_number));
}

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Used if openat2() is missing: Linux before 5.6, or a seccomp filter that does not know it. */
static int
open_by_components (int root, const char *path)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  int folder = root;

  for (char **name = names; *name != NULL; name++)
    {
      int next;

      if (**name == '\0' || g_str_equal (*name, "."))
        continue;
      errno = EXDEV;
      next = g_str_equal (*name, "..") ? -1 : openat (folder, *name, FOLDER_FLAGS);
      if (folder != root)
        close (folder);
      if (next < 0)
        return -1;
      folder = next;
    }
  return folder != root ? folder : fcntl (root, F_DUPFD_CLOEXEC, 0);
}

int
pp_foreign_folder_open (int root, const char *path, GError **error)
{
  int fd = -1;

#if defined(SYS_openat2) && defined(RESOLVE_BENEATH)
  struct open_how how = { .flags = FOLDER_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

  fd = (int)syscall (SYS_openat2, root, path, &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL))
#endif
    fd = open_by_components (root, path);
  /* With O_DIRECTORY, a symbolic link also gives ENOTDIR. */
  if (fd < 0 && errno == ENOTDIR)
    g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED,
                 "%s: is a symbolic link, or is not a folder", path);
  else if (fd < 0)
    set_system_error (error, path, errno);
  return fd;
}

/* Returns why the file with STATUS must not be read, or NULL if it may. */
static const char *
find_objection (const struct stat *status, uid_t owner)
{
  if (S_ISFIFO (status->st_mode))
    return "is a FIFO";
  if (S_ISDIR (status->st_mode))
    return "is a folder";
  if (!S_ISREG (status->st_mode))
    return "is not a regular file";
  if (status->st_uid != owner)
    return "does not belong to the owner of the engine's files";
  if (status->st_nlink > 1)
    return "has a second name (a hard link), so it may be somebody else's file";
  return NULL;
}

int
pp_foreign_file_open (int folder, const char *name, uid_t owner, GError **error)
{
  const char *objection;
  struct stat status;
  int fd = openat (folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  /* A socket gives ENXIO. */
  if (fd < 0 && errno == ENXIO)
    {
      g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED, "%s: is not a regular file", name);
      return -1;
    }
  if (fd < 0 || fstat (fd, &status) != 0)
    {
      set_system_error (error, name, errno);
      if (fd >= 0)
        close (fd);
      return -1;
    }
  objection = find_objection (&status, owner);
  if (objection == NULL)
    return fd;
  g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED, "%s: %s", name, objection);
  close (fd);
  return -1;
}

/* Reads FD to its end. Returns a new string, or NULL with errno (EFBIG if there are more than MAX
 * bytes). */
static char *
read_to_end (int fd, gsize max, gsize *length)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint8 piece[4096];

  for (;;)
    {
      ssize_t count = read (fd, piece, sizeof piece);

      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return NULL;
      if (count == 0)
        break;
      g_byte_array_append (bytes, piece, (guint)count);
      if (bytes->len > max)
        {
          errno = EFBIG;
          return NULL;
        }
    }
  *length = bytes->len;
  g_byte_array_append (bytes, (const guint8 *)"", 1);
  return (char *)g_byte_array_free (g_steal_pointer (&bytes), FALSE);
}

char *
pp_foreign_file_read (const char *path, gboolean may_stream, gsize max, gsize *length,
                      GError **error)
{
  struct stat status;
  int fd = open (path, O_RDONLY | O_NOCTTY | O_CLOEXEC | (may_stream ? 0 : O_NONBLOCK));
  char *text = NULL;
  int failed;

  if (fd >= 0 && !may_stream && fstat (fd, &status) == 0 && !S_ISREG (status.st_mode))
    g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED, "it is not a regular file");
  else
    {
      text = fd >= 0 ? read_to_end (fd, max, length) : NULL;
      failed = errno;
      if (text == NULL)
        g_set_error (error, PP_FILE_ERROR,
                     failed == EFBIG                         ? PP_FILE_ERROR_TOO_LARGE
                     : failed == ENOENT || failed == ENOTDIR ? PP_FILE_ERROR_MISSING
                                                             : PP_FILE_ERROR_SYSTEM,
                     "%s", g_strerror (failed));
    }
  if (fd >= 0)
    close (fd);
  return text;
}
