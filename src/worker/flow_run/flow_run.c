/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/text/visible.h"
#include "prefect-podman/text/timestamp.h"

#include "worker/failpoint-private.h"

#include <stdarg.h>
#include <string.h>

/* The table of states: what a run does when it gets there. Nothing but pp_flow_run_move() acts on
 * it.
 */
static const struct
{
  const char *name;
  void (*enter) (PpFlowRun *run);
} states[] = {
  [PP_FLOW_RUN_TAKEN_UP] = { "TAKEN_UP", pp_flow_run_enter_taken_up },
  [PP_FLOW_RUN_CLAIMED] = { "CLAIMED", pp_flow_run_enter_claimed },
  [PP_FLOW_RUN_PENDING] = { "PENDING", pp_flow_run_enter_pending },
  [PP_FLOW_RUN_RESOLVED] = { "RESOLVED", pp_flow_run_enter_resolved },
  [PP_FLOW_RUN_RENDERED] = { "RENDERED", pp_flow_run_enter_rendered },
  [PP_FLOW_RUN_SUBMITTING] = { "SUBMITTING", pp_flow_run_enter_submitting },
  [PP_FLOW_RUN_CREATED] = { "CREATED", pp_flow_run_enter_created },
  [PP_FLOW_RUN_STARTED] = { "STARTED", pp_flow_run_enter_started },
  [PP_FLOW_RUN_EXITED] = { "EXITED", pp_flow_run_enter_exited },
  [PP_FLOW_RUN_REPORTED] = { "REPORTED", pp_flow_run_enter_reported },
  [PP_FLOW_RUN_REMOVED] = { "REMOVED", pp_flow_run_enter_removed },
};

void
pp_flow_run_move (PpFlowRun *run, PpFlowRunState state)
{
  g_debug ("Flow run %s: %s -> %s, %.3f s after it was claimed", run->id, states[run->state].name,
           states[state].name,
           (double)(g_get_monotonic_time () - run->claimed_at) / G_USEC_PER_SEC);
  pp_failpoint ("leave", states[run->state].name);
  run->state = state;
  run->retries = 0;
  pp_failpoint ("enter", states[state].name);
  states[state].enter (run);
}

char *
pp_flow_run_mask (const PpFlowRun *run, char *text)
{
  if (text == NULL)
    return NULL;
  char *masked = pp_secrets_mask (run->context->secrets, text, strlen (text));
  if (masked != NULL)
    {
      g_free (text);
      text = masked;
    }
  if (run->mask == NULL)
    return text;
  g_autofree char *unmasked = text;
  return pp_mask_text (run->mask, unmasked);
}

void
pp_flow_run_log (PpFlowRun *run, PpLogLevel level, const char *format, ...)
{
  g_autofree char *message = NULL;
  GLogLevelFlags flags = level >= PP_LOG_ERROR     ? G_LOG_LEVEL_CRITICAL
                         : level >= PP_LOG_WARNING ? G_LOG_LEVEL_WARNING
                                                   : G_LOG_LEVEL_INFO;
  va_list arguments;

  va_start (arguments, format);
  message = pp_flow_run_mask (run, g_strdup_vprintf (format, arguments));
  va_end (arguments);
  g_log ("prefect.flow_runs.worker", flags, "%s", message);
  if (run->context->settings->logging_to_api_enabled)
    {
      g_autofree char *visible = pp_text_visible (message, "\n\t");

      pp_log_sender_add_text (run->context->logs, run->id, "prefect.flow_runs.worker", level,
                              visible);
    }
}

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

void
pp_flow_run_after (PpFlowRun *run, guint milliseconds, void (*next) (PpFlowRun *run))
{
  Timer *timer = g_new0 (Timer, 1);

  timer->run = run;
  timer->next = next;
  run->timer
      = g_timeout_add_full (G_PRIORITY_DEFAULT, milliseconds, on_timer_elapsed, timer, g_free);
}

static void
on_lease_lost (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_flow_run_log (run, PP_LOG_WARNING,
                   "The lease of this run's concurrency slot could not be renewed; another run may "
                   "be given the slot: %s",
                   error->message);
}

void
pp_flow_run_take_lease (PpFlowRun *run, const json_t *state)
{
  const char *id = pp_json_string (json_object_get (state, "state_details"),
                                   "deployment_concurrency_lease_id");

  if (id == NULL || (run->lease != NULL && g_strcmp0 (pp_lease_id (run->lease), id) == 0))
    return;
  pp_lease_free (run->lease);
  pp_flow_run_keep_lease (run, id);
}

void
pp_flow_run_keep_lease (PpFlowRun *run, const char *lease_id)
{
  run->lease = pp_lease_new (run->context->api, lease_id, on_lease_lost, run);
}

json_t *
pp_flow_run_related (const PpFlowRun *run)
{
  json_t *related = json_array ();

  json_array_append_new (related, pp_events_related ("flow-run", run->id, run->name));
  if (run->deployment_id != NULL)
    json_array_append_new (related, pp_events_related ("deployment", run->deployment_id, NULL));
  if (run->flow_id != NULL)
    json_array_append_new (related, pp_events_related ("flow", run->flow_id, NULL));
  return related;
}

void
pp_flow_run_drop (PpFlowRun *run)
{
  run->auto_remove = TRUE;
  pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}

void
pp_flow_run_make_transition (char *id)
{
  g_autofree char *uuid = g_uuid_string_random ();

  g_strlcpy (id, uuid, PP_TRANSITION_ID_SIZE);
}

static PpFlowRun *
new_run (PpWorkerContext *context, const char *id, PpFlowRunNotifyFunc notify, gpointer user_data)
{
  PpFlowRun *run = g_new0 (PpFlowRun, 1);

  run->context = context;
  run->notify = notify;
  run->user_data = user_data;
  run->id = g_strdup (id);
  run->claimed_at = g_get_monotonic_time ();
  run->claimed_time = g_get_real_time ();
  pp_flow_run_make_transition (run->transitions.claim);
  pp_flow_run_make_transition (run->transitions.submitting);
  pp_flow_run_make_transition (run->transitions.running);
  pp_flow_run_make_transition (run->transitions.report);
  return run;
}

PpFlowRun *
pp_flow_run_new_from_journal (PpWorkerContext *context, const PpJournalEntry *entry,
                              PpFlowRunNotifyFunc notify, gpointer user_data)
{
  PpFlowRun *run = new_run (context, entry->flow_run_id, notify, user_data);

  run->taken_up = TRUE;
  pp_flow_run_read_entry (run, entry);
  if (run->name == NULL)
    run->name = g_strdup (entry->flow_run_id);
  return run;
}

PpFlowRun *
pp_flow_run_new (PpWorkerContext *context, json_t *flow_run, gint64 asked_at,
                 PpFlowRunNotifyFunc notify, gpointer user_data)
{
  PpFlowRun *run = new_run (context, pp_json_string (flow_run, "id"), notify, user_data);
  const json_t *details = json_object_get (json_object_get (flow_run, "state"), "state_details");
  const char *scheduled = pp_json_string (details, "scheduled_time");
  const char *name = pp_json_string (flow_run, "name");

  if (scheduled == NULL)
    scheduled = pp_json_string (flow_run, "next_scheduled_start_time");
  run->name = g_strdup (name != NULL ? name : run->id);
  run->deployment_id = g_strdup (pp_json_string (flow_run, "deployment_id"));
  run->flow_id = g_strdup (pp_json_string (flow_run, "flow_id"));
  run->json = json_incref (flow_run);
  pp_flow_run_note_seen (run, flow_run, asked_at);
  run->scheduled_time = scheduled != NULL ? pp_timestamp_parse (scheduled) : 0;
  return run;
}

void
pp_flow_run_start (PpFlowRun *run)
{
  pp_flow_run_move (run, PP_FLOW_RUN_CLAIMED);
}

static void
cancel_api_call (PpApiCall **call)
{
  if (*call != NULL)
    pp_api_call_cancel (*call);
  *call = NULL;
}

static void
cancel_engine_call (PpInfrastructureCall **call)
{
  if (*call != NULL)
    pp_infrastructure_call_cancel (*call);
  *call = NULL;
}

void
pp_flow_run_free (PpFlowRun *run)
{
  if (run == NULL)
    return;
  cancel_api_call (&run->api_call);
  pp_flow_run_forget_claim_check (run);
  pp_state_read_cancel (run->state_read);
  pp_state_read_cancel (run->server_read);
  cancel_api_call (&run->submitting_call);
  cancel_api_call (&run->pid_call);
  cancel_api_call (&run->count_call);
  cancel_engine_call (&run->engine_call);
  cancel_engine_call (&run->follow_call);
  cancel_engine_call (&run->watch_call);
  cancel_engine_call (&run->stop_call);
  cancel_engine_call (&run->look_call);
  if (run->resolve != NULL)
    pp_resolve_call_cancel (run->resolve);
  if (run->timer != 0)
    g_source_remove (run->timer);
  if (run->timeout_timer != 0)
    g_source_remove (run->timeout_timer);
  if (run->stop_timer != 0)
    g_source_remove (run->stop_timer);
  if (run->journal_put != NULL)
    pp_journal_put_cancel (run->journal_put);
  pp_flow_run_close_position (run);
  pp_log_sender_forget (run->context->logs, run);
  pp_delivery_free (run->delivery);
  pp_output_free (run->output);
  pp_lease_free (run->lease);
  pp_container_spec_free (run->spec);
  pp_job_end_clear (&run->end);
  g_clear_error (&run->resolve_error);
  g_clear_error (&run->refusal);
  g_clear_pointer (&run->mask, pp_mask_free);
  g_free (run->failure);
  g_free (run->type_at_end);
  g_free (run->report.type);
  g_free (run->report.name);
  g_free (run->report.message);
  json_decref (run->overwritten_end);
  json_decref (run->configuration);
  json_decref (run->json);
  g_free (run->container_id);
  g_free (run->container_name);
  g_free (run->replaced_container_id);
  g_free (run->flow_id);
  g_free (run->deployment_id);
  g_free (run->name);
  g_free (run->id);
  g_free (run);
}

const char *
pp_flow_run_id (const PpFlowRun *run)
{
  return run->id;
}

const char *
pp_flow_run_name (const PpFlowRun *run)
{
  return run->name;
}

const char *
pp_flow_run_container_id (const PpFlowRun *run)
{
  return run->container_id;
}

const char *
pp_flow_run_container_name (const PpFlowRun *run)
{
  return run->container_name;
}

PpFlowRunState
pp_flow_run_state (const PpFlowRun *run)
{
  return run->state;
}

/* The container of a run that is over for the server goes, and nothing is reported. */
static void
stop_and_remove (PpFlowRun *run)
{
  run->server_ended = TRUE;
  run->auto_remove = TRUE;
  pp_flow_run_stop_container_in (run, 0);
}

static void
stop_if_claimed_again (PpFlowRun *run)
{
  if (run->state != PP_FLOW_RUN_STARTED || run->server_ended || !run->claimed_again)
    return;
  g_message ("Flow run '%s' (%s) was begun again by another worker: container '%s' is stopped",
             run->name, run->id, run->container_name);
  stop_and_remove (run);
}

static void
on_looked (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  run->server_read = NULL;
  if (run->state != PP_FLOW_RUN_STARTED || run->server_ended)
    return;
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      g_message ("Flow run '%s' (%s) was deleted on the server: container '%s' is stopped",
                 run->name, run->id, run->container_name);
      stop_and_remove (run);
    }
  /* Another worker's, or Prefect's inside the container. */
  else if ((g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0)
           && !pp_flow_run_may_be_own_state (run, state))
    pp_flow_run_check_claim (run, stop_if_claimed_again);
}

static void
stop_ended_by_hand (PpFlowRun *run)
{
  if (run->state != PP_FLOW_RUN_STARTED || run->server_ended)
    return;
  pp_flow_run_log (run, PP_LOG_INFO,
                   "Flow run '%s' was ended on the server, not by this worker: container '%s' is "
                   "stopped",
                   run->name, run->container_name);
  stop_and_remove (run);
}

static void
stop_unless_ended_inside (PpFlowRun *run)
{
  run->ended_inside = run->told_inside && !run->claimed_again;
  if (!run->ended_inside)
    stop_ended_by_hand (run);
}

/* Whether STATE, an end, may be Prefect's word from inside the container: its client gives each
 * state an id, which a state set in the UI has none of. */
static gboolean
may_be_said_inside (const json_t *state)
{
  const char *type = pp_json_string (state, "type");

  return (g_str_equal (type, "COMPLETED") || g_str_equal (type, "FAILED"))
         && pp_json_string (json_object_get (state, "state_details"), "transition_id") != NULL;
}

/* Whether RUN was stopped for its end STATE: its own would be written over what its user has set.
 * Where Prefect inside the container reports, it says its end and lives on a little for its hooks;
 * and the command may have more to do, be it reported on by us. */
static gboolean
see_to_end (PpFlowRun *run, const json_t *state)
{
  if (run->state != PP_FLOW_RUN_STARTED || !run->worker_reported || run->retry_scheduled)
    return FALSE;
  if (!may_be_said_inside (state))
    {
      stop_ended_by_hand (run);
      return TRUE;
    }
  if (!run->ended_inside
      && (run->claim_call == NULL || run->claim_known != stop_unless_ended_inside))
    pp_flow_run_check_claim (run, stop_unless_ended_inside);
  return FALSE;
}

/* Whether FLOW_RUN, the API's object, is in a state that ends an attempt under way. One that was
 * read by its states alone does not say who waits for a retry: that its attempt is over must be
 * seen in its own end. */
static gboolean
is_told_to_end (const json_t *flow_run)
{
  static const char *const ends[]
      = { "CANCELLING", "CANCELLED", "COMPLETED", "FAILED", "CRASHED", NULL };
  const char *type = pp_json_string (json_object_get (flow_run, "state"), "type");

  if (g_strcmp0 (type, "SCHEDULED") == 0)
    return json_object_get (flow_run, "empirical_policy") != NULL;
  return type != NULL && g_strv_contains (ends, type);
}

gboolean
pp_flow_run_end_as_told (PpFlowRun *run, const json_t *flow_run)
{
  const json_t *state = json_object_get (flow_run, "state");
  const char *type = pp_json_string (state, "type");

  if (!is_told_to_end (flow_run) || !pp_flow_run_may_be_ended (run)
      || pp_flow_run_waits_in_container (flow_run) || pp_flow_run_is_late_word (run, state))
    return FALSE;
  if (!g_str_has_prefix (type, "CANCELL"))
    return see_to_end (run, state);
  pp_flow_run_cancel (run);
  return TRUE;
}

void
pp_flow_run_look (PpFlowRun *run)
{
  /* Before the start, and at the end, the run's own calls find out. */
  if (run->state == PP_FLOW_RUN_STARTED && !run->server_ended && run->server_read == NULL)
    run->server_read = pp_state_reader_read (run->context->states, run->id, on_looked, run);
}

gboolean
pp_flow_run_may_be_ended (const PpFlowRun *run)
{
  return !run->cancelled && !run->server_ended && run->state >= PP_FLOW_RUN_PENDING
         && run->state <= PP_FLOW_RUN_STARTED && run->failure == NULL;
}

void
pp_flow_run_cancel (PpFlowRun *run)
{
  if (!pp_flow_run_may_be_ended (run))
    return;
  run->cancelled = TRUE;
  if (run->state == PP_FLOW_RUN_STARTED)
    {
      pp_flow_run_log (run, PP_LOG_INFO,
                       "Flow run '%s' is being cancelled: container '%s' is stopped%s", run->name,
                       run->container_name,
                       run->worker_reported ? "" : " unless Prefect inside it ends it");
      pp_flow_run_stop_container_in (run, run->worker_reported ? 0 : PP_ENGINE_GRACE_SECONDS);
      return;
    }
  /* A call that makes or starts the container is waited for, and so is what became of it: both ends
   * look at run->cancelled. */
  if ((run->engine_call != NULL && !run->pulling) || run->started_once)
    return;
  if (run->api_call != NULL)
    pp_flow_run_expect_late (run);
  cancel_engine_call (&run->engine_call);
  cancel_api_call (&run->api_call);
  pp_flow_run_forget_claim_check (run);
  pp_state_read_cancel (g_steal_pointer (&run->state_read));
  g_clear_pointer (&run->resolve, pp_resolve_call_cancel);
  g_clear_handle_id (&run->timer, g_source_remove);
  pp_flow_run_report_cancelled (run);
}
