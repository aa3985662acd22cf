/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: one small file for each flow run in flight. After a kill or a power failure, the
 * next worker knows from it what to recover. A helper thread writes the files; it exists only while
 * there is something to write. Changes that arrive while it writes form the next group, and one
 * fsync of the folder makes a whole group durable. Callbacks run on the main loop, and so does all
 * other work unless its comment says otherwise. */
#pragma once

#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal_entry.h"

G_BEGIN_DECLS

typedef struct PpJournal PpJournal;
typedef struct PpJournalPut PpJournalPut;

/* Called when a put has finished. ERROR is NULL if the entry, or a later one of the same run, is
 * durable. Otherwise ERROR (borrowed) has the path and the system's error text. Must not free the
 * journal. */
typedef void (*PpJournalDoneFunc) (const GError *error, gpointer user_data);

/* Opens the journal of IDENTITY on the default main context and takes a reference to IDENTITY.
 * Tries once to write; this blocks. If the disk is full, read-only or broken, the journal still
 * opens, because the worker must continue the runs in flight; pp_journal_failure() then returns the
 * reason. Returns NULL with ERROR (PP_STATE_ERROR); its message says what to do. */
PpJournal *pp_journal_new (const PpIdentity *identity, GError **error);

/* Waits up to 2 s until the queue is written, then frees JOURNAL. Calls no callbacks. Warns about
 * entries that were not written. NULL is ignored. */
void pp_journal_free (PpJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpJournal, pp_journal_free)

/* Reads the entries; new array of PpJournalEntry. Moves unusable files (damaged, from a later
 * version, not a regular file, of another run) to the identity's set-aside folder, with a warning
 * that has the reason and the new path. Warns about a file that cannot be read now, and leaves it.
 * Removes incomplete files that a crash left. Blocks; for the start only. */
GPtrArray *pp_journal_load (PpJournal *journal);

/* Adds the entries in the files NAMES to ENTRIES, as pp_journal_load() does. An adoption has moved
 * these files into the folder of IDENTITY. Blocks. May be called on any thread. */
void pp_journal_load_moved (const PpIdentity *identity, const GPtrArray *names, GPtrArray *entries);

/* Queues ENTRY, which is copied at once. Its flow_run_id must be a UUID, or the put fails. DONE
 * (may be NULL) is called on the main loop, in the order of the puts, and never before this
 * function returns. If the same group has a later put or removal of that run, only the later one is
 * carried out, and DONE gets its result. Returns a handle that is valid until DONE is called. A
 * failed put is not retried. */
PpJournalPut *pp_journal_put (PpJournal *journal, const PpJournalEntry *entry,
                              PpJournalDoneFunc done, gpointer user_data);

/* Cancels DONE of PUT (may be NULL). The entry is still written. */
void pp_journal_put_cancel (PpJournalPut *put);

/* Queues the removal of a run's entry and position, in order with the puts. */
void pp_journal_remove (PpJournal *journal, const char *flow_run_id);

/* Calls DONE, without an error, when everything that was queued before, positions included, is
 * finished. What was written then survives a kill -9. Returns a handle for pp_journal_put_cancel()
 * that is valid until then. */
PpJournalPut *pp_journal_after (PpJournal *journal, PpJournalDoneFunc done, gpointer user_data);

/* A function that reads or changes the state directory and may block for long. Called on the
 * journal's thread. It may use what DATA owns or references, but no other objects of the main loop,
 * such as the journal. It may log. */
typedef void (*PpJournalWorkFunc) (gpointer data);

/* Calls WORK with DATA after everything that was queued before, and then DONE (may be NULL) on the
 * main loop, without an error. FREE_DATA (may be NULL) is called on the main loop after DONE, also
 * if DONE was cancelled. If the disk hangs until this process ends, FREE_DATA is never called.
 * Returns a handle for pp_journal_put_cancel() that is valid until DONE is called. */
PpJournalPut *pp_journal_work (PpJournal *journal, PpJournalWorkFunc work, gpointer data,
                               GDestroyNotify free_data, PpJournalDoneFunc done,
                               gpointer user_data);

/* Queues a small durable write to update pp_journal_failure(), unless a put, a removal or a probe
 * is already queued or being written. */
void pp_journal_probe (PpJournal *journal);

/* Returns why the journal cannot be written, or NULL. The string has the path and the system's
 * error text; it is borrowed and valid until the loop runs again. A write that fails, or that takes
 * 30 s, sets it. The next put or probe that succeeds clears it. The journal logs both changes.
 * While it is set, take no runs, and call pp_journal_probe() every few seconds. */
const char *pp_journal_failure (const PpJournal *journal);

/* Returns the number of unfinished operations of all kinds, positions included. */
guint pp_journal_pending (const PpJournal *journal);

G_END_DECLS
