/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a container says about its flow run. Pure. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* The host was started anew, at BOOTED_AT (UNIX microseconds), since the job of STATUS was. One
 * that ran then has no END, though its kind, as it came up, gave it an exit code and that moment
 * for its end. */
void pp_container_end_note_boot (PpJobEnd *end, const PpJobStatus *status, gint64 booted_at);

/* The state a worker-reported run ends in: its type ("COMPLETED", "FAILED", "CRASHED"); *MESSAGE
 * gets a new string, or NULL for none. TAIL: the container's last lines. */
const char *pp_container_end_to_state (const PpJobEnd *end, const char *tail, char **message);

/* MESSAGE, of such a state, without the container's last lines; new string, or NULL where it quotes
 * none. */
char *pp_container_end_without_lines (const char *message);

/* What to say of the memory of an END in which a process was killed for want of it: half a
 * sentence, and what to do. New string; NULL where none was. */
char *pp_container_end_explain_memory (const PpJobEnd *end);

/* What to say of an END that is never_ended; new string. */
char *pp_container_end_explain_none (const PpJobEnd *end);

/* The peer's words for an exit code (prefect/_internal/infrastructure_exit_codes.py says the same
 * of the same codes). *ADVICE gets what to do, or NULL. Static. */
const char *pp_exit_code_explain (gint64 exit_code, const char **advice);

G_END_DECLS
