/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "small_file-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/http/limits.h"
#include "prefect-podman/state/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
pp_folder_error (GError **error, const PpFolder *folder, const char *name, const char *what,
                 int error_number)
{
  g_autofree char *words = pp_limits_describe (error_number);

  g_set_error (error, PP_STATE_ERROR,
               error_number == ENOENT ? PP_STATE_ERROR_GONE : PP_STATE_ERROR_SYSTEM,
               "%s%s%s: %s: %s", folder->path, name != NULL ? "/" : "", name != NULL ? name : "",
               what, words);
}

gboolean
pp_folder_open (PpFolder *folder, const PpFolder *parent, const char *name, gboolean create,
                GError **error)
{
  int parent_fd = parent != NULL ? parent->fd : AT_FDCWD;
  int flags = O_RDONLY | O_DIRECTORY | (parent != NULL ? O_NOFOLLOW : 0);
  const char *what = "cannot be created";

  folder->fd = -1;
  folder->path = parent != NULL ? g_build_filename (parent->path, name, NULL) : g_strdup (name);
  if (!create || mkdirat (parent_fd, name, 0700) == 0 || errno == EEXIST)
    {
      what = "cannot be opened";
      folder->fd = pp_own_open (parent_fd, name, flags, 0);
    }
  if (folder->fd >= 0)
    return TRUE;
  pp_folder_error (error, folder, NULL, what, errno);
  g_clear_pointer (&folder->path, g_free);
  return FALSE;
}

void
pp_folder_close (PpFolder *folder)
{
  /* A folder that was never opened is all zeros: descriptor 0 is not ours. */
  if (folder->path != NULL && folder->fd >= 0)
    close (folder->fd);
  folder->fd = -1;
  g_clear_pointer (&folder->path, g_free);
}

gboolean
pp_folder_check_owner (const PpFolder *folder, GError **error)
{
  struct stat status;

  if (fstat (folder->fd, &status) != 0)
    {
      pp_folder_error (error, folder, NULL, "cannot be checked", errno);
      return FALSE;
    }
  if (status.st_uid != geteuid ())
    {
      g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE,
                   "%s: belongs to user %u, but the worker runs as user %u. The other user could "
                   "make the worker stop containers. Name your own folder with --state-dir",
                   folder->path, (unsigned)status.st_uid, (unsigned)geteuid ());
      return FALSE;
    }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return TRUE;
  g_set_error (
      error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE,
      "%s: other users may write to this folder (mode %04o). Run chmod go-w on it, or name "
      "another folder with --state-dir",
      folder->path, (unsigned)(status.st_mode & 07777));
  return FALSE;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
pp_folder_list (const PpFolder *folder, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  /* Open the folder again: a directory stream would change the position of the shared
   * descriptor. */
  int fd = pp_own_open (folder->fd, ".", O_RDONLY | O_DIRECTORY, 0);
  DIR *stream = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  if (stream == NULL)
    {
      pp_folder_error (error, folder, NULL, "cannot be listed", errno);
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  errno = 0;
  while ((entry = readdir (stream)) != NULL) // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  int failed = errno;
  closedir (stream);
  if (failed != 0)
    {
      pp_folder_error (error, folder, NULL, "cannot be listed", failed);
      return NULL;
    }
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}

/* Reads up to MAX + 1 bytes from FD into TEXT. Returns the number of bytes, or -1 with errno. */
static gssize
read_all (int fd, char *text, gsize max)
{
  gsize length = 0;

  while (length <= max)
    {
      ssize_t count = read (fd, text + length, max + 1 - length);
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return -1;
      if (count == 0)
        break;
      length += (gsize)count;
    }
  return (gssize)length;
}

static void
damaged (GError **error, const PpFolder *folder, const char *name, const char *what)
{
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED, "%s/%s: %s", folder->path, name,
               what);
}

char *
pp_small_file_read (const PpFolder *folder, const char *name, gsize max, gsize *length,
                    GError **error)
{
  int fd = pp_own_open (folder->fd, name, O_RDONLY | O_NOFOLLOW, 0);
  g_autofree char *text = NULL;
  struct stat status;
  gssize count = -1;

  if (fd < 0 && (errno == ELOOP || errno == ENXIO))
    {
      damaged (error, folder, name,
               errno == ELOOP ? "is a symbolic link" : "is not a regular file");
      return NULL;
    }
  if (fd < 0 || fstat (fd, &status) != 0)
    pp_folder_error (error, folder, name, "cannot be read", errno);
  else if (!S_ISREG (status.st_mode))
    damaged (error, folder, name,
             S_ISDIR (status.st_mode) ? "is a folder" : "is not a regular file");
  else if (status.st_size > (off_t)max)
    damaged (error, folder, name, "is too large");
  else
    {
      /* The file may have grown since fstat(), so try to read more bytes than its size. */
      gsize room = MIN ((gsize)status.st_size + 1, max);
      text = g_malloc (room + 2);
      count = read_all (fd, text, room);
      if (count < 0)
        pp_folder_error (error, folder, name, "cannot be read", errno);
    }
  if (fd >= 0)
    close (fd);
  if (count < 0)
    return NULL;
  text[count] = '\0';
  *length = (gsize)count;
  return g_steal_pointer (&text);
}

int
pp_small_file_open (const PpFolder *folder, const char *name, gboolean create, gboolean *read_only)
{
  int fd = pp_own_open (folder->fd, name, O_RDWR | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
  int failed = errno;

  *read_only = fd < 0 && (failed == EROFS || failed == EACCES);
  if (*read_only)
    fd = pp_own_open (folder->fd, name, O_RDONLY | O_NOFOLLOW, 0);
  errno = failed;
  return fd;
}

static gboolean
write_all (int fd, const char *text, gsize length)
{
  while (length > 0)
    {
      ssize_t count = write (fd, text, length);
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return FALSE;
      text += count;
      length -= (gsize)count;
    }
  return TRUE;
}

int
pp_small_file_begin (int folder_fd, const char *name, const char *text, gsize length)
{
  const int flags = O_WRONLY | O_CREAT | O_EXCL;
  int fd = pp_own_open (folder_fd, name, flags, 0600);

  if (fd < 0 && errno == EEXIST && unlinkat (folder_fd, name, 0) == 0)
    fd = pp_own_open (folder_fd, name, flags, 0600);
  if (fd < 0)
    return -1;
  if (!write_all (fd, text, length))
    {
      int failed = errno;
      close (fd);
      unlinkat (folder_fd, name, 0);
      errno = failed;
      return -1;
    }
  return fd;
}

gboolean
pp_small_file_end (int fd)
{
  int failed = fsync (fd) != 0 ? errno : 0;

  if (close (fd) != 0 && failed == 0 && errno != EINTR)
    failed = errno;
  errno = failed;
  return failed == 0;
}

gboolean
pp_small_file_write (const PpFolder *folder, const char *name, const char *text, GError **error)
{
  g_autofree char *temporary = g_strconcat (".tmp-", name, NULL);
  int fd = pp_small_file_begin (folder->fd, temporary, text, strlen (text));

  if (fd >= 0 && pp_small_file_end (fd) && renameat (folder->fd, temporary, folder->fd, name) == 0
      && fsync (folder->fd) == 0)
    return TRUE;
  pp_folder_error (error, folder, name, "cannot be written", errno);
  unlinkat (folder->fd, temporary, 0);
  return FALSE;
}
