/* The inside of a flow run, for the files of its state machine only: flow_run.c (states and moves),
 * flow_run_submit.c (up to the start), flow_run_watch.c (after it), flow_run_report.c (what the
 * server is told). */
#pragma once

#include "prefect-podman/worker/exit_status.h"
#include "prefect-podman/worker/flow_run.h"
#include "prefect-podman/worker/lease.h"
#include "prefect-podman/worker/output.h"

struct PpFlowRun
{
  PpWorkerContext *context;
  PpFlowRunState state;
  PpFlowRunNotifyFunc notify;
  gpointer user_data;

  char *id;
  char *name;
  char *deployment_id;
  char *flow_id;
  json_t *json;          /* the API's object; dropped once RENDERED */
  gint64 scheduled_time; /* UNIX microseconds; 0: at once */
  gint64 claimed_at;     /* monotonic microseconds */

  PpContainerSpec *spec; /* from RENDERED on; without its bodies once STARTED */
  gboolean worker_reported;
  gboolean auto_remove;

  PpResolveCall *resolve;
  GError *resolve_error;
  char *failure; /* why it could not be submitted, once that is known */
  gboolean resolved;
  json_t *configuration;

  gboolean pulled;  /* the image was asked for */
  guint name_index; /* of the retries on a name in use */
  guint network_index;
  char *container_id;
  char *container_name;
  gboolean started_once; /* the engine was told to start it */
  gboolean timed_out;
  gboolean startup_timed_out;
  gboolean pulling;
  gboolean cancel_reported;
  gboolean cancelled; /* the server wants it ended */

  PpApiCall *api_call;        /* the one call the state waits for */
  PpStateRead *state_read;    /* or this */
  PpApiCall *submitting_call; /* "Submitting", beside the image and the container */
  PpApiCall *pid_call;        /* infrastructure_pid, beside the start */
  PpInfrastructureCall *engine_call;
  PpInfrastructureCall *follow_call;
  PpInfrastructureCall *stop_call;
  guint stop_timer;
  guint timer;         /* of the state */
  guint timeout_timer; /* timeout_seconds */
  gint64 timeout_at;   /* monotonic microseconds */
  guint retries;       /* of what the state waits for */

  PpOutput *output;
  gboolean output_lost;  /* some of it, and that was said */
  gboolean output_ended; /* it was read to its end, or cannot be read */
  PpLease *lease;
  PpContainerEnd end;
  gint64 exited_at;
  gboolean end_known;
  gboolean engine_lost;
  gint64 no_answer_since; /* monotonic microseconds; 0: the engine answers */
  gboolean slot_freed;
  gboolean logs_safe;
};

/* flow_run.c: the one place that moves. */
void pp_flow_run_move (PpFlowRun *run, PpFlowRunState state);

/* A line in the run's log (and on the console). */
void pp_flow_run_log (PpFlowRun *run, PpLogLevel level, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* Keeps the lease that STATE (the server's) names. */
void pp_flow_run_take_lease (PpFlowRun *run, const json_t *state);

/* Related resources of the run's events; new array. */
json_t *pp_flow_run_related (const PpFlowRun *run);

/* The run is not ours after all: nothing to report; removes a container if there is one. */
void pp_flow_run_drop (PpFlowRun *run);

/* flow_run_submit.c: what each state does to be left. */
void pp_flow_run_enter_claimed (PpFlowRun *run);
void pp_flow_run_enter_pending (PpFlowRun *run);
void pp_flow_run_enter_resolved (PpFlowRun *run);
void pp_flow_run_enter_rendered (PpFlowRun *run);
void pp_flow_run_enter_submitting (PpFlowRun *run);
void pp_flow_run_enter_created (PpFlowRun *run);

/* flow_run_watch.c */
void pp_flow_run_enter_started (PpFlowRun *run);
void pp_flow_run_enter_reported (PpFlowRun *run);
void pp_flow_run_enter_removed (PpFlowRun *run);

/* Stops the container after SECONDS, unless it has ended by then. */
void pp_flow_run_stop_container_in (PpFlowRun *run, guint seconds);

/* flow_run_report.c */
/* CANCELLED, as the server asked. */
void pp_flow_run_report_cancelled (PpFlowRun *run);
void pp_flow_run_enter_exited (PpFlowRun *run);

/* The run cannot be started: CRASHED with the peer's words and MESSAGE, then the rest is cleaned
 * up. */
void pp_flow_run_fail_submission (PpFlowRun *run, const char *message);

/* Goes on with a failure that waited for the answer to "Submitting": a CRASHED run must not be set
 * to PENDING after it. */
void pp_flow_run_report_failure (PpFlowRun *run);

/* The run's deployment is gone: Cancelled, by force, as the peer does. */
void pp_flow_run_cancel_for_deployment (PpFlowRun *run);
