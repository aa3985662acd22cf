/* SPDX-License-Identifier: Apache-2.0 */
/* Converts the end of a job to the result of its flow run. Pure functions. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Records in END that the host was restarted at BOOTED_AT (UNIX microseconds), after the job of
 * STATUS was started. If the job ran until then, also sets the field never_ended: the job's exit
 * code and end time are not real. The infrastructure made them up when it was started again. */
void pp_job_end_note_boot (PpJobEnd *end, const PpJobStatus *status, gint64 booted_at);

/* Returns the type of the final state of a run that the worker reports: "COMPLETED", "FAILED" or
 * "CRASHED"; static. Sets *MESSAGE to a new string, or to NULL if there is no message. TAIL is the
 * container's last lines. */
const char *pp_job_end_to_state (const PpJobEnd *end, const PpKindWords *words, const char *tail,
                                 char **message);

/* Returns MESSAGE, from pp_job_end_to_state(), without the container's last lines. New
 * string; NULL if MESSAGE quotes no lines. */
char *pp_job_end_without_lines (const char *message);

/* Returns half a sentence about the container's memory, followed by advice, if a process was killed
 * for lack of memory. New string; NULL if none was killed. */
char *pp_job_end_explain_memory (const PpJobEnd *end, const PpKindWords *words);

/* Returns the Python worker's explanation of an exit code (as in
 * prefect/_internal/infrastructure_exit_codes.py, for the same codes). Sets *ADVICE (ADVICE may be
 * NULL) to what the user can do. Both are static. */
const char *pp_exit_code_explain (gint64 exit_code, const char **advice);

G_END_DECLS
