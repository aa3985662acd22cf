/* SPDX-License-Identifier: Apache-2.0 */
/* The output of one container: splits it into lines, makes it valid UTF-8, and writes it to
 * standard output and the run's log. On a terminal, control characters other than tab are escaped.
 * In a file, a pipe and the run's log they are kept. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/template/secrets.h"
#include "log_sender-private.h"
#include "stdout_writer-private.h"

G_BEGIN_DECLS

typedef struct PpOutput PpOutput;

/* The prefix of the loggers for a container's lines: ...out and ...err, and ...out.2 and ...err.2
 * for the second attempt of the run. */
#define PP_OUTPUT_LOGGER "prefect.flow_runs.std"

/* The number of last lines that pp_output_tail() can return. */
#define PP_OUTPUT_TAIL_LINES 50

/* STREAM_TO is standard output, or NULL. FORWARD_TO is the run's log, or NULL. Both must outlive
 * the output. RESUME is called when there is room again after pp_output_take() returned FALSE. */
PpOutput *pp_output_new (const char *flow_run_id, PpStdout *stream_to, PpLogSender *forward_to,
                         void (*resume) (gpointer), gpointer user_data);
void pp_output_free (PpOutput *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpOutput, pp_output_free)

/* Puts FLOW_RUN_NAME and the first digits of the run's id before each line on standard output:
 * "NAME/1a2b3c4d | ". In NAME, characters other than letters, digits, "." and "_" become "-". A
 * container then cannot imitate lines of the worker or of another run. */
void pp_output_name_lines (PpOutput *output, const char *flow_run_name);

/* Adds ATTEMPT, if it is not 0, to the loggers of the lines. The server may get lines of two
 * attempts at the same time: an earlier worker's container may still run, or its lines come late.
 */
void pp_output_number (PpOutput *output, gint64 attempt);

/* True if LOGGER is the logger of one of OUTPUT's streams. */
gboolean pp_output_has_logger (const PpOutput *output, const char *logger);

/* Masks SECRETS (borrowed, or NULL) in all output. */
void pp_output_mask (PpOutput *output, const PpSecrets *secrets);

/* Skips output that an earlier worker has delivered: the first RECORDS records of the log, as
 * pp_output_records() counts, and the first SHOWN bytes on standard output, as pp_output_shown()
 * counts. Skipped lines are still part of the tail. */
void pp_output_skip (PpOutput *output, guint64 records, guint64 shown);

/* Sets the counters as if RECORDS and BYTES had been taken before. Call this only between two
 * lines. */
void pp_output_count_from (PpOutput *output, guint64 records, guint64 bytes);

/* Returns the number of records so far, including skipped ones. Without a log to forward to, counts
 * lines. */
guint64 pp_output_records (const PpOutput *output);

/* True if both streams are between two lines. */
gboolean pp_output_is_between_lines (const PpOutput *output);

/* Returns how many input bytes, of both streams, were written to standard output so far; 0 while
 * all output is skipped. */
guint64 pp_output_shown (const PpOutput *output);

/* Takes all LENGTH bytes of STREAM. Returns FALSE and takes none if standard output or the log is
 * too slow. */
gboolean pp_output_take (PpOutput *output, PpStream stream, const char *data, gsize length);

/* Ends both streams. An unfinished last line counts as a line. */
void pp_output_finish (PpOutput *output);

/* Returns the number of bytes taken so far, of both streams. */
guint64 pp_output_bytes (const PpOutput *output);

/* True if lines are sent to the run's log. */
gboolean pp_output_is_forwarded (const PpOutput *output);

/* Returns the last MAX_LINES lines (at most PP_OUTPUT_TAIL_LINES), joined by newlines; "" if there
 * was no output. New string. */
char *pp_output_tail (const PpOutput *output, guint max_lines);

G_END_DECLS
