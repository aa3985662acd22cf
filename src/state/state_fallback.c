/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/state_fallback.h"

#include "small_file-private.h"

#include "prefect-podman/state/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "prefect-podman"

static const char gone_at_logout[]
    = "is gone at a reboot, and when the last session of this user ends (unless loginctl "
      "enable-linger was called for this user)";
static const char gone_at_reboot[] = "is gone at a reboot";
static const char gone_at_clean_up[] = "is gone at a reboot, when the container around this worker "
                                       "(if there is one) is removed, or when the directory above "
                                       "it is cleaned up while no worker runs";

/* A directory in which our fallback directory may be. */
typedef struct
{
  char *parent;
  char *name;
  gboolean is_own; /* TRUE: the parent must belong to us; FALSE: it may also belong to root
                      (open_parent()) */
  const char *forgets;
} Place;

static void
place_free (gpointer data)
{
  Place *place = data;

  g_free (place->parent);
  g_free (place->name);
  g_free (place);
}

static void
add_place (GPtrArray *places, const char *parent, gboolean is_own, const char *forgets)
{
  Place *place;

  if (parent == NULL || !g_path_is_absolute (parent))
    return;
  for (guint i = 0; i < places->len; i++)
    if (strcmp (((const Place *)g_ptr_array_index (places, i))->parent, parent) == 0)
      return;
  place = g_new0 (Place, 1);
  place->parent = g_strdup (parent);
  place->is_own = is_own;
  place->forgets = forgets;
  place->name = is_own ? g_strdup (NAME) : g_strdup_printf (NAME "-%u", (unsigned)geteuid ());
  g_ptr_array_add (places, place);
}

static GPtrArray *
list_places (void)
{
  GPtrArray *places = g_ptr_array_new_with_free_func (place_free);
  g_autofree char *runtime = g_strdup_printf ("/run/user/%u", (unsigned)geteuid ());

  add_place (places, g_getenv ("XDG_RUNTIME_DIR"), TRUE, gone_at_logout);
  add_place (places, runtime, TRUE, gone_at_logout);
  if (geteuid () == 0)
    add_place (places, "/run", TRUE, gone_at_reboot);
  /* Try TMPDIR after /tmp, so that a restarted worker with another TMPDIR, or with none, finds the
   * same directory. */
  add_place (places, "/tmp", FALSE, gone_at_clean_up);
  add_place (places, g_getenv ("TMPDIR"), FALSE, gone_at_clean_up);
  add_place (places, "/dev/shm", FALSE, gone_at_logout);
  return places;
}

/* Opens the parent. Returns FALSE with ERROR if another user could replace our directory: in a
 * directory without the sticky bit, anybody who may write can rename any entry. */
static gboolean
open_parent (PpFolder *parent, const Place *place, GError **error)
{
  struct stat status;

  if (!pp_folder_open (parent, NULL, place->parent, FALSE, error))
    return FALSE;
  if (fstat (parent->fd, &status) != 0)
    {
      pp_folder_error (error, parent, NULL, "cannot be checked", errno);
      return FALSE;
    }
  gboolean is_ours = status.st_uid == geteuid ();
  gboolean is_safe = is_ours || (!place->is_own && status.st_uid == 0);
  gboolean is_shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (is_safe && (!is_shared || (status.st_mode & S_ISVTX) != 0))
    return TRUE;
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE,
               "%s: other users could replace a directory there (owner %u, mode %04o)",
               place->parent, (unsigned)status.st_uid, (unsigned)(status.st_mode & 07777));
  return FALSE;
}

/* Opens NAME in PARENT if it is our directory, and removes other users' access to it. Does not
 * follow symbolic links. */
static gboolean
open_private (PpFolder *folder, const PpFolder *parent, const char *name, gboolean create,
              GError **error)
{
  struct stat status;

  if (!pp_folder_open (folder, parent, name, create, error))
    return FALSE;
  if (pp_folder_check_owner (folder, error))
    {
      if (fstat (folder->fd, &status) == 0
          && ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0 || fchmod (folder->fd, 0700) == 0)
          && faccessat (folder->fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return TRUE;
      pp_folder_error (error, folder, NULL, "cannot be written", errno);
    }
  pp_folder_close (folder);
  return FALSE;
}

/* Opens a directory with a suffix after the name, because another user may have taken the plain
 * name. First tries existing directories, which an earlier worker of this user created. Then
 * creates a new one if CREATE is TRUE. */
static gboolean
open_suffixed (PpFolder *folder, const PpFolder *parent, const Place *place, gboolean create)
{
  g_autofree char *start = g_strconcat (place->name, ".", NULL);
  g_autoptr (GPtrArray) names = pp_folder_list (parent, NULL);

  for (guint i = 0; names != NULL && i < names->len; i++)
    if (g_str_has_prefix (g_ptr_array_index (names, i), start)
        && open_private (folder, parent, g_ptr_array_index (names, i), FALSE, NULL))
      return TRUE;
  if (!create)
    return FALSE;
  g_autofree char *path = g_strconcat (place->parent, "/", start, "XXXXXX", NULL);
  if (g_mkdtemp (path) == NULL)
    return FALSE;
  g_autofree char *name = g_path_get_basename (path);
  return open_private (folder, parent, name, FALSE, NULL);
}

static gboolean
open_place (PpFolder *folder, const Place *place, gboolean create, GError **error)
{
  g_auto (PpFolder) parent = { -1, NULL };
  g_autoptr (GError) local = NULL;

  if (!open_parent (&parent, place, error))
    return FALSE;
  /* Prefer an existing directory, with or without a suffix: it may have a journal. An earlier
   * worker may have needed a suffix because another user had taken the plain name; that name may be
   * free again. */
  if (open_private (folder, &parent, place->name, FALSE, NULL)
      || (!place->is_own && open_suffixed (folder, &parent, place, FALSE))
      || open_private (folder, &parent, place->name, create, &local)
      || (!place->is_own && !g_error_matches (local, PP_STATE_ERROR, PP_STATE_ERROR_GONE)
          && open_suffixed (folder, &parent, place, create)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

PpStateFallback *
pp_state_fallback_new (guint n, gboolean create, gboolean *exists, GError **error)
{
  g_autoptr (GPtrArray) places = list_places ();
  g_auto (PpFolder) folder = { -1, NULL };

  *exists = n < places->len;
  if (!*exists)
    return NULL;
  const Place *place = g_ptr_array_index (places, n);
  if (!open_place (&folder, place, create, error))
    return NULL;
  PpStateFallback *fallback = g_new0 (PpStateFallback, 1);
  fallback->path = g_strdup (folder.path);
  fallback->forgets = place->forgets;
  fallback->lock_fd = -1;
  if (!create)
    return fallback;
  /* systemd-tmpfiles skips the content of a directory that is locked with flock(2) (tmpfiles.d(5)).
   * The lock is shared, because all workers of this user hold it. Wait for the lock, because
   * systemd-tmpfiles itself locks the directory for a moment. */
  fallback->lock_fd = fcntl (folder.fd, F_DUPFD_CLOEXEC, 3);
  while (fallback->lock_fd >= 0 && flock (fallback->lock_fd, LOCK_SH) != 0 && errno == EINTR)
    ;
  return fallback;
}

void
pp_state_fallback_free (PpStateFallback *fallback)
{
  if (fallback == NULL)
    return;
  if (fallback->lock_fd >= 0)
    close (fallback->lock_fd);
  g_free (fallback->path);
  g_free (fallback);
}
