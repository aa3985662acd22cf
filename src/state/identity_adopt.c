/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over the runs of a worker that does not come back. */
#include "config.h"

#include "identity-private.h"

#include "prefect-podman/state/state_dir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>
#include <stdio.h>

/* Returns the content of identity.json of the identity NAME; new object. Returns NULL if it cannot
 * be read or is of another pool. */
static json_t *
read_of_our_pool (const PpIdentity *identity, const char *name)
{
  g_auto (PpFolder) folder = { -1, NULL };
  json_auto_t *json = NULL;

  if (pp_folder_open (&folder, &identity->state_dir, name, FALSE, NULL))
    json = pp_identity_read (&folder, NULL);
  if (g_strcmp0 (pp_json_string (json, "work_pool"), identity->work_pool) != 0)
    return NULL;
  return g_steal_pointer (&json);
}

char *
pp_identity_worker_name (const PpIdentity *identity, const char *name)
{
  json_auto_t *json = read_of_our_pool (identity, name);

  return g_strdup (pp_json_string (json, "worker_name"));
}

static gboolean
is_our_host (const PpIdentity *identity, const json_t *json)
{
  return g_strcmp0 (pp_json_string (json, "host"), identity->host) == 0;
}

static gboolean
is_same_url (const char *url, const char *normal_url)
{
  g_autofree char *normal = url != NULL ? pp_identity_normal_url (url) : NULL;

  return g_strcmp0 (normal, normal_url) == 0;
}

/* True if NAME is another identity of the same pool, host, engine and API. Earlier versions made
 * the name from URLs that were not normalized, so this compares the URLs in identity.json. */
static gboolean
is_sibling (const PpIdentity *identity, const char *name)
{
  const char *slot = strrchr (identity->name, '.');
  gsize length = (gsize)(slot - identity->name) + 1;

  if (!pp_identity_is_name (name) || strcmp (name, identity->name) == 0)
    return FALSE;
  if (strncmp (name, identity->name, length) == 0 && strchr (name + length, '.') == NULL)
    return TRUE;
  json_auto_t *json = read_of_our_pool (identity, name);
  return json != NULL && is_our_host (identity, json)
         && is_same_url (pp_json_string (json, "api_url"), identity->api_url)
         && is_same_url (pp_json_string (json, "engine_url"), identity->engine_url);
}

gboolean
pp_identity_is_of_our_key (const PpIdentity *identity, const char *name)
{
  return g_str_equal (name, identity->name) || is_sibling (identity, name);
}

static guint
count_runs (const PpIdentity *identity, const char *name)
{
  g_auto (PpFolder) folder = { -1, NULL };
  g_auto (PpFolder) runs = { -1, NULL };
  g_autoptr (GPtrArray) names = NULL;
  guint count = 0;

  if (!pp_folder_open (&folder, &identity->state_dir, name, FALSE, NULL)
      || !pp_folder_open (&runs, &folder, PP_IDENTITY_RUNS, FALSE, NULL))
    return 0;
  names = pp_folder_list (&runs, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    count += g_str_has_suffix (g_ptr_array_index (names, i), PP_ENTRY_SUFFIX) ? 1 : 0;
  return count;
}

gboolean
pp_identity_has_runs (const PpIdentity *identity, const char *name)
{
  return count_runs (identity, name) > 0;
}

/* True if NAME has runs but no worker. */
static gboolean
is_left (const PpIdentity *identity, const char *name)
{
  return pp_identity_state (identity->state_dir.path, name) == PP_IDENTITY_FREE
         && count_runs (identity, name) > 0;
}

GPtrArray *
pp_identity_find_free (const PpIdentity *identity)
{
  GPtrArray *free_names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) names = pp_folder_list (&identity->state_dir, NULL);

  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (pp_identity_state (identity->state_dir.path, name) == PP_IDENTITY_FREE
          && is_sibling (identity, name))
        g_ptr_array_add (free_names, g_strdup (name));
    }
  return free_names;
}

/* Returns the string KEY of JSON, an identity's file, for a message; borrowed. */
static const char *
shown (const json_t *json, const char *key)
{
  const char *text = pp_json_string (json, key);

  return text != NULL ? text : "(not known)";
}

/* Warns about the runs of the identity NAME. EARLIER and OURS say how its worker and this one were
 * started, and HOW says how to start a worker for those runs. */
static void
warn_of_runs (const PpIdentity *identity, const char *name, const char *earlier, const char *ours,
              const char *how)
{
  guint count = count_runs (identity, name);
  const char *runs = count == 1 ? "run" : "runs";

  g_warning ("%u flow %s of this work pool %s no worker. The earlier worker %s. This worker %s, so "
             "it leaves the %s alone. To recover the %s, start a worker %s, and keep it running "
             "until the %s %s ended. Or end the %s by hand and remove %s/%s.",
             count, runs, count == 1 ? "has" : "have", earlier, ours, runs, runs, how, runs,
             count == 1 ? "has" : "have", runs, identity->state_dir.path, name);
}

/* Warns about the runs of the identity NAME. JSON, its identity.json, has another API or engine. */
static void
warn_of_urls (const PpIdentity *identity, const char *name, const json_t *json)
{
  g_autofree char *earlier = g_strdup_printf ("used the API %s and the engine %s",
                                              shown (json, "api_url"), shown (json, "engine_url"));
  g_autofree char *ours = g_strdup_printf ("uses the API %s and the engine %s", identity->api_url,
                                           identity->engine_url);

  warn_of_runs (identity, name, earlier, ours, "with the URLs of the earlier worker");
}

/* Warns about the runs of the identity NAME. JSON, its identity.json, has another host. */
static void
warn_of_host (const PpIdentity *identity, const char *name, const json_t *json)
{
  g_autofree char *earlier = g_strdup_printf ("had the host name %s and the engine %s",
                                              shown (json, "host"), shown (json, "engine_url"));
  g_autofree char *ours = g_strdup_printf ("has the host name %s", identity->host);

  warn_of_runs (identity, name, earlier, ours,
                "with the host name and the engine of the earlier worker (to set the host name of "
                "a container, use --hostname, or hostname: in a compose file)");
}

void
pp_identity_warn_of_others (const PpIdentity *identity)
{
  g_autoptr (GPtrArray) names = pp_folder_list (&identity->state_dir, NULL);

  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      json_auto_t *json = NULL;

      if (strcmp (name, identity->name) == 0 || !is_left (identity, name)
          || is_sibling (identity, name) || (json = read_of_our_pool (identity, name)) == NULL)
        continue;
      if (is_our_host (identity, json))
        warn_of_urls (identity, name, json);
      else if (pp_json_string (json, "host") != NULL
               && is_same_url (pp_json_string (json, "api_url"), identity->api_url))
        warn_of_host (identity, name, json);
    }
}

/* True if one of NAMES is a sibling with an entry of FLOW_RUN_ID. NAMES are the names in the state
 * directory. */
static gboolean
find_entry (const PpIdentity *identity, const GPtrArray *names, const char *flow_run_id)
{
  struct stat status;

  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *path
          = g_strdup_printf ("%s/" PP_IDENTITY_RUNS "/%s" PP_ENTRY_SUFFIX, name, flow_run_id);

      if (fstatat (identity->state_dir.fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0
          && is_sibling (identity, name))
        return TRUE;
    }
  return FALSE;
}

gboolean
pp_identity_sibling_has_run (const PpIdentity *identity, const char *flow_run_id)
{
  g_autoptr (GPtrArray) names = pp_folder_list (&identity->state_dir, NULL);

  if (names == NULL || !g_uuid_string_is_valid (flow_run_id))
    return FALSE;
  /* Search twice: another worker may be moving the entry from a sibling that is checked late to one
   * that is checked early. */
  return find_entry (identity, names, flow_run_id) || find_entry (identity, names, flow_run_id);
}

int
pp_identity_hold (const PpIdentity *identity, const char *name)
{
  g_auto (PpFolder) folder = { -1, NULL };

  if (!is_sibling (identity, name)
      || pp_identity_state (identity->state_dir.path, name) != PP_IDENTITY_FREE
      || !pp_folder_open (&folder, &identity->state_dir, name, FALSE, NULL))
    return -1;
  return pp_identity_lock (&folder, FALSE, NULL);
}

/* Turns the entry NAME into a note (journal_late.h), because the server may still carry out
 * requests of the entry's worker. Returns TRUE if the entry is a note now. */
static gboolean
keep_as_note (const PpIdentity *identity, const PpFolder *from, const char *name,
              PpIdentityMoved *moved)
{
  g_auto (PpFolder) late = { -1, NULL };
  g_autofree char *id = g_uuid_string_random ();
  g_autofree char *note = g_strconcat (id, PP_ENTRY_SUFFIX, NULL);

  if (!pp_folder_open (&late, &identity->folder, PP_IDENTITY_LATE, TRUE, NULL)
      || renameat (from->fd, name, late.fd, note) != 0)
    return FALSE;
  fsync (late.fd);
  g_ptr_array_add (moved->notes, g_steal_pointer (&note));
  return TRUE;
}

/* Moves the entry NAME to our entries. Returns TRUE if it was moved. Returns FALSE without ERROR if
 * this worker already has an entry of that run: the other entry then becomes a note, or is set
 * aside if it cannot become one. Returns FALSE with ERROR if the move failed. */
static gboolean
move_entry (const PpIdentity *identity, const PpFolder *from, const PpFolder *to, const char *name,
            PpIdentityMoved *moved, GError **error)
{
  struct stat status;

  if (fstatat (to->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
    {
      if (keep_as_note (identity, from, name, moved))
        return FALSE;
      g_autofree char *place = pp_identity_set_aside (&identity->folder, from, name, error);

      if (place != NULL)
        g_warning (
            "%s/%s: this worker already has an entry for this run; the other entry is now %s",
            from->path, name, place);
      return FALSE;
    }
  if (errno == ENOENT && renameat (from->fd, name, to->fd, name) == 0)
    {
      g_ptr_array_add (moved->entries, g_strdup (name));
      return TRUE;
    }
  pp_folder_error (error, from, name, "cannot be taken over", errno);
  return FALSE;
}

/* Moves the position NAME to the folder TO, where its entry already is. Deletes it if TO already
 * has a position of that run, or if it cannot be moved. */
static void
move_position (const PpFolder *from, const PpFolder *to, const char *name)
{
  struct stat status;

  if (fstatat (to->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0
      || renameat (from->fd, name, to->fd, name) != 0)
    unlinkat (from->fd, name, 0);
}

/* Moves the notes of late requests (journal_late.h). Leaves those that cannot be moved: their
 * worker may come back. */
static void
move_notes (const PpIdentity *identity, const PpFolder *other, PpIdentityMoved *moved)
{
  g_auto (PpFolder) from = { -1, NULL };
  g_auto (PpFolder) to = { -1, NULL };
  g_autoptr (GPtrArray) names = NULL;

  if (!pp_folder_open (&from, other, PP_IDENTITY_LATE, FALSE, NULL)
      || !pp_folder_open (&to, &identity->folder, PP_IDENTITY_LATE, TRUE, NULL))
    return;
  names = pp_folder_list (&from, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (pp_identity_is_run_file (name, PP_ENTRY_SUFFIX)
          && renameat (from.fd, name, to.fd, name) == 0)
        g_ptr_array_add (moved->notes, g_strdup (name));
    }
  if (names != NULL && names->len > 0)
    fsync (to.fd);
}

/* Moves the entry NAME, and its position. The new folder gets the position first, and the old
 * folder keeps it as long as it has the entry. So after a kill, no entry is without its position.
 * Returns FALSE if the entry was not moved; ERROR is set if moving must stop. */
static gboolean
move_run (const PpIdentity *identity, const PpFolder *from, const PpFolder *to, const char *name,
          PpIdentityMoved *moved, GError **error)
{
  g_autofree char *id = g_strndup (name, strlen (name) - strlen (PP_ENTRY_SUFFIX));
  g_autofree char *position = g_strconcat (id, PP_POSITION_SUFFIX, NULL);
  gboolean is_linked = linkat (from->fd, position, to->fd, position, 0) == 0;
  gboolean is_moved = move_entry (identity, from, to, name, moved, error);

  if (is_linked && !is_moved)
    unlinkat (to->fd, position, 0);
  return is_moved;
}

static gint
move_runs (const PpIdentity *identity, const PpFolder *from, const PpFolder *to,
           PpIdentityMoved *moved, GError **error)
{
  g_autoptr (GPtrArray) names = pp_folder_list (from, error);
  g_autoptr (GError) local = NULL;
  gint count = 0;

  if (names == NULL)
    return -1;
  for (guint i = 0; i < names->len && local == NULL; i++)
    if (g_str_has_suffix (g_ptr_array_index (names, i), PP_ENTRY_SUFFIX))
      count += move_run (identity, from, to, g_ptr_array_index (names, i), moved, &local);
  for (guint i = 0; i < names->len && local == NULL; i++)
    if (pp_identity_is_run_file (g_ptr_array_index (names, i), PP_POSITION_SUFFIX))
      move_position (from, to, g_ptr_array_index (names, i));
  if (local == NULL && count > 0 && (fsync (to->fd) != 0 || fsync (from->fd) != 0))
    pp_folder_error (&local, to, NULL, "cannot be written", errno);
  if (local == NULL)
    return count;
  g_propagate_error (error, g_steal_pointer (&local));
  return -1;
}

gint
pp_identity_try_adopt (const PpIdentity *identity, const char *name, PpIdentityMoved *moved,
                       GError **error)
{
  g_auto (PpFolder) other = { -1, NULL };
  g_auto (PpFolder) from = { -1, NULL };
  g_auto (PpFolder) to = { -1, NULL };
  g_autoptr (GError) local = NULL;
  gint count = 0;

  if (!is_sibling (identity, name)
      || pp_identity_state (identity->state_dir.path, name) != PP_IDENTITY_FREE)
    return 0;
  if (!pp_folder_open (&other, &identity->state_dir, name, FALSE, error)
      || !pp_folder_check_owner (&other, error))
    return -1;
  int lock_fd = pp_identity_lock (&other, FALSE, &local);
  if (lock_fd >= 0 && pp_folder_open (&from, &other, PP_IDENTITY_RUNS, FALSE, &local)
      && pp_folder_open (&to, &identity->folder, PP_IDENTITY_RUNS, TRUE, &local))
    count = move_runs (identity, &from, &to, moved, &local);
  if (lock_fd >= 0)
    move_notes (identity, &other, moved);
  /* Keep the folder: its worker may come back and continue under its own name. */
  if (lock_fd >= 0)
    close (lock_fd);
  if (local == NULL || g_error_matches (local, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    return count;
  g_propagate_error (error, g_steal_pointer (&local));
  return -1;
}
