/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a log that conmon writes (log driver k8s-file): "TIME STREAM TAG TEXT\n", TAG F
 * for a whole line and P for a part of one (src/ctr_logging.c, write_k8s_log). conmon 2.0.3 to
 * 2.2.1 write the same, but that 2.2.0 ends an unfinished last line with a record that has neither
 * text nor the blank before it: "TIME stdout F\n".
 *
 * What is no record is skipped up to the next newline, and counted: a disk that was full for a
 * moment cuts a record in the middle, and a host that crashed leaves bytes of zero. Incremental:
 * the same records come out however the bytes are cut. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct
{
  PpStream stream;
  gint64 time; /* nanoseconds UNIX time; where it cannot be read, the record's before it, or 0 */
  const char *text;
  gsize length; /* with the newline that a whole line has */
} PpLogRecord;

/* What could not be read. All zeros: nothing. */
typedef struct
{
  guint64 records; /* lines that are no record, and records that are cut */
  guint64 bytes;   /* skipped */
  guint64 first;   /* offset in its file of the first of them */
} PpLogDamage;

typedef struct PpLogRecords PpLogRecords;

PpLogRecords *pp_log_records_new (void);
void pp_log_records_free (PpLogRecords *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogRecords, pp_log_records_free)

/* Adds LENGTH bytes that come next in the file. To keep memory small, take all records out before
 * more is added. */
void pp_log_records_push (PpLogRecords *records, const char *data, gsize length);
/* BYTES that come next in the file were not read: a hole. They count as damaged. */
void pp_log_records_skip (PpLogRecords *records, guint64 bytes);

/* The file has ended: what is left of a record is taken for one. */
void pp_log_records_finish (PpLogRecords *records);

/* The next record, which is the same until it is taken; FALSE where there is no whole one. Of a
 * record longer than any of conmon's it comes in parts. RECORD->text is valid until the next push.
 */
gboolean pp_log_records_next (PpLogRecords *records, PpLogRecord *record);
void pp_log_records_take (PpLogRecords *records);

/* What follows is another file, from its beginning. Call pp_log_records_finish() and take what that
 * gives before. */
void pp_log_records_new_file (PpLogRecords *records);

/* Until now; borrowed. */
const PpLogDamage *pp_log_records_damage (const PpLogRecords *records);

G_END_DECLS
