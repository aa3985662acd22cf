/* SPDX-License-Identifier: Apache-2.0 */
/* One flow run that this worker handles: a state machine from the poll that found the run to the
 * removal of its container. */
#pragma once

#include "worker/context-private.h"

G_BEGIN_DECLS

typedef struct PpFlowRun PpFlowRun;

/* [RECOVERED ->] CLAIMED -> PENDING -> RESOLVED -> RENDERED -> SUBMITTING -> CREATED -> STARTED ->
 * EXITED -> REPORTED -> REMOVED. */
typedef enum
{
  PP_FLOW_RUN_RECOVERED,  /* begun by an earlier worker; moves on to where that worker was */
  PP_FLOW_RUN_CLAIMED,    /* found by a poll; PENDING is proposed to the server */
  PP_FLOW_RUN_PENDING,    /* the server has accepted our claim */
  PP_FLOW_RUN_RESOLVED,   /* deployment, flow, blocks and variables have been read */
  PP_FLOW_RUN_RENDERED,   /* the container is described */
  PP_FLOW_RUN_SUBMITTING, /* the image is pulled and the container created */
  PP_FLOW_RUN_CREATED,    /* waits for its scheduled time and for the server to accept RUNNING */
  PP_FLOW_RUN_STARTED,    /* the container is followed */
  PP_FLOW_RUN_EXITED,     /* exit code and all output have arrived */
  PP_FLOW_RUN_REPORTED,   /* the server has the final state */
  PP_FLOW_RUN_REMOVED,    /* nothing of the run is left here */
} PpFlowRunState;

/* Called with SLOT_FREE when the run needs no slot any more: it does not run. Its container may
 * still have to be removed, or its final state may still have to be reported. Called without
 * SLOT_FREE when the run is over; the worker then frees it. Never called from inside a function of
 * this header. */
typedef void (*PpFlowRunNotifyFunc) (PpFlowRun *run, gboolean slot_free, gpointer user_data);

/* Returns a new run. FLOW_RUN is the API's object, with an id, as the server had it at some time
 * after ASKED_AT (monotonic microseconds). Call pp_flow_run_start() next. */
PpFlowRun *pp_flow_run_new (PpWorkerContext *context, json_t *flow_run, gint64 asked_at,
                            PpFlowRunNotifyFunc notify, gpointer user_data);

/* Returns the time before which a run of FLOW_RUN, the API's object, must not start, in UNIX
 * microseconds. At most 0 if it may start at once. */
gint64 pp_flow_run_scheduled_time (const json_t *flow_run);

/* Returns a new run that an earlier worker handled. ENTRY is its entry in the journal. Call
 * pp_flow_run_recover() or pp_flow_run_recover_unlisted() next. */
PpFlowRun *pp_flow_run_new_from_journal (PpWorkerContext *context, const PpJournalEntry *entry,
                                         PpFlowRunNotifyFunc notify, gpointer user_data);

/* True if JOB, which has RUN's id, is the container of RUN's current attempt, and not one kept from
 * an earlier attempt. Compares the container's id if the journal has it, otherwise the claim that
 * the container was created for. A container of version 0.1 has no label of its claim, so only its
 * id can match. */
gboolean pp_flow_run_owns_container (const PpFlowRun *run, const PpJob *job);

/* True if STATE, an object of the API, is a final state. */
gboolean pp_flow_run_state_is_terminal (const json_t *state);

/* True if STATE, an object of the API, is SCHEDULED. */
gboolean pp_flow_run_state_is_scheduled (const json_t *state);

/* True if TRANSITION_ID is the id of a state that RUN's current attempt has requested, or may
 * request. */
gboolean pp_flow_run_asked_for (const PpFlowRun *run, const char *transition_id);

/* True if FLOW_RUN, an object of the API, is known to be in another container than CONTAINER_ID.
 * CONTAINER_ID then belongs to an earlier attempt. */
gboolean pp_flow_run_is_in_other_container (const json_t *flow_run, const char *container_id);

/* True if STATE, from the server, is PAUSED and the run waits in its container to be resumed. A
 * suspended run does not wait there; it is started again elsewhere. */
gboolean pp_flow_run_is_paused_in_container (const json_t *state);

/* True if FLOW_RUN, an object of the API, is SCHEDULED for a retry that Prefect waits for inside
 * the container (RetryFailedFlows: retry_type "in_process"). */
gboolean pp_flow_run_waits_in_container (const json_t *flow_run);

/* Continues RUN. JOB is its container from a list, or NULL if the engine has none. PHASE is the
 * container's phase, from the list or from a later check. */
void pp_flow_run_recover (PpFlowRun *run, const PpJob *job, PpJobPhase phase);

/* Continues RUN if the engine gives no list. Inspects the container that the journal names. If the
 * journal names none, RUN goes on as if there were no container. If there is a container after all,
 * RUN finds it later, when the engine answers that the container's name is in use. */
void pp_flow_run_recover_unlisted (PpFlowRun *run);

/* Counts RECORDS more records of RUN's output as delivered. TIMESTAMP is the time of the last
 * record, in UNIX microseconds. */
void pp_flow_run_delivered (PpFlowRun *run, guint records, gint64 timestamp);

/* Called before output of RUN is sent to the server. TIMESTAMP is the time of the last record, in
 * UNIX microseconds, or 0 if no records are on their way any more. */
void pp_flow_run_sending (PpFlowRun *run, gint64 timestamp);

/* Cancels everything under way and frees RUN. Does not touch the container. NULL is ignored. */
void pp_flow_run_free (PpFlowRun *run);

void pp_flow_run_start (PpFlowRun *run);

const char *pp_flow_run_id (const PpFlowRun *run);
const char *pp_flow_run_name (const PpFlowRun *run);
const char *pp_flow_run_container_id (const PpFlowRun *run); /* NULL until it is created */
/* The container's name without secrets; NULL until it is chosen. */
const char *pp_flow_run_shown_name (const PpFlowRun *run);
PpFlowRunState pp_flow_run_state (const PpFlowRun *run);
/* True if RUN is being stopped before its own end, for whatever reason. */
gboolean pp_flow_run_is_being_stopped (const PpFlowRun *run);
/* Returns how far the run is, in the words of `worker status`; static. */
const char *pp_flow_run_phase_word (const PpFlowRun *run);

/* True if pp_flow_run_end_as_told() may act on RUN: RUN is PENDING to STARTED and has not failed.
 * RUN is not being stopped, or only because of its timeout. */
gboolean pp_flow_run_may_be_ended (const PpFlowRun *run);

/* Cancels RUN, which the server has set to CANCELLING or CANCELLED. Stops its container; Prefect
 * inside it gets a grace period first. Reports CANCELLED for a run that is CANCELLING. */
void pp_flow_run_cancel (PpFlowRun *run);

/* Handles FLOW_RUN, the API's object of a run that is CANCELLING, final or SCHEDULED. Cancels RUN
 * if it is CANCELLING or CANCELLED. In any other state, somebody else has ended or rescheduled the
 * run. If this worker reports the run, it stops and removes the container and keeps the server's
 * state. But if Prefect inside the container reported that state, the worker does not stop the
 * container. If Prefect reports the run, the worker stops and removes the container only if the run
 * is SCHEDULED for another attempt. ASKED_AT is when FLOW_RUN was asked for, in monotonic
 * microseconds: if RUN was claimed later, FLOW_RUN is about an earlier attempt. */
void pp_flow_run_end_as_told (PpFlowRun *run, const json_t *flow_run, gint64 asked_at);

/* Checks on the server if RUN was deleted, or begun again by another worker. If so, its container
 * is stopped and removed, and nothing is reported. */
void pp_flow_run_look (PpFlowRun *run);

G_END_DECLS
