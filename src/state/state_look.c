/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/state_look.h"

#include "prefect-podman/state/journal_late.h"

#include <unistd.h>

static void
free_adoption (gpointer data)
{
  PpAdoption *adoption = data;

  g_clear_error (&adoption->error);
  g_free (adoption->name);
  g_free (adoption->worker_name);
  g_free (adoption);
}

static void
free_note (gpointer data)
{
  PpMovedNote *note = data;

  pp_journal_entry_free (note->entry);
  g_free (note->id);
  g_free (note);
}

PpFreeIdentitiesLook *
pp_free_identities_look_new (const PpIdentity *identity, GPtrArray *before, GHashTable *adopted)
{
  PpFreeIdentitiesLook *look = g_new0 (PpFreeIdentitiesLook, 1);
  GHashTableIter iter;
  gpointer name;

  look->identity = pp_identity_ref (identity);
  look->before = before;
  look->adopted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_iter_init (&iter, adopted);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (look->adopted, g_strdup (name));
  look->adoptions = g_ptr_array_new_with_free_func (free_adoption);
  look->entries = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_journal_entry_free);
  look->notes = g_ptr_array_new_with_free_func (free_note);
  return look;
}

static void
on_note (const char *id, PpJournalEntry *entry, gpointer user_data)
{
  PpFreeIdentitiesLook *look = user_data;
  PpMovedNote *note = g_new0 (PpMovedNote, 1);

  note->id = g_strdup (id);
  note->entry = entry;
  g_ptr_array_add (look->notes, note);
}

static void
adopt (PpFreeIdentitiesLook *look, const char *name)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  PpIdentityMoved moved = { entries, notes };
  PpAdoption *adoption = g_new0 (PpAdoption, 1);

  adoption->name = g_strdup (name);
  adoption->worker_name = pp_identity_worker_name (look->identity, name);
  adoption->count = pp_identity_try_adopt (look->identity, name, &moved, &adoption->error);
  g_ptr_array_add (look->adoptions, adoption);
  pp_journal_load_moved (look->identity, entries, look->entries);
  pp_journal_load_moved_late (look->identity, notes, on_note, look);
}

void
pp_free_identities_look (gpointer data)
{
  PpFreeIdentitiesLook *look = data;

  look->free_names = pp_identity_find_free (look->identity);
  for (guint i = 0; look->before != NULL && i < look->free_names->len; i++)
    {
      const char *name = g_ptr_array_index (look->free_names, i);

      if (g_ptr_array_find_with_equal_func (look->before, name, g_str_equal, NULL)
          && (!g_hash_table_contains (look->adopted, name)
              || pp_identity_has_runs (look->identity, name)))
        adopt (look, name);
    }
}

void
pp_free_identities_look_free (gpointer data)
{
  PpFreeIdentitiesLook *look = data;

  g_clear_pointer (&look->before, g_ptr_array_unref);
  g_clear_pointer (&look->free_names, g_ptr_array_unref);
  g_hash_table_unref (look->adopted);
  g_ptr_array_unref (look->adoptions);
  g_ptr_array_unref (look->entries);
  g_ptr_array_unref (look->notes);
  pp_identity_free (look->identity);
  g_free (look);
}

PpLabelsLook *
pp_labels_look_new (const PpIdentity *identity)
{
  PpLabelsLook *look = g_new0 (PpLabelsLook, 1);

  look->identity = pp_identity_ref (identity);
  look->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  look->ours = g_hash_table_new (g_str_hash, g_str_equal);
  look->locks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return look;
}

void
pp_labels_look_add (PpLabelsLook *look, const char *name, gboolean hold)
{
  if (!g_hash_table_contains (look->states, name))
    g_hash_table_insert (look->states, g_strdup (name), GINT_TO_POINTER (PP_IDENTITY_UNKNOWN));
  if (hold && !g_hash_table_contains (look->locks, name))
    g_hash_table_insert (look->locks, g_strdup (name), GINT_TO_POINTER (-1));
}

void
pp_labels_look (gpointer data)
{
  PpLabelsLook *look = data;
  GHashTableIter iter;
  gpointer name;

  /* Replacing values while iterating is allowed. */
  g_hash_table_iter_init (&iter, look->locks);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_iter_replace (&iter, GINT_TO_POINTER (pp_identity_hold (look->identity, name)));
  g_hash_table_iter_init (&iter, look->states);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      g_hash_table_iter_replace (&iter, GINT_TO_POINTER (pp_identity_state (
                                            pp_identity_state_dir (look->identity), name)));
      if (pp_identity_is_of_our_key (look->identity, name))
        g_hash_table_add (look->ours, name);
    }
}

void
pp_labels_look_free (gpointer data)
{
  PpLabelsLook *look = data;
  GHashTableIter iter;
  gpointer lock;

  g_hash_table_iter_init (&iter, look->locks);
  while (g_hash_table_iter_next (&iter, NULL, &lock))
    if (GPOINTER_TO_INT (lock) >= 0)
      close (GPOINTER_TO_INT (lock));
  g_hash_table_unref (look->locks);
  g_hash_table_unref (look->ours);
  g_hash_table_unref (look->states);
  pp_identity_free (look->identity);
  g_free (look);
}

PpRunLook *
pp_run_look_new (const PpIdentity *identity, const char *flow_run_id)
{
  PpRunLook *look = g_new0 (PpRunLook, 1);

  look->identity = pp_identity_ref (identity);
  look->flow_run_id = g_strdup (flow_run_id);
  return look;
}

void
pp_run_look (gpointer data)
{
  PpRunLook *look = data;

  look->found = pp_identity_sibling_has_run (look->identity, look->flow_run_id);
}

void
pp_run_look_free (gpointer data)
{
  PpRunLook *look = data;

  pp_identity_free (look->identity);
  g_free (look->flow_run_id);
  g_free (look);
}
