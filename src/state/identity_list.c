/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/identity_list.h"

#include "prefect-podman/state/journal_entry.h"
#include "prefect-podman/state/state_dir.h"

#include "identity-private.h"

#include <stdlib.h>
#include <string.h>

static void
info_free (gpointer data)
{
  PpIdentityInfo *info = data;

  g_free (info->name);
  g_free (info->worker_name);
  g_free (info->work_pool);
  g_free (info->api_url);
  g_free (info->host);
  g_free (info->engine_url);
  g_ptr_array_unref (info->entries);
  g_ptr_array_unref (info->problems);
  g_free (info);
}

static gint
compare_entries (gconstpointer a, gconstpointer b)
{
  const PpJournalEntry *one = *(const PpJournalEntry *const *)a;
  const PpJournalEntry *other = *(const PpJournalEntry *const *)b;

  return one->claimed_at < other->claimed_at ? -1 : one->claimed_at > other->claimed_at;
}

static void
add_problem (PpIdentityInfo *info, const GError *error)
{
  g_ptr_array_add (info->problems, g_strdup (error->message));
}

static void
read_identity_file (PpIdentityInfo *info, const PpFolder *folder)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *json = pp_identity_read (folder, &error);

  /* Do not report a missing file: a worker writes it shortly after taking the lock. */
  if (json == NULL && !g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    add_problem (info, error);
  info->worker_name = g_strdup (pp_json_string (json, "worker_name"));
  info->work_pool = g_strdup (pp_json_string (json, "work_pool"));
  info->api_url = g_strdup (pp_json_string (json, "api_url"));
  info->host = g_strdup (pp_json_string (json, "host"));
  info->engine_url = g_strdup (pp_json_string (json, "engine_url"));
  info->pid = json_integer_value (json_object_get (json, "pid"));
  info->started_at = json_integer_value (json_object_get (json, "started_at"));
}

static void
read_entry (PpIdentityInfo *info, const PpFolder *runs, const char *name)
{
  g_autoptr (GError) error = NULL;
  PpJournalEntry *entry = NULL;
  gsize length = 0;
  g_autofree char *text
      = pp_small_file_read (runs, name, PP_JOURNAL_ENTRY_MAX_BYTES, &length, &error);

  if (text != NULL && (entry = pp_journal_entry_parse (text, length, &error)) == NULL)
    g_prefix_error (&error, "%s/%s: ", runs->path, name);
  if (entry != NULL)
    {
      entry->is_followed = pp_position_is_there (runs, entry);
      g_ptr_array_add (info->entries, entry);
    }
  /* A run may end while we look. */
  else if (!g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    add_problem (info, error);
}

static void
read_entries (PpIdentityInfo *info, const PpFolder *folder)
{
  g_auto (PpFolder) runs = { -1, NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = NULL;

  if (pp_folder_open (&runs, folder, PP_IDENTITY_RUNS, FALSE, &error))
    names = pp_folder_list (&runs, &error);
  if (error != NULL && !g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    add_problem (info, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (pp_identity_is_run_file (g_ptr_array_index (names, i), PP_ENTRY_SUFFIX))
      read_entry (info, &runs, g_ptr_array_index (names, i));
  g_ptr_array_sort (info->entries, compare_entries);
}

static void
count_set_aside (PpIdentityInfo *info, const PpFolder *folder)
{
  g_auto (PpFolder) aside = { -1, NULL };
  g_autoptr (GPtrArray) names = NULL;

  if (pp_folder_open (&aside, folder, PP_IDENTITY_SET_ASIDE, FALSE, NULL))
    names = pp_folder_list (&aside, NULL);
  info->set_aside = names != NULL ? names->len : 0;
}

static PpIdentityInfo *
read_info (const PpFolder *state_dir, const char *name)
{
  g_auto (PpFolder) folder = { -1, NULL };
  g_autoptr (GError) error = NULL;
  PpIdentityInfo *info = g_new0 (PpIdentityInfo, 1);

  info->name = g_strdup (name);
  info->state = pp_identity_state (state_dir->path, name);
  info->entries = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_journal_entry_free);
  info->problems = g_ptr_array_new_with_free_func (g_free);
  if (!pp_folder_open (&folder, state_dir, name, FALSE, &error))
    {
      add_problem (info, error);
      return info;
    }
  read_identity_file (info, &folder);
  read_entries (info, &folder);
  count_set_aside (info, &folder);
  return info;
}

static gboolean
has_file (const char *state_dir, const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (state_dir, folder, name, NULL);

  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

/* True if NAME is an identity's folder. A worker creates the lock file first, and identity.json
 * shortly after. */
static gboolean
is_identity (const char *state_dir, const char *name)
{
  return pp_identity_is_name (name)
         && (has_file (state_dir, name, PP_IDENTITY_FILE)
             || has_file (state_dir, name, PP_IDENTITY_LOCK));
}

/* If PATH is a worker's folder or a folder directly in one, returns the path of the state directory
 * above it; new string. Otherwise returns NULL. */
static char *
state_dir_above (const char *path)
{
  g_autofree char *at = realpath (path, NULL);

  for (guint i = 0; i < 2 && at != NULL; i++)
    {
      g_autofree char *name = g_path_get_basename (at);
      g_autofree char *parent = g_path_get_dirname (at);

      if (is_identity (parent, name))
        return g_steal_pointer (&parent);
      g_free (at);
      at = g_steal_pointer (&parent);
    }
  return NULL;
}

GPtrArray *
pp_identity_list (const char *state_dir, GError **error)
{
  g_auto (PpFolder) folder = { -1, NULL };
  g_autoptr (GPtrArray) names = NULL;
  g_autoptr (GPtrArray) infos = g_ptr_array_new_with_free_func (info_free);

  if (!pp_folder_open (&folder, NULL, state_dir, FALSE, error)
      || (names = pp_folder_list (&folder, error)) == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    if (is_identity (state_dir, g_ptr_array_index (names, i)))
      g_ptr_array_add (infos, read_info (&folder, g_ptr_array_index (names, i)));
  g_autofree char *above = infos->len == 0 ? state_dir_above (state_dir) : NULL;
  if (above != NULL)
    {
      g_set_error (
          error, PP_STATE_ERROR, PP_STATE_ERROR_FOREIGN,
          "%s is one worker's folder inside a state directory. Name the state directory: %s",
          state_dir, above);
      return NULL;
    }
  if (infos->len > 0 || names->len == 0 || has_file (state_dir, PP_STATE_DIR_ID_FILE, NULL))
    return g_steal_pointer (&infos);
  g_set_error (
      error, PP_STATE_ERROR, PP_STATE_ERROR_FOREIGN,
      "%s is not a state directory of prefect-podman: name the directory that the worker uses",
      state_dir);
  return NULL;
}

/* True if JSON, the content of an identity.json, is of a worker on this host with WORK_POOL and
 * API_URL. API_URL is normalized. */
static gboolean
is_of (const json_t *json, const char *api_url, const char *work_pool)
{
  const char *url = pp_json_string (json, "api_url");
  g_autofree char *normal = url != NULL ? pp_identity_normal_url (url) : NULL;

  return g_strcmp0 (normal, api_url) == 0
         && g_strcmp0 (pp_json_string (json, "work_pool"), work_pool) == 0
         && g_strcmp0 (pp_json_string (json, "host"), g_get_host_name ()) == 0;
}

char *
pp_identity_last_place (const char *state_dir, const char *api_url, const char *work_pool)
{
  g_auto (PpFolder) folder = { -1, NULL };
  g_autoptr (GPtrArray) names = NULL;
  g_autofree char *url = pp_identity_normal_url (api_url);
  g_autofree char *place = NULL;
  gint64 latest = -1;

  if (!pp_folder_open (&folder, NULL, state_dir, FALSE, NULL)
      || (names = pp_folder_list (&folder, NULL)) == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_auto (PpFolder) identity = { -1, NULL };
      json_auto_t *json = NULL;

      if (pp_identity_is_name (name) && pp_folder_open (&identity, &folder, name, FALSE, NULL))
        json = pp_identity_read (&identity, NULL);
      gint64 started = json_integer_value (json_object_get (json, "started_at"));
      if (json == NULL || started <= latest || !is_of (json, url, work_pool))
        continue;
      latest = started;
      g_free (place);
      place = g_strdup (pp_json_string (json, "engine_url"));
    }
  return g_steal_pointer (&place);
}
