/* SPDX-License-Identifier: Apache-2.0 */
/* Decides why a flow run is stopped before its own end, from its state on the server. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

void
pp_flow_run_stop_because (PpFlowRun *run, PpStopReason reason)
{
  if (reason == PP_STOP_CANCELLED && run->stop_reason == PP_STOP_TIMEOUT)
    reason = PP_STOP_CANCELLED_AFTER_TIMEOUT;
  run->stop_reason = MAX (run->stop_reason, reason);
}

gboolean
pp_flow_run_is_cancelled (const PpFlowRun *run)
{
  return run->stop_reason == PP_STOP_CANCELLED
         || run->stop_reason == PP_STOP_CANCELLED_AFTER_TIMEOUT;
}

gboolean
pp_flow_run_is_being_stopped (const PpFlowRun *run)
{
  return run->stop_reason != PP_STOP_NONE;
}

gboolean
pp_flow_run_is_timed_out (const PpFlowRun *run)
{
  return run->stop_reason == PP_STOP_TIMEOUT || run->stop_reason == PP_STOP_CANCELLED_AFTER_TIMEOUT;
}

gboolean
pp_flow_run_is_over_on_server (const PpFlowRun *run)
{
  return run->stop_reason >= PP_STOP_ENDED;
}

/* True if RUN is started and its final state must still be reported. */
static gboolean
is_followed_for_server (const PpFlowRun *run)
{
  return run->state == PP_FLOW_RUN_STARTED && !pp_flow_run_is_over_on_server (run);
}

/* Stops and removes the container of a run that is over on the server. Nothing is reported. */
static void
stop_and_remove (PpFlowRun *run, PpStopReason reason)
{
  pp_flow_run_stop_because (run, reason);
  run->auto_remove = TRUE;
  pp_flow_run_stop_container_in (run, 0);
}

static void
stop_if_claimed_again (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder != PP_CLAIM_LOST || !is_followed_for_server (run))
    return;
  g_message ("Another worker has claimed flow run '%s' (%s) again: %s is stopped", run->name,
             run->id, run->label);
  stop_and_remove (run, PP_STOP_BEGUN_AGAIN);
}

/* Records STATE, from the server, in watch.state_seen. Returns TRUE if it is another state than
 * before. */
static gboolean
remember_state (PpFlowRun *run, const json_t *state)
{
  const char *id = pp_json_string (state, "id");

  if (id != NULL && g_strcmp0 (id, run->watch.state_seen) == 0)
    return FALSE;
  g_free (run->watch.state_seen);
  run->watch.state_seen = g_strdup (id);
  return TRUE;
}

static void
on_looked (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  run->watch.server_read = NULL;
  if (!is_followed_for_server (run))
    return;
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      g_message ("Flow run '%s' (%s) was deleted on the server: %s is stopped", run->name, run->id,
                 run->label);
      stop_and_remove (run, PP_STOP_DELETED);
    }
  /* Another worker, or Prefect inside a container, has set this state. */
  else if ((g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0)
           && !pp_flow_run_is_own_state (run, state) && run->claim_check.call == NULL
           && remember_state (run, state))
    pp_flow_run_check_claim (run, stop_if_claimed_again);
}

/* Stops RUN because of WHAT was done to it on the server. */
static void
stop_ended_by_hand (PpFlowRun *run, const char *what)
{
  if (!is_followed_for_server (run))
    return;
  pp_flow_run_log (run, PP_LOG_INFO,
                   "Flow run '%s' was %s on the server, not by this worker: %s is stopped",
                   run->name, what, run->label);
  stop_and_remove (run, PP_STOP_ENDED);
}

static void
stop_unless_ended_by_prefect (PpFlowRun *run, PpClaimHolder holder)
{
  run->stop.prefect_ended = holder == PP_CLAIM_PREFECT;
  if (!run->stop.prefect_ended)
    stop_ended_by_hand (run, "ended");
}

/* True if STATE, a final state, may have been reported by Prefect inside the container. Prefect's
 * client gives each state an id. A state set in the UI has none. */
static gboolean
may_be_reported_by_prefect (const json_t *state)
{
  const char *type = pp_json_string (state, "type");

  return (g_str_equal (type, "COMPLETED") || g_str_equal (type, "FAILED"))
         && pp_state_transition_id (state) != NULL;
}

/* Kills RUN's container. Prefect inside it reports the states, and RUN is SCHEDULED for another
 * attempt. If the container went on, another worker could begin that attempt beside it, and this
 * worker could begin it only after the container's end. */
static void
kill_for_another_attempt (PpFlowRun *run)
{
  pp_flow_run_log (run, PP_LOG_INFO,
                   "Flow run '%s' was scheduled for another attempt, but the %s of this attempt "
                   "still runs. The worker kills it",
                   run->name, run->words->job);
  stop_and_remove (run, PP_STOP_BEGUN_AGAIN);
}

/* True if FLOW_RUN's SCHEDULED state may come from inside RUN's container. The container then ends
 * by itself soon, so it gets PP_PREFECT_GRACE_SECONDS. There are two cases. Prefect has suspended
 * the run, and somebody has resumed it. Or a client of Prefect has set the state: clients give a
 * state a transition id, the UI does not. */
static gboolean
may_end_by_itself (PpFlowRun *run, const json_t *flow_run)
{
  const json_t *state = json_object_get (flow_run, "state");
  const json_t *policy = json_object_get (flow_run, "empirical_policy");
  const char *id = pp_json_string (state, "id");
  gint64 now = g_get_monotonic_time ();
  /* If no poll takes the run in time, the server replaces the state by one without a transition
   * id. */
  gboolean is_late
      = run->watch.scheduled_id != NULL && g_strcmp0 (pp_json_string (state, "name"), "Late") == 0;

  if (pp_state_transition_id (state) == NULL && !is_late
      && !json_is_true (json_object_get (policy, "resuming")))
    return FALSE;
  if (!is_late && g_strcmp0 (id, run->watch.scheduled_id) != 0)
    {
      g_free (run->watch.scheduled_id);
      run->watch.scheduled_id = g_strdup (id);
      run->watch.scheduled_at = now;
    }
  return now - run->watch.scheduled_at < PP_PREFECT_GRACE_SECONDS * G_USEC_PER_SEC;
}

/* Stops RUN, whose states Prefect reports, if FLOW_RUN is SCHEDULED for another attempt. A server
 * without "retry_type" does not say whether Prefect inside the container waits for a retry. */
static void
stop_for_another_attempt (PpFlowRun *run, const json_t *flow_run)
{
  const json_t *policy = json_object_get (flow_run, "empirical_policy");

  if (pp_flow_run_state_is_scheduled (json_object_get (flow_run, "state"))
      && json_object_get (policy, "retry_type") != NULL && !may_end_by_itself (run, flow_run))
    kill_for_another_attempt (run);
}

/* Stops RUN if it was retried by hand, and not by Prefect inside its container. The server's polls
 * skip RUN because of an earlier retry inside the container. So the worker returns RUN to the polls
 * after the container's end. */
static void
stop_if_retried_by_hand (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder == PP_CLAIM_LOST || !run->claim_check.is_retried_by_hand
      || run->state != PP_FLOW_RUN_STARTED || !pp_flow_run_may_be_ended (run))
    return;
  if (!run->worker_reported)
    {
      kill_for_another_attempt (run);
      return;
    }
  run->report.retry_scheduled = TRUE;
  stop_ended_by_hand (run, "scheduled again");
}

/* Handles a RUN that, according to FLOW_RUN, waits in its container for a retry. This may be wrong:
 * the server remembers that Prefect inside has retried the run once, even if somebody later ends
 * the run and retries it with force, as `prefect flow-run retry` does. The run's states show the
 * difference. */
static void
check_retry (PpFlowRun *run, const json_t *flow_run)
{
  if (is_followed_for_server (run) && run->claim_check.call == NULL
      && !may_end_by_itself (run, flow_run)
      && remember_state (run, json_object_get (flow_run, "state")))
    pp_flow_run_check_claim (run, stop_if_retried_by_hand);
}

/* Stops RUN because of the state of FLOW_RUN (final or SCHEDULED): RUN's own report would overwrite
 * what a user has set. If Prefect inside the container may have reported that state, checks the
 * claim first. If Prefect did, RUN is not stopped: Prefect still runs its hooks, and the command
 * may have more to do. */
static void
see_to_end (PpFlowRun *run, const json_t *flow_run)
{
  const json_t *state = json_object_get (flow_run, "state");

  if (run->state != PP_FLOW_RUN_STARTED || run->report.retry_scheduled)
    return;
  if (!run->worker_reported)
    stop_for_another_attempt (run, flow_run);
  else if (!may_be_reported_by_prefect (state))
    stop_ended_by_hand (run, pp_flow_run_state_is_scheduled (state) ? "scheduled again" : "ended");
  else if (!run->stop.prefect_ended
           && (run->claim_check.call == NULL
               || run->claim_check.known != stop_unless_ended_by_prefect))
    pp_flow_run_check_claim (run, stop_unless_ended_by_prefect);
}

/* True if FLOW_RUN, an object of the API, is in a state that ends the current attempt. If only the
 * run's states could be read, FLOW_RUN has no empirical_policy. SCHEDULED then counts as no end,
 * because Prefect inside the container may be waiting for this retry. */
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

void
pp_flow_run_end_as_told (PpFlowRun *run, const json_t *flow_run, gint64 asked_at)
{
  const json_t *state = json_object_get (flow_run, "state");
  const char *type = pp_json_string (state, "type");

  if (!is_told_to_end (flow_run) || !pp_flow_run_may_be_ended (run) || run->claimed_at > asked_at
      || pp_flow_run_is_late_word (run, state))
    return;
  if (pp_flow_run_waits_in_container (flow_run))
    check_retry (run, flow_run);
  else if (g_str_has_prefix (type, "CANCELL"))
    pp_flow_run_cancel (run);
  else
    see_to_end (run, flow_run);
}

void
pp_flow_run_look (PpFlowRun *run)
{
  /* Before the start and at the end, the run's own calls detect a new claim or a deletion. */
  if (is_followed_for_server (run) && run->watch.server_read == NULL)
    run->watch.server_read = pp_state_reader_read (run->context->states, run->id, on_looked, run);
}

gboolean
pp_flow_run_may_be_ended (const PpFlowRun *run)
{
  return run->stop_reason <= PP_STOP_TIMEOUT && run->state >= PP_FLOW_RUN_PENDING
         && run->state <= PP_FLOW_RUN_STARTED && run->failure == NULL;
}

void
pp_flow_run_stop_cancelled (PpFlowRun *run)
{
  pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' is being cancelled: %s is stopped%s", run->name,
                   run->label, run->worker_reported ? "" : " unless Prefect inside ends it first");
  pp_flow_run_stop_container_in (run, run->worker_reported ? 0 : PP_PREFECT_GRACE_SECONDS);
}

void
pp_flow_run_cancel (PpFlowRun *run)
{
  if (!pp_flow_run_may_be_ended (run))
    return;
  pp_flow_run_stop_because (run, PP_STOP_CANCELLED);
  if (run->state == PP_FLOW_RUN_STARTED)
    {
      pp_flow_run_stop_cancelled (run);
      return;
    }
  /* Wait for a call that creates or starts the container, and for the check of its result. Both
   * check pp_flow_run_is_cancelled() at their end. */
  if ((run->engine_call != NULL && !run->pulling) || run->started_once)
    return;
  if (run->api_call != NULL)
    pp_flow_run_expect_late (run);
  pp_infrastructure_call_cancel (g_steal_pointer (&run->engine_call));
  pp_api_call_cancel (g_steal_pointer (&run->api_call));
  pp_flow_run_forget_claim_check (run);
  pp_flow_run_forget_history (run);
  pp_state_read_cancel (g_steal_pointer (&run->state_read));
  g_clear_pointer (&run->resolve.call, pp_resolve_call_cancel);
  g_clear_handle_id (&run->timer, g_source_remove);
  pp_flow_run_report_cancelled (run);
}
