/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/state/state_dir.h"

#include "small_file-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID_LENGTH 36

static gboolean
is_given (const char *value)
{
  return value != NULL && *value != '\0';
}

char *
pp_state_dir_find (const char *option, const char *variable, gboolean root,
                   const char *xdg_state_home, const char *home)
{
  const char *chosen = is_given (option) ? option : variable;

  if (is_given (chosen) && g_path_is_absolute (chosen))
    return g_strdup (chosen);
  if (is_given (chosen))
    {
      g_autofree char *current = g_get_current_dir ();
      return g_build_filename (current, chosen, NULL);
    }
  if (root)
    return g_strdup ("/var/lib/prefect-podman");
  if (is_given (xdg_state_home) && g_path_is_absolute (xdg_state_home))
    return g_build_filename (xdg_state_home, "prefect-podman", NULL);
  return g_build_filename (g_path_is_absolute (home) ? home : "/", ".local", "state",
                           "prefect-podman", NULL);
}

char *
pp_state_dir_default (const char *option)
{
  return pp_state_dir_find (option, g_getenv ("PREFECT_PODMAN_STATE_DIR"), geteuid () == 0,
                            g_getenv ("XDG_STATE_HOME"), g_get_home_dir ());
}

gboolean
pp_state_dir_is_named (const char *option)
{
  return is_given (option) || is_given (g_getenv ("PREFECT_PODMAN_STATE_DIR"));
}

gboolean
pp_state_dir_is_ours (const char *path)
{
  struct stat status;

  return stat (path, &status) == 0 && status.st_uid == geteuid ();
}

/* Syncs the parent of PATH, so that a new directory survives a power failure. */
static void
sync_parent (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  g_auto (PpFolder) folder = { -1, NULL };

  if (pp_folder_open (&folder, NULL, parent, FALSE, NULL))
    fsync (folder.fd);
}

gboolean
pp_state_dir_prepare (const char *path, GError **error)
{
  g_auto (PpFolder) folder = { -1, NULL };
  gboolean is_new = !g_file_test (path, G_FILE_TEST_IS_DIR);

  if (is_new && g_mkdir_with_parents (path, 0700) != 0)
    {
      g_set_error (
          error, PP_STATE_ERROR, PP_STATE_ERROR_SYSTEM,
          "State directory %s: cannot be created: %s. Name another one with --state-dir or "
          "PREFECT_PODMAN_STATE_DIR",
          path, g_strerror (errno));
      return FALSE;
    }
  if (is_new)
    sync_parent (path);
  if (!pp_folder_open (&folder, NULL, path, FALSE, error)
      || !pp_folder_check_owner (&folder, error))
    {
      g_prefix_error (error, "State directory ");
      return FALSE;
    }
  return TRUE;
}

void
pp_state_dir_warn_of_readers (const char *path)
{
  struct stat status;

  if (stat (path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    g_warning ("State directory %s: other users may read it (mode %04o). If only workers use it, "
               "run chmod 0700 on it; otherwise, give the worker another one with --state-dir",
               path, (unsigned)(status.st_mode & 07777));
}

/* Locks the whole file FD. Waits if another worker holds the lock. A worker holds the lock only for
 * a moment. */
static gboolean
lock_id (int fd)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  int result;

  do
    result = fcntl (fd, F_OFD_SETLKW, &lock);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

/* Reads the id from the locked file FD, or writes a new one. Returns FALSE with errno. */
static gboolean
read_or_make_id (int fd, const char *path, char id[UUID_LENGTH + 1])
{
  ssize_t count = pread (fd, id, UUID_LENGTH, 0);

  if (count < 0)
    return FALSE;
  id[count] = '\0';
  if (count == UUID_LENGTH && g_uuid_string_is_valid (id))
    return TRUE;
  if (count > 0)
    g_warning ("%s/" PP_STATE_DIR_ID_FILE
               ": contains no valid UUID, so the worker makes a new one. The runs in the other "
               "folders here are taken over only by a worker with the same API, work pool, host "
               "name and engine",
               path);
  g_autofree char *made = g_uuid_string_random ();
  g_strlcpy (id, made, UUID_LENGTH + 1);
  count = pwrite (fd, id, UUID_LENGTH, 0);
  if (count >= 0 && count != UUID_LENGTH)
    errno = ENOSPC;
  return count == UUID_LENGTH && fsync (fd) == 0;
}

/* Opens the file with the id in FOLDER for reading and writing. Sets *READ_ONLY if it can only be
 * read. Returns -1 with ERROR. */
static int
open_id (const PpFolder *folder, gboolean *read_only, GError **error)
{
  int fd = pp_small_file_open (folder, PP_STATE_DIR_ID_FILE, TRUE, read_only);
  int failed = errno;
  struct stat status;
  gboolean is_file = fd >= 0 ? fstat (fd, &status) == 0 && S_ISREG (status.st_mode)
                             : failed != ELOOP && failed != EISDIR && failed != ENXIO;

  if (!is_file)
    g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED,
                 "%s/" PP_STATE_DIR_ID_FILE
                 ": is not a regular file. Remove it, or give the worker "
                 "another directory with --state-dir",
                 folder->path);
  else if (fd < 0)
    pp_folder_error (error, folder, PP_STATE_DIR_ID_FILE, "cannot be read or written", failed);
  if (!is_file && fd >= 0)
    close (fd);
  return is_file ? fd : -1;
}

char *
pp_state_dir_id (const char *path, GError **error)
{
  g_auto (PpFolder) folder = { -1, NULL };
  char id[UUID_LENGTH + 1] = "";
  gboolean read_only;

  if (!pp_folder_open (&folder, NULL, path, FALSE, error))
    return NULL;
  /* A file that this worker cannot write does not change: no lock is needed. */
  int fd = open_id (&folder, &read_only, error);
  if (fd < 0)
    return NULL;
  gboolean read = (read_only || lock_id (fd)) && read_or_make_id (fd, path, id);
  if (!read)
    pp_folder_error (error, &folder, PP_STATE_DIR_ID_FILE, "cannot be read or written", errno);
  close (fd);
  if (!read)
    return NULL;
  fsync (folder.fd);
  return g_strdup (id);
}

gint64
pp_uptime (void)
{
  struct timespec since;

  if (clock_gettime (CLOCK_BOOTTIME, &since) != 0)
    return 0;
  return (gint64)since.tv_sec * G_USEC_PER_SEC + since.tv_nsec / 1000;
}

gint64
pp_booted_at (void)
{
  gint64 uptime = pp_uptime ();

  return uptime > 0 ? g_get_real_time () - uptime : 0;
}

char *
pp_boot_id (void)
{
  gsize length;
  char *id = pp_foreign_file_read ("/proc/sys/kernel/random/boot_id", FALSE, 256, &length, NULL);

  return id != NULL ? g_strstrip (id) : g_strdup ("");
}
