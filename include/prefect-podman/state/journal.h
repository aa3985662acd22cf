/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: one small file a flow run in flight, so that a worker that was killed, or a host
 * that lost its power, can be followed by one that knows. Files are written by a helper thread that
 * is there only while there is something to write; all that came meanwhile is its next group, and
 * costs one fsync of the folder together. Everything else, callbacks included, is on the main loop.
 */
#pragma once

#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal_entry.h"

G_BEGIN_DECLS

typedef struct PpJournal PpJournal;
typedef struct PpJournalPut PpJournalPut;

/* The end of a put: the entry, or a later one of the same run, is durable; or it is not, and ERROR
 * (borrowed) says why with path and the system's words. Not to free the journal. */
typedef void (*PpJournalDoneFunc) (const GError *error, gpointer user_data);

/* Opens the journal of IDENTITY, which it holds, on the default main context. Tries once
 * (blocking) whether it can be written; a disk that is full, read-only or broken is no error but a
 * first pp_journal_failure(), since runs in flight have to be gone on with. NULL with ERROR
 * (PP_STATE_ERROR), whose message says what to do. */
PpJournal *pp_journal_new (const PpIdentity *identity, GError **error);

/* Waits, 2 s at most, until what is queued is written, and frees; no callback is called any more.
 * What was not written is warned of. NULL is ignored. */
void pp_journal_free (PpJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpJournal, pp_journal_free)

/* Reads the entries; new array of PpJournalEntry. What cannot be used (damaged, of a later version,
 * no regular file, another run's) is moved to the identity's set-aside folder, with a warning that
 * says what and where to; what cannot be read for now is warned of and left. Removes what a crash
 * left half done. Blocks; for the start. */
GPtrArray *pp_journal_load (PpJournal *journal);

/* Adds the entries in the files NAMES of IDENTITY's journal, which an adoption has moved there, to
 * ENTRIES, as pp_journal_load() does. Blocks; may be called on any thread. */
void pp_journal_load_moved (const PpIdentity *identity, const GPtrArray *names, GPtrArray *entries);

/* Queues ENTRY, which is copied at once; its flow_run_id must be a UUID, or the put fails. DONE is
 * called on the main loop, never from inside this call, in the order of the puts; may be NULL. A
 * put that is followed by another (or a removal) of the same run before it was begun is not written
 * by itself. Returns a handle that is good until DONE is called. A put that failed is not tried
 * again. */
PpJournalPut *pp_journal_put (PpJournal *journal, const PpJournalEntry *entry,
                              PpJournalDoneFunc done, gpointer user_data);

/* DONE of PUT (may be NULL) will not be called; the entry is written all the same. */
void pp_journal_put_cancel (PpJournalPut *put);

/* Removes the entry and the position of a run, in order with the puts, some time soon. */
void pp_journal_remove (PpJournal *journal, const char *flow_run_id);

/* Has DONE called once all that was queued before, positions included, is written: it is there
 * after a kill -9. Returns a handle that is good until then, for pp_journal_put_cancel(). */
PpJournalPut *pp_journal_after (PpJournal *journal, PpJournalDoneFunc done, gpointer user_data);

/* What is to be asked of the state directory, or done there, and may block for long. It is called
 * on the journal's thread, and may use what its DATA owns or holds, but nothing else of the loop's,
 * such as the journal. It may log. */
typedef void (*PpJournalWorkFunc) (gpointer data);

/* Has WORK called with DATA once all that was queued before is done, and then DONE (may be NULL) on
 * the main loop, without an error. FREE_DATA (may be NULL) is called on the main loop after DONE,
 * cancelled or not; never, where the disk does not answer until this process ends. Returns a handle
 * that is good until DONE is called, for pp_journal_put_cancel(). */
PpJournalPut *pp_journal_work (PpJournal *journal, PpJournalWorkFunc work, gpointer data,
                               GDestroyNotify free_data, PpJournalDoneFunc done,
                               gpointer user_data);

/* Queues a small durable write, whose only use is its effect on pp_journal_failure(), unless
 * something is queued already. */
void pp_journal_probe (PpJournal *journal);

/* Why the journal cannot be written (path and the system's words; borrowed, good until the loop
 * runs again), or NULL. Set by whatever failed last or has been under way for 30 s, cleared by the
 * next put or probe that works; the journal itself logs both changes. While it is set, no run
 * should be taken, and pp_journal_probe() asked every few seconds. */
const char *pp_journal_failure (const PpJournal *journal);

/* Puts, removals, probes and works that are not done yet. */
guint pp_journal_pending (const PpJournal *journal);

G_END_DECLS
