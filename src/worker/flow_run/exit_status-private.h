/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a container says about its flow run. Pure. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* How a container ended; pp_container_end_parse() reads it from the engine's inspect. */
typedef struct
{
  gint64 exit_code;
  gboolean running;     /* it has not ended */
  gboolean never_ended; /* nor runs: it was never started, or its end was lost; no exit_code then */
  gboolean status_lost; /* it never_ended because conmon, which keeps the status, is gone */
  gboolean checkpointed; /* it never_ended: podman container checkpoint, which gives status 0 */
  gboolean start_interrupted; /* the engine did not answer its start; set by the worker */
  gboolean host_restarted;    /* since it was started; not the engine's to say, so not parsed */
  gboolean oom_killed; /* the kernel has killed a process in it, not always its own program */
  gint64 memory_limit; /* bytes; 0: none */
  char *error;         /* the engine's words (State.Error), or NULL */
} PpContainerEnd;

/* Whether a container of STATUS (State.Status, or State in a list; may be NULL) has not ended, as
 * far as the engine knows, and may run. */
gboolean pp_container_status_is_alive (const char *status);

/* INSPECT: the answer of GET /containers/{id}/json. */
void pp_container_end_parse (const json_t *inspect, PpContainerEnd *end);

/* The host was started anew, at BOOTED_AT (UNIX microseconds), since the container was. One that
 * ran then has no end, though Docker, as it comes up, gives it status 255 and that moment for its
 * end. */
void pp_container_end_note_boot (PpContainerEnd *end, const json_t *inspect, gint64 booted_at);

void pp_container_end_clear (PpContainerEnd *end);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpContainerEnd, pp_container_end_clear)

/* The state a worker-reported run ends in: its type ("COMPLETED", "FAILED", "CRASHED"); *MESSAGE
 * gets a new string, or NULL for none. TAIL: the container's last lines. */
const char *pp_container_end_to_state (const PpContainerEnd *end, const char *tail, char **message);

/* MESSAGE, of such a state, without the container's last lines; new string, or NULL where it quotes
 * none. */
char *pp_container_end_without_lines (const char *message);

/* What to say of the memory of an END in which a process was killed for want of it: half a
 * sentence, and what to do. New string; NULL where none was. */
char *pp_container_end_explain_memory (const PpContainerEnd *end);

/* What to say of an END that is never_ended; new string. */
char *pp_container_end_explain_none (const PpContainerEnd *end);

/* The peer's words for an exit code (prefect/_internal/infrastructure_exit_codes.py says the same
 * of the same codes). *ADVICE gets what to do, or NULL. Static. */
const char *pp_exit_code_explain (gint64 exit_code, const char **advice);

G_END_DECLS
