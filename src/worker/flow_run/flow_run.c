/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/template/template.h"
#include "prefect-podman/text/visible.h"
#include "prefect-podman/text/timestamp.h"

#include "worker/failpoint-private.h"

#include <stdarg.h>
#include <string.h>

/* A shorter name is not hidden in messages. */
#define MIN_NAME_BYTES 4

/* The table of states. ENTER is called when a run enters the state. GO_ON is called when something
 * happens that a run in this state waits for. Only pp_flow_run_move() and pp_flow_run_go_on() call
 * these functions. */
static const struct
{
  const char *name;
  void (*enter) (PpFlowRun *run);
  void (*go_on) (PpFlowRun *run); /* NULL: the state waits only for its own calls */
} states[] = {
  [PP_FLOW_RUN_RECOVERED]
  = { "RECOVERED", pp_flow_run_enter_recovered, pp_flow_run_enter_recovered },
  [PP_FLOW_RUN_CLAIMED] = { "CLAIMED", pp_flow_run_enter_claimed, NULL },
  [PP_FLOW_RUN_PENDING] = { "PENDING", pp_flow_run_enter_pending, pp_flow_run_enter_pending },
  [PP_FLOW_RUN_RESOLVED] = { "RESOLVED", pp_flow_run_enter_resolved, NULL },
  [PP_FLOW_RUN_RENDERED] = { "RENDERED", pp_flow_run_enter_rendered, NULL },
  [PP_FLOW_RUN_SUBMITTING] = { "SUBMITTING", pp_flow_run_enter_submitting, NULL },
  [PP_FLOW_RUN_CREATED] = { "CREATED", pp_flow_run_enter_created, pp_flow_run_enter_created },
  [PP_FLOW_RUN_STARTED] = { "STARTED", pp_flow_run_enter_started, NULL },
  [PP_FLOW_RUN_EXITED] = { "EXITED", pp_flow_run_enter_exited, NULL },
  [PP_FLOW_RUN_REPORTED] = { "REPORTED", pp_flow_run_enter_reported, pp_flow_run_go_on_reported },
  [PP_FLOW_RUN_REMOVED] = { "REMOVED", pp_flow_run_enter_removed, NULL },
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

void
pp_flow_run_go_on (PpFlowRun *run)
{
  states[run->state].go_on (run);
}

/* Replaces NAME in TEXT by SHOWN, the same without secrets. Takes ownership of TEXT. A short name
 * stays: it occurs in too many texts. */
static char *
hide_name (char *text, const char *name, const char *shown)
{
  if (name == NULL || shown == NULL || strlen (name) < MIN_NAME_BYTES || g_str_equal (name, shown))
    return text;
  g_auto (GStrv) parts = g_strsplit (text, name, -1);
  g_free (text);
  return g_strjoinv (shown, parts);
}

/* Returns TEXT without the secrets that the masks know. Takes ownership of TEXT. New string. */
static char *
mask_secrets (const PpFlowRun *run, char *text)
{
  gsize length = strlen (text);
  char *masked = pp_secrets_mask (run->context->secrets, text, &length);

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

/* Replaces NAME, a container's name, in TEXT by SHOWN, the same without secrets. Takes ownership of
 * TEXT. A mask does not find a secret in NAME if some of its characters were replaced to make a
 * valid name. And after a restart, SHOWN is known, but the mask of the run's blocks is not. Mask
 * TEXT before this, because NAME may be a part of another secret. */
static char *
mask_name (const PpFlowRun *run, char *text, const char *name, const char *shown)
{
  if (name == NULL || g_strcmp0 (name, shown) == 0)
    return text;
  g_autofree char *masked = mask_secrets (run, g_strdup (name));
  text = hide_name (text, name, shown);
  return hide_name (text, masked, shown);
}

char *
pp_flow_run_mask (const PpFlowRun *run, char *text)
{
  if (text == NULL)
    return NULL;
  text = mask_secrets (run, text);
  text = mask_name (run, text, run->container_name, run->shown_name);
  return mask_name (run, text, run->given.name, run->given.shown);
}

void
pp_flow_run_show_name (PpFlowRun *run, char *shown)
{
  g_free (run->shown_name);
  g_free (run->label);
  g_free (run->first_label);
  run->shown_name = shown;
  run->label = g_strdup_printf ("%s '%s'", run->words->job, shown);
  run->first_label = g_strdup_printf ("%s '%s'", run->words->first_job, shown);
}

void
pp_flow_run_learn_name (PpFlowRun *run)
{
  const char *name = pp_json_string (run->resolve.configuration, "name");
  const char *text = pp_json_string (run->resolve.configuration, PP_NAME_TEXT_KEY);

  g_clear_pointer (&run->given.name, g_free);
  g_clear_pointer (&run->given.shown, g_free);
  g_autofree char *masked = pp_flow_run_mask (run, g_strdup (text));
  if (name == NULL || g_strcmp0 (masked, text) == 0)
    return;
  run->given.name = g_strdup (name);
  run->given.shown = pp_template_shown_name (masked);
}

void
pp_flow_run_name_job (PpFlowRun *run, const char *name)
{
  g_clear_pointer (&run->shown_name, g_free);
  g_free (run->container_name);
  run->container_name = g_strdup (name);
  pp_flow_run_show_name (run, pp_flow_run_mask (run, g_strdup (name)));
}

void
pp_flow_run_emit (PpFlowRun *run, const char *event)
{
  PpEvents *events = run->context->events;

  if (run->words->resource == NULL)
    return;
  if (run->container_id == NULL)
    pp_events_emit_worker (events, event, pp_flow_run_related (run));
  else
    pp_events_emit_job (events, event, run->words->resource, run->container_id, run->shown_name,
                        pp_flow_run_related (run));
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
  PpFlowRunNextFunc next;
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
pp_flow_run_after (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc next)
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
                   "Could not renew the lease of the concurrency slot of flow run '%s'; the server "
                   "may give the slot to another run: %s",
                   run->name, error->message);
}

void
pp_flow_run_take_lease (PpFlowRun *run, const json_t *state)
{
  const char *id = pp_json_string (json_object_get (state, "state_details"),
                                   "deployment_concurrency_lease_id");

  if (id == NULL)
    return;
  if (run->lease == NULL || g_strcmp0 (pp_lease_id (run->lease), id) != 0)
    {
      pp_lease_free (run->lease);
      pp_flow_run_keep_lease (run, id);
    }
  pp_lease_note_state (run->lease, state);
}

void
pp_flow_run_keep_lease (PpFlowRun *run, const char *lease_id)
{
  run->lease = pp_lease_new (run->context->api, run->context->states, run->id, lease_id,
                             on_lease_lost, run);
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
  run->words = pp_infrastructure_words (context->infrastructure);
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

  run->recovered = TRUE;
  pp_flow_run_read_entry (run, entry);
  if (run->name == NULL)
    run->name = g_strdup (entry->flow_run_id);
  return run;
}

gint64
pp_flow_run_scheduled_time (const json_t *flow_run)
{
  const json_t *details = json_object_get (json_object_get (flow_run, "state"), "state_details");
  const char *scheduled = pp_json_string (details, "scheduled_time");

  if (scheduled == NULL)
    scheduled = pp_json_string (flow_run, "next_scheduled_start_time");
  return scheduled != NULL ? pp_timestamp_parse (scheduled) : 0;
}

PpFlowRun *
pp_flow_run_new (PpWorkerContext *context, json_t *flow_run, gint64 asked_at,
                 PpFlowRunNotifyFunc notify, gpointer user_data)
{
  PpFlowRun *run = new_run (context, pp_json_string (flow_run, "id"), notify, user_data);
  const char *name = pp_json_string (flow_run, "name");

  run->name = g_strdup (name != NULL ? name : run->id);
  run->deployment_id = g_strdup (pp_json_string (flow_run, "deployment_id"));
  run->flow_id = g_strdup (pp_json_string (flow_run, "flow_id"));
  run->json = json_incref (flow_run);
  run->claim.state_id = g_strdup (pp_json_string (flow_run, "state_id"));
  pp_flow_run_note_seen (run, flow_run, asked_at);
  run->scheduled_time = pp_flow_run_scheduled_time (flow_run);
  return run;
}

void
pp_flow_run_start (PpFlowRun *run)
{
  pp_flow_run_move (run, PP_FLOW_RUN_CLAIMED);
}

void
pp_flow_run_free (PpFlowRun *run)
{
  if (run == NULL)
    return;
  g_clear_pointer (&run->api_call, pp_api_call_cancel);
  pp_flow_run_forget_claim_check (run);
  pp_flow_run_forget_history (run);
  pp_state_read_cancel (run->state_read);
  pp_state_read_cancel (run->watch.server_read);
  g_free (run->watch.state_seen);
  g_free (run->watch.scheduled_id);
  json_decref (run->history.end);
  g_clear_pointer (&run->submitting.call, pp_api_call_cancel);
  g_clear_pointer (&run->pid.call, pp_api_call_cancel);
  g_clear_pointer (&run->count.call, pp_api_call_cancel);
  g_clear_pointer (&run->engine_call, pp_infrastructure_call_cancel);
  g_clear_pointer (&run->watch.follow_call, pp_infrastructure_call_cancel);
  g_clear_pointer (&run->watch.call, pp_infrastructure_call_cancel);
  g_clear_pointer (&run->stop.call, pp_infrastructure_call_cancel);
  g_clear_pointer (&run->stop.look_call, pp_infrastructure_call_cancel);
  pp_resolve_call_cancel (run->resolve.call);
  g_clear_handle_id (&run->timer, g_source_remove);
  g_clear_handle_id (&run->stop.timeout_timer, g_source_remove);
  g_clear_handle_id (&run->stop.timer, g_source_remove);
  pp_journal_put_cancel (run->journal.put);
  pp_flow_run_close_position (run);
  pp_log_sender_forget (run->context->logs, run);
  pp_delivery_free (run->delivery);
  pp_output_free (run->output);
  pp_lease_free (run->lease);
  pp_flow_run_drop_spec (run);
  g_free (run->policy);
  pp_job_end_clear (&run->end);
  g_free (run->claim.state_id);
  g_clear_error (&run->claim.error);
  g_clear_error (&run->resolve.error);
  g_clear_error (&run->refusal);
  g_clear_pointer (&run->mask, pp_mask_free);
  g_free (run->failure);
  g_clear_handle_id (&run->report.write_timer, g_source_remove);
  pp_api_call_cancel (run->report.limit_call);
  g_free (run->report.type_at_end);
  g_free (run->report.type);
  g_free (run->report.name);
  g_free (run->report.message);
  json_decref (run->report.overwritten_end);
  json_decref (run->resolve.configuration);
  json_decref (run->json);
  g_free (run->container_id);
  g_free (run->container_name);
  g_free (run->shown_name);
  g_free (run->given.name);
  g_free (run->given.shown);
  g_free (run->label);
  g_free (run->first_label);
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
pp_flow_run_shown_name (const PpFlowRun *run)
{
  return run->shown_name;
}

PpFlowRunState
pp_flow_run_state (const PpFlowRun *run)
{
  return run->state;
}
