/* SPDX-License-Identifier: Apache-2.0 */
/* The resources of the Prefect API that a worker uses: one source file each, src/prefect/NAME.c.
 * Every function starts one call and returns it (see pp_api_call()); json_t arguments are borrowed
 * unless said otherwise. Where no patience is asked for: what decorates is tried once, what the
 * worker's loops repeat anyway is retried as the peer does, what a run needs persists. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

/* admin.c: the server's version, a JSON string like "3.8.8". Prefect Cloud has none. */
PpApiCall *pp_server_version_read (PpApi *api, PpApiDoneFunc done, gpointer user_data);

/* work_pools.c */
PpApiCall *pp_work_pool_read (PpApi *api, const char *name, PpApiPatience patience,
                              PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_work_pool_create (PpApi *api, const char *name, const char *type,
                                json_t *base_job_template, PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_work_pool_update_template (PpApi *api, const char *name, json_t *base_job_template,
                                         PpApiDoneFunc done, gpointer user_data);
/* INTERVAL_SECONDS: how often this worker will call again. RETURN_ID asks for the worker's id,
 * which only Prefect Cloud answers: a JSON string then. */
PpApiCall *pp_work_pool_heartbeat (PpApi *api, const char *pool, const char *worker_name,
                                   double interval_seconds, gboolean return_id, PpApiDoneFunc done,
                                   gpointer user_data);
/* WORK_QUEUE_NAMES may be NULL. SCHEDULED_BEFORE: UNIX microseconds. Answers [{work_pool_id,
 * work_queue_id, flow_run}]. */
PpApiCall *pp_work_pool_get_scheduled_flow_runs (PpApi *api, const char *pool,
                                                 const char *const *work_queue_names,
                                                 gint64 scheduled_before, guint limit,
                                                 PpApiDoneFunc done, gpointer user_data);
/* work_queues.c */

typedef struct PpWorkQueuesRead PpWorkQueuesRead;

/* The pool's work queues: those called NAMES (NULL-terminated), or for NULL all of them. DONE gets
 * an array of {name, is_paused, ...}, each queue once. A server gives 200 at once, unless it is set
 * otherwise: it is asked until it gives none that is new, and for 10,000 at most. */
PpWorkQueuesRead *pp_work_queues_read (PpApi *api, const char *pool, const char *const *names,
                                       PpApiDoneFunc done, gpointer user_data);

/* DONE will not be called. NULL is ignored. Not from inside DONE: READ is gone after it. */
void pp_work_queues_read_cancel (PpWorkQueuesRead *read);

/* flow_runs.c */
typedef enum
{
  PP_SET_STATE_ACCEPT, /* the state is the one that was proposed (also when an attempt whose answer
                          was lost had set it already) */
  PP_SET_STATE_WAIT,   /* propose again after delay_seconds */
  PP_SET_STATE_ABORT,  /* not now and not later: details say why */
  PP_SET_STATE_REJECT, /* another state was set instead: see state */
} PpSetStateStatus;

typedef struct
{
  PpSetStateStatus status;
  const json_t *state;  /* the run's state after the call; NULL when not said */
  double delay_seconds; /* WAIT */
  const char *reason;   /* WAIT, ABORT, REJECT: the server's words, or NULL */
} PpSetStateResult;

/* RESULT and ERROR are borrowed; exactly one is NULL. */
typedef void (*PpSetStateDoneFunc) (const PpSetStateResult *result, const GError *error,
                                    gpointer user_data);

PpApiCall *pp_flow_run_read (PpApi *api, const char *id, PpApiPatience patience, PpApiDoneFunc done,
                             gpointer user_data);
/* TRANSITION_ID: a UUID of this proposal; one that is made again, after a restart too, is known by
 * it. TYPE: "PENDING", ...; NAME: "Submitting", ..., NULL: the type's own ("Pending"); MESSAGE may
 * be NULL. */
PpApiCall *pp_flow_run_set_state (PpApi *api, const char *id, const char *transition_id,
                                  const char *type, const char *name, const char *message,
                                  gboolean force, PpApiPatience patience, PpSetStateDoneFunc done,
                                  gpointer user_data);
/* The run's states, oldest first; one at least. An empty list is PP_API_ERROR_NO_STATES: a run that
 * is there has a state, so that the run was deleted, or something else has answered (a server that
 * is being restored, say). Only a read of the run itself tells which. */
PpApiCall *pp_flow_run_states_read (PpApi *api, const char *id, PpApiDoneFunc done,
                                    gpointer user_data);
/* Sets the run back to STATE, one that it had, by force: also its scheduled time, its lease and its
 * transition id, marked (pp_state_is_restored()). One attempt (PP_API_TRY): before another, the
 * caller reads the run's states again, since what came in between would be undone. */
PpApiCall *pp_flow_run_restore_state (PpApi *api, const char *id, json_t *state,
                                      PpSetStateDoneFunc done, gpointer user_data);
/* True if STATE, an object of the API, was set by pp_flow_run_restore_state(), by any worker: its
 * transition id is a UUID of version 8. All others are of version 4. */
gboolean pp_state_is_restored (const json_t *state);
/* True if ID and OTHER are transition ids of the same request. A restored state has the id of the
 * request that set its original. False if one is NULL. */
gboolean pp_is_same_transition (const char *id, const char *other);
PpApiCall *pp_flow_run_update_infrastructure_pid (PpApi *api, const char *id,
                                                  const char *infrastructure_pid,
                                                  PpApiDoneFunc done, gpointer user_data);
/* POLICY: the whole of the run's empirical_policy. One attempt (PP_API_TRY): before another, the
 * caller reads the run again. */
PpApiCall *pp_flow_run_update_empirical_policy (PpApi *api, const char *id, json_t *policy,
                                                PpApiDoneFunc done, gpointer user_data);
/* One attempt; a server without labels (404, 2.x) is asked once, and DONE told of success after. */
PpApiCall *pp_flow_run_update_labels (PpApi *api, const char *id, json_t *labels,
                                      PpApiDoneFunc done, gpointer user_data);
/* The runs whose id is in IDS (array of at most 200 strings), in any order. An error may be the
 * fault of one of them (PP_API_PERSIST_SHARED). */
PpApiCall *pp_flow_runs_filter_ids (PpApi *api, json_t *ids, PpApiDoneFunc done,
                                    gpointer user_data);
/* The runs of POOL that are SCHEDULED for BEFORE (UNIX microseconds) at the latest; an array of
 * {id,
 * ...} without anything that a job's author writes, so that no run can spoil it. One attempt; for
 * the UI, so not every server need have it. */
PpApiCall *pp_flow_runs_scheduled_ids (PpApi *api, const char *pool, gint64 before,
                                       PpApiDoneFunc done, gpointer user_data);
/* One run whose id is not in IDS (array of strings), in an array that is empty where there is none.
 * One attempt. */
PpApiCall *pp_flow_runs_filter_other (PpApi *api, json_t *ids, PpApiDoneFunc done,
                                      gpointer user_data);
/* How many of the runs whose id is in IDS (array of strings) there are; an integer. */
PpApiCall *pp_flow_runs_count (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data);
/* Of the runs whose id is in IDS (array of strings), those that are CANCELLING,
 * over, or SCHEDULED. */
PpApiCall *pp_flow_runs_filter_ended (PpApi *api, json_t *ids, PpApiDoneFunc done,
                                      gpointer user_data);

/* deployments.c, flows.c, blocks.c, variables.c */
PpApiCall *pp_deployment_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_flow_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_block_document_read_by_name (PpApi *api, const char *block_type_slug,
                                           const char *name, PpApiDoneFunc done,
                                           gpointer user_data);
PpApiCall *pp_block_document_read (PpApi *api, const char *id, PpApiDoneFunc done,
                                   gpointer user_data);
PpApiCall *pp_variable_read (PpApi *api, const char *name, PpApiDoneFunc done, gpointer user_data);

/* concurrency.c: renews the lease of a deployment's concurrency slot for SECONDS. */
PpApiCall *pp_concurrency_lease_renew (PpApi *api, const char *lease_id, double seconds,
                                       PpApiDoneFunc done, gpointer user_data);

/* logs.c: LOGS is an array of {name, level, message, timestamp, flow_run_id}; stolen. Made again
 * only while the server refuses it: what got no answer may be there, all of it or nothing (up to
 * some 4,000 records). */
PpApiCall *pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data);
/* A run's log records younger than AFTER (UNIX microseconds), the oldest first, less OFFSET of
 * them; an array of at most LIMIT, 0: of as many as the server gives at once (200, or its
 * PREFECT_SERVER_API_DEFAULT_LIMIT, which refuses a larger LIMIT). */
PpApiCall *pp_logs_read_after (PpApi *api, const char *flow_run_id, gint64 after, guint offset,
                               guint limit, PpApiDoneFunc done, gpointer user_data);

/* events.c: EVENTS is an array of event objects; stolen. One attempt; a server without events (404)
 * is asked once, and DONE told of success after. */
PpApiCall *pp_events_create (PpApi *api, json_t *events, PpApiDoneFunc done, gpointer user_data);

G_END_DECLS
