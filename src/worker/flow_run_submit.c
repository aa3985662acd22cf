/* A flow run's way from the poll to the started container. */
#define G_LOG_DOMAIN "prefect.worker.podman"

#include "flow_run_private.h"

#include "prefect-podman/prefect/resources.h"

#include "failpoint.h"

/* Back-off of what is tried again, in seconds: 1, 2, 4, ... up to this. */
#define MAX_BACK_OFF 30
/* Other containers that may have a run's name before something else is wrong. */
#define MAX_NAMES 1000

typedef struct
{
  PpFlowRun *run;
  void (*next) (PpFlowRun *run);
} Timer;

static gboolean
on_timer_elapsed (gpointer user_data)
{
  Timer *timer = user_data;

  timer->run->timer = 0;
  timer->next (timer->run);
  return G_SOURCE_REMOVE;
}

/* Calls NEXT after MILLISECONDS; the state's one timer. */
static void
on_timer (PpFlowRun *run, guint milliseconds, void (*next) (PpFlowRun *))
{
  Timer *timer = g_new0 (Timer, 1);

  timer->run = run;
  timer->next = next;
  run->timer
      = g_timeout_add_full (G_PRIORITY_DEFAULT, milliseconds, on_timer_elapsed, timer, g_free);
}

/* What the engine refused: again later when it may pass and the run has tries left, else the run
 * has failed. */
static void
retry_or_fail (PpFlowRun *run, const GError *error, void (*again) (PpFlowRun *))
{
  if (run->cancelled)
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE)
      && run->retries < run->spec->infrastructure_retries)
    {
      guint seconds = MIN (1u << MIN (run->retries, 5), MAX_BACK_OFF);

      run->retries++;
      pp_flow_run_log (run, PP_LOG_WARNING, "%s Trying again in %u s (%u of %u).", error->message,
                       seconds, run->retries, run->spec->infrastructure_retries);
      on_timer (run, seconds * 1000, again);
      return;
    }
  pp_flow_run_fail_submission (run, error->message);
}

/* CLAIMED: is the run ours? */

static void propose_pending (PpFlowRun *run);
static void leave_pending (PpFlowRun *run);

static void
on_claim_state (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  run->state_read = NULL;
  if (g_strcmp0 (type, "SCHEDULED") == 0)
    propose_pending (run);
  else if (g_strcmp0 (type, "PENDING") == 0 && pp_flow_run_is_own_state (run, state))
    {
      pp_flow_run_take_lease (run, state);
      pp_flow_run_move (run, PP_FLOW_RUN_PENDING);
    }
  else
    {
      g_message ("Flow run %s is left alone: %s", run->id,
                 error != NULL ? error->message : "it is in other hands meanwhile");
      pp_flow_run_drop (run);
    }
}

static void
look_before_claim (PpFlowRun *run)
{
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_claim_state, run);
}

/* Another worker may have taken the run meanwhile, and ended it: the server lets a run that is
 * COMPLETED be PENDING again, so a claim is not repeated without a look. */
static void
claim_later (PpFlowRun *run, double seconds)
{
  on_timer (run, (guint)(CLAMP (seconds, 0.1, 3600) * 1000), look_before_claim);
}

static void
on_pending (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("answered", "PENDING");
  run->api_call = NULL;
  if (error != NULL && pp_api_error_is_transient (error))
    {
      claim_later (run, MIN (0.5 * (1u << MIN (run->retries, 8)), MAX_BACK_OFF)
                            * g_random_double_range (0.7, 1.3));
      run->retries++;
      return;
    }
  if (error != NULL)
    {
      pp_flow_run_log (run, PP_LOG_ERROR, "Failed to update state of flow run '%s': %s", run->id,
                       error->message);
      pp_flow_run_drop (run);
      return;
    }
  switch (result->status)
    {
    case PP_SET_STATE_ACCEPT:
      pp_flow_run_take_lease (run, result->state);
      pp_flow_run_move (run, PP_FLOW_RUN_PENDING);
      return;
    case PP_SET_STATE_WAIT:
      claim_later (run, result->delay_seconds);
      return;
    case PP_SET_STATE_ABORT:
      pp_flow_run_log (run, PP_LOG_INFO,
                       "Aborted submission of flow run '%s'. Server sent an abort signal: %s",
                       run->id, result->reason != NULL ? result->reason : "no reason given");
      break;
    case PP_SET_STATE_REJECT:
      pp_flow_run_log (
          run, PP_LOG_INFO,
          "Aborted submission of flow run '%s': Server returned a non-pending state '%s'%s%s",
          run->id, result->state != NULL ? pp_json_string (result->state, "type") : "unknown",
          result->reason != NULL ? ": " : "", result->reason != NULL ? result->reason : "");
      break;
    }
  pp_flow_run_drop (run);
}

static void
propose_pending (PpFlowRun *run)
{
  run->api_call
      = pp_flow_run_set_state (run->context->api, run->id, run->transitions.claim, "PENDING", NULL,
                               NULL, FALSE, PP_API_ONCE, on_pending, run);
}

static void
on_resolved (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  PpWorkerContext *context = run->context;
  PpResolveIdentity identity = {
    .worker_name = context->worker_name,
    .worker_id = context->worker_id,
    .environment = context->settings->environment,
    .process_environment = context->process_environment,
  };

  run->resolve = NULL;
  run->resolved = TRUE;
  if (error != NULL)
    run->resolve_error = g_error_copy (error);
  else
    run->configuration = pp_resolve_configuration (parts, &identity, &run->resolve_error);
  if (run->state == PP_FLOW_RUN_PENDING)
    leave_pending (run);
}

void
pp_flow_run_enter_claimed (PpFlowRun *run)
{
  pp_flow_run_log (run, PP_LOG_INFO, "Worker '%s' submitting flow run '%s'",
                   run->context->worker_name, run->id);
  /* What the configuration needs is fetched while the server thinks about PENDING. */
  run->resolve = pp_resolver_fetch (run->context->resolver, run->json, run->context->work_pool,
                                    on_resolved, run);
  pp_flow_run_write_down (run, PP_JOURNAL_CLAIMED, propose_pending);
}

/* PENDING: ours; waits for the deployment and what it refers to. */

static void
leave_pending (PpFlowRun *run)
{
  if (run->resolve_error == NULL)
    pp_flow_run_move (run, PP_FLOW_RUN_RESOLVED);
  else if (g_error_matches (run->resolve_error, PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_DEPLOYMENT_GONE))
    pp_flow_run_cancel_for_deployment (run);
  else
    pp_flow_run_fail_submission (run, run->resolve_error->message);
}

void
pp_flow_run_enter_pending (PpFlowRun *run)
{
  if (run->resolved)
    leave_pending (run);
}

/* RESOLVED -> RENDERED: pure. */

void
pp_flow_run_enter_resolved (PpFlowRun *run)
{
  g_autoptr (GError) error = NULL;

  run->spec = pp_container_spec_new (
      run->configuration, pp_infrastructure_engine (run->context->infrastructure), &error);
  g_clear_pointer (&run->configuration, json_decref);
  g_clear_pointer (&run->json, json_decref);
  if (run->spec == NULL)
    {
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
  run->worker_reported = run->spec->state_reporting == PP_REPORT_WORKER;
  run->auto_remove = run->spec->auto_remove;
  for (guint i = 0; i < run->spec->warnings->len; i++)
    pp_flow_run_log (run, PP_LOG_WARNING, "%s",
                     (const char *)g_ptr_array_index (run->spec->warnings, i));
  pp_flow_run_move (run, PP_FLOW_RUN_RENDERED);
}

static void
on_submitting (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("answered", "Submitting");
  run->submitting_call = NULL;
  if (error != NULL)
    g_debug ("Flow run %s could not be set to Submitting: %s", run->id, error->message);
  else if (result->status == PP_SET_STATE_ACCEPT)
    pp_flow_run_take_lease (run, result->state);
  if (run->failure != NULL)
    pp_flow_run_report_failure (run);
  else if (run->state == PP_FLOW_RUN_CREATED && !run->cancelled)
    pp_flow_run_enter_created (run);
}

void
pp_flow_run_enter_rendered (PpFlowRun *run)
{
  PpWorkerContext *context = run->context;

  if (run->attaches)
    {
      pp_flow_run_move (run, PP_FLOW_RUN_STARTED);
      return;
    }
  json_auto_t *labels = json_pack (
      "{s:s, s:s, s:s*, s:s*}", "prefect.worker.name", context->worker_name, "prefect.worker.type",
      context->type, "prefect.work-pool.name", pp_json_string (context->work_pool, "name"),
      "prefect.work-pool.id", pp_json_string (context->work_pool, "id"));

  pp_container_spec_set_label (run->spec, PP_IDENTITY_LABEL, context->identity_name);
  pp_events_emit_worker (context->events, "prefect.worker.submitted-flow-run",
                         pp_flow_run_related (run));
  pp_flow_run_update_labels (context->api, run->id, labels, NULL, NULL);
  /* The engine's own states follow on this one; a worker-reported run goes straight to RUNNING. */
  if (!run->worker_reported)
    run->submitting_call
        = pp_flow_run_set_state (context->api, run->id, run->transitions.submitting, "PENDING",
                                 "Submitting", NULL, FALSE, PP_API_RETRY, on_submitting, run);
  pp_flow_run_move (run, PP_FLOW_RUN_SUBMITTING);
}

/* SUBMITTING: image, container, networks. */

static void create_container (PpFlowRun *run);
static void connect_networks (PpFlowRun *run);
static void pull_image (PpFlowRun *run);

static void
on_progress (const char *line, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_flow_run_log (run, PP_LOG_INFO, "%s", line);
}

static void
on_image_after_failed_pull (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)result;
  run->engine_call = NULL;
  if (error != NULL)
    {
      g_autofree char *message = g_strdup_printf (
          "Image %s could neither be pulled (see the run's log) nor found locally: %s",
          run->spec->image, error->message);

      pp_flow_run_fail_submission (run, message);
      return;
    }
  create_container (run);
}

static void
on_pulled (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)result;
  run->engine_call = NULL;
  run->pulling = FALSE;
  if (error == NULL)
    {
      create_container (run);
      return;
    }
  if (run->spec->pull_policy != PP_PULL_IF_POSSIBLE)
    {
      retry_or_fail (run, error, pull_image);
      return;
    }
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Image %s could not be pulled; image_pull_policy is IfPossible, so a local one "
                   "is looked for: %s",
                   run->spec->image, error->message);
  run->engine_call = pp_infrastructure_image_inspect (
      run->context->infrastructure, run->spec->image, on_image_after_failed_pull, run);
}

static void
pull_image (PpFlowRun *run)
{
  if (run->cancelled)
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  run->pulled = TRUE;
  run->pulling = TRUE;
  pp_flow_run_log (run, PP_LOG_INFO, "Pulling image '%s'...", run->spec->image);
  run->engine_call = pp_infrastructure_pull (run->context->infrastructure, run->spec->image,
                                             run->spec->registry_auth, on_progress, on_pulled, run);
}

gboolean
pp_flow_run_is_unstarted (const PpFlowRun *run, const json_t *inspect)
{
  const json_t *labels = json_object_get (json_object_get (inspect, "Config"), "Labels");
  const char *status = pp_json_string (json_object_get (inspect, "State"), "Status");

  return g_strcmp0 (pp_json_string (labels, "io.prefect.flow-run-id"), run->id) == 0
         && g_strcmp0 (status, "created") == 0;
}

static void
on_namesake (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  if (error == NULL && pp_flow_run_is_unstarted (run, result))
    {
      run->container_id = g_strdup (pp_json_string (result, "Id"));
      connect_networks (run);
      return;
    }
  pp_flow_run_log (run, PP_LOG_INFO, "Container name '%s' is in use; retrying with the next...",
                   run->container_name);
  run->name_index++;
  create_container (run);
}

static void
on_created (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *warning;
  size_t index;

  pp_failpoint ("engine", "created");
  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NAME_IN_USE)
      && run->name_index < MAX_NAMES)
    {
      run->engine_call = pp_infrastructure_inspect (run->context->infrastructure,
                                                    run->container_name, on_namesake, run);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
      && run->spec->pull_policy == PP_PULL_IF_NOT_PRESENT && !run->pulled)
    {
      pull_image (run);
      return;
    }
  if (error != NULL)
    {
      pp_events_emit_worker (run->context->events, "prefect.docker.container.creation-failed",
                             pp_flow_run_related (run));
      run->may_exist
          = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
      retry_or_fail (run, error, create_container);
      return;
    }
  run->container_id = g_strdup (pp_json_string (result, "Id"));
  if (run->container_id == NULL)
    {
      pp_flow_run_fail_submission (run, "The engine created a container without saying its id.");
      return;
    }
  json_array_foreach (json_object_get (result, "Warnings"), index, warning)
      pp_flow_run_log (run, PP_LOG_WARNING, "The engine warns about container '%s': %s",
                       run->container_name, json_string_value (warning));
  connect_networks (run);
}

static void
create_container (PpFlowRun *run)
{
  g_free (run->container_name);
  run->container_name = run->spec->name == NULL || run->name_index == 0
                            ? g_strdup (run->spec->name)
                            : g_strdup_printf ("%s-%u", run->spec->name, run->name_index);
  run->engine_call = pp_infrastructure_create (run->context->infrastructure, run->spec,
                                               run->container_name, on_created, run);
}

static void
on_network_connected (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)result;
  run->engine_call = NULL;
  if (error != NULL)
    {
      retry_or_fail (run, error, connect_networks);
      return;
    }
  run->network_index++;
  connect_networks (run);
}

static void
connect_networks (PpFlowRun *run)
{
  if (run->cancelled)
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  if (run->network_index >= run->spec->networks->len)
    {
      pp_flow_run_move (run, PP_FLOW_RUN_CREATED);
      return;
    }
  run->engine_call = pp_infrastructure_connect_network (
      run->context->infrastructure, g_ptr_array_index (run->spec->networks, run->network_index),
      run->container_id, on_network_connected, run);
}

void
pp_flow_run_enter_submitting (PpFlowRun *run)
{
  /* A local image is the common case: creating says by itself when there is none. */
  if (run->spec->pull_policy == PP_PULL_ALWAYS || run->spec->pull_policy == PP_PULL_IF_POSSIBLE)
    pull_image (run);
  else
    create_container (run);
}

/* CREATED: waits for its time and the server's word, then starts. */

static void propose_running (PpFlowRun *run);
static void start_container (PpFlowRun *run);

static void
on_pid_updated (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)body;
  run->pid_call = NULL;
  if (error != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "infrastructure_pid of flow run '%s' could not be set: %s", run->id,
                     error->message);
  if (run->state == PP_FLOW_RUN_REPORTED)
    pp_flow_run_enter_reported (run);
}

static void
on_started (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "started");
  (void)result;
  run->engine_call = NULL;
  if (error != NULL)
    {
      retry_or_fail (run, error, start_container);
      return;
    }
  pp_flow_run_move (run, PP_FLOW_RUN_STARTED);
  if (run->cancelled)
    pp_flow_run_stop_container_in (run, 0);
}

void
pp_flow_run_tell_pid (PpFlowRun *run)
{
  const PpEngineInfo *engine = pp_infrastructure_engine (run->context->infrastructure);
  g_autofree char *pid = g_strdup_printf ("%s:%s", engine->base_url, run->container_id);

  run->pid_call = pp_flow_run_update_infrastructure_pid (run->context->api, run->id, pid,
                                                         on_pid_updated, run);
}

static void
start_container (PpFlowRun *run)
{
  if (!run->started_once)
    pp_flow_run_tell_pid (run);
  run->started_once = TRUE;
  run->engine_call
      = pp_infrastructure_start (run->context->infrastructure, run->container_id, on_started, run);
}

static void
on_running (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("answered", "RUNNING");
  run->api_call = NULL;
  if (error != NULL)
    {
      pp_flow_run_log (run, PP_LOG_ERROR,
                       "Flow run '%s' could not be set to Running and is not started: %s", run->id,
                       error->message);
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
  switch (result->status)
    {
    case PP_SET_STATE_ACCEPT:
      pp_flow_run_take_lease (run, result->state);
      start_container (run);
      return;
    case PP_SET_STATE_WAIT:
      on_timer (run, (guint)(CLAMP (result->delay_seconds, 0.1, 3600) * 1000), propose_running);
      return;
    case PP_SET_STATE_ABORT:
    case PP_SET_STATE_REJECT:
      pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' is not started: the server says %s",
                       run->id, result->reason != NULL ? result->reason : "no");
      pp_flow_run_drop (run);
      return;
    }
}

static void
propose_running (PpFlowRun *run)
{
  run->api_call
      = pp_flow_run_set_state (run->context->api, run->id, run->transitions.running, "RUNNING",
                               NULL, NULL, FALSE, PP_API_PERSIST, on_running, run);
}

void
pp_flow_run_enter_created (PpFlowRun *run)
{
  gint64 early = run->scheduled_time - g_get_real_time ();

  /* on_submitting() comes back here. */
  if (run->submitting_call != NULL)
    return;
  /* Prefetched: everything is ready, its time has not come. */
  if (early > 0)
    on_timer (run, (guint)MIN (early / 1000 + 1, G_MAXINT), pp_flow_run_enter_created);
  else
    {
      run->started_time = g_get_real_time ();
      pp_flow_run_write_down (run, PP_JOURNAL_STARTING,
                              run->worker_reported ? propose_running : start_container);
    }
}

void
pp_flow_run_resubmit (PpFlowRun *run)
{
  run->resolve = pp_resolver_fetch (run->context->resolver, run->json, run->context->work_pool,
                                    on_resolved, run);
  pp_flow_run_move (run, PP_FLOW_RUN_PENDING);
}
