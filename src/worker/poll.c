/* SPDX-License-Identifier: Apache-2.0 */
/* Polls the server for due runs and starts a state machine for each. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "memory-private.h"
#include "poll_entry-private.h"
#include "poll_parts-private.h"
#include "queues-private.h"

/* The most runs to ask for. The server answers 422 if more are asked for than
 * PREFECT_SERVER_API_DEFAULT_LIMIT (200 unless set). */
#define MAX_ASKED 200
/* How often to check if the journal is writable again or a shortage has ended. */
#define PROBE_SECONDS 3
/* The shortest time between a poll and the next poll, if a freed slot triggers the next poll. */
#define SOONEST_US (G_USEC_PER_SEC / 2)

/* Free heap goes back to the system this long after a run has ended. By then the run's last lines
 * are sent, and runs that end in the meantime share one call. */
#define MEMORY_SECONDS 30

static void poll_now (PpWorker *worker);

static gboolean
on_poll_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->poll_timer = 0;
  poll_now (worker);
  return G_SOURCE_REMOVE;
}

static void
poll_in (PpWorker *worker, guint milliseconds)
{
  g_clear_handle_id (&worker->poll_timer, g_source_remove);
  worker->poll_timer = g_timeout_add (milliseconds, on_poll_timer, worker);
}

static guint
free_slots (const PpWorker *worker)
{
  guint limit = worker->options->limit > 0 ? (guint)worker->options->limit : G_MAXUINT;

  return limit > worker->slots_used ? limit - worker->slots_used : 0;
}

gboolean
pp_worker_has_slot (const PpWorker *worker)
{
  return free_slots (worker) > 0;
}

static gboolean
on_memory_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->memory_timer = 0;
  pp_memory_give_back ();
  return G_SOURCE_REMOVE;
}

void
pp_worker_on_run_notify (PpFlowRun *run, gboolean slot_free, gpointer user_data)
{
  PpWorker *worker = user_data;

  if (!slot_free)
    {
      g_hash_table_remove (worker->runs, pp_flow_run_id (run));
      if (worker->memory_timer == 0)
        worker->memory_timer = g_timeout_add_seconds (MEMORY_SECONDS, on_memory_timer, worker);
      pp_worker_check_done (worker);
      return;
    }
  worker->slots_used--;
  if (worker->more_waits && worker->phase == PP_WORKER_RUNNING && worker->queues_read == NULL
      && worker->poll_call == NULL && worker->poll_parts == NULL)
    {
      gint64 wait = worker->last_poll + SOONEST_US - g_get_monotonic_time ();

      worker->more_waits = FALSE;
      poll_in (worker, wait > 0 ? (guint)(wait / 1000) + 1 : 0);
    }
}

static void
claim (PpWorker *worker, json_t *flow_run)
{
  const char *id = pp_json_string (flow_run, "id");
  PpFlowRun *run;

  if (g_hash_table_contains (worker->runs, id))
    {
      g_debug ("Skipping flow run %s: this worker already has it", id);
      return;
    }
  if (free_slots (worker) == 0 || pp_worker_is_short (worker))
    {
      worker->more_waits = TRUE;
      return;
    }
  worker->slots_used++;
  run = pp_flow_run_new (&worker->context, flow_run, worker->polled_at, pp_worker_on_run_notify,
                         worker);
  g_hash_table_insert (worker->runs, (gpointer)pp_flow_run_id (run), run);
  pp_flow_run_start (run);
}

/* The server's limit may be lower than the number of free slots. Polls then leave out the limit,
 * and claim() skips the runs that have no slot. Returns TRUE if a new poll without a limit was
 * scheduled. */
static gboolean
leave_out_limit (PpWorker *worker, const GError *error)
{
  if (!g_error_matches (error, PP_API_ERROR, 422) || worker->polls_without_limit
      || worker->asked == MAX_ASKED)
    return FALSE;
  g_message ("The server does not accept a limit of %u in a poll; the worker now polls without a "
             "limit: %s",
             worker->asked, error->message);
  worker->polls_without_limit = TRUE;
  poll_in (worker, 0);
  return TRUE;
}

/* Halves the number of runs to ask for, because one run with huge parameters made the answer too
 * large. Returns TRUE if a new poll was scheduled. */
static gboolean
ask_for_fewer (PpWorker *worker, const GError *error)
{
  if (!g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH) || worker->asked <= 1)
    return FALSE;
  g_debug ("%s; the worker asks for fewer runs", error->message);
  worker->poll_cap = worker->asked / 2;
  poll_in (worker, 0);
  return TRUE;
}

static void
forget_silence (PpWorker *worker)
{
  if (worker->engine_silence != NULL)
    g_message ("The container engine answers again");
  g_clear_pointer (&worker->engine_silence, g_free);
}

/* Logs one line about COUNT of ALL entries, which are not claimed because of WHY. Does not repeat
 * the line if *SAID is TRUE: the last poll had such entries, too. Sets *SAID for the next poll. */
static void
say_left_alone (gboolean *said, size_t count, size_t all, const char *why)
{
  if (count > 0 && !*said)
    g_warning ("The worker skips %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
               " flow runs in the API's answer to the poll: %s",
               count, all, why);
  *said = count > 0;
}

static gboolean
is_in_hand (const PpWorker *worker, const json_t *flow_run)
{
  return g_hash_table_contains (worker->runs, pp_json_string (flow_run, "id"));
}

/* Claims the runs in a poll's answer. Called only when the engine answers. */
static void
take (PpWorker *worker, const json_t *body)
{
  const json_t *entry;
  size_t index, counts[PP_POLL_ENTRY_REFUSED + 1] = { 0 };
  guint old = 0;

  pp_resolver_note_poll (worker->context.resolver);
  forget_silence (worker);
  worker->more_waits = json_array_size (body) >= MAX (worker->asked, 1);
  json_array_foreach (body, index, entry)
  {
    json_t *flow_run = json_object_get (entry, "flow_run");
    PpPollEntry kind = pp_poll_entry_judge (flow_run, worker->polled_before, &worker->context);

    counts[kind]++;
    if (kind == PP_POLL_ENTRY_CLAIMABLE)
      claim (worker, flow_run);
    else if (kind == PP_POLL_ENTRY_CLAIMED && !is_in_hand (worker, flow_run))
      old++;
  }
  /* Polling again at once would only return the same runs. */
  if (counts[PP_POLL_ENTRY_CLAIMABLE] == 0)
    worker->more_waits = FALSE;
  say_left_alone (&worker->bad_members_said, counts[PP_POLL_ENTRY_BAD], index,
                  "no usable id, or due later than the worker asked for");
  say_left_alone (
      &worker->old_answer_said, old, index,
      "already claimed by this worker, but the answer is old and shows the state before "
      "the claim. If the server's database was restored, restart this worker");
  worker->old_entries = old;
  if (!worker->options->run_once)
    poll_in (worker, worker->more_waits && free_slots (worker) > 0
                         ? SOONEST_US / 1000
                         : pp_worker_interval_ms (worker->settings->worker_query_seconds, 0));
  else
    worker->phase = PP_WORKER_DRAINING;
  pp_worker_check_done (worker);
}

static void
on_pong (const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  json_auto_t *body = g_steal_pointer (&worker->polled);

  worker->ping_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      if (worker->engine_silence == NULL)
        {
          worker->engine_silence = g_strdup_printf (
              "No flow runs are taken while the container engine is unavailable: %s",
              error->message);
          g_warning ("%s", worker->engine_silence);
        }
      poll_in (worker, pp_worker_interval_ms (worker->settings->worker_query_seconds, 0));
      return;
    }
  take (worker, body);
}

/* True if the engine answered recently. A run that is claimed while the engine is away has only
 * `infrastructure_retries` tries. A run that is left on the server can wait longer, or another
 * worker can take it. */
static gboolean
engine_is_there (const PpWorker *worker)
{
  gint64 heard = pp_infrastructure_heard (worker->context.infrastructure);
  double since = (double)(g_get_monotonic_time () - heard) / G_USEC_PER_SEC;

  return heard > 0 && since < worker->settings->worker_query_seconds;
}

/* True if the last engine call failed. The health check reports this even if no runs wait. If no
 * call failed, the worker does not ping the engine: systemd may have stopped it until somebody uses
 * its socket. */
static gboolean
engine_is_missed (const PpWorker *worker)
{
  return worker->engine_silence != NULL
         || pp_infrastructure_heard (worker->context.infrastructure) == 0;
}

/* Handles a poll that failed or got no usable answer. */
static void
fail_poll (PpWorker *worker, const GError *error)
{
  if (worker->poll_failures++ == 0)
    g_warning ("The poll for flow runs failed; the worker keeps asking: %s", error->message);
  poll_in (worker,
           pp_worker_interval_ms (worker->settings->worker_query_seconds, worker->poll_failures));
}

/* Handles an answered poll. BODY is the answer, or NULL for no runs. */
static void
accept_answer (PpWorker *worker, json_t *body)
{
  if (worker->poll_failures > 0)
    g_message ("The Prefect API answers again");
  worker->poll_failures = 0;
  pp_worker_note_poll (worker);
  g_debug ("Discovered %" G_GSIZE_FORMAT " scheduled flow runs", json_array_size (body));
  if (engine_is_there (worker) || (json_array_size (body) == 0 && !engine_is_missed (worker)))
    {
      take (worker, body);
      return;
    }
  worker->polled = json_incref (body);
  worker->ping_call = pp_infrastructure_ping (worker->context.infrastructure, on_pong, worker);
}

static void
on_parts_polled (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  json_auto_t *found = json_incref (body);

  if (error != NULL)
    fail_poll (worker, error);
  g_clear_pointer (&worker->poll_parts, pp_poll_parts_free);
  if (found == NULL)
    return;
  worker->poll_failures = 0;
  accept_answer (worker, found);
}

/* Polls queue by queue if one run or one queue may be the cause of ERROR: after a second 500 in a
 * row, after any 500 if the last poll went queue by queue, or if the answer is too large even for
 * one run. Returns FALSE after any other error. */
static gboolean
poll_in_parts (PpWorker *worker, const GError *error)
{
  gboolean fails = g_error_matches (error, PP_API_ERROR, 500)
                   && (worker->poll_failures > 0 || worker->polls_in_parts);

  if (!fails && !g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH))
    return FALSE;
  worker->poll_parts = pp_poll_parts_start (worker, error, on_parts_polled, worker);
  return TRUE;
}

static void
on_polled (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->poll_call = NULL;
  if (error != NULL
      && (leave_out_limit (worker, error) || ask_for_fewer (worker, error)
          || poll_in_parts (worker, error)))
    return;
  if (error == NULL)
    worker->poll_cap = MIN (worker->poll_cap * 2, MAX_ASKED);
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      /* A queue or the pool was deleted (pool.c reports a missing pool): no runs. */
      pp_queues_doubt (worker->queues);
      accept_answer (worker, NULL);
    }
  else if (error != NULL)
    fail_poll (worker, error);
  else
    {
      if (worker->polls_in_parts)
        g_message ("The server answers the poll of all queues again");
      worker->polls_in_parts = FALSE;
      pp_worker_stop_finding_spoilers (worker);
      accept_answer (worker, body);
    }
}

static void
send_poll (PpWorker *worker)
{
  const char *const *queues = pp_queues_present (worker->queues);

  if (queues != NULL && *queues == NULL)
    {
      accept_answer (worker, NULL);
      return;
    }
  worker->polled_at = g_get_monotonic_time ();
  worker->polled_before = pp_worker_poll_before (worker);
  worker->poll_call = pp_work_pool_get_scheduled_flow_runs (
      worker->context.api, worker->options->work_pool, queues, worker->polled_before,
      pp_worker_poll_limit (worker), on_polled, worker);
}

static void
on_queues (const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->queues_read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    accept_answer (worker, NULL); /* the pool was deleted */
  else if (error != NULL)
    fail_poll (worker, error);
  else
    send_poll (worker);
}

gint64
pp_worker_poll_before (const PpWorker *worker)
{
  return g_get_real_time () + (gint64)(worker->options->prefetch_seconds * G_USEC_PER_SEC);
}

guint
pp_worker_poll_limit (const PpWorker *worker)
{
  if (worker->poll_cap < MAX_ASKED)
    return worker->asked;
  return worker->polls_without_limit || worker->asked >= MAX_ASKED ? 0 : worker->asked;
}

/* Returns how many runs of a poll's answer this worker may have to skip. Some are this worker's
 * own: the server returns a run that was scheduled again, although its earlier attempt is still
 * being stopped, its logs are not sent yet or its container is not removed yet. Others are runs
 * whose claims were refused a short while ago. The rest are runs for which the last answer was old:
 * it showed a state in which this worker had already claimed them. */
static guint
skipped_runs (const PpWorker *worker)
{
  GHashTableIter iter;
  gpointer run;
  guint runs = g_hash_table_size (worker->runs);
  guint own = runs > worker->slots_used ? runs - worker->slots_used : 0;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, NULL, &run))
    own += pp_flow_run_is_being_stopped (run) ? 1 : 0;
  return own + worker->old_entries + pp_refused_claims_count_waiting (worker->context.refused);
}

static void
poll_now (PpWorker *worker)
{
  guint slots = free_slots (worker);

  if (worker->phase != PP_WORKER_RUNNING)
    return;
  if (worker->queues_read != NULL || worker->poll_call != NULL || worker->ping_call != NULL
      || worker->poll_parts != NULL)
    return;
  if (engine_is_there (worker))
    forget_silence (worker);
  if (pp_worker_is_short (worker))
    {
      poll_in (worker, PROBE_SECONDS * 1000);
      return;
    }
  if (pp_journal_failure (worker->context.journal) != NULL)
    {
      /* Do not claim runs that cannot be recorded in the journal. */
      pp_journal_probe (worker->context.journal);
      poll_in (worker, PROBE_SECONDS * 1000);
      return;
    }
  if (slots == 0)
    {
      /* No slot is free. Count this as a poll, so that the worker is healthy. */
      g_debug ("Flow run limit reached; %u flow runs in progress", worker->slots_used);
      worker->more_waits = TRUE;
      pp_worker_note_poll (worker);
      poll_in (worker, pp_worker_interval_ms (worker->settings->worker_query_seconds, 0));
      return;
    }
  worker->asked = MIN (slots + MIN (skipped_runs (worker), G_MAXUINT - slots), worker->poll_cap);
  if (pp_queues_want_look (worker->queues))
    worker->queues_read = pp_queues_look (worker->queues, on_queues, worker);
  else
    send_poll (worker);
}

void
pp_worker_poll_soon (PpWorker *worker)
{
  if (worker->poll_timer != 0)
    poll_in (worker, 0);
}

void
pp_worker_poll_start (PpWorker *worker)
{
  /* Wait until the health check listens: it then calls this function again. */
  if (worker->health_timer != 0)
    return;
  worker->poll_cap = MAX_ASKED;
  worker->queues
      = pp_queues_new (worker->context.api, worker->options->work_pool,
                       worker->options->work_queues, worker->settings->worker_heartbeat_seconds);
  poll_now (worker);
}

void
pp_worker_poll_stop (PpWorker *worker)
{
  g_clear_handle_id (&worker->poll_timer, g_source_remove);
  g_clear_pointer (&worker->queues_read, pp_work_queues_read_cancel);
  pp_api_call_cancel (worker->poll_call);
  worker->poll_call = NULL;
  g_clear_pointer (&worker->poll_parts, pp_poll_parts_free);
  pp_worker_stop_finding_spoilers (worker);
  pp_infrastructure_call_cancel (g_steal_pointer (&worker->ping_call));
  g_clear_pointer (&worker->polled, json_decref);
  /* No runs are taken any more. */
  g_clear_pointer (&worker->engine_silence, g_free);
}
