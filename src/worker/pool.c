/* SPDX-License-Identifier: Apache-2.0 */
/* Reads or creates the work pool, connects to the engine of its kind before the first poll, and
 * sends heartbeats that keep the pool online. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* Intervals for retries during the start: 1, 2 and 4 seconds, then 8, all +-30 %. So the worker
 * starts soon after the API and the engine. */
#define START_SECONDS 1
#define START_DOUBLINGS 3

#define POOL_ADVICE                                                                                \
  "Create it, or let this worker create it (leave out --no-create-pool-if-not-found)"

static void connect_engine (PpWorker *worker);
static void sync_pool (PpWorker *worker);
static void send_heartbeat (PpWorker *worker, gboolean ask);

static void
check_ready (PpWorker *worker)
{
  /* Claimed runs get the worker's id, so wait for the id before the first poll. */
  if (worker->engine_ready && worker->pool_ready && !worker->asks_id && !worker->started)
    {
      worker->started = TRUE;
      pp_worker_ready (worker);
    }
}

/* The engine. */

static gboolean
on_engine_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->engine_timer = 0;
  connect_engine (worker);
  return G_SOURCE_REMOVE;
}

static void
on_engine (const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      guint milliseconds
          = pp_worker_interval_ms (START_SECONDS, MIN (worker->engine_failures, START_DOUBLINGS));

      worker->engine_failures++;
      pp_worker_note_absence (&worker->engine_absence, error->message);
      g_warning ("The container engine is not available yet, trying again in %.1f s: %s",
                 milliseconds / 1000.0, error->message);
      worker->engine_timer = g_timeout_add (milliseconds, on_engine_timer, worker);
      return;
    }
  if (error != NULL)
    {
      g_autofree char *url = pp_http_url_for_display (worker->place);

      pp_worker_fail (worker, 2, "The container engine at %s cannot be used: %s", url,
                      error->message);
      return;
    }
  PpInfrastructureAbout about = pp_infrastructure_about (worker->context.infrastructure);
  if (about.name != NULL)
    g_info ("Engine: %s %s (%s) at %s", about.name, about.version, about.manner, about.place);
  pp_worker_note_absence (&worker->engine_absence, NULL);
  worker->engine_ready = TRUE;
  check_ready (worker);
}

static void
connect_engine (PpWorker *worker)
{
  pp_infrastructure_connect (worker->context.infrastructure, on_engine, worker);
}

/* The pool. */

static const char *
served_type (const PpWorker *worker)
{
  return worker->options->type != NULL ? worker->options->type : "docker";
}

/* True if this worker serves pools of TYPE. After the start, its kind cannot change. */
static gboolean
serves (const PpWorker *worker, const char *type)
{
  const PpInfrastructureKind *kind = pp_kind_for_pool (type);

  return kind != NULL && (!worker->started || kind == pp_kind_for_place (worker->place));
}

/* Connects to the engine of the kind that serves pools of TYPE. Call this when the pool's type is
 * known, or when a missing pool will probably have that type. Returns FALSE if the worker ends. */
static gboolean
ask_engine (PpWorker *worker, const char *type)
{
  const PpInfrastructureKind *kind = pp_kind_for_pool (type);
  g_autoptr (GError) error = NULL;

  if (worker->engine_asked && kind == pp_kind_for_place (worker->place))
    return TRUE;
  g_clear_handle_id (&worker->engine_timer, g_source_remove);
  worker->engine_ready = FALSE;
  if (!pp_worker_use_kind (worker, kind, &error))
    {
      pp_worker_fail (worker, 2, "%s", error->message);
      return FALSE;
    }
  worker->engine_asked = TRUE;
  connect_engine (worker);
  return TRUE;
}

static gboolean
on_sync_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->sync_timer = 0;
  sync_pool (worker);
  return G_SOURCE_REMOVE;
}

static void
sync_later (PpWorker *worker, double seconds, guint failures)
{
  if (worker->phase != PP_WORKER_STOPPING && worker->sync_timer == 0)
    worker->sync_timer
        = g_timeout_add (pp_worker_interval_ms (seconds, failures), on_sync_timer, worker);
}

/* Handles a failed request. Retries if that may help. Before the first poll, any other error ends
 * the worker. */
static void
on_sync_failure (PpWorker *worker, const GError *error)
{
  guint failures = worker->sync_failures++;

  if (pp_api_error_is_transient (error)
      || (pp_worker_is_patient (worker) && pp_api_error_may_pass (error)))
    {
      g_warning ("The work pool cannot be read%s, trying again: %s", worker->started ? "" : " yet",
                 error->message);
      pp_worker_note_absence (&worker->pool_absence, error->message);
      if (worker->started)
        sync_later (worker, worker->settings->worker_heartbeat_seconds, failures);
      else
        sync_later (worker, START_SECONDS, MIN (failures, START_DOUBLINGS));
      return;
    }
  if (worker->started)
    {
      g_warning ("The work pool could not be read: %s", error->message);
      sync_later (worker, worker->settings->worker_heartbeat_seconds, failures);
    }
  else
    pp_worker_fail (worker, 2, "%s", error->message);
}

static void
take_worker_id (PpWorker *worker, const char *id)
{
  if (id == NULL || !g_uuid_string_is_valid (id))
    {
      if (!worker->id_missing_said)
        g_warning ("Prefect Cloud gave this worker no id, so it cannot link runs and calls to this "
                   "worker for now");
      worker->id_missing_said = TRUE;
      return;
    }
  worker->worker_id = g_strdup (id);
  worker->context.worker_id = worker->worker_id;
  pp_api_set_worker (worker->context.api, worker->name, id);
}

static void
on_heartbeat (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  gboolean asked = worker->asks_id;

  worker->heartbeat_call = NULL;
  worker->asks_id = FALSE;
  if (asked && (error == NULL || g_error_matches (error, PP_API_ERROR, 422)))
    take_worker_id (worker, json_string_value (body));
  if (asked && g_error_matches (error, PP_API_ERROR, 422))
    {
      send_heartbeat (worker, FALSE);
      check_ready (worker);
      return;
    }
  if (error != NULL)
    g_warning ("The heartbeat failed: %s", error->message);
  check_ready (worker);
}

/* Sends a heartbeat, as WorkerChannel.send_worker_heartbeat() does. ASK requests a worker id; only
 * Prefect Cloud has one. */
static void
send_heartbeat (PpWorker *worker, gboolean ask)
{
  if (worker->heartbeat_call != NULL)
    return;
  worker->asks_id = ask && worker->settings->connected_to_cloud && worker->worker_id == NULL;
  worker->heartbeat_call = pp_work_pool_heartbeat (
      worker->context.api, worker->options->work_pool, worker->name,
      worker->settings->worker_heartbeat_seconds, worker->asks_id, on_heartbeat, worker);
}

static gboolean
has_template (const json_t *work_pool)
{
  return json_object_size (json_object_get (work_pool, "base_job_template")) > 0;
}

/* Logs each pause of the work pool, and its end. */
static void
note_pause (PpWorker *worker, gboolean is_paused)
{
  if (is_paused == worker->pool_is_paused)
    return;
  worker->pool_is_paused = is_paused;
  if (is_paused)
    g_message ("Work pool '%s' is paused: no runs come until it is resumed",
               worker->options->work_pool);
  else
    g_message ("Work pool '%s' is resumed: its runs come again", worker->options->work_pool);
}

static void
accept_pool (PpWorker *worker, json_t *work_pool)
{
  const char *type = pp_json_string (work_pool, "type");
  g_autofree char *served = pp_kind_show_pool_types ();

  if (!serves (worker, type) && worker->started)
    {
      g_warning ("Work pool '%s' now has type '%s', which this worker does not serve",
                 worker->options->work_pool, type != NULL ? type : "unknown");
      sync_later (worker, worker->settings->worker_heartbeat_seconds, 0);
      return;
    }
  if (!serves (worker, type))
    {
      pp_worker_fail (
          worker, 2,
          "Work pool '%s' is of type '%s'; this worker serves %s pools. Start Prefect's "
          "own worker for it: prefect worker start --pool '%s' --type %s",
          worker->options->work_pool, type != NULL ? type : "unknown", served,
          worker->options->work_pool, type != NULL ? type : "TYPE");
      return;
    }
  if (!worker->pool_ready && worker->options->type != NULL
      && !g_str_equal (worker->options->type, type))
    g_warning ("Worker type mismatch! --type says '%s', but work pool '%s' is of type '%s'. The "
               "worker serves the pool as its own type.",
               worker->options->type, worker->options->work_pool, type);
  if (!ask_engine (worker, type))
    return;
  json_decref (worker->context.work_pool);
  worker->context.work_pool = json_incref (work_pool);
  worker->context.type = pp_json_string (work_pool, "type");
  pp_events_set_work_pool (worker->context.events, work_pool);
  note_pause (worker, json_is_true (json_object_get (work_pool, "is_paused")));
  pp_worker_note_absence (&worker->pool_absence, NULL);
  worker->pool_ready = TRUE;
  worker->pool_missing_said = FALSE;
  worker->sync_failures = 0;
  send_heartbeat (worker, TRUE);
  sync_later (worker, worker->settings->worker_heartbeat_seconds, 0);
  check_ready (worker);
}

static void
on_template_updated (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  (void)body;
  worker->sync_call = NULL;
  if (error != NULL)
    {
      on_sync_failure (worker, error);
      return;
    }
  sync_pool (worker);
}

static json_t *
default_template (const PpWorker *worker, const char *type)
{
  if (worker->options->base_job_template != NULL)
    return json_incref (worker->options->base_job_template);
  return pp_kind_default_template (type);
}

static void
fill_in_template (PpWorker *worker, const char *type)
{
  json_auto_t *template = default_template (worker, type);

  g_info ("Work pool '%s' has no base job template: the worker gives it the template that a new "
          "pool gets",
          worker->options->work_pool);
  worker->sync_call = pp_work_pool_update_template (worker->context.api, worker->options->work_pool,
                                                    template, on_template_updated, worker);
}

static void
on_pool_created (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->sync_call = NULL;
  /* Another worker created it first: read that pool. */
  if (g_error_matches (error, PP_API_ERROR, 409))
    {
      sync_pool (worker);
      return;
    }
  if (error != NULL)
    {
      on_sync_failure (worker, error);
      return;
    }
  g_message ("Work pool '%s' created with type '%s'", worker->options->work_pool,
             pp_json_string (body, "type"));
  accept_pool (worker, body);
}

static void
wait_for_pool (PpWorker *worker)
{
  const char *pool = worker->options->work_pool;

  if (worker->options->run_once)
    {
      pp_worker_fail (worker, 1, "Work pool '%s' not found! " POOL_ADVICE ".", pool);
      return;
    }
  if (!worker->pool_missing_said)
    g_warning ("Work pool '%s' not found! " POOL_ADVICE
               "; the worker looks for the pool at every heartbeat.%s",
               pool,
               worker->started ? ""
                               : " If an earlier worker left runs of this pool in flight, they "
                                 "wait too: this worker reports their ends once the pool exists.");
  worker->pool_missing_said = TRUE;
  g_autofree char *absence = g_strdup_printf ("Work pool '%s' not found", pool);
  pp_worker_note_absence (&worker->pool_absence, absence);
  sync_later (worker, worker->settings->worker_heartbeat_seconds, 0);
}

static void
on_pool_missing (PpWorker *worker)
{
  json_auto_t *template = NULL;

  /* The pool will probably be of this type. */
  if (serves (worker, served_type (worker)) && !ask_engine (worker, served_type (worker)))
    return;
  if (!worker->options->create_pool_if_not_found)
    {
      wait_for_pool (worker);
      return;
    }
  if (!serves (worker, served_type (worker)))
    {
      g_autofree char *served = pp_kind_show_pool_types ();
      pp_worker_fail (worker, 2,
                      "Work pool '%s' does not exist, and this worker cannot create a pool of "
                      "--type '%s'. This worker serves %s",
                      worker->options->work_pool, served_type (worker), served);
      return;
    }
  if (worker->started)
    g_warning (
        "Work pool '%s' was deleted on the server. The worker creates it again, with the template "
        "that a new pool gets. The old pool's template, limits and queues are gone. Its "
        "deployments "
        "are in no pool now, and their new runs wait for ever: deploy them again",
        worker->options->work_pool);
  template = default_template (worker, served_type (worker));
  worker->sync_call = pp_work_pool_create (worker->context.api, worker->options->work_pool,
                                           served_type (worker), template, on_pool_created, worker);
}

/* Handles a JSON answer that is no work pool. */
static void
on_no_pool (PpWorker *worker)
{
  g_autoptr (GError) error = g_error_new (
      PP_API_ERROR, pp_worker_is_patient (worker) ? PP_API_ERROR_NO_ANSWER : PP_API_ERROR_SETUP,
      "GET %s/work_pools/%s: the answer is not a work pool; check PREFECT_API_URL, which must end "
      "in "
      "/api",
      pp_api_url (worker->context.api), worker->options->work_pool);

  on_sync_failure (worker, error);
}

static void
on_pool (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->sync_call = NULL;
  if (error == NULL && pp_json_string (body, "type") == NULL)
    on_no_pool (worker);
  else if (g_error_matches (error, PP_API_ERROR, 404))
    on_pool_missing (worker);
  else if (error != NULL)
    on_sync_failure (worker, error);
  else if (!has_template (body) && serves (worker, pp_json_string (body, "type")))
    fill_in_template (worker, pp_json_string (body, "type"));
  else
    accept_pool (worker, body);
}

static void
sync_pool (PpWorker *worker)
{
  worker->sync_call
      = pp_work_pool_read (worker->context.api, worker->options->work_pool,
                           worker->started ? PP_API_RETRY : PP_API_ONCE, on_pool, worker);
}

void
pp_worker_sync_start (PpWorker *worker)
{
  sync_pool (worker);
}

void
pp_worker_sync_stop (PpWorker *worker)
{
  g_clear_handle_id (&worker->engine_timer, g_source_remove);
  g_clear_handle_id (&worker->sync_timer, g_source_remove);
  pp_api_call_cancel (worker->sync_call);
  pp_api_call_cancel (worker->heartbeat_call);
  worker->sync_call = NULL;
  worker->heartbeat_call = NULL;
}
