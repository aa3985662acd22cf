/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a started container: its output and its end. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/state/state_dir.h"

/* An engine that does not answer is asked again after 1, 2, 4, ... seconds, up to this. */
#define MAX_BACK_OFF 15
#define FOLLOW_AGAIN_MS 250
/* After this many minutes, the run's log says that the run waits for the engine. */
#define SAY_AWAY_MINUTES 15

static void follow (PpFlowRun *run);
static void inspect (PpFlowRun *run);
static void read_finished_log (PpFlowRun *run);

static void
resume_output (gpointer user_data)
{
  PpFlowRun *run = user_data;

  if (run->watch.follow_call != NULL)
    pp_infrastructure_call_resume (run->watch.follow_call);
}

static gboolean
on_output (PpStream stream, const char *data, gsize length, gint64 log_time, gboolean begins_late,
           gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->retries = 0;
  pp_flow_run_note_shown_soon (run);
  return pp_delivery_take (run->delivery, stream, log_time, begins_late, data, length);
}

void
pp_flow_run_later (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc again)
{
  pp_flow_run_after (run, MIN (milliseconds << MIN (run->retries, 8), MAX_BACK_OFF * 1000), again);
  run->retries++;
}

/* Like pp_flow_run_later(), for a step that need not wait any longer once the container has
 * ended. */
static void
try_later (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc again)
{
  run->watch.retry = again;
  pp_flow_run_later (run, milliseconds, again);
}

void
pp_flow_run_ask_again (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again)
{
  gint64 now = g_get_monotonic_time ();
  gint64 silence;

  if (run->silence.since == 0)
    {
      run->silence.since = now;
      run->silence.is_said = FALSE;
    }
  silence = now - run->silence.since;
  if (silence >= SAY_AWAY_MINUTES * 60 * G_USEC_PER_SEC && !run->silence.is_said)
    {
      run->silence.is_said = TRUE;
      pp_flow_run_log (
          run, PP_LOG_WARNING,
          "For %d minutes, %s has given no usable answer about %s. Flow run '%s' waits: %s",
          SAY_AWAY_MINUTES, run->words->full_host, run->label, run->name, error->message);
    }
  pp_flow_run_after (run, (guint)CLAMP (silence / 1000, 1000, MAX_BACK_OFF * 1000), again);
}

void
pp_flow_run_inspect (PpFlowRun *run, PpJobFunc inspected)
{
  run->engine_call
      = pp_infrastructure_inspect (run->context->infrastructure, run->container_id, inspected, run);
}

gboolean
pp_flow_run_is_inspected (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again)
{
  run->engine_call = NULL;
  if (error == NULL
      || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    return TRUE;
  pp_flow_run_ask_again (run, error, again);
  return FALSE;
}

/* Ends the run without an exit status, because nobody knows it or will know it. */
static void
conclude_lost (PpFlowRun *run)
{
  pp_job_end_clear (&run->end);
  run->end = (PpJobEnd){ .never_ended = TRUE,
                         .status_lost = TRUE,
                         .host_restarted = run->recovery.host_restarted };
  run->end_known = TRUE;
  run->watch.asks_end = FALSE;
  pp_flow_run_move (run, PP_FLOW_RUN_EXITED);
}

/* Called when the container has ended. Finishes what RUN waits for. */
static void
end_follow (PpFlowRun *run)
{
  if (run->watch.follow_call != NULL)
    pp_infrastructure_follow_finish (run->watch.follow_call);
  else if (run->watch.retry != NULL)
    {
      g_clear_handle_id (&run->timer, g_source_remove);
      run->watch.retry (run);
    }
  else if (run->watch.asks_end || run->watch.follow_refused)
    {
      pp_infrastructure_call_cancel (g_steal_pointer (&run->engine_call));
      g_clear_handle_id (&run->timer, g_source_remove);
      inspect (run);
    }
}

void
pp_flow_run_end_without_status (PpFlowRun *run)
{
  pp_infrastructure_call_cancel (g_steal_pointer (&run->watch.call));
  run->watch.status_lost = TRUE;
  end_follow (run);
}

static void
on_watched (gboolean status_lost, const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->watch.call = NULL;
  run->watch.status_lost = status_lost;
  end_follow (run);
}

static void
on_watch_news (PpWatchNews news, gpointer user_data)
{
  PpFlowRun *run = user_data;

  if (news == PP_WATCH_PROGRAM_GONE)
    {
      run->watch.program_gone = TRUE;
      return;
    }
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "%s of %s was killed, perhaps for lack of memory (see dmesg). Without it, the "
                   "program's further output and its exit status are lost. The program still "
                   "runs, and the worker will see its end",
                   run->words->monitor, run->label);
}

static void
watch_end (PpFlowRun *run)
{
  run->watch.status_lost = FALSE;
  run->watch.program_gone = FALSE;
  run->watch.call = pp_infrastructure_watch (run->context->infrastructure, run->container_id,
                                             on_watch_news, on_watched, run);
}

static void ask_end (PpFlowRun *run);

static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  if (!pp_flow_run_is_inspected (run, error, ask_end))
    return;
  run->watch.asks_end = FALSE;
  if (error != NULL) /* it is gone */
    {
      run->end_known = FALSE;
      pp_flow_run_move (run, PP_FLOW_RUN_EXITED);
      return;
    }
  run->silence.since = 0;
  gboolean is_running = job->status.is_running;
  pp_job_end_copy (&run->end, &job->status.end);
  /* A running container was not lost with the host: the engine is on another host, or the container
   * was started again. */
  run->recovery.host_restarted = run->recovery.host_restarted && !is_running;
  if (run->recovery.host_restarted)
    pp_job_end_note_boot (&run->end, &job->status, pp_booted_at ());
  /* The container runs again after its end: somebody or a restart policy has started it. */
  if (is_running && run->watch.call == NULL)
    watch_end (run);
  /* The stream has ended, but the container runs. Its remaining output is followed again later, at
   * the latest when the container ends. */
  if (is_running && run->watch.output_ended)
    {
      try_later (run, FOLLOW_AGAIN_MS, follow);
      return;
    }
  if (run->watch.follow_refused)
    {
      /* on_watched() leads back here. */
      if (!is_running)
        read_finished_log (run);
      return;
    }
  if (is_running || !run->watch.output_ended)
    {
      follow (run);
      return;
    }
  run->end_known = TRUE;
  pp_flow_run_move (run, PP_FLOW_RUN_EXITED);
}

static void
ask_end (PpFlowRun *run)
{
  pp_flow_run_inspect (run, on_inspected);
}

static void
inspect (PpFlowRun *run)
{
  run->watch.retry = NULL;
  if (run->watch.status_lost && run->watch.follow_refused)
    {
      read_finished_log (run);
      return;
    }
  if (run->watch.status_lost)
    {
      conclude_lost (run);
      return;
    }
  run->watch.asks_end = TRUE;
  ask_end (run);
}

/* Logs once what is missing of the output. */
static void
note_losses (PpFlowRun *run, const PpFollowEnd *end, const GError *error)
{
  const char *damage = end != NULL ? end->damage : NULL;
  const char *loss = end != NULL ? end->output_lost : NULL;

  if (loss == NULL && error == NULL && pp_delivery_has_gap (run->delivery))
    loss = "its log reached its size limit (log_size_max in containers.conf, or max-size in "
           "log_config) and was replaced while no worker read it. Raise the limit to keep all "
           "output";
  if (loss != NULL && !run->watch.output_lost)
    {
      run->watch.output_lost = TRUE;
      pp_flow_run_log (run, PP_LOG_WARNING, "Part of the output of %s is lost: %s.", run->label,
                       loss);
    }
  if (damage != NULL && !run->watch.damage_said)
    {
      run->watch.damage_said = TRUE;
      pp_flow_run_log (
          run, PP_LOG_WARNING,
          "Part of the output of %s could not be read: %s. The output before and after that part "
          "was read. A full disk or a crash of the host may be the cause.",
          run->label, damage);
    }
}

static void
on_finished_log_read (const PpFollowEnd *end, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->watch.follow_call = NULL;
  note_losses (run, end, error);
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE)
      && !run->watch.status_lost)
    {
      try_later (run, 1000, inspect);
      return;
    }
  run->watch.output_unreadable = error != NULL;
  if (error != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "The rest of the output of %s is missing, because its log could not be read "
                     "even after its end: %s",
                     run->label, error->message);
  run->watch.follow_refused = FALSE;
  run->watch.output_ended = TRUE;
  inspect (run);
}

/* Reads the output that is left after a follow was refused or has failed. */
static void
read_finished_log (PpFlowRun *run)
{
  run->watch.follow_call = pp_infrastructure_read_log (
      run->context->infrastructure, run->container_id, run->policy->has_tty,
      pp_delivery_place (run->delivery), on_output, on_finished_log_read, run);
}

static void
on_followed (const PpFollowEnd *end, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->watch.follow_call = NULL;
  note_losses (run, end, error);
  run->watch.output_ended
      = !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  /* A success ends the run without an inspection, unless a process may have lacked memory. */
  if (end != NULL && end->succeeded && !run->watch.may_lack_memory)
    {
      pp_job_end_clear (&run->end);
      run->end = (PpJobEnd){ 0 };
      run->end_known = TRUE;
      pp_flow_run_move (run, PP_FLOW_RUN_EXITED);
      return;
    }
  if (error == NULL
      || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    {
      inspect (run);
      return;
    }
  if (run->retries == 0)
    pp_flow_run_log (run, PP_LOG_WARNING, "The output of %s cannot be followed for now: %s",
                     run->label, error->message);
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      try_later (run, 1000, inspect);
      return;
    }
  /* The log driver does not support following, or the log is malformed. The whole log is read once
   * the container has ended. */
  run->watch.follow_refused = TRUE;
  run->watch.output_ended = FALSE;
  if (run->watch.call == NULL)
    inspect (run);
}

static void
follow (PpFlowRun *run)
{
  run->watch.retry = NULL;
  run->watch.follow_call = pp_infrastructure_follow (
      run->context->infrastructure, run->container_id, run->policy->has_tty,
      pp_delivery_place (run->delivery), on_output, on_followed, run);
  if (run->watch.call == NULL)
    pp_infrastructure_follow_finish (run->watch.follow_call);
}

/* Follows the output that is missing on the server and on standard output. */
static void
follow_rest (PpFlowRun *run)
{
  pp_delivery_set_counted (run->delivery, run->count.records);
  follow (run);
}

static gboolean
forwards (const PpFlowRun *run)
{
  return run->context->settings->logging_to_api_enabled
         && pp_run_policy_forwards_output (run->policy);
}

/* Resumes the output at POSITION. */
static void
deliver_from (PpFlowRun *run, const PpPosition *position)
{
  run->position = *position;
  if (position->noted_at <= 0)
    pp_position_begin (run->position_file, &run->position);
  run->delivery = pp_delivery_new (run->output, &run->position, run->policy->stream_output);
  /* Records are counted by their timestamps, so new records must be later than the counted ones. */
  pp_log_sender_go_on_after (run->context->logs, run->id,
                             MAX (run->position.last_timestamp, run->claimed_time));
}

static void
on_position (const PpPosition *position, gpointer user_data)
{
  PpFlowRun *run = user_data;

  deliver_from (run, position);
  if (forwards (run))
    pp_flow_run_count_delivered (run, follow_rest);
  else
    follow_rest (run);
}

void
pp_flow_run_enter_started (PpFlowRun *run)
{
  PpWorkerContext *context = run->context;
  const PpPosition nothing = { 0 };

  if (!run->recovered)
    pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' submitted to infrastructure", run->name);
  else if (!pp_flow_run_is_over_on_server (run))
    pp_flow_run_log (run, PP_LOG_INFO, "Worker '%s' goes on with flow run '%s': %s",
                     context->worker_name, run->name, run->label);
  pp_flow_run_emit (run, run->words->running_event);
  if (!run->worker_reported && run->lease != NULL)
    pp_lease_keep_until_running (run->lease);
  run->watch.may_lack_memory = run->recovered || run->policy->has_limits;
  pp_flow_run_drop_spec (run);
  run->output = pp_output_new (run->id, run->policy->stream_output ? context->out : NULL,
                               forwards (run) ? context->logs : NULL, resume_output, run);
  pp_output_number (run->output, run->attempt);
  pp_output_mask (run->output, context->secrets);
  if (context->output_prefix)
    pp_output_name_lines (run->output, run->name);
  run->position_file = pp_position_open (context->journal, run->id, run->container_id);
  pp_flow_run_start_timeout (run);
  watch_end (run);
  if (run->recovered)
    {
      pp_position_read (run->position_file, on_position, run);
      return;
    }
  deliver_from (run, &nothing);
  follow (run);
}
