/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a flow run, for the files of its state machine only. The fields of one state, or
 * of one task, are in a struct. The comment after the struct says in which states they are
 * valid. */
#pragma once

#include "worker/output/resume_point-private.h"
#include "exit_status-private.h"
#include "flow_run-private.h"
#include "lease-private.h"
#include "prefect-podman/state/journal_position.h"
#include "worker/output/output-private.h"

#include "worker/look-private.h"

#define PP_TRANSITION_ID_SIZE 37 /* a UUID */

/* The seconds that Prefect inside a container gets to end by itself when its run is over. */
#define PP_PREFECT_GRACE_SECONDS 30

/* Who made the run's last claim, according to its states on the server. */
typedef enum
{
  PP_CLAIM_OURS,    /* this worker, and nobody else has set a state since */
  PP_CLAIM_PREFECT, /* this worker, and Prefect inside the container reports states. Also used if
                       the states cannot be read, so that the run goes on */
  PP_CLAIM_LOST,    /* another worker, for a later attempt */
} PpClaimHolder;

typedef void (*PpClaimKnownFunc) (PpFlowRun *run, PpClaimHolder holder);

/* The next step of a flow run. */
typedef void (*PpFlowRunNextFunc) (PpFlowRun *run);

/* Waits for the states of a run if the server has returned an empty list (run_ownership.c). */
typedef struct
{
  PpFlowRun *run;
  PpStateRead *read; /* checks that the run exists */
  guint timer;       /* starts the next attempt */
  guint tries;       /* attempts in a row */
  PpFlowRunNextFunc again;
  PpFlowRunNextFunc gone; /* called if the run was deleted */
} PpStatesWait;

/* A final state that is put back on the server (put_back.c). */
typedef struct
{
  PpFlowRun *run;
  guint tries;
  PpFlowRunNextFunc again; /* called after a failed attempt */
  PpFlowRunNextFunc over;
} PpPutBack;

/* Why a run is stopped before its own end. A run has one reason, which only
 * pp_flow_run_stop_because() sets. A reason further down this list replaces one further up, never
 * the reverse. A timeout stops only a run that is not being stopped yet. A run that is cancelled
 * after its timeout has a reason that says both. The reasons for which nothing is reported come
 * last, so they replace all others. */
typedef enum
{
  PP_STOP_NONE,
  PP_STOP_TIMEOUT, /* timeout_seconds have passed, or startup_timeout_seconds if Prefect reports */
  PP_STOP_CANCELLED,               /* the server's state is CANCELLING or CANCELLED */
  PP_STOP_CANCELLED_AFTER_TIMEOUT, /* the same for a run that was stopped for PP_STOP_TIMEOUT */
  /* Nothing is reported for the reasons from here on. There is one exception: the container was
   * killed for another attempt, and Prefect inside it set a state at the last moment. */
  PP_STOP_ENDED, /* the server has the final state, from Prefect, a user or this worker */
  PP_STOP_CANCELLED_MEANWHILE, /* cancelled while no worker watched it */
  PP_STOP_BEGUN_AGAIN,         /* scheduled for another attempt, or claimed by another worker */
  PP_STOP_DELETED,             /* the server does not know it any more */
} PpStopReason;

struct PpFlowRun
{
  PpWorkerContext *context;
  PpFlowRunState state;
  PpStopReason stop_reason;
  PpFlowRunNotifyFunc notify;
  gpointer user_data;

  /* The run and its times. */
  char *id;
  char *name;
  char *deployment_id;
  char *flow_id;
  json_t *json;          /* the API's object; freed once RENDERED */
  gint64 scheduled_time; /* UNIX microseconds; 0: start at once */
  gint64 claimed_at;     /* monotonic microseconds */
  gint64 claimed_time;   /* UNIX microseconds, like all times in the journal; for a run without a
                            journal entry: when its container was created */
  json_int_t seen_run_count; /* the run_count on the server before the claim */
  /* The attempt's number in the logger names of its output; 0: the names have no number. */
  gint64 attempt;
  gint64 started_time;   /* UNIX microseconds; 0: its start has not begun */
  gint64 started_uptime; /* the same in microseconds of pp_uptime(); 0: unknown in this boot */
  gint64 late_until; /* microseconds of pp_uptime(); until then a request without an answer, of this
                        worker or an earlier one, may be carried out; 0: there is none */
  gboolean recovered; /* an earlier worker began the run */
  PpLease *lease;     /* the lease of its slot in a deployment's concurrency limit, or NULL */
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
    PpJournalPut *put;         /* a write under way, or NULL */
    PpFlowRunNextFunc written; /* called after PUT */
    gboolean was_followed;     /* an earlier worker followed the container */
  } journal;                   /* the run's entry (journal_entry.c) */

  /* The container. */
  PpJobSpec *spec;          /* valid from RENDERED to STARTED */
  PpRunPolicy *policy;      /* valid from RENDERED on, or read from the journal */
  gboolean worker_reported; /* the worker reports the run, not Prefect inside the container */
  gboolean auto_remove;
  PpMask *mask;  /* masks the secrets of the blocks that the run uses; NULL: none */
  char *failure; /* why the run could not be submitted, once known */
  char *container_id;
  char *container_name;
  char *shown_name; /* container_name without secrets: for logs, messages, states and events */
  struct
  {
    char *name;             /* the container's name without its suffix; NULL: it has no secrets */
    char *shown;            /* the same without secrets */
  } given;                  /* the name in the job's configuration */
  char *label;              /* "container 'SHOWN_NAME'" */
  char *first_label;        /* the same at the beginning of a sentence */
  const PpKindWords *words; /* the infrastructure's; borrowed */
  char *replaced_container_id; /* id of a container that never started and that this one replaces */
  gboolean may_exist;    /* its creation got no answer: a container with an unknown id may exist */
  gboolean started_once; /* the engine was asked to start it */
  PpJobEnd end;          /* how it ended; from EXITED on */
  gboolean end_known;    /* FALSE: it is gone from the engine */

  /* The output, from STARTED on. */
  PpOutput *output;
  PpDelivery *delivery; /* passes the container's log to OUTPUT */
  PpPosition position;  /* how far the output was delivered */
  PpPositionFile *position_file;
  guint note_timer; /* fires when POSITION must be saved */

  /* What the state waits for: one of these at a time. */
  PpApiCall *api_call;
  PpStateRead *state_read;
  PpInfrastructureCall *engine_call;
  guint timer;
  guint retries; /* retries of what the state waits for */
  struct
  {
    gint64 since;     /* monotonic microseconds; 0: the engine answers */
    gboolean is_said; /* the silence was reported in the run's log */
  } silence;          /* the engine does not report the container's status */

  struct
  {
    gboolean host_restarted;   /* the host was restarted since the last entry was written */
    gboolean is_gone;          /* cancelled; the container may have run, but it was removed */
    gboolean attaches;         /* the container exists, and its description is looked up */
    PpJobPhase found_phase;    /* phase of the engine's container */
    PpReporter found_reporter; /* reporter according to that container's labels */
    guint untold;              /* reads to which the server answered with only the run's states */
    guint removals;            /* refused removals of a container that was never started */
  } recovery;                  /* RECOVERED */
  struct
  {
    gint64 seen_at;            /* when the server was asked for the run; monotonic microseconds */
    gint64 looked_at;          /* when it was asked again; monotonic microseconds */
    char *state_id;            /* id of the SCHEDULED state, as it was read last; NULL: unknown */
    GError *error;             /* the error of the last proposal, or NULL */
    gboolean lacks_deployment; /* refused: the server does not find the deployment */
  } claim;                     /* CLAIMED */
  struct
  {
    PpFlowRunNextFunc next; /* called after the check under way */
    PpStatesWait wait;
    PpPutBack put_back;          /* puts back the final state from another worker */
    json_t *end;                 /* that state, while the run's current state is read; or NULL */
    gboolean is_begun_elsewhere; /* another worker has claimed the run */
  } history; /* CLAIMED to CREATED: pp_flow_run_check_contest() and _check_history() */
  struct
  {
    PpResolveCall *call;
    gboolean is_done;
    GError *error;
    json_t *configuration;
  } resolve; /* CLAIMED to RESOLVED: the data for the configuration */
  struct
  {
    PpApiCall *call;
    gint64 sent_at;   /* monotonic microseconds */
    gboolean is_slow; /* the server took long to accept it */
  } submitting;       /* RENDERED to CREATED: the proposal of "Submitting", made while the
                         image is pulled and the container is created */

  /* SUBMITTING (submit.c). */
  gboolean pulling; /* engine_call may be cancelled: it has created nothing yet */
  GError *refusal;  /* the engine's error, while its meaning is checked; in CREATED too */

  struct
  {
    gint64 sent_at;          /* monotonic microseconds; of the last request that starts the run */
    gboolean is_interrupted; /* a start got no answer from the engine */
    gboolean is_made_anew;   /* the container was removed before its start and is replaced */
    guint retries;           /* retries of the start, for all containers of the run together */
    guint removals;          /* failed removals of a container that was not started */
  } start;                   /* CREATED */
  struct
  {
    PpApiCall *call;
    gint64 sent_at; /* monotonic microseconds */
  } pid;            /* infrastructure_pid; from CREATED on, beside what the state waits for */
  struct
  {
    PpInfrastructureCall *call; /* waits for the container's end */
    PpInfrastructureCall *follow_call;
    PpStateRead *server_read; /* the read of pp_flow_run_look() */
    char *state_seen;         /* id of the state, set by somebody else, that the last look found */
    char *scheduled_id;       /* id of the SCHEDULED state after which the container may end */
    gint64 scheduled_at;      /* monotonic microseconds; when that state was seen first */
    PpFlowRunNextFunc retry;  /* called by TIMER, or earlier if the container ends */
    gboolean may_lack_memory; /* the container has a limit, or may have one */
    gboolean program_gone; /* the kernel reports the program's end; the engine may not do so yet */
    gboolean status_lost;  /* the container has ended with an unknown exit status */
    gboolean asks_end;     /* engine_call asks how the container ended, or will after a delay */
    gboolean follow_refused; /* the log cannot be followed: read it after the container's end */
    gboolean output_ended;   /* the output was read to its end, or cannot be read */
    gboolean output_unreadable;
    gboolean output_lost; /* some output was lost, and this was logged */
    gboolean damage_said; /* it was logged that part of the log could not be read */
  } watch;                /* STARTED */
  struct
  {
    PpApiCall *call;
    PpFlowRunNextFunc next; /* called after the count */
    guint64 records;        /* records on the server beyond the position */
    guint64 before;         /* the last count plus one; 0: none */
    gint64 end;             /* UNIX microseconds; later records are not of this container */
    guint offset;           /* offset of the next record to request */
    guint limit;            /* the most records in one answer; 0: the server's default */
    gint64 asked_at;        /* monotonic microseconds */
    gint64 until;           /* monotonic microseconds; end of the wait for a batch on its way */
    gint64 last_time;       /* UNIX microseconds; timestamp of the latest counted record */
    gboolean wait_said;     /* it was logged that the count waits for such a batch */
  } count;                  /* STARTED, for a recovered run: pp_flow_run_count_delivered() */
  struct
  {
    PpInfrastructureCall *call;
    guint timer;         /* fires for the next call, or to check the last one */
    guint level;         /* level of force (stop.c) */
    guint refusals;      /* failed calls */
    gboolean is_refused; /* the engine refused the last call, so the container goes on */
    guint timeout_timer;
    gint64 timeout_at;               /* monotonic microseconds; when timeout_seconds have passed */
    PpInfrastructureCall *look_call; /* checks that a run past its timeout still runs */
    gboolean prefect_ended; /* Prefect inside has reported the final state: the container ends by
                               itself */
  } stop;                   /* STARTED */
  struct
  {
    PpApiCall *call;
    PpClaimKnownFunc known; /* called after the check under way */
    PpStatesWait wait;
    gboolean is_retried_by_hand; /* the run was final and is SCHEDULED now */
    gboolean has_own_state;      /* a request of ours has set one of the run's states */
    gboolean may_have_run;       /* a request of ours has set RUNNING, or may have set it */
  } claim_check;                 /* RECOVERED, CREATED to EXITED: pp_flow_run_check_claim() */
  struct
  {
    char *type; /* type of the proposed final state; NULL: not decided yet */
    char *name;
    char *message;
    gboolean force;
    gboolean is_written;     /* this final state is in the journal, or on its way there */
    guint write_timer;       /* writes it down if the report takes long */
    PpApiCall *limit_call;   /* reads the deployment, to find out if it still has its limit */
    gint64 exited_at;        /* monotonic microseconds; when EXITED was entered */
    char *type_at_end;       /* type of the server's state when the container ended */
    gboolean never_ran;      /* that state shows that the run did not get to RUNNING */
    json_t *overwritten_end; /* a final state that a late request of ours has overwritten */
    PpPutBack put_back;      /* puts OVERWRITTEN_END back */
    gint64 read_at;          /* monotonic microseconds; of the last read before a proposal */
    gint64 sent_at;          /* monotonic microseconds */
    gboolean is_slow;        /* the run may have been changed between that read and the answer */
    gint64 look_until;       /* monotonic microseconds; end of the wait for the proposal's effect */
    guint unanswered;        /* failed proposals in a row */
    gboolean is_refused;     /* the last proposal was refused, perhaps for its message */
    gint64 barred_until;     /* monotonic microseconds; until then, a lease explains refusals */
    guint refusals;          /* refusals perhaps for the message, while other calls were answered */
    gboolean cancel_reported; /* CANCELLED was proposed as an answer to CANCELLING */
    gboolean retry_scheduled; /* FAILED was reported and has become AwaitingRetry */
    guint changes;            /* failed changes of the run's policy in a row */
    gboolean is_rescheduled;  /* the run is being returned to the poll for its retry */
  } report;                   /* EXITED, or for a run that could not be submitted */
  struct
  {
    gboolean slot_freed;
    gboolean is_unsettled; /* the slot was freed before the final state was reported; counted in the
                              context */
    gboolean logs_safe;
    guint refusals; /* refused removals */
  } cleanup;        /* REPORTED */
};
