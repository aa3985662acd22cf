/* SPDX-License-Identifier: Apache-2.0 */
/* One container's output: split into lines, repaired to UTF-8, handed to standard output and to the
 * run's log. On a terminal its control characters are escaped, tabs excepted; in a file or a pipe,
 * and in the run's log, they are left as they are. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/template/secrets.h"
#include "log_sender-private.h"
#include "stdout_writer-private.h"

G_BEGIN_DECLS

typedef struct PpOutput PpOutput;

/* The loggers of a container's lines begin with this: ...out, ...err. */
#define PP_OUTPUT_LOGGER "prefect.flow_runs.std"

/* How many of the last lines are kept for pp_output_tail(). */
#define PP_OUTPUT_TAIL_LINES 50

/* STREAM_TO: standard output, or NULL. FORWARD_TO: the run's log, or NULL. Both must outlive the
 * output. RESUME is called when, after pp_output_take() said FALSE, there is room again. */
PpOutput *pp_output_new (const char *flow_run_id, PpStdout *stream_to, PpLogSender *forward_to,
                         void (*resume) (gpointer), gpointer user_data);
void pp_output_free (PpOutput *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpOutput, pp_output_free)

/* Puts FLOW_RUN_NAME and the head of the run's id before each line on standard output:
 * "NAME/1a2b3c4d | ", characters other than letters, digits, "." and "_" as "-". A container can
 * then not pass its lines off as the worker's or another run's. */
void pp_output_name_lines (PpOutput *output, const char *flow_run_name);

/* Has SECRETS (borrowed, or NULL) masked in all that is shown, forwarded and kept. */
void pp_output_mask (PpOutput *output, const PpSecrets *secrets);

/* The first RECORDS (pp_output_records()) of the log were delivered before, and what the first
 * SHOWN (pp_output_shown()) bytes gave was shown; neither is told again, though all of it makes the
 * tail.
 */
void pp_output_skip (PpOutput *output, guint64 records, guint64 shown);

/* Between two lines: has what comes counted as if RECORDS and BYTES had come before it. */
void pp_output_count_from (PpOutput *output, guint64 records, guint64 bytes);

/* Records made until now, the skipped included; where nothing is forwarded, lines. */
guint64 pp_output_records (const PpOutput *output);

/* Whether all that was taken is lines that have ended, on both streams. */
gboolean pp_output_is_between_lines (const PpOutput *output);

/* How many bytes, over both streams, made what was handed to standard output until now; 0 while all
 * is skipped. */
guint64 pp_output_shown (const PpOutput *output);

/* Takes LENGTH bytes of STREAM, or none of them (FALSE) while a reader downstream is behind. */
gboolean pp_output_take (PpOutput *output, PpStream stream, const char *data, gsize length);

/* The streams have ended: lines without a newline are lines too. */
void pp_output_finish (PpOutput *output);

/* Bytes taken until now, over both streams. */
guint64 pp_output_bytes (const PpOutput *output);

/* Whether the lines go to the run's log. */
gboolean pp_output_is_forwarded (const PpOutput *output);

/* The last MAX_LINES lines (at most PP_OUTPUT_TAIL_LINES), joined by newlines; new string, "" when
 * there was no output. */
char *pp_output_tail (const PpOutput *output, guint max_lines);

G_END_DECLS
