/* SPDX-License-Identifier: Apache-2.0 */
/* What a flow run consists of, for the files of its state machine only. What belongs to one state
 * lies in a struct with that state's name; a comment behind it says from when to when it counts. */
#pragma once

#include "worker/output/resume_point-private.h"
#include "exit_status-private.h"
#include "flow_run-private.h"
#include "lease-private.h"
#include "prefect-podman/state/journal_position.h"
#include "worker/output/output-private.h"

#include "worker/look-private.h"

#define PP_TRANSITION_ID_SIZE 37 /* a UUID */

/* How long Prefect inside a container has to end by itself when its run is over. */
#define PP_PREFECT_GRACE_SECONDS 30

/* Whose the last claim of a run is, as its states on the server tell. */
typedef enum
{
  PP_CLAIM_OURS,    /* this worker's, and nobody else has set a state since */
  PP_CLAIM_PREFECT, /* this worker's, and Prefect inside the container reports states. Also where
                       the states cannot be read: what is not known stops nothing */
  PP_CLAIM_LOST,    /* another worker's, for a later attempt */
} PpClaimHolder;

typedef void (*PpClaimKnownFunc) (PpFlowRun *run, PpClaimHolder holder);

/* What a step of a flow run is followed by. */
typedef void (*PpFlowRunNextFunc) (PpFlowRun *run);

/* A wait for the states of a run, of which the server has told none (run_ownership.c). */
typedef struct
{
  PpFlowRun *run;
  PpStateRead *read; /* whether the run is there at all */
  guint timer;       /* to the next try */
  guint tries;       /* in a row */
  PpFlowRunNextFunc again;
  PpFlowRunNextFunc gone; /* what follows where the run was deleted */
} PpStatesWait;

/* An end of a run that is set again on the server (put_back.c). */
typedef struct
{
  PpFlowRun *run;
  guint tries;
  PpFlowRunNextFunc again; /* after a try that failed */
  PpFlowRunNextFunc over;
} PpPutBack;

/* Why a run is stopped before its own end. A run has one reason, which only
 * pp_flow_run_stop_because() sets: a later one of this list replaces an earlier one, never the
 * other way round. A time-out stops only what is not being stopped yet. A run that is cancelled
 * after its time-out is both, and keeps that. Where the server needs no report, no other reason
 * counts. */
typedef enum
{
  PP_STOP_NONE,
  PP_STOP_TIMEOUT,   /* timeout_seconds are over; startup_timeout_seconds if Prefect reports */
  PP_STOP_CANCELLED, /* the server has it CANCELLING, or has cancelled it */
  PP_STOP_CANCELLED_AFTER_TIMEOUT, /* the same, of a run that was stopped for PP_STOP_TIMEOUT */
  /* Nothing is reported of these. */
  PP_STOP_ENDED, /* the server has its end: Prefect's, its user's, or the one that we reported */
  PP_STOP_CANCELLED_MEANWHILE, /* it was cancelled while no worker watched it */
  PP_STOP_BEGUN_AGAIN,         /* it is scheduled for another attempt, or another worker has it */
  PP_STOP_DELETED,             /* the server does not know it any more */
} PpStopReason;

struct PpFlowRun
{
  PpWorkerContext *context;
  PpFlowRunState state;
  PpStopReason stop_reason;
  PpFlowRunNotifyFunc notify;
  gpointer user_data;

  /* What it is. */
  char *id;
  char *name;
  char *deployment_id;
  char *flow_id;
  json_t *json;          /* the API's object; dropped once RENDERED */
  gint64 scheduled_time; /* UNIX microseconds; 0: at once */
  gint64 claimed_at;     /* monotonic microseconds */
  gint64 claimed_time;   /* UNIX microseconds, as all times that the journal keeps; of a run that
                            nothing was written down of: when its container was made */
  json_int_t seen_run_count; /* how often it had run when it was claimed */
  gint64 started_time;       /* UNIX microseconds; 0: not yet */
  gint64 started_uptime;     /* the same, microseconds of pp_uptime(); 0: not known in this boot */
  gint64 late_until; /* microseconds of pp_uptime(): a request that got no answer may be carried out
                        until then, this worker's or an earlier one's; 0: there is none */
  gboolean recovered; /* an earlier worker began it */
  PpLease *lease;     /* of its slot in a deployment's concurrency limit, or NULL */
  struct
  {
    char claim[PP_TRANSITION_ID_SIZE];
    char submitting[PP_TRANSITION_ID_SIZE];
    char running[PP_TRANSITION_ID_SIZE];
    char report[PP_TRANSITION_ID_SIZE];
  } transitions; /* the ids of this run's proposals */
  struct
  {
    PpJournalPhase phase;
    PpJournalPut *put;         /* under way, or NULL */
    PpFlowRunNextFunc written; /* what follows PUT */
  } journal;                   /* its entry (journal_entry.c) */

  /* Its container. */
  PpJobSpec *spec;          /* from RENDERED to STARTED */
  PpRunPolicy *policy;      /* from RENDERED on, or as it was written down */
  gboolean worker_reported; /* by this worker, not by Prefect inside the container */
  gboolean auto_remove;
  PpMask *mask;  /* of the secrets of the blocks that it uses; NULL: none */
  char *failure; /* why it could not be submitted, once that is known */
  char *container_id;
  char *container_name;
  char *shown_name; /* container_name without secrets: for logs, messages, states and events */
  char *replaced_container_id; /* of one that never started, and that this one was made for */
  gboolean may_exist; /* no answer to its creation: there may be one without our knowing its id */
  gboolean started_once; /* the engine was told to start it */
  PpJobEnd end;          /* how it has ended, from EXITED on */
  gboolean end_known;    /* FALSE: it is gone from the engine */

  /* Its output, from STARTED on. */
  PpOutput *output;
  PpDelivery *delivery; /* to OUTPUT */
  PpPosition position;  /* how far it was delivered */
  PpPositionFile *position_file;
  guint note_timer; /* to the next note of POSITION */

  /* What the state waits for: one of these at a time. */
  PpApiCall *api_call;
  PpStateRead *state_read;
  PpInfrastructureCall *engine_call;
  guint timer;
  guint retries; /* of what the state waits for */
  struct
  {
    gint64 since;     /* monotonic microseconds; 0: the engine answers */
    gboolean is_said; /* in the run's log */
  } silence;          /* the engine does not say how the container is */

  struct
  {
    gboolean host_restarted;   /* since the last entry was written */
    gboolean attaches;         /* the container is there, its description is looked for */
    PpJobPhase found_phase;    /* of the container that the engine has */
    PpReporter found_reporter; /* and who it says reports on it */
  } recovery;                  /* RECOVERED */
  struct
  {
    gint64 seen_at;   /* when the server was asked what we know of it; monotonic microseconds */
    gint64 looked_at; /* when it was asked for once more */
  } claim;            /* CLAIMED */
  struct
  {
    PpFlowRunNextFunc next; /* what follows the look under way */
    PpStatesWait wait;
    PpPutBack put_back; /* of the end that another worker has brought it to */
  } history;            /* CLAIMED: pp_flow_run_check_contest(), pp_flow_run_check_history() */
  struct
  {
    PpResolveCall *call;
    gboolean is_done;
    GError *error;
    json_t *configuration;
  } resolve; /* CLAIMED to RESOLVED: what the configuration needs */
  struct
  {
    PpApiCall *call;
    gint64 sent_at; /* monotonic microseconds */
  } submitting;     /* RENDERED to CREATED: "Submitting", beside the image and the container */

  /* SUBMITTING (submit.c). */
  gboolean pulling; /* engine_call may be cancelled: it has made nothing of the job yet */
  GError *refusal;  /* the engine's words, while what they mean is looked for; CREATED too */

  struct
  {
    gboolean is_interrupted; /* the engine did not answer a start */
    gboolean is_made_anew;   /* since somebody removed the container before its start */
    guint retries;           /* of the start, whichever container it was of */
    guint removals;          /* refused, of a container that was not started */
  } start;                   /* CREATED */
  struct
  {
    PpApiCall *call;
    gint64 sent_at; /* monotonic microseconds */
  } pid;            /* infrastructure_pid, from CREATED on, beside what the state waits for */
  struct
  {
    PpInfrastructureCall *call; /* waits for the container's end */
    PpInfrastructureCall *follow_call;
    PpStateRead *server_read; /* pp_flow_run_look() */
    PpFlowRunNextFunc retry;  /* what TIMER calls, and the end of the container sooner */
    gint64 begun_at;          /* monotonic microseconds; 0: by an earlier worker */
    gboolean may_lack_memory; /* the container has a limit, or may have one */
    gboolean program_gone;    /* the kernel has seen it; the engine may not say so yet */
    gboolean status_lost;     /* the container has ended, and nobody knows how */
    gboolean asks_end;        /* engine_call asks how it has ended, or will */
    gboolean follow_refused;  /* it cannot be followed: read it when the container has ended */
    gboolean output_ended;    /* it was read to its end, or cannot be read */
    gboolean output_unreadable;
    gboolean output_lost; /* some of it, and that was said */
    gboolean damage_said; /* that part of the log could not be read */
  } watch;                /* STARTED */
  struct
  {
    PpApiCall *call;
    PpFlowRunNextFunc next; /* what follows the count */
    guint64 records;        /* that the server has beyond the position */
    guint64 before;         /* the last count and one; 0: none */
    guint offset;           /* of the next record to ask for */
    guint limit;            /* of records in one answer; 0: as many as the server gives */
    gint64 asked_at;        /* monotonic microseconds */
    gint64 until;           /* monotonic: a batch that was on its way is waited for */
    gint64 last_time;       /* UNIX microseconds: of the last record that was counted */
    gboolean wait_said;     /* that it waits for such a batch */
  } count;                  /* STARTED, of a run that is recovered: pp_flow_run_count_delivered() */
  struct
  {
    PpInfrastructureCall *call;
    guint timer;    /* to the next call, or to a look at what became of the last one */
    guint level;    /* of force (stop.c) */
    guint refusals; /* of the engine */
    guint timeout_timer;
    gint64 timeout_at;               /* monotonic microseconds: timeout_seconds are over */
    PpInfrastructureCall *look_call; /* whether a run whose time is up still runs */
    gboolean prefect_ended; /* Prefect inside has reported the end: the container ends by itself */
  } stop;                   /* STARTED */
  struct
  {
    PpApiCall *call;
    PpClaimKnownFunc known; /* what follows the check under way */
    PpStatesWait wait;
  } claim_check; /* RECOVERED, STARTED, EXITED: pp_flow_run_check_claim() */
  struct
  {
    char *type; /* of the end that is proposed; NULL: not decided yet */
    char *name;
    char *message;
    gboolean force;
    gint64 exited_at;         /* monotonic microseconds: EXITED was entered */
    char *type_at_end;        /* of the state the server has when the container has ended */
    gboolean never_ran;       /* says that state: it did not get to Running */
    json_t *overwritten_end;  /* on top of it, a late request of ours has put another state */
    PpPutBack put_back;       /* of OVERWRITTEN_END */
    gint64 sent_at;           /* monotonic microseconds */
    gint64 look_until;        /* monotonic: for what became of the proposal */
    guint unanswered;         /* proposals in a row */
    gboolean is_refused;      /* the last one was, perhaps for its message */
    guint refusals;           /* such proposals, while other calls were answered well */
    gboolean cancel_reported; /* CANCELLED was proposed as an answer to CANCELLING */
    gboolean retry_scheduled; /* FAILED was reported and has become AwaitingRetry */
    gboolean is_rescheduled;  /* and the run is to be given to the poll for it */
  } report;                   /* EXITED, or of a run that could not be submitted */
  struct
  {
    gboolean slot_freed;
    gboolean is_unsettled; /* its slot was freed before its end was reported: the context counts */
    gboolean logs_safe;
  } cleanup; /* REPORTED */
};
