/* SPDX-License-Identifier: Apache-2.0 */
/* The resources of the Prefect API that a worker uses. Each has a source file, src/prefect/NAME.c.
 * Every function starts one call and returns it (see pp_api_call()). json_t arguments are borrowed
 * unless stated otherwise. A function without a PATIENCE argument makes one attempt if its comment
 * says so. Otherwise it retries. Calls for the pool and the server are retried as Prefect's client
 * does it (PP_API_RETRY). Calls that a run needs are retried until the server answers, or has
 * refused them for too long (PP_API_PERSIST and its variants). */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

/* admin.c: reads the server's version, a JSON string such as "3.8.8". Prefect Cloud has none. */
PpApiCall *pp_server_version_read (PpApi *api, PpApiDoneFunc done, gpointer user_data);

/* work_pools.c */
PpApiCall *pp_work_pool_read (PpApi *api, const char *name, PpApiPatience patience,
                              PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_work_pool_create (PpApi *api, const char *name, const char *type,
                                json_t *base_job_template, PpApiDoneFunc done, gpointer user_data);
PpApiCall *pp_work_pool_update_template (PpApi *api, const char *name, json_t *base_job_template,
                                         PpApiDoneFunc done, gpointer user_data);
/* INTERVAL_SECONDS is the time until this worker's next heartbeat. RETURN_ID asks for the worker's
 * id. Only Prefect Cloud returns one, as a JSON string. */
PpApiCall *pp_work_pool_heartbeat (PpApi *api, const char *pool, const char *worker_name,
                                   double interval_seconds, gboolean return_id, PpApiDoneFunc done,
                                   gpointer user_data);
/* WORK_QUEUE_NAMES may be NULL. SCHEDULED_BEFORE is in UNIX microseconds. DONE gets [{work_pool_id,
 * work_queue_id, flow_run}]. */
PpApiCall *pp_work_pool_get_scheduled_flow_runs (PpApi *api, const char *pool,
                                                 const char *const *work_queue_names,
                                                 gint64 scheduled_before, guint limit,
                                                 PpApiDoneFunc done, gpointer user_data);
/* work_queues.c */

typedef struct PpWorkQueuesRead PpWorkQueuesRead;

/* Reads the pool's work queues with NAMES (NULL-terminated), or all if NAMES is NULL. DONE gets an
 * array of {name, is_paused, ...} with each queue once. A server returns at most 200 queues at once
 * by default. So the function reads further pages until it has all NAMES, until a page has no new
 * queue, or until it has 10,000 queues. */
PpWorkQueuesRead *pp_work_queues_read (PpApi *api, const char *pool, const char *const *names,
                                       PpApiDoneFunc done, gpointer user_data);

/* Cancels READ and frees it. DONE is not called. Must not be called from DONE. NULL is ignored. */
void pp_work_queues_read_cancel (PpWorkQueuesRead *read);

/* flow_runs.c */
typedef enum
{
  PP_SET_STATE_ACCEPT, /* the proposed state was set, by this attempt or by an earlier one without
                          an answer */
  PP_SET_STATE_WAIT,   /* propose the state again after delay_seconds */
  PP_SET_STATE_ABORT,  /* the state was not set and will not be; reason says why */
  PP_SET_STATE_REJECT, /* another state was set instead: see state */
} PpSetStateStatus;

typedef struct
{
  PpSetStateStatus status;
  const json_t *state;  /* the run's state after the call; may be NULL for WAIT and ABORT */
  double delay_seconds; /* for WAIT: 0 to 3600 */
  const char *reason;   /* for WAIT, ABORT, REJECT: the server's own text, or NULL */
} PpSetStateResult;

/* Exactly one of RESULT and ERROR is NULL. Both are borrowed. An answer that Prefect cannot give,
 * for example an ACCEPT without the proposed state, is an ERROR like any other answer that is not
 * the API's (PP_API_ERROR_STRANGER). */
typedef void (*PpSetStateDoneFunc) (const PpSetStateResult *result, const GError *error,
                                    gpointer user_data);

/* True if RESULT leaves the run as it is, although no rule of the server forbids the proposed
 * state: a WAIT, or an ABORT without a state. The server answers with the latter if it could not
 * store the state (validate_proposed_state() in server/orchestration/rules.py). */
gboolean pp_set_state_is_open (const PpSetStateResult *result);
PpApiCall *pp_flow_run_read (PpApi *api, const char *id, PpApiPatience patience, PpApiDoneFunc done,
                             gpointer user_data);
/* Proposes a state. TRANSITION_ID is a UUID for this proposal. A repeated proposal, also after a
 * restart, uses the same id, so that it is recognized as the same. TYPE is "PENDING", ... NAME is
 * "Submitting", ...; NULL means the type's own name ("Pending"). MESSAGE may be NULL. */
PpApiCall *pp_flow_run_set_state (PpApi *api, const char *id, const char *transition_id,
                                  const char *type, const char *name, const char *message,
                                  gboolean force, PpApiPatience patience, PpSetStateDoneFunc done,
                                  gpointer user_data);
/* Reads the run's states, oldest first; at least one. An empty list is PP_API_ERROR_NO_STATES:
 * every existing run has a state. So the run was deleted, or something else has answered, for
 * example a server that is being restored. Only a read of the run itself shows which. */
PpApiCall *pp_flow_run_states_read (PpApi *api, const char *id, PpApiDoneFunc done,
                                    gpointer user_data);
/* Forces the run back to STATE, an earlier state of the run, with its scheduled time, its lease and
 * its transition id. The id is marked (pp_state_is_restored()). One attempt (PP_API_TRY). Before
 * another attempt, the caller must read the run's states again, because the attempt would undo
 * newer states. */
PpApiCall *pp_flow_run_restore_state (PpApi *api, const char *id, json_t *state,
                                      PpSetStateDoneFunc done, gpointer user_data);
/* True if STATE, an object of the API, was set by pp_flow_run_restore_state() of any worker: its
 * transition id is a UUID of version 8. All other transition ids are of version 4. */
gboolean pp_state_is_restored (const json_t *state);
/* Returns the transition id of STATE, an object of the API or NULL; borrowed. Returns NULL if STATE
 * has none, such as a state that was set in the UI. */
const char *pp_state_transition_id (const json_t *state);
/* True if ID and OTHER are transition ids of the same request. A restored state has the id of the
 * request that set its original. False if one is NULL. */
gboolean pp_is_same_transition (const char *id, const char *other);
PpApiCall *pp_flow_run_update_infrastructure_pid (PpApi *api, const char *id,
                                                  const char *infrastructure_pid,
                                                  PpApiDoneFunc done, gpointer user_data);
/* Sets the run's whole empirical_policy to POLICY. One attempt (PP_API_TRY). Before another
 * attempt, the caller must read the run again. */
PpApiCall *pp_flow_run_update_empirical_policy (PpApi *api, const char *id, json_t *policy,
                                                PpApiDoneFunc done, gpointer user_data);
/* One attempt. If the server does not support labels (404, Prefect 2), all later calls succeed
 * without a request. */
PpApiCall *pp_flow_run_update_labels (PpApi *api, const char *id, json_t *labels,
                                      PpApiDoneFunc done, gpointer user_data);
/* Reads the runs with an id in IDS (array of at most 200 strings), in any order. One of the runs
 * may cause an error (PP_API_PERSIST_SHARED). */
PpApiCall *pp_flow_runs_filter_ids (PpApi *api, json_t *ids, PpApiDoneFunc done,
                                    gpointer user_data);
/* Reads the runs of POOL that are SCHEDULED for BEFORE (UNIX microseconds) or earlier. DONE gets an
 * array of {id, ...} without any field that a job's author sets, so no run can make it unreadable.
 * One attempt. The route is for Prefect's UI, so a server may not have it. */
PpApiCall *pp_flow_runs_scheduled_ids (PpApi *api, const char *pool, gint64 before,
                                       PpApiDoneFunc done, gpointer user_data);
/* Reads one run whose id is not in IDS (array of strings). DONE gets an array with that run, or an
 * empty array. One attempt. */
PpApiCall *pp_flow_runs_filter_other (PpApi *api, json_t *ids, PpApiDoneFunc done,
                                      gpointer user_data);
/* Counts the runs with an id in IDS (array of strings). DONE gets an integer. One attempt. */
PpApiCall *pp_flow_runs_count (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data);
/* Reads those runs with an id in IDS (array of strings) that are CANCELLING, SCHEDULED or in a
 * final state. One attempt. */
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

/* concurrency.c: renews the lease of a deployment's concurrency slot for SECONDS. One attempt. */
PpApiCall *pp_concurrency_lease_renew (PpApi *api, const char *lease_id, double seconds,
                                       PpApiDoneFunc done, gpointer user_data);
/* Gives back the slot of LEASE_ID. The server ignores a lease that it does not know. But if two of
 * these requests are under way at once, it gives back two slots. So the call is repeated only if it
 * was certainly not carried out. */
PpApiCall *pp_concurrency_lease_release (PpApi *api, const char *lease_id, PpApiDoneFunc done,
                                         gpointer user_data);

/* logs.c: LOGS is an array of {name, level, message, timestamp, flow_run_id}; the call takes
 * ownership. Retried only if the server certainly did not store the records
 * (PP_API_PERSIST_REFUSED). A call without an answer is not retried, because the server may have
 * stored its records. Of a call with up to about 4,000 records, the server stores all records or
 * none. */
PpApiCall *pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data);
/* Reads a run's log records later than AFTER (UNIX microseconds), oldest first, and skips the first
 * OFFSET. DONE gets an array of at most LIMIT records. LIMIT 0 means as many as the server returns
 * at once: 200, or its PREFECT_SERVER_API_DEFAULT_LIMIT. The server refuses a larger LIMIT. */
PpApiCall *pp_logs_read_after (PpApi *api, const char *flow_run_id, gint64 after, guint offset,
                               guint limit, PpApiDoneFunc done, gpointer user_data);

/* events.c: EVENTS is an array of event objects; the call takes ownership. One attempt. If the
 * server does not support events (404), all later calls succeed without a request. */
PpApiCall *pp_events_create (PpApi *api, json_t *events, PpApiDoneFunc done, gpointer user_data);

G_END_DECLS
