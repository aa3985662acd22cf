/* SPDX-License-Identifier: Apache-2.0 */
/* One flow run in the worker's hands: a state machine from the poll that saw it to the container's
 * removal. */
#pragma once

#include "worker/context-private.h"

G_BEGIN_DECLS

typedef struct PpFlowRun PpFlowRun;

/* [RECOVERED ->] CLAIMED -> PENDING -> RESOLVED -> RENDERED -> SUBMITTING -> CREATED -> STARTED ->
 * EXITED -> REPORTED -> REMOVED. */
typedef enum
{
  PP_FLOW_RUN_RECOVERED,  /* begun by a worker before this one; goes on where that one was */
  PP_FLOW_RUN_CLAIMED,    /* seen by a poll; PENDING is proposed to the server */
  PP_FLOW_RUN_PENDING,    /* the server agrees that it is ours */
  PP_FLOW_RUN_RESOLVED,   /* deployment, flow, blocks, variables are here */
  PP_FLOW_RUN_RENDERED,   /* the container is described */
  PP_FLOW_RUN_SUBMITTING, /* image, container */
  PP_FLOW_RUN_CREATED,    /* waits for its time and for the server's RUNNING */
  PP_FLOW_RUN_STARTED,    /* followed */
  PP_FLOW_RUN_EXITED,     /* exit code and the last byte of output are here */
  PP_FLOW_RUN_REPORTED,   /* the server knows its end */
  PP_FLOW_RUN_REMOVED,    /* nothing of it is left here */
} PpFlowRunState;

/* Called when the run holds no slot any more (SLOT_FREE: it does not run, though its container may
 * still be removed, and its end be told), and when it is over (not SLOT_FREE: the worker frees it).
 * Never from inside a call of this header. */
typedef void (*PpFlowRunNotifyFunc) (PpFlowRun *run, gboolean slot_free, gpointer user_data);

/* FLOW_RUN: the API's object, with an id, as the server had it at some time after ASKED_AT
 * (monotonic microseconds). Call pp_flow_run_start() next. */
PpFlowRun *pp_flow_run_new (PpWorkerContext *context, json_t *flow_run, gint64 asked_at,
                            PpFlowRunNotifyFunc notify, gpointer user_data);

/* A run that a worker before this one had in its hands: ENTRY is what the journal says of it. Its
 * turn comes with pp_flow_run_recover(). */
PpFlowRun *pp_flow_run_new_from_journal (PpWorkerContext *context, const PpJournalEntry *entry,
                                         PpFlowRunNotifyFunc notify, gpointer user_data);

/* True if JOB, which bears RUN's id, is the one of RUN's present attempt, and not one that was kept
 * of an attempt before. Its id tells, where it was written down; else the claim that it was made
 * for. A container of version 0.1 has no label of its claim: it is RUN's by its id only. */
gboolean pp_flow_run_owns_container (const PpFlowRun *run, const PpJob *job);

/* Whether STATE, the API's object, is an end. */
gboolean pp_flow_run_state_is_terminal (const json_t *state);

/* Whether TRANSITION_ID is that of a state that RUN's present attempt has asked for, or may ask
 * for. */
gboolean pp_flow_run_asked_for (const PpFlowRun *run, const char *transition_id);

/* Whether FLOW_RUN, the API's object, is known to be in another container than CONTAINER_ID, which
 * is of an attempt before then. */
gboolean pp_flow_run_is_in_other_container (const json_t *flow_run, const char *container_id);

/* Whether STATE, the server's, is PAUSED, and whoever has paused waits in the container to go on: a
 * suspended run is begun again elsewhere. */
gboolean pp_flow_run_is_paused_in_container (const json_t *state);

/* Whether FLOW_RUN, the API's object, is SCHEDULED for a retry that Prefect waits for inside the
 * container (RetryFailedFlows: retry_type "in_process"). */
gboolean pp_flow_run_waits_in_container (const json_t *flow_run);

/* Goes on with RUN. JOB: its container, from a list, or NULL where the engine has none. PHASE: what
 * is known of it, the list's or later. */
void pp_flow_run_recover (PpFlowRun *run, const PpJob *job, PpJobPhase phase);

/* The same, where the engine gives no list: the container that was written down is looked at. Where
 * none was, RUN goes on as if there were none; if there is, its name is found in use. */
void pp_flow_run_recover_unlisted (PpFlowRun *run);

/* RECORDS more of RUN's output are on the server, the last of TIMESTAMP (UNIX microseconds). */
void pp_flow_run_delivered (PpFlowRun *run, guint records, gint64 timestamp);

/* Output of RUN is about to be sent to the server, the last record of TIMESTAMP (UNIX
 * microseconds); 0: nothing is on its way any more. */
void pp_flow_run_sending (PpFlowRun *run, gint64 timestamp);

/* Drops whatever is under way, without touching the container, and frees. */
void pp_flow_run_free (PpFlowRun *run);

void pp_flow_run_start (PpFlowRun *run);

const char *pp_flow_run_id (const PpFlowRun *run);
const char *pp_flow_run_name (const PpFlowRun *run);
const char *pp_flow_run_container_id (const PpFlowRun *run); /* NULL before CREATED */
/* The container's name without secrets; NULL before CREATED. */
const char *pp_flow_run_shown_name (const PpFlowRun *run);
PpFlowRunState pp_flow_run_state (const PpFlowRun *run);
/* How far it is, in the words of `worker status`. */
const char *pp_flow_run_phase_word (const PpFlowRun *run);

/* Whether pp_flow_run_end_as_told() may do anything: RUN is not being ended yet, nor about to end.
 */
gboolean pp_flow_run_may_be_ended (const PpFlowRun *run);

/* The server has set the run to CANCELLING, or has cancelled it already: its container is stopped
 * (Prefect inside it is given a grace first), and what is CANCELLING becomes CANCELLED. */
void pp_flow_run_cancel (PpFlowRun *run);

/* FLOW_RUN, the API's object, of a run that is CANCELLING, over or SCHEDULED. The container of one
 * that this worker reports on, and that somebody else has ended, or wants begun again, is stopped
 * and removed, unless Prefect inside it has said its end; the state stays. Returns whether anything
 * came of it at once. */
gboolean pp_flow_run_end_as_told (PpFlowRun *run, const json_t *flow_run);

/* Some run is not on the server any more, or was claimed by another worker while the server was out
 * of reach: if it is this one, its container is stopped and removed, and nothing is reported. */
void pp_flow_run_look (PpFlowRun *run);

G_END_DECLS
