/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's life cycle: set-up, start and stop. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/state/identity_list.h"
#include "prefect-podman/state/state_dir.h"
#include "prefect-podman/text/visible.h"
#include "memory-private.h"
#include "signals-private.h"

#include "worker/recovery/late_requests-private.h"
#include "queues-private.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* The longest time from SIGTERM to exit, whatever is still unsent. The documentation promises 10
 * s. */
#define STOP_US (8 * G_USEC_PER_SEC)
#define STOP_CHECK_MS 50
/* The longest interval of a loop that backs off after failures. */
#define MAX_INTERVAL_SECONDS 60.0
#define JITTER 0.3

guint
pp_worker_interval_ms (double seconds, guint failures)
{
  double factor = g_random_double_range (1 - JITTER, 1 + JITTER);
  double backed_off = seconds * (double)(1u << MIN (failures, 6));

  if (failures > 0)
    backed_off = MIN (backed_off, MAX (seconds, MAX_INTERVAL_SECONDS));
  return (guint)MAX (backed_off * factor * 1000, 1);
}

void
pp_worker_fail (PpWorker *worker, int exit_code, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list arguments;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_critical ("%s", message);
  worker->exit_code = exit_code;
  worker->phase = PP_WORKER_STOPPING;
  g_main_loop_quit (worker->loop);
}

const char *
pp_worker_find_illness (gpointer user_data)
{
  PpWorker *worker = user_data;

  if (!g_main_loop_is_running (worker->loop))
    return "the worker is ending"; /* its parts may be gone */
  if (pp_journal_failure (worker->context.journal) != NULL)
    return pp_journal_failure (worker->context.journal);
  if (pp_stdout_hangs (worker->context.out))
    return "standard output is a file, and its disk has not answered for a minute";
  if (worker->shortage != NULL)
    return worker->shortage;
  if (worker->engine_silence != NULL)
    return worker->engine_silence;
  if (pp_infrastructure_trouble (worker->context.infrastructure) != NULL)
    return pp_infrastructure_trouble (worker->context.infrastructure);
  return pp_worker_poll_trouble (worker);
}

static void
print_line (const PpWorker *worker, const char *text)
{
  g_autoptr (GString) line = g_string_new (NULL);

  pp_text_append_visible (line, text, strlen (text), "");
  g_string_append_c (line, '\n');
  pp_stdout_write (worker->context.out, line->str, line->len);
}

static void
print_banner (PpWorker *worker)
{
  PpInfrastructureAbout about = pp_infrastructure_about (worker->context.infrastructure);
  g_autoptr (GString) banner = g_string_new (NULL);

  g_string_append_printf (banner, "Worker '%s' started! Work pool '%s' (%s), ", worker->name,
                          worker->options->work_pool, worker->context.type);
  if (about.name != NULL)
    g_string_append_printf (banner, "engine %s %s %s at %s, ", about.name, about.version,
                            about.manner, about.place);
  g_string_append_printf (banner, "API %s", pp_api_url (worker->context.api));
  print_line (worker, banner->str);
}

gboolean
pp_worker_is_patient (const PpWorker *worker)
{
  return worker->has_served && !worker->options->run_once;
}

void
pp_worker_ready (PpWorker *worker)
{
  print_banner (worker);
  pp_worker_note_served (worker);
  pp_events_emit_worker (worker->context.events, "prefect.worker.started", NULL);
  pp_worker_recover (worker);
  pp_worker_watch_late_requests (worker);
  pp_worker_poll_start (worker);
  pp_worker_watch_cancellations (worker);
  pp_memory_settle ();
}

/* Returns the number of runs that are between their claim and the start of their container, or
 * between the container's end and the run's end. The other runs (STARTED, RECOVERED) can be left to
 * the next worker. */
static guint
unfinished_runs (const PpWorker *worker)
{
  GHashTableIter iter;
  gpointer run;
  guint count = 0;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, NULL, &run))
    if (pp_flow_run_state (run) != PP_FLOW_RUN_STARTED
        && pp_flow_run_state (run) != PP_FLOW_RUN_RECOVERED)
      count++;
  return count;
}

static void
say_what_is_left (const PpWorker *worker)
{
  GHashTableIter iter;
  gpointer run;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, NULL, &run))
    {
      /* The name is chosen before the container exists. */
      const char *container
          = pp_flow_run_container_id (run) != NULL ? pp_flow_run_shown_name (run) : NULL;

      g_warning ("Left to the next start: flow run '%s' (%s), %s%s%s", pp_flow_run_name (run),
                 pp_flow_run_id (run), pp_flow_run_phase_word (run),
                 container != NULL ? ", container " : "", container != NULL ? container : "");
    }
  if (pp_log_sender_pending (worker->context.logs) > 0)
    g_warning ("Log records that could not be delivered: %u. Those of containers are delivered at "
               "the next start, the worker's own are lost.",
               pp_log_sender_pending (worker->context.logs));
}

/* True if logs, stdout and API calls have all been flushed. If writes to stdout fail, for example
 * on a full disk, stdout counts as flushed, because waiting could take days. */
static gboolean
is_all_sent (const PpWorker *worker)
{
  return pp_log_sender_pending (worker->context.logs) == 0
         && (pp_stdout_pending (worker->context.out) == 0
             || pp_stdout_is_failing (worker->context.out))
         && pp_api_pending (worker->context.api) == 0;
}

static gboolean on_stop_timer (gpointer user_data);

void
pp_worker_check_done (PpWorker *worker)
{
  gint64 now = g_get_monotonic_time ();

  if (worker->phase == PP_WORKER_RUNNING)
    return;
  if (worker->phase == PP_WORKER_DRAINING && g_hash_table_size (worker->runs) > 0)
    return;
  if (worker->stop_deadline == 0)
    worker->stop_deadline = now + STOP_US;
  pp_events_flush (worker->context.events);
  pp_log_sender_flush (worker->context.logs);
  if (now >= worker->stop_deadline || (unfinished_runs (worker) == 0 && is_all_sent (worker)))
    {
      g_main_loop_quit (worker->loop);
      return;
    }
  if (worker->stop_timer == 0)
    worker->stop_timer = g_timeout_add (STOP_CHECK_MS, on_stop_timer, worker);
}

static gboolean
on_stop_timer (gpointer user_data)
{
  pp_worker_check_done (user_data);
  return G_SOURCE_CONTINUE;
}

static void
begin_end (PpWorker *worker, PpWorkerPhase phase)
{
  worker->phase = phase;
  pp_worker_poll_stop (worker);
  if (phase == PP_WORKER_STOPPING)
    {
      pp_worker_say_stopping (worker);
      worker->stop_deadline = g_get_monotonic_time () + STOP_US;
      pp_worker_sync_stop (worker);
      pp_worker_stop_watching_cancellations (worker);
      pp_worker_stop_recovering (worker);
    }
  if (worker->started && !worker->end_begun)
    pp_events_emit_worker (worker->context.events, "prefect.worker.stopped", NULL);
  worker->end_begun = TRUE;
  pp_worker_check_done (worker);
}

void
pp_worker_stop (PpWorker *worker, int exit_code, const char *message)
{
  if (worker->phase == PP_WORKER_STOPPING)
    return;
  g_critical ("%s", message);
  worker->exit_code = exit_code;
  begin_end (worker, PP_WORKER_STOPPING);
}

/* True if signal NUMBER comes after another one and ends the worker at once. After SIGQUIT, the
 * worker may wait for runs for days: the other signals then stop it as usual. */
static gboolean
ends_at_once (const PpWorker *worker, int number)
{
  return worker->signals > 0 && (worker->phase == PP_WORKER_STOPPING || number == SIGQUIT);
}

static void
on_signal (int number, gpointer user_data)
{
  PpWorker *worker = user_data;
  const char *name = pp_signal_name (number);

  if (!g_main_loop_is_running (worker->loop))
    return; /* the worker is ending, and its parts may be gone */
  /* When a terminal closes, the terminal and its shell each send one SIGHUP. */
  if (number == SIGHUP && worker->signals > 0 && worker->phase == PP_WORKER_STOPPING)
    return;
  if (ends_at_once (worker, number))
    {
      g_message ("%s: a second signal; exiting at once", name);
      g_main_loop_quit (worker->loop);
      return;
    }
  worker->signals++;
  if (number == SIGQUIT)
    {
      g_message ("SIGQUIT: no more runs are taken; waiting for %u in flight",
                 g_hash_table_size (worker->runs));
      begin_end (worker, PP_WORKER_DRAINING);
    }
  else
    {
      g_message ("%s: stopping; running containers keep running", name);
      begin_end (worker, PP_WORKER_STOPPING);
    }
}

static void
free_run (gpointer run)
{
  pp_flow_run_free (run);
}

static void
on_delivered (const char *flow_run_id, guint records, gint64 timestamp, gpointer user_data)
{
  const PpWorker *worker = user_data;
  PpFlowRun *run = g_hash_table_lookup (worker->runs, flow_run_id);

  if (run != NULL)
    pp_flow_run_delivered (run, records, timestamp);
}

static void
on_sending (const char *flow_run_id, gint64 timestamp, gpointer user_data)
{
  const PpWorker *worker = user_data;
  PpFlowRun *run = g_hash_table_lookup (worker->runs, flow_run_id);

  if (run != NULL)
    pp_flow_run_sending (run, timestamp);
}

/* Sets up the objects that need the worker's name or its journal. */
static void
set_up_identity (PpWorker *worker)
{
  PpWorkerContext *context = &worker->context;

  context->worker_name = worker->name;
  pp_api_set_worker (context->api, worker->name, worker->worker_id);
  pp_log_sender_on_sending (context->logs, context->journal, on_sending, worker);
  context->events = pp_events_new (context->api, worker->name, context->type);
}

static void
set_up_context (PpWorker *worker)
{
  const PpSettings *settings = worker->settings;
  PpWorkerContext *context = &worker->context;

  context->settings = settings;
  context->type = worker->options->type != NULL ? worker->options->type : "docker";
  context->secrets = pp_own_secrets (settings);
  context->process_environment = pp_resolve_process_environment ();
  context->api = pp_api_new (worker->http, settings);
  if (pp_worker_is_patient (worker))
    pp_api_expect (context->api);
  context->resolver = pp_resolver_new (context->api, context->process_environment);
  context->states = pp_state_reader_new (context->api);
  context->logs = pp_log_sender_new (context->api, settings);
  pp_log_sender_on_delivered (context->logs, on_delivered, worker);
  context->claimed = pp_claimed_states_new ();
  context->refused = pp_refused_claims_new (settings->worker_query_seconds);
  context->out = pp_stdout_new (STDOUT_FILENO);
  context->output_prefix = worker->options->output_prefix;
  set_up_identity (worker);
}

static gboolean
set_up_infrastructure (PpWorker *worker, GError **error)
{
  worker->context.infrastructure = pp_infrastructure_new (worker->http, worker->place, error);
  if (worker->context.infrastructure == NULL)
    return FALSE;
  pp_worker_expect_late_requests (worker);
  pp_worker_load_journal (worker);
  return TRUE;
}

/* Returns the kind that the work pool probably has. The worker learns the pool's type from the API.
 * Until then it uses the identity of the likely kind, so that no other worker takes over its
 * runs. */
static const PpInfrastructureKind *
likely_kind (const PpWorker *worker)
{
  const PpWorkerOptions *options = worker->options;
  g_autofree char *state_dir = pp_state_dir_default (options->state_dir);
  g_autofree char *place = NULL;

  if (pp_kind_for_pool (options->type) != NULL)
    return pp_kind_for_pool (options->type);
  place = pp_identity_last_place (state_dir, worker->settings->api_url, options->work_pool);
  return pp_kind_for_place (place) != NULL ? pp_kind_for_place (place) : pp_kind_default ();
}

static gboolean
set_up (PpWorker *worker, GError **error)
{
  const PpWorkerOptions *options = worker->options;

  worker->loop = g_main_loop_new (NULL, FALSE);
  pp_worker_note_poll (worker);
  worker->runs = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_run);
  worker->http = pp_http_new ();
  pp_worker_expect_shortages (worker);
  worker->place = pp_kind_find_place (likely_kind (worker), options->engine_url, error);
  if (worker->place == NULL || !pp_worker_take_identity (worker, error))
    return FALSE;
  set_up_context (worker);
  if (options->with_healthcheck && !pp_worker_health_start (worker, error))
    return FALSE;
  return set_up_infrastructure (worker, error);
}

/* Frees the objects that set_up() has made for the likely kind. No requests were sent to its engine
 * yet. */
static void
forget_kind (PpWorker *worker)
{
  PpWorkerContext *context = &worker->context;

  g_hash_table_remove_all (worker->runs);
  g_clear_pointer (&worker->to_recover, g_ptr_array_unref);
  g_clear_pointer (&worker->adopted, g_hash_table_unref);
  pp_worker_leave_orphans (worker);
  pp_log_sender_on_sending (context->logs, NULL, NULL, NULL);
  g_clear_pointer (&context->events, pp_events_free);
  g_clear_pointer (&context->late, pp_late_requests_free);
  g_clear_pointer (&context->infrastructure, pp_infrastructure_free);
  g_clear_pointer (&context->journal, pp_journal_free);
  g_clear_pointer (&worker->identity, pp_identity_free);
  g_clear_pointer (&worker->state_fallback, pp_state_fallback_free);
  g_clear_pointer (&worker->state_dir, g_free);
  g_clear_pointer (&worker->boot_id, g_free);
  g_clear_pointer (&worker->name, g_free);
  g_clear_pointer (&worker->place, g_free);
}

gboolean
pp_worker_use_kind (PpWorker *worker, const PpInfrastructureKind *kind, GError **error)
{
  if (kind == pp_kind_for_place (worker->place))
    return TRUE;
  forget_kind (worker);
  worker->place = pp_kind_find_place (kind, worker->options->engine_url, error);
  if (worker->place == NULL || !pp_worker_take_identity (worker, error))
    return FALSE;
  set_up_identity (worker);
  return set_up_infrastructure (worker, error);
}

static void
say_stopped (const PpWorker *worker)
{
  g_autofree char *line = g_strdup_printf ("Worker '%s' stopped!", worker->name);

  print_line (worker, line);
}

static void
tear_down (PpWorker *worker)
{
  PpWorkerContext *context = &worker->context;

  pp_worker_poll_stop (worker);
  pp_queues_free (worker->queues);
  pp_worker_sync_stop (worker);
  pp_worker_stop_watching_cancellations (worker);
  g_clear_handle_id (&worker->stop_timer, g_source_remove);
  g_clear_handle_id (&worker->memory_timer, g_source_remove);
  pp_worker_stop_recovering (worker);
  /* Flush stdout first: runs record how much of their output was written. */
  pp_stdout_flush (context->out);
  g_hash_table_unref (worker->runs);
  if (worker->started)
    say_stopped (worker);
  pp_worker_health_stop (worker);
  pp_events_free (context->events);
  pp_log_sender_free (context->logs);
  pp_resolver_free (context->resolver);
  pp_late_requests_free (context->late);
  pp_claimed_states_free (context->claimed);
  pp_refused_claims_free (context->refused);
  pp_secrets_free (context->secrets);
  pp_state_reader_free (context->states);
  pp_infrastructure_free (context->infrastructure);
  pp_api_free (context->api);
  pp_http_free (worker->http);
  pp_stdout_free (context->out);
  json_decref (context->work_pool);
  json_decref (context->process_environment);
  pp_journal_free (context->journal);
  pp_identity_free (worker->identity);
  g_free (worker->name);
  g_free (worker->boot_id);
  g_free (worker->state_dir);
  pp_state_fallback_free (worker->state_fallback);
  g_free (worker->place);
  g_free (worker->worker_id);
  g_free (worker->shortage);
  g_free (worker->engine_absence);
  g_free (worker->pool_absence);
  g_main_loop_unref (worker->loop);
}

int
pp_worker_run (const PpSettings *settings, const PpWorkerOptions *options)
{
  g_autoptr (GError) error = NULL;
  PpWorker worker = { .settings = settings, .options = options };
  g_autoptr (PpSignals) signals = pp_signals_new (on_signal, &worker);

  if (!set_up (&worker, &error))
    {
      g_critical ("%s", error->message);
      worker.exit_code = 2;
    }
  else
    {
      pp_signals_say_ignored (signals);
      pp_worker_sync_start (&worker);
      g_main_loop_run (worker.loop);
      say_what_is_left (&worker);
    }
  tear_down (&worker);
  return worker.exit_code;
}
