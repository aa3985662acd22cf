/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a log that conmon writes (log driver k8s-file): "TIME STREAM TAG TEXT\n". TAG is F
 * for a whole line and P for a part of a line (src/ctr_logging.c, write_k8s_log). conmon 2.0.3 to
 * 2.2.1 write the same format. Only 2.2.0 ends an unfinished last line with a record that has no
 * text and no blank after the tag: "TIME stdout F\n".
 *
 * Data that is not a record is skipped and counted. The skipped data ends at the next newline, or
 * at the next record in the same line. A disk that was full for a moment cuts a record, and a host
 * that crashed leaves zero bytes. If a record was cut inside its text, the text before the cut
 * is kept. The result does not depend on the pieces that the data arrives in. Private to
 * src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct
{
  PpStream stream;
  gint64 time; /* UNIX nanoseconds; if unreadable, that of the record before, or 0 */
  const char *text;
  gsize length; /* includes the newline of a whole line */
} PpLogRecord;

/* What could not be read. All zeros if nothing was damaged. */
typedef struct
{
  guint64 records; /* lines that are not a record, and incomplete records */
  guint64 bytes;   /* skipped */
  guint64 first;   /* offset of the first damage in its file */
} PpLogDamage;

/* Output that was found in a log: LENGTH bytes of DATA. Returns FALSE for "not now": none of it was
 * taken. */
typedef gboolean (*PpPayloadFunc) (PpStream stream, const char *data, gsize length,
                                   gpointer user_data);

typedef struct PpLogRecords PpLogRecords;

PpLogRecords *pp_log_records_new (void);
void pp_log_records_free (PpLogRecords *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogRecords, pp_log_records_free)

/* Adds the next LENGTH bytes of the file. To save memory, take all records before adding more. */
void pp_log_records_push (PpLogRecords *records, const char *data, gsize length);
/* Skips the next BYTES of the file, a hole that was not read. The bytes count as damaged. */
void pp_log_records_skip (PpLogRecords *records, guint64 bytes);

/* Tells RECORDS that the file has ended. Then an incomplete last record is also returned, and
 * counts as damage. */
void pp_log_records_finish (PpLogRecords *records);

/* Sets RECORD to the next record. Calling it again sets the same record, until
 * pp_log_records_take(). Returns FALSE if there is no complete record. A record that is longer than
 * conmon's records is returned in parts. RECORD->text is valid until the next push. */
gboolean pp_log_records_next (PpLogRecords *records, PpLogRecord *record);
void pp_log_records_take (PpLogRecords *records);

/* Continues with the beginning of another file. Call pp_log_records_finish() and take its records
 * first. */
void pp_log_records_new_file (PpLogRecords *records);

/* Returns the damage so far; borrowed. */
const PpLogDamage *pp_log_records_damage (const PpLogRecords *records);

G_END_DECLS
