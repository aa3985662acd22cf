/* SPDX-License-Identifier: Apache-2.0 */
/* The position of a run: how far its output has been delivered. A small record beside the journal's
 * entry, overwritten in place. It survives a kill -9. After a power failure it may be old or
 * gone. */
#pragma once

#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 records;       /* output records that were delivered to the API */
  gint64 last_timestamp; /* UNIX microseconds of the last delivered record; 0: none */
  gint64 sent_until;     /* UNIX microseconds of the last record that was sent; a batch is in flight
                            while this is later than last_timestamp */
  guint64 stdout_bytes;  /* payload bytes that were written to standard output */

  /* A place in the container's log: everything before it was delivered. It is identified by the
   * log's own times (resume_point-private.h), in UNIX nanoseconds; 0: unknown. */
  gint64 log_first;    /* time of the container's first entry */
  gint64 log_time;     /* the latest time of the entries before the place */
  gint64 log_next;     /* time of the first entry after the place */
  guint64 log_records; /* number of log records before the place, counted as RECORDS is */
  guint64 log_bytes;   /* number of log bytes before the place, counted as STDOUT_BYTES is */

  gint64 noted_at; /* UNIX microseconds of the file's last write, from the file system; 0: there was
                      no file. PP_POSITION_DAMAGED: it could not be read. Not a part of the
                      record. */
} PpPosition;

#define PP_POSITION_DAMAGED (-1)

typedef struct PpPositionFile PpPositionFile;

/* Returns an object that reads and writes the position of FLOW_RUN_ID (a UUID) in its container
 * CONTAINER_ID. JOURNAL must outlive it. Does not access the disk before the first read or
 * update. */
PpPositionFile *pp_position_open (PpJournal *journal, const char *flow_run_id,
                                  const char *container_id);

/* POSITION (borrowed) is all zeros if nothing was delivered, or if the record is of another
 * container. If the record cannot be read or is damaged, a warning is logged, and all members
 * except noted_at are zero. */
typedef void (*PpPositionReadFunc) (const PpPosition *position, gpointer user_data);

/* Reads the position on the journal's thread, then calls DONE on the main loop. DONE is not called
 * after pp_position_close(). Until DONE is called, pp_position_update() does nothing. Call this
 * once, at the start. */
void pp_position_read (PpPositionFile *file, PpPositionReadFunc done, gpointer user_data);

/* Queues a write of POSITION, unless it equals the last one written. The write is not durable. If
 * a write fails, logs a warning that after a crash some lines may be delivered twice. Does not
 * repeat the warning until a write has succeeded. */
void pp_position_update (PpPositionFile *file, const PpPosition *position);

/* Queues a write of POSITION, at which delivery begins, even if nothing was delivered yet. The
 * record shows that the container has started (PpJournalEntry, is_followed). */
void pp_position_begin (PpPositionFile *file, const PpPosition *position);

/* Frees FILE. Queued writes are still carried out. The record on the disk stays until
 * pp_journal_remove(). NULL is ignored. */
void pp_position_close (PpPositionFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpPositionFile, pp_position_close)

/* The record itself. Pure. */
#define PP_POSITION_BYTES 240

/* Writes POSITION to RECORD, one line of text. */
void pp_position_format (const PpPosition *position, const char *container_id,
                         char record[PP_POSITION_BYTES]);

/* Parses LENGTH bytes of TEXT. Returns FALSE if they are not one complete record. Sets
 * *SAME_CONTAINER to TRUE if the record is of CONTAINER_ID. */
gboolean pp_position_parse (const char *text, gsize length, const char *container_id,
                            PpPosition *position, gboolean *same_container);

G_END_DECLS
