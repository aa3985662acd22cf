/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which final state of a run is reported to the server, and who reports it. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/cut.h"

/* How long Prefect may still report after the end of its container: its last calls may be on their
 * way. */
#define GRACE_US (10 * G_USEC_PER_SEC)
/* Lines of output in a state's message. The log has PP_OUTPUT_TAIL_LINES. */
#define MESSAGE_LINES 5
/* The most bytes of the reason why a run was not submitted: it may quote what the job's author
 * wrote. */
#define MAX_REASON_BYTES (16 * 1024)
/* A success is written down if its report takes longer than this. */
#define WRITE_SUCCESS_SECONDS 2

static void read_state (PpFlowRun *run);
static void send_report (PpFlowRun *run);

/* If the server has accepted a proposal, it recognizes a repetition of it. But if it has turned a
 * reported failure into a retry, it does not recognize a repetition: the second report would end
 * that retry. Also, while the server was out of reach, a user may have ended a run that seemed
 * lost, and another worker may have begun it again. So the run is read before each attempt. */

static void
send_unless_claimed_again (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder != PP_CLAIM_LOST)
    {
      send_report (run);
      return;
    }
  g_message (
      "Another worker has claimed flow run '%s' (%s) again. That worker reports the run's end",
      run->name, run->id);
  pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}

static void
on_looked_at_report (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");
  gboolean begun = g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0;
  PpSetStateResult scheduled = { .status = PP_SET_STATE_REJECT, .state = state };

  run->state_read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    pp_flow_run_on_end_answered (NULL, error, run);
  else if (pp_flow_run_is_late_word (run, state))
    pp_flow_run_after (run, PP_LOOK_AGAIN_MS, pp_flow_run_look_before_report);
  else if (g_strcmp0 (type, "SCHEDULED") == 0)
    pp_flow_run_on_end_answered (&scheduled, NULL, run);
  else if (begun && !pp_flow_run_may_be_own_state (run, state))
    pp_flow_run_check_claim (run, send_unless_claimed_again); /* set by another worker or Prefect */
  else if (pp_flow_run_state_is_terminal (state))
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED); /* already reported, or ended by a user */
  else if (begun && g_get_monotonic_time () < run->report.look_until)
    pp_flow_run_after (run, PP_LOOK_AGAIN_MS, pp_flow_run_look_before_report);
  else
    send_report (run);
}

/* If Prefect reports the run, the run's state does not show which attempt set it. So check the
 * claim instead. A failure that the worker then reports does not become a retry. */
void
pp_flow_run_look_before_report (PpFlowRun *run)
{
  run->report.read_at = g_get_monotonic_time ();
  if (run->worker_reported)
    run->state_read
        = pp_state_reader_read (run->context->states, run->id, on_looked_at_report, run);
  else
    pp_flow_run_check_claim (run, send_unless_claimed_again);
}

static void
send_report (PpFlowRun *run)
{
  pp_flow_run_reconsider_message (run);
  /* The server has answered other calls since the last attempt. It may never accept this one. */
  if (run->report.unanswered >= PP_SAY_UNREPORTED
      && pp_api_answered (run->context->api) > run->report.sent_at)
    pp_flow_run_free_slot (run);
  run->report.sent_at = g_get_monotonic_time ();
  run->api_call = pp_flow_run_set_state (
      run->context->api, run->id, run->transitions.report, run->report.type, run->report.name,
      run->report.message, run->report.force, PP_API_TRY, pp_flow_run_on_end_answered, run);
}

/* True if somebody else may have changed the state of RUN, which this worker has claimed: a user
 * may have ended or retried it, or it may have begun again elsewhere. If Prefect inside the
 * container reports the run, its state was read at the container's end. */
static gboolean
may_be_changed (const PpFlowRun *run)
{
  return run->state != PP_FLOW_RUN_CLAIMED
         && (pp_flow_run_has_late_words (run) || !run->started_once || run->worker_reported);
}

static void
begin_report (PpFlowRun *run)
{
  if (may_be_changed (run))
    pp_flow_run_look_before_report (run);
  else
    send_report (run);
}

static void
do_nothing (PpFlowRun *run G_GNUC_UNUSED)
{
}

void
pp_flow_run_write_report (PpFlowRun *run)
{
  g_clear_handle_id (&run->report.write_timer, g_source_remove);
  if (run->report.is_written)
    return;
  run->report.is_written = TRUE;
  pp_flow_run_write_down (run, PP_JOURNAL_REPORTING, do_nothing);
}

static gboolean
on_report_takes_long (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->report.write_timer = 0;
  pp_flow_run_write_report (run);
  return G_SOURCE_REMOVE;
}

/* If this worker or an earlier one chose another final state before, this is a new proposal with a
 * new id. */
static void
decide_report (PpFlowRun *run, const char *type, const char *name, const char *message,
               gboolean force)
{
  if (run->report.type != NULL && !g_str_equal (run->report.type, type))
    pp_flow_run_make_transition (run->transitions.report);
  g_free (run->report.type);
  g_free (run->report.name);
  g_free (run->report.message);
  run->report.type = g_strdup (type);
  run->report.name = g_strdup (name);
  run->report.message
      = message != NULL ? pp_flow_run_mask (run, g_utf8_make_valid (message, -1)) : NULL;
  run->report.force = force;
  run->report.is_written = FALSE;
  g_clear_handle_id (&run->report.write_timer, g_source_remove);
}

static void
propose (PpFlowRun *run, const char *type, const char *name, const char *message, gboolean force)
{
  PpLogLevel level = g_str_equal (type, "COMPLETED") || g_str_equal (type, "CANCELLED")
                         ? PP_LOG_INFO
                         : PP_LOG_ERROR;

  if (message != NULL)
    pp_flow_run_log (run, level, "Reporting flow run '%s' as %s: %s", run->name,
                     name != NULL ? name : type, message);
  decide_report (run, type, name, message, force);
  /* A failure is written down first, because the server may turn it into another attempt. Most
   * successes need not be written: a later worker that finds the container can propose them again.
   * But the container may be removed while the server does not take the report. */
  if (g_str_equal (type, "COMPLETED"))
    {
      run->report.write_timer
          = g_timeout_add_seconds (WRITE_SUCCESS_SECONDS, on_report_takes_long, run);
      begin_report (run);
      return;
    }
  run->report.is_written = TRUE;
  pp_flow_run_write_down (run, PP_JOURNAL_REPORTING, begin_report);
}

void
pp_flow_run_report_cancelled (PpFlowRun *run)
{
  g_autofree char *text = pp_flow_run_describe_cancellation (run);

  run->report.cancel_reported = TRUE;
  run->auto_remove = TRUE;
  propose (run, "CANCELLED", NULL, text, FALSE);
}

void
pp_flow_run_report_failure (PpFlowRun *run)
{
  propose (run, "CRASHED", NULL, run->failure, FALSE);
}

void
pp_flow_run_fail_submission (PpFlowRun *run, const char *message)
{
  g_autofree char *named = pp_flow_run_name_container (run, message);
  g_autofree char *reason = pp_text_cut (named, strlen (named), MAX_REASON_BYTES);

  run->failure = g_strdup_printf ("Failed to submit flow run to infrastructure: %s", reason);
  /* A container that never ran is of no use. */
  run->auto_remove = TRUE;
  if (run->submitting.call == NULL)
    pp_flow_run_report_failure (run);
}

void
pp_flow_run_cancel_for_deployment (PpFlowRun *run)
{
  g_autofree char *text
      = g_strdup_printf ("Deployment %s no longer exists, cancelled run.", run->deployment_id);

  propose (run, "CANCELLED", NULL, text, TRUE);
}

/* An earlier worker may have written down the end that the engine cannot report any more. */
static gboolean
report_as_written (PpFlowRun *run)
{
  if (run->journal.phase != PP_JOURNAL_REPORTING)
    return FALSE;
  send_report (run);
  return TRUE;
}

void
pp_flow_run_report_vanished (PpFlowRun *run)
{
  if (report_as_written (run))
    return;
  g_autofree char *text
      = run->recovered
            ? g_strdup_printf ("Flow run infrastructure vanished: %s%s (%.12s) is gone from %s, "
                               "and no worker saw its end; its exit status is not known.",
                               run->recovery.host_restarted ? "the host was restarted, and " : "",
                               run->label, run->container_id, run->words->host)
            : g_strdup_printf (
                "%s (%.12s) is gone from %s: somebody removed it while it was watched; its exit "
                "status is not known.",
                run->first_label, run->container_id, run->words->host);

  propose (run, "CRASHED", NULL, text, FALSE);
}

static void
report_startup_timeout (PpFlowRun *run)
{
  g_autofree char *text = g_strdup_printf (
      "Prefect inside the %s did not report Running within startup_timeout_seconds, %g s.",
      run->words->job, run->policy->startup_timeout_seconds);

  run->auto_remove = TRUE;
  pp_flow_run_log_tail (run);
  propose (run, "CRASHED", NULL, text, FALSE);
}

/* Without an exit status, the program neither succeeded nor failed. */
static void
report_no_end (PpFlowRun *run)
{
  g_autofree char *text
      = pp_infrastructure_explain_no_end (run->context->infrastructure, &run->end);

  propose (run, "CRASHED", NULL, text, FALSE);
}

static void
report_by_worker (PpFlowRun *run)
{
  g_autofree char *tail = pp_output_tail (run->output, MESSAGE_LINES);
  g_autofree char *message = NULL;
  const char *type;

  if (run->end.never_ended && report_as_written (run))
    return;
  if (run->stop_reason == PP_STOP_TIMEOUT)
    {
      g_autofree char *text = g_strdup_printf (
          "Flow run timed out: it exceeded timeout_seconds, %g s.", run->policy->timeout_seconds);

      propose (run, "FAILED", "TimedOut", text, FALSE);
      return;
    }
  if (run->end.never_ended)
    {
      report_no_end (run);
      return;
    }
  type = pp_job_end_to_state (&run->end, run->words, tail, &message);
  if (!g_str_equal (type, "COMPLETED"))
    pp_flow_run_log_tail (run);
  propose (run, type, NULL, message, FALSE);
}

/* The container ended with status 0, but Prefect inside it did not report a final state. */
static void
report_after_success (PpFlowRun *run)
{
  const gboolean is_pending = g_str_equal (run->report.type_at_end, "PENDING");
  g_autofree char *text
      = g_strdup_printf ("%s exited with status 0%s", run->words->first_job,
                         is_pending ? ", but Prefect inside it never reported a state. The worker "
                                      "uses the exit status as the run's result."
                                    : ", but Prefect inside it never reported the end of the run.");

  propose (run, is_pending ? "COMPLETED" : "CRASHED", NULL, text, FALSE);
}

static void
report_after_failure (PpFlowRun *run)
{
  const char *advice = NULL;
  const char *explanation = pp_exit_code_explain (run->end.exit_code, &advice);
  g_autofree char *text = g_strdup_printf (
      "Flow run infrastructure exited with non-zero status code %" G_GINT64_FORMAT ". %s",
      run->end.exit_code, explanation);

  pp_flow_run_log (run, PP_LOG_INFO, "%s", advice);
  propose (run, "CRASHED", NULL, text, FALSE);
}

/* The container was stopped for a cancellation, but somebody has forced another state since. */
static void
report_stopped (PpFlowRun *run)
{
  g_autofree char *text
      = g_strdup_printf ("This worker stopped the %s because the run was being cancelled. Somebody "
                         "has changed the run's state since.",
                         run->words->job);

  run->auto_remove = TRUE;
  propose (run, "CRASHED", NULL, text, FALSE);
}

/* True if Prefect inside the container, which ended with status 0, may still report. */
static gboolean
may_be_heard_of (const PpFlowRun *run)
{
  return run->end_known && !run->end.never_ended && run->end.exit_code == 0
         && !g_str_equal (run->report.type_at_end, "PENDING")
         && g_get_monotonic_time () - run->report.exited_at < GRACE_US;
}

static void
move_to_reported (PpFlowRun *run)
{
  pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}

/* Our "Submitting" arrived after Prefect inside the container reported the final state. */
static void
put_back_end (PpFlowRun *run)
{
  if (run->report.put_back.tries == 0)
    pp_flow_run_log (run, PP_LOG_INFO,
                     "Flow run '%s' is set back to its final state %s, because a late request had "
                     "overwritten that state",
                     run->name, pp_json_string (run->report.overwritten_end, "name"));
  pp_flow_run_put_back (run, &run->report.put_back, run->report.overwritten_end, read_state,
                        move_to_reported);
}

static void
report_by_end (PpFlowRun *run, PpClaimHolder holder)
{
  gboolean succeeded = run->end_known && !run->end.never_ended && run->end.exit_code == 0;

  if (run->report.overwritten_end != NULL)
    {
      put_back_end (run);
      return;
    }
  if (holder == PP_CLAIM_LOST)
    {
      send_unless_claimed_again (run, holder);
      return;
    }
  if (run->report.put_back.tries > 0)
    {
      pp_flow_run_give_up_end (run);
      return;
    }
  /* Prefect inside the container never reported anything: only its traceback is left. */
  if (run->report.never_ran && !succeeded)
    pp_flow_run_log_tail (run);
  if (pp_flow_run_is_cancelled (run) && !succeeded)
    report_stopped (run);
  else if (!run->end_known)
    pp_flow_run_report_vanished (run);
  else if (run->end.never_ended)
    report_no_end (run);
  else if (run->end.exit_code == 0)
    report_after_success (run);
  else
    report_after_failure (run);
}

static void
on_state_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  run->state_read = NULL;
  if (error != NULL)
    {
      pp_flow_run_on_unread (run, error, read_state);
      return;
    }
  /* Prefect or a forced change cancelled the run: treat it as stopped by the worker. */
  if (g_strcmp0 (type, "CANCELLED") == 0)
    run->auto_remove = TRUE;
  g_free (run->report.type_at_end);
  run->report.type_at_end = g_strdup (type);
  run->report.never_ran = pp_flow_run_never_ran (run, body);
  if (pp_flow_run_is_late_word (run, state))
    pp_flow_run_after (run, PP_LOOK_AGAIN_MS, read_state);
  else if (g_strcmp0 (type, "CANCELLING") == 0)
    pp_flow_run_report_cancelled (run);
  else if (g_strcmp0 (type, "SCHEDULED") == 0)
    pp_flow_run_reschedule (run); /* the server expects the retry in the container */
  else if (!pp_flow_run_state_is_left_behind (state))
    {
      pp_flow_run_log_tail_of_failure (run, type);
      pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
    }
  else if (may_be_heard_of (run))
    pp_flow_run_after (run, 1000, read_state);
  else
    pp_flow_run_check_claim (run, report_by_end);
}

static void
read_state (PpFlowRun *run)
{
  run->report.read_at = g_get_monotonic_time ();
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_state_read, run);
}

/* Handles the end of a container that was killed for another attempt. Prefect inside the container
 * may have begun that attempt at the last moment. */
static void
read_state_unless_claimed_again (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder == PP_CLAIM_LOST)
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
  else
    read_state (run);
}

void
pp_flow_run_enter_exited (PpFlowRun *run)
{
  run->report.exited_at = g_get_monotonic_time ();
  g_clear_handle_id (&run->stop.timeout_timer, g_source_remove);
  g_clear_handle_id (&run->stop.timer, g_source_remove);
  pp_infrastructure_call_cancel (g_steal_pointer (&run->watch.call));
  pp_infrastructure_call_cancel (g_steal_pointer (&run->stop.look_call));
  /* The read for startup_timeout_seconds is of no use any more. */
  pp_state_read_cancel (g_steal_pointer (&run->state_read));
  pp_api_call_cancel (g_steal_pointer (&run->api_call));
  pp_flow_run_forget_claim_check (run);
  pp_output_finish (run->output);
  /* An earlier worker may have been killed before its start was answered. */
  run->end.start_interrupted
      = run->start.is_interrupted || (run->recovered && !run->journal.was_followed);
  /* A late request of the earlier worker may have set another container's id since. */
  if (run->replaced_container_id != NULL)
    pp_flow_run_tell_pid (run);
  pp_flow_run_emit (run, run->words->ended_event);
  pp_flow_run_explain_end (run);
  if (run->report.retry_scheduled)
    pp_flow_run_reschedule (run);
  else if (run->stop_reason == PP_STOP_BEGUN_AGAIN && !run->worker_reported)
    pp_flow_run_check_claim (run, read_state_unless_claimed_again);
  else if (pp_flow_run_is_over_on_server (run))
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
  else if (!run->worker_reported && pp_flow_run_is_timed_out (run))
    report_startup_timeout (run); /* even if cancelled since */
  else if (!run->worker_reported || pp_flow_run_is_cancelled (run))
    read_state (run);
  else if (!run->end_known && run->stop_reason != PP_STOP_TIMEOUT)
    pp_flow_run_report_vanished (run);
  else
    report_by_worker (run);
}
