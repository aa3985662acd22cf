/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a container: at its scheduled time, with the server's permission, and only once. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/infrastructure/capabilities.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

#include "worker/failpoint-private.h"

/* An answer that took longer than this may be the answer to a repeated call. The earlier call may
 * still be carried out. */
#define SOON_US G_USEC_PER_SEC
/* Warn in the run's log after this many unanswered proposals of RUNNING. */
#define SAY_UNANSWERED 3
/* After this many failed removals, the worker gives up removing an unstarted container. */
#define MAX_REMOVALS 5

static void look_before_running (PpFlowRun *run);
static void start_container (PpFlowRun *run);
static void look_before_start (PpFlowRun *run);
static void remove_unstarted (PpFlowRun *run);
static void on_started (const GError *error, gpointer user_data);

static void
on_pid_updated (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)body;
  run->pid.call = NULL;
  if (error != NULL || g_get_monotonic_time () - run->pid.sent_at > SOON_US)
    pp_flow_run_expect_late (run);
  if (error != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "infrastructure_pid of flow run '%s' could not be set: %s", run->id,
                     error->message);
  if (run->state != PP_FLOW_RUN_REPORTED)
    return;
  /* The cleanup waits for this answer; stop its timer. */
  if (run->cleanup.logs_safe)
    g_clear_handle_id (&run->timer, g_source_remove);
  pp_flow_run_go_on (run);
}

/* A start without an answer may be carried out later, even after another request has started the
 * container and the container has ended. Its program would then run again. So a container that has
 * not run is removed, without force, and created anew: the late start finds nothing. When the
 * runtime has created a container, Podman first records "initialized" and then runs the container.
 * So an "initialized" container may already be running, and the worker repeats its start. If the
 * runtime refuses because the container runs, the worker follows the container. A container that
 * somebody removed before its start (`podman container prune`) is also created anew. */

static void
look_again_before_start (PpFlowRun *run)
{
  pp_flow_run_after (run, PP_LOOK_AGAIN_MS, look_before_start);
}

static void
on_unstarted_removed (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  g_autoptr (GError) refusal = NULL;

  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      pp_flow_run_ask_again (run, error, remove_unstarted);
      return;
    }
  run->silence.since = 0;
  /* The engine refuses to remove a container that runs by now. */
  if (error != NULL && run->start.removals++ < MAX_REMOVALS)
    {
      pp_flow_run_write_down (run, PP_JOURNAL_STARTING, look_again_before_start);
      return;
    }
  if (error != NULL)
    g_warning ("%s was never started, but could not be removed: %s", run->first_label,
               error->message);
  run->started_once = FALSE;
  run->start.is_interrupted = FALSE;
  refusal = g_steal_pointer (&run->refusal);
  if (pp_flow_run_is_cancelled (run))
    pp_flow_run_report_cancelled (run);
  else if (refusal != NULL)
    pp_flow_run_fail_submission (run, refusal->message);
  else
    {
      g_free (run->replaced_container_id);
      run->replaced_container_id = g_steal_pointer (&run->container_id);
      run->start.retries = run->retries;
      pp_flow_run_move (run, PP_FLOW_RUN_SUBMITTING);
    }
}

static void
remove_unstarted (PpFlowRun *run)
{
  run->engine_call = pp_infrastructure_remove_unstarted (
      run->context->infrastructure, run->container_id, on_unstarted_removed, run);
}

static void
on_looked_after_refusal (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  g_autoptr (GError) refusal = g_steal_pointer (&run->refusal);
  gboolean gone
      = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND);

  run->engine_call = NULL;
  if (job != NULL && job->status.phase == PP_JOB_READY)
    {
      pp_flow_run_log (run, PP_LOG_WARNING,
                       "The start of %s was interrupted. The worker does not know if it runs, and "
                       "follows it: %s",
                       run->label, refusal->message);
      on_started (NULL, run);
      return;
    }
  if (gone ? !run->start.is_interrupted : job != NULL && job->status.never_started)
    run->started_once = FALSE;
  if (!gone || run->start.is_interrupted || pp_flow_run_is_cancelled (run)
      || run->start.is_made_anew)
    {
      pp_flow_run_retry_or_fail (run, refusal, look_before_start);
      return;
    }
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "%s was removed before its start. The worker creates it again: %s",
                   run->first_label, refusal->message);
  run->start.is_made_anew = TRUE;
  pp_flow_run_write_down (run, PP_JOURNAL_CLAIMED, remove_unstarted);
}

static void
on_start_failed (PpFlowRun *run, const GError *error)
{
  PpCapabilities capabilities = pp_infrastructure_capabilities (run->context->infrastructure);
  gboolean no_answer
      = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);

  if (no_answer
      && (pp_flow_run_is_cancelled (run) || run->retries >= run->policy->infrastructure_retries))
    {
      run->refusal = g_error_copy (error);
      pp_flow_run_after (run, PP_LOOK_AGAIN_MS, look_before_start);
    }
  else if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
           || (!no_answer && run->start.is_interrupted && capabilities.refuses_interrupted_start))
    {
      run->refusal = g_error_copy (error);
      run->engine_call = pp_infrastructure_inspect (run->context->infrastructure, run->container_id,
                                                    on_looked_after_refusal, run);
    }
  else
    pp_flow_run_retry_or_fail (run, error, look_before_start);
  run->start.is_interrupted = run->start.is_interrupted || no_answer;
}

static void
on_started (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "started");
  run->engine_call = NULL;
  if (error != NULL)
    {
      on_start_failed (run, error);
      return;
    }
  pp_flow_run_move (run, PP_FLOW_RUN_STARTED);
  if (pp_flow_run_is_cancelled (run))
    pp_flow_run_stop_container_in (run, 0);
  else if (g_get_monotonic_time () - run->start.sent_at > SOON_US)
    pp_flow_run_look (run); /* another worker may have begun it meanwhile */
}

/* Starts the container once more, even without retries left: it may wait for its start, and would
 * wait forever. */
static void
start_initialized (PpFlowRun *run)
{
  g_autoptr (GError) refusal = g_steal_pointer (&run->refusal);

  if (refusal != NULL)
    pp_flow_run_ask_again (run, refusal, start_container);
  else
    start_container (run);
}

/* A start whose answer was lost may have succeeded. A container that has run must not run again,
 * and a container that runs must not count as failed to start. */

static void
on_looked_before_start (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  if (!pp_flow_run_is_inspected (run, error, look_before_start))
    return;
  if (error != NULL) /* it is gone */
    {
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
  if (job->status.phase == PP_JOB_READY && !pp_flow_run_is_cancelled (run))
    {
      start_initialized (run);
      return;
    }
  run->silence.since = 0;
  /* A requested removal may still be carried out. */
  if (!job->status.never_started && run->start.removals > 0)
    pp_flow_run_keep_container (run);
  if (!job->status.never_started)
    on_started (NULL, run);
  else
    {
      if (!pp_flow_run_is_cancelled (run) && run->refusal == NULL)
        pp_flow_run_log (run, PP_LOG_WARNING,
                         "%s has not been started. The request to start it got no answer and may "
                         "still be carried out late. The worker creates it again",
                         run->first_label);
      pp_flow_run_write_down (run, PP_JOURNAL_CLAIMED, remove_unstarted);
    }
}

static void
look_before_start (PpFlowRun *run)
{
  pp_flow_run_inspect (run, on_looked_before_start);
}

void
pp_flow_run_drop_pid (PpFlowRun *run)
{
  if (run->pid.call == NULL)
    return;
  pp_api_call_cancel (g_steal_pointer (&run->pid.call));
  pp_flow_run_expect_late (run);
}

void
pp_flow_run_tell_pid (PpFlowRun *run)
{
  g_autofree char *pid = pp_infrastructure_pid (run->context->infrastructure, run->container_id);

  pp_flow_run_drop_pid (run);
  run->pid.sent_at = g_get_monotonic_time ();
  run->pid.call = pp_flow_run_update_infrastructure_pid (run->context->api, run->id, pid,
                                                         on_pid_updated, run);
}

static void
start_container (PpFlowRun *run)
{
  if (!run->started_once)
    pp_flow_run_tell_pid (run);
  run->started_once = TRUE;
  run->retries = MAX (run->retries, run->start.retries);
  run->start.sent_at = g_get_monotonic_time ();
  run->engine_call
      = pp_infrastructure_start (run->context->infrastructure, run->container_id, on_started, run);
}

/* Starts RUN after a request that the server may have carried out late. Before or after the server
 * did so, a user may have ended the run, or another worker may have begun it. */
static void
check_and_start (PpFlowRun *run)
{
  pp_flow_run_check_history (run, start_container);
}

/* Handles a STATE on the server with which RUN must not be started. */
static void
on_not_running (PpFlowRun *run, const json_t *state, const char *reason)
{
  if (g_strcmp0 (pp_json_string (state, "type"), "CANCELLING") == 0)
    {
      pp_flow_run_stop_because (run, PP_STOP_CANCELLED);
      pp_flow_run_report_cancelled (run);
      return;
    }
  pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' is not started: the server says %s", run->id,
                   reason != NULL ? reason : "no");
  pp_flow_run_drop (run);
}

/* Proposes RUNNING again later, because of REASON. */
static void
ask_again_for_running (PpFlowRun *run, const char *reason)
{
  if (run->retries + 1 == SAY_UNANSWERED)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "Flow run '%s' is not started yet, because the server has not set it to "
                     "Running: %s. The worker keeps asking",
                     run->name, reason);
  pp_flow_run_after (run, pp_api_rest_ms (run->context->api, pp_look_delay (++run->retries)),
                     look_before_running);
}

static void
on_running_answered (PpFlowRun *run, const PpSetStateResult *result)
{
  switch (result->status)
    {
    case PP_SET_STATE_ACCEPT:
      pp_flow_run_take_lease (run, result->state);
      run->retries = 0;
      if (g_get_monotonic_time () - run->start.sent_at > SOON_US)
        check_and_start (run);
      else
        start_container (run);
      return;
    case PP_SET_STATE_WAIT:
      pp_flow_run_after (run, (guint)(CLAMP (result->delay_seconds, 0.1, 3600) * 1000),
                         look_before_running);
      return;
    case PP_SET_STATE_ABORT:
    case PP_SET_STATE_REJECT:
      if (pp_set_state_is_open (result))
        ask_again_for_running (run, result->reason != NULL ? result->reason
                                                           : "it could not store the state");
      else
        on_not_running (run, result->state, result->reason);
      return;
    }
}

static void
on_running (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("answered", "RUNNING");
  run->api_call = NULL;
  if (error == NULL)
    on_running_answered (run, result);
  else if (pp_api_may_try_again (run->context->api, error))
    {
      pp_flow_run_expect_late (run);
      ask_again_for_running (run, error->message);
    }
  else
    {
      pp_flow_run_log (run, PP_LOG_ERROR,
                       "Flow run '%s' could not be set to Running and is not started: %s", run->id,
                       error->message);
      pp_flow_run_fail_submission (run, error->message);
    }
}

static void
propose_running (PpFlowRun *run)
{
  run->start.sent_at = g_get_monotonic_time ();
  run->api_call = pp_flow_run_set_state (run->context->api, run->id, run->transitions.running,
                                         "RUNNING", NULL, NULL, FALSE, PP_API_TRY, on_running, run);
}

static void
write_start_down (PpFlowRun *run, PpFlowRunNextFunc next)
{
  run->started_time = g_get_real_time ();
  run->started_uptime = pp_uptime ();
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, next);
}

static void
announce_start (PpFlowRun *run)
{
  if (run->worker_reported)
    write_start_down (run, propose_running);
  else
    write_start_down (run, run->submitting.is_slow ? check_and_start : start_container);
}

/* Starts RUN, which the server has already set to STATE: the RUNNING that this worker or an earlier
 * one proposed. */
static void
go_on_running (PpFlowRun *run, const json_t *state)
{
  pp_flow_run_take_lease (run, state);
  run->retries = 0;
  write_start_down (run, check_and_start);
}

/* Begins RUN, unless another worker has claimed it since. If a user has forced RUN's state after
 * our claim, no poll returns RUN, so only this worker can start it. */
static void
start_unless_claimed_again (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder != PP_CLAIM_LOST && run->claim_check.has_own_state)
    announce_start (run);
  else
    on_not_running (run, NULL, "another worker has claimed it");
}

static gboolean
is_pending_or_running (const json_t *state)
{
  const char *type = pp_json_string (state, "type");

  return g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0;
}

/* True if the server has accepted RUNNING, though its answer was lost or came too late. */
static gboolean
is_own_running (const PpFlowRun *run, const json_t *state)
{
  const char *id = pp_state_transition_id (state);

  return run->worker_reported && g_strcmp0 (pp_json_string (state, "type"), "RUNNING") == 0
         && pp_is_same_transition (id, run->transitions.running);
}

static void
on_state_before_start (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  g_autofree char *reason = NULL;

  run->state_read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    reason = g_strdup ("it was deleted");
  else if (error == NULL && !is_pending_or_running (state)
           && !pp_flow_run_is_late_word (run, state))
    reason = g_strdup_printf ("it is %s", pp_json_string (state, "name"));
  if (reason != NULL)
    on_not_running (run, state, reason);
  else if (is_own_running (run, state))
    go_on_running (run, state);
  else if (error == NULL && !pp_flow_run_may_be_own_state (run, state)
           && !pp_flow_run_is_late_word (run, state))
    pp_flow_run_check_claim (run, start_unless_claimed_again);
  else
    announce_start (run);
}

/* Reads the run before RUNNING is proposed, and before the start: a user or another worker may have
 * ended it meanwhile, and the server accepts RUNNING after a final state. */
static void
look_before_running (PpFlowRun *run)
{
  run->state_read
      = pp_state_reader_read (run->context->states, run->id, on_state_before_start, run);
}

void
pp_flow_run_enter_created (PpFlowRun *run)
{
  gint64 early = run->scheduled_time - g_get_real_time ();

  /* on_submitting() makes the run go on. */
  if (run->submitting.call != NULL)
    return;
  /* The run was prefetched: everything is ready, but its scheduled time has not come. */
  if (early > 0)
    pp_flow_run_after (run, (guint)MIN (early / 1000 + 1, G_MAXINT), pp_flow_run_go_on);
  else
    look_before_running (run);
}
