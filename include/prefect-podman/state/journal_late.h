/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's notes about late requests. The server may still carry out a request about a flow
 * run that no worker handles any more. Each note is one small file beside the entries (used by
 * worker/recovery/late_requests.c). */
#pragma once

#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

/* Queues the note ID (a UUID) with the text of ENTRY, which is copied at once. Keeps the order of
 * puts and removals: if a note is put before its run's entry is removed, the note is on the disk
 * before the entry is gone. Writes nothing if the folder for notes could not be opened. */
void pp_journal_put_late (PpJournal *journal, const char *id, const PpJournalEntry *entry);

/* Queues the removal of the note ID. */
void pp_journal_remove_late (PpJournal *journal, const char *id);

/* Called for each note that was read. The callee owns ENTRY. */
typedef void (*PpJournalLateFunc) (const char *id, PpJournalEntry *entry, gpointer user_data);

/* Reads the notes. Removes notes that are damaged or from a later version, with a warning. A note
 * that cannot be read now stays for the next start. Blocks; for the start only. */
void pp_journal_load_late (PpJournal *journal, PpJournalLateFunc func, gpointer user_data);

/* The same for the notes in the files NAMES, which an adoption has moved into the folder of
 * IDENTITY. Blocks. May be called on any thread; FUNC is called on that thread. */
void pp_journal_load_moved_late (const PpIdentity *identity, const GPtrArray *names,
                                 PpJournalLateFunc func, gpointer user_data);

G_END_DECLS
