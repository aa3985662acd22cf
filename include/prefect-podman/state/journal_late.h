/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's notes of flow runs that are in nobody's hands any more, while a request about them
 * may still be carried out: one small file a note, beside the entries (late_requests.h uses them).
 */
#pragma once

#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

/* Queues the note ID (a UUID) with the text of ENTRY, which is copied at once. In order with the
 * puts and removals of entries: a note that is put before its run's entry is removed is there
 * before that is gone. Where there is no folder for notes, nothing is written. */
void pp_journal_put_late (PpJournal *journal, const char *id, const PpJournalEntry *entry);

/* Removes the note ID, some time soon. */
void pp_journal_remove_late (PpJournal *journal, const char *id);

/* A note that was read. ENTRY is the callee's. */
typedef void (*PpJournalLateFunc) (const char *id, PpJournalEntry *entry, gpointer user_data);

/* Reads the notes, and removes those that cannot be used, with a warning. Blocks; for the start. */
void pp_journal_load_late (PpJournal *journal, PpJournalLateFunc func, gpointer user_data);

/* The same for the notes in the files NAMES of IDENTITY, which an adoption has moved there. Blocks;
 * may be called on any thread, and FUNC is called on that one. */
void pp_journal_load_moved_late (const PpIdentity *identity, const GPtrArray *names,
                                 PpJournalLateFunc func, gpointer user_data);

G_END_DECLS
