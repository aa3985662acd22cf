/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the journal, at the start and after an adoption. */
#include "config.h"

#include "prefect-podman/state/state_dir.h"

#include "journal-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static gboolean
check_name (const PpJournalEntry *entry, const char *name, GError **error)
{
  gsize length = strlen (entry->flow_run_id);

  if (strncmp (name, entry->flow_run_id, length) == 0
      && strcmp (name + length, PP_ENTRY_SUFFIX) == 0)
    return TRUE;
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED,
               "key \"flow_run_id\": is %s, which does not match the file's name",
               entry->flow_run_id);
  return FALSE;
}

/* Reads the entry NAME. Returns a new entry, or NULL with ERROR, which has the file's path. */
static PpJournalEntry *
read_entry (const PpFolder *runs, const char *name, GError **error)
{
  gsize length = 0;
  g_autofree char *text
      = pp_small_file_read (runs, name, PP_JOURNAL_ENTRY_MAX_BYTES, &length, error);
  g_autoptr (PpJournalEntry) entry = NULL;

  if (text == NULL)
    return NULL;
  entry = pp_journal_entry_parse (text, length, error);
  if (entry != NULL && check_name (entry, name, error))
    {
      entry->is_followed = pp_position_is_there (runs, entry);
      return g_steal_pointer (&entry);
    }
  g_prefix_error (error, "%s/%s: ", runs->path, name);
  return NULL;
}

static void
set_aside (const PpIdentity *identity, const PpFolder *runs, const char *name, const GError *why)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *place = pp_identity_set_aside (&identity->folder, runs, name, &error);

  if (place != NULL)
    g_warning (
        "%s. If the run of this file has a container, the worker follows it. The file is now %s",
        why->message, place);
  else
    g_warning ("%s. If the run of this file has a container, the worker follows it. %s",
               why->message, error->message);
}

static void
load_entry (const PpIdentity *identity, const PpFolder *runs, const char *name, GPtrArray *entries)
{
  g_autoptr (GError) error = NULL;
  PpJournalEntry *entry = read_entry (runs, name, &error);

  if (entry != NULL)
    g_ptr_array_add (entries, entry);
  else if (g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED)
           || g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_NEWER))
    set_aside (identity, runs, name, error);
  else if (!g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    g_warning (
        "%s. The file stays where it is. The worker recovers its run only if it finds the run's "
        "container",
        error->message);
}

/* True if the run of POSITION_NAME has an entry among NAMES. An entry that could not be read counts
 * too: the run's container may still be recovered. */
static gboolean
has_entry (const GPtrArray *names, const char *position_name)
{
  g_autofree char *id = g_strndup (position_name, PP_JOURNAL_UUID_LENGTH);
  PpJournalName name;

  pp_journal_name (name, "", id, PP_ENTRY_SUFFIX);
  return g_ptr_array_find_with_equal_func ((GPtrArray *)names, name, g_str_equal, NULL);
}

GPtrArray *
pp_journal_load (PpJournal *journal)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_journal_entry_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = pp_folder_list (&journal->runs, &error);

  if (names == NULL)
    {
      g_warning (
          "%s. The worker recovers only those runs of an earlier worker whose containers it finds",
          error->message);
      return entries;
    }
  for (guint i = 0; i < names->len; i++)
    if (g_str_has_suffix (g_ptr_array_index (names, i), PP_ENTRY_SUFFIX))
      load_entry (journal->identity, &journal->runs, g_ptr_array_index (names, i), entries);
  /* Remove what a crash left. While a group is being written, such files may be part of the
   * group. */
  for (guint i = 0; i < names->len && journal->group == NULL; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (g_str_has_prefix (name, PP_TEMPORARY_PREFIX)
          || (pp_identity_is_run_file (name, PP_POSITION_SUFFIX) && !has_entry (names, name)))
        unlinkat (journal->runs.fd, name, 0);
    }
  return entries;
}

void
pp_journal_load_moved (const PpIdentity *identity, const GPtrArray *names, GPtrArray *entries)
{
  g_auto (PpFolder) runs = { -1, NULL };
  g_autoptr (GError) error = NULL;

  if (names->len == 0)
    return;
  if (!pp_folder_open (&runs, &identity->folder, PP_IDENTITY_RUNS, FALSE, &error))
    g_warning (
        "Cannot read the journal entries of runs that this worker took over from another: %s",
        error->message);
  for (guint i = 0; error == NULL && i < names->len; i++)
    load_entry (identity, &runs, g_ptr_array_index (names, i), entries);
}
