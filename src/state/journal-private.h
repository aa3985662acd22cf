/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's internals. Only for journal.c (the queue, on the main loop), journal_group.c (the
 * thread), journal_load.c, journal_late.c, journal_position.c and journal_work.c. */
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
  PP_JOURNAL_NOTHING, /* does nothing; finishes when everything before it has finished */
  PP_JOURNAL_WORK,
} PpJournalAction;

/* One change in the queue. While the thread writes the change's group, the thread owns the change,
 * except for the fields `done` and `user_data`. */
struct PpJournalPut
{
  PpJournalAction action;
  int folder_fd;                                /* the folder of its file */
  char flow_run_id[PP_JOURNAL_UUID_LENGTH + 1]; /* "probe" for a probe */
  char *text; /* the file's new content; NULL if no file is written */
  gsize length;
  const PpJournalPut *later; /* a later change of the same run in the group, or NULL */
  int fd;

  int error; /* errno, or 0 */
  const char *what;
  gboolean synced;  /* its folder was synced after the file was put in place */
  gboolean taken;   /* it is in a group */
  gboolean refused; /* the run's id is invalid: nothing is done, and the disk is not the cause */

  PpJournalWorkFunc work; /* for PP_JOURNAL_WORK */
  gpointer data;          /* the argument of `work` */
  GDestroyNotify free_data;

  PpJournalDoneFunc done;
  gpointer user_data;
};

/* The most changes that are written together. This limits the number of open descriptors. */
#define PP_JOURNAL_GROUP_MAX 64u

typedef struct
{
  int event_fd;         /* the thread writes to it when the group is done */
  PpIdentity *identity; /* a reference: its lock and folders stay open for a thread that hangs */
  guint count;
  PpJournalPut *puts[PP_JOURNAL_GROUP_MAX];
} PpJournalGroup;

/* Carries out the changes in GROUP and sets their `error` and `what`. Runs the functions of
 * PP_JOURNAL_WORK last. Blocks. Outside those functions, uses no heap, no GLib and no locks, and
 * little stack. */
void pp_journal_group_write (PpJournalGroup *group);

struct PpJournal
{
  PpIdentity *identity; /* a reference */
  PpFolder runs;
  PpFolder late; /* journal_late.h */
  GQueue queue;  /* of PpJournalPut */
  PpJournalGroup *group;
  pthread_t thread; /* the group's thread, if has_thread */
  gboolean has_thread;
  int event_fd;
  guint event_source;
  guint start_source;
  guint hang_timer; /* for the group in progress */
  char *failure;
};

/* journal_late.c: opens the folder for notes. Warns if the folder cannot be opened, for example on
 * a full or read-only disk. Notes are then kept only in memory. Returns FALSE with ERROR if the
 * folder is not safe to use. */
gboolean pp_journal_open_late (PpJournal *journal, GError **error);

/* Queues ACTION for the file of FLOW_RUN_ID (a UUID, or the put fails) in the folder FOLDER_FD. The
 * caller sets text, length, done and user_data before the loop runs again. */
PpJournalPut *pp_journal_queue (PpJournal *journal, int folder_fd, PpJournalAction action,
                                const char *flow_run_id);

/* Queues a position of a run, LENGTH bytes of TEXT. It is written over the last one and is not
 * durable. A failure does not set pp_journal_failure(). Otherwise like pp_journal_put(). */
PpJournalPut *pp_journal_put_position (PpJournal *journal, const char *flow_run_id,
                                       const char *text, gsize length, PpJournalDoneFunc done,
                                       gpointer user_data);

/* Replaces the text of PUT, a position, with TEXT of the same length. Returns FALSE if PUT is
 * already being written. */
gboolean pp_journal_put_amend (PpJournalPut *put, const char *text);

/* The name of a run's file: PREFIX, the run's id and SUFFIX. Only a temporary file has a prefix. */
typedef char PpJournalName[PP_JOURNAL_UUID_LENGTH + 16];
void pp_journal_name (PpJournalName name, const char *prefix, const char *flow_run_id,
                      const char *suffix);

G_END_DECLS
