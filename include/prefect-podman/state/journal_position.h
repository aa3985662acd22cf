/* SPDX-License-Identifier: Apache-2.0 */
/* How far a run's output has been delivered: a small record beside the journal's entry, overwritten
 * in place. It is there after a kill -9; after a power cut it may be older, or gone. */
#pragma once

#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 records;       /* of the output, delivered to the API */
  gint64 last_timestamp; /* UNIX microseconds of the last of them; 0: none */
  gint64 sent_until;     /* of the last record that was sent: while it is later than
                            last_timestamp, a batch is on its way */
  guint64 stdout_bytes;  /* of payload, written to standard output */

  /* A place in the container's log up to which all of it was delivered, by the log's own times
   * (resume_point-private.h): nanoseconds UNIX time, 0: not known. */
  gint64 log_first;    /* of the container's first entry */
  gint64 log_time;     /* what has no later time gave LOG_RECORDS and LOG_BYTES */
  gint64 log_next;     /* of the entry after that */
  guint64 log_records; /* as RECORDS */
  guint64 log_bytes;   /* as STDOUT_BYTES */

  gint64 noted_at; /* UNIX microseconds: when the file was last written, as the file system has it;
                      0: there was none. Not in the record. */
} PpPosition;

typedef struct PpPositionFile PpPositionFile;

/* The record of the output of the container CONTAINER_ID of FLOW_RUN_ID (a UUID). JOURNAL must
 * outlive the file. The disk is not touched before the first read or update. */
PpPositionFile *pp_position_open (PpJournal *journal, const char *flow_run_id,
                                  const char *container_id);

/* POSITION (borrowed): zeros when nothing was delivered, when the record is of another container,
 * or, with a warning, when it is damaged. */
typedef void (*PpPositionReadFunc) (const PpPosition *position, gpointer user_data);

/* Has the journal's thread read how far the output was delivered, and then DONE called on the main
 * loop; never, once FILE is closed. Until then, updates are left out. For the start, once. */
void pp_position_read (PpPositionFile *file, PpPositionReadFunc done, gpointer user_data);

/* Has the journal write POSITION, unless it is what was written last; not durable. That it cannot
 * be written is warned of once a file, and costs lines delivered twice after a crash, no more. */
void pp_position_update (PpPositionFile *file, const PpPosition *position);

/* The same of POSITION, at which delivery begins, also if nothing was delivered yet: the record
 * shows that the container has started (PpJournalEntry, is_followed). */
void pp_position_begin (PpPositionFile *file, const PpPosition *position);

/* Closes; what is to be written is written, and the file stays until pp_journal_remove(). NULL is
 * ignored. */
void pp_position_close (PpPositionFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpPositionFile, pp_position_close)

/* The record itself. Pure. */
#define PP_POSITION_BYTES 240

/* Fills RECORD, one line of text. */
void pp_position_format (const PpPosition *position, const char *container_id,
                         char record[PP_POSITION_BYTES]);

/* Reads LENGTH bytes of TEXT. FALSE when they are no whole record. *SAME_CONTAINER: whether it is
 * CONTAINER_ID's. */
gboolean pp_position_parse (const char *text, gsize length, const char *container_id,
                            PpPosition *position, gboolean *same_container);

G_END_DECLS
