/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the journal, for journal.c (the queue, on the main loop), journal_group.c (the
 * thread), journal_load.c, journal_late.c, journal_position.c and journal_work.c only. */
#pragma once

#include "prefect-podman/state/journal.h"

#include "identity-private.h"

#include <pthread.h>

G_BEGIN_DECLS

#define PP_JOURNAL_UUID_LENGTH 36

typedef enum
{
  PP_JOURNAL_PUT,
  PP_JOURNAL_REMOVE,
  PP_JOURNAL_PROBE,
  PP_JOURNAL_POSITION,
  PP_JOURNAL_NOTHING, /* is done when all before it is */
  PP_JOURNAL_WORK,
} PpJournalAction;

/* One thing to do. While its group is written it is the thread's, but for done and user_data. */
struct PpJournalPut
{
  PpJournalAction action;
  int folder_fd;                                /* where its file is */
  char flow_run_id[PP_JOURNAL_UUID_LENGTH + 1]; /* "probe" for a probe */
  char *text;                                   /* of all but a removal */
  gsize length;
  const PpJournalPut *later; /* of the same run in the same group: makes this put needless */
  int fd;

  int error; /* errno, or 0 */
  const char *what;
  gboolean synced;  /* its folder was, since it was put there */
  gboolean taken;   /* by a group */
  gboolean refused; /* its run's id is none: nothing is done, and the disk is not to blame */

  PpJournalWorkFunc work; /* of PP_JOURNAL_WORK */
  gpointer data;          /* of work */
  GDestroyNotify free_data;

  PpJournalDoneFunc done;
  gpointer user_data;
};

/* What is written together: no more than this, so that descriptors are bounded. */
#define PP_JOURNAL_GROUP_MAX 64u

typedef struct
{
  int event_fd;         /* written to when the group is done */
  PpIdentity *identity; /* held: its lock and folders outlive a thread that hangs */
  guint count;
  PpJournalPut *puts[PP_JOURNAL_GROUP_MAX];
} PpJournalGroup;

/* Does all that GROUP says, works last, and fills `error` and `what`. Blocks. But for works, it
 * uses no heap, no GLib and no lock: it runs on a thread with a small stack. */
void pp_journal_group_write (PpJournalGroup *group);

struct PpJournal
{
  PpIdentity *identity; /* held */
  PpFolder runs;
  PpFolder late; /* journal_late.h */
  GQueue queue;  /* of PpJournalPut */
  PpJournalGroup *group;
  pthread_t thread; /* the group's, if it has one */
  gboolean has_thread;
  int event_fd;
  guint event_source;
  guint start_source;
  guint hang_timer; /* of the group under way */
  char *failure;
};

/* journal_late.c: opens the folder of the notes, which a full or read-only disk may not have; then
 * notes are kept in memory only. FALSE with ERROR where it is not safe to use. */
gboolean pp_journal_open_late (PpJournal *journal, GError **error);

/* Queues ACTION on the file of FLOW_RUN_ID (a UUID, or the put fails) in the folder FOLDER_FD. The
 * caller fills in text, length, done and user_data before the loop runs again. */
PpJournalPut *pp_journal_queue (PpJournal *journal, int folder_fd, PpJournalAction action,
                                const char *flow_run_id);

/* Queues a note of how far a run's output is, LENGTH bytes of TEXT: written over the last one, not
 * durable, and no reason to take the journal for one that cannot be written. As pp_journal_put()
 * for the rest. */
PpJournalPut *pp_journal_put_position (PpJournal *journal, const char *flow_run_id,
                                       const char *text, gsize length, PpJournalDoneFunc done,
                                       gpointer user_data);

/* Has PUT, a position, say TEXT, of the same length, instead. FALSE where it is being written. */
gboolean pp_journal_put_amend (PpJournalPut *put, const char *text);

/* The name of a run's file: its id and SUFFIX. */
typedef char PpJournalName[PP_JOURNAL_UUID_LENGTH + 16];
void pp_journal_name (PpJournalName name, const char *prefix, const char *flow_run_id,
                      const char *suffix);

G_END_DECLS
