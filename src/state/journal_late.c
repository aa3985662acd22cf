/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/journal_late.h"

#include "prefect-podman/state/state_dir.h"

#include "journal-private.h"

#include <string.h>
#include <unistd.h>

gboolean
pp_journal_open_late (PpJournal *journal, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!pp_folder_open (&journal->late, &journal->identity->folder, PP_IDENTITY_LATE, TRUE, &local))
    {
      g_warning (
          "The worker cannot store notes of requests that may be carried out after it ends: %s",
          local->message);
      journal->late.fd = -1;
      return TRUE;
    }
  return pp_folder_check_owner (&journal->late, error);
}

void
pp_journal_put_late (PpJournal *journal, const char *id, const PpJournalEntry *entry)
{
  PpJournalPut *put;

  if (journal->late.fd < 0)
    return;
  put = pp_journal_queue (journal, journal->late.fd, PP_JOURNAL_PUT, id);
  put->text = pp_journal_entry_to_text (entry);
  put->length = strlen (put->text);
}

void
pp_journal_remove_late (PpJournal *journal, const char *id)
{
  if (journal->late.fd >= 0)
    pp_journal_queue (journal, journal->late.fd, PP_JOURNAL_REMOVE, id);
}

/* Reads the file NAME. Returns a new entry, or NULL with ERROR, which has the file's path. */
static PpJournalEntry *
read_note (const PpFolder *folder, const char *name, GError **error)
{
  gsize length = 0;
  g_autofree char *text
      = pp_small_file_read (folder, name, PP_JOURNAL_ENTRY_MAX_BYTES, &length, error);
  PpJournalEntry *entry = NULL;

  if (text == NULL)
    return NULL;
  entry = pp_journal_entry_parse (text, length, error);
  if (entry == NULL)
    g_prefix_error (error, "%s/%s: ", folder->path, name);
  return entry;
}

static void
load_note (const PpFolder *folder, const char *name, PpJournalLateFunc func, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *id = g_strndup (name, PP_JOURNAL_UUID_LENGTH);
  PpJournalEntry *entry = read_note (folder, name, &error);

  if (entry != NULL)
    {
      func (id, entry, user_data);
      return;
    }
  if (g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    return;
  if (!g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED)
      && !g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_NEWER))
    {
      g_warning ("%s. The note stays where it is, and the worker reads it at its next start",
                 error->message);
      return;
    }
  g_warning (
      "%s. The worker removes this note of an earlier worker's request. If the server carries "
      "out that request now, no worker will notice",
      error->message);
  unlinkat (folder->fd, name, 0);
}

void
pp_journal_load_late (PpJournal *journal, PpJournalLateFunc func, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = NULL;

  if (journal->late.fd < 0)
    return;
  names = pp_folder_list (&journal->late, &error);
  if (names == NULL)
    g_warning ("Cannot read the notes of requests that an earlier worker made: %s", error->message);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (pp_identity_is_run_file (name, PP_ENTRY_SUFFIX))
        load_note (&journal->late, name, func, user_data);
      else if (g_str_has_prefix (name, PP_TEMPORARY_PREFIX) && journal->group == NULL)
        unlinkat (journal->late.fd, name, 0);
    }
}

void
pp_journal_load_moved_late (const PpIdentity *identity, const GPtrArray *names,
                            PpJournalLateFunc func, gpointer user_data)
{
  g_auto (PpFolder) late = { -1, NULL };
  g_autoptr (GError) error = NULL;

  if (names->len == 0)
    return;
  if (!pp_folder_open (&late, &identity->folder, PP_IDENTITY_LATE, FALSE, &error))
    g_warning ("Cannot read the notes of requests that another worker made: %s", error->message);
  for (guint i = 0; error == NULL && i < names->len; i++)
    load_note (&late, g_ptr_array_index (names, i), func, user_data);
}
