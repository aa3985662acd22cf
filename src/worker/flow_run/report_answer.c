/* SPDX-License-Identifier: Apache-2.0 */
/* Handles the server's answer to a proposed final state. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"

/* If the server accepts a run's end within this time after the run was read, the worker assumes
 * that nobody has changed the run in between. */
#define QUICK_US (300 * 1000)
/* A lease that is not renewed any more has ended after this time. */
#define LEASE_END_US (6 * 60 * G_USEC_PER_SEC)

static gboolean
is_cancelling (const json_t *state)
{
  return g_strcmp0 (pp_json_string (state, "type"), "CANCELLING") == 0;
}

/* True if RESULT shows that the final state need not be proposed again. A run that stays RUNNING,
 * for example, is not settled: no rule of the server answers a final state in this way. */
static gboolean
is_settled (const PpSetStateResult *result)
{
  return !pp_set_state_is_open (result) && !pp_flow_run_state_is_left_behind (result->state);
}

/* Called with the deployment of a run that holds a slot of its concurrency limit. */
static void
on_limit_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *limit = json_object_get (body, "global_concurrency_limit");

  run->report.limit_call = NULL;
  if (run->lease == NULL
      || (error != NULL ? !g_error_matches (error, PP_API_ERROR, 404)
                        : !json_is_null (limit) && !pp_lease_is_older (run->lease, limit)))
    return;
  g_clear_pointer (&run->lease, pp_lease_free);
  run->report.barred_until = g_get_monotonic_time () + LEASE_END_US;
  run->report.is_refused = FALSE;
  run->report.refusals = 0;
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "The worker no longer renews the lease of the concurrency slot of flow run "
                   "'%s', because its deployment has lost the concurrency limit. While there is a "
                   "lease, the server refuses the run's final state. The lease ends within 5 "
                   "minutes",
                   run->name);
}

/* Lets the lease of the run's concurrency slot expire, if the server fails at the final state with
 * ERROR and the limit of the run's deployment was deleted: Prefect's server then answers 500 to
 * each final state as long as there is a lease (_release_concurrency_lease in
 * server/orchestration/core_policy.py). If the limit is still there, the lease must not expire: the
 * server would free the slot then, and once more at the run's end. */
static void
look_for_lost_limit (PpFlowRun *run, const GError *error)
{
  if (run->lease != NULL && run->report.limit_call == NULL && run->deployment_id != NULL
      && g_error_matches (error, PP_API_ERROR, 500))
    run->report.limit_call
        = pp_deployment_read (run->context->api, run->deployment_id, on_limit_read, run);
}

/* Proposes the final state again later, because of ERROR, or because RESULT does not settle it. */
static void
report_again (PpFlowRun *run, const PpSetStateResult *result, const GError *error)
{
  gint64 now = g_get_monotonic_time ();
  const char *reason = error != NULL            ? error->message
                       : result->reason != NULL ? result->reason
                                                : "the server gives no reason";

  if (error != NULL)
    pp_flow_run_expect_late (run);
  pp_flow_run_note_refusal (run, error);
  if (++run->report.unanswered == PP_SAY_UNREPORTED)
    g_warning ("Could not report the final state of flow run '%s' (%s); retrying until the "
               "server accepts it: %s",
               run->name, run->id, reason);
  if (run->report.unanswered >= PP_SAY_UNREPORTED)
    look_for_lost_limit (run, error);
  run->report.look_until = now + pp_look_time (now - run->report.sent_at);
  pp_flow_run_write_report (run);
  pp_flow_run_after (run,
                     pp_api_rest_ms (run->context->api, pp_look_delay (run->report.unanswered)),
                     pp_flow_run_look_before_report);
}

static void
log_answer (PpFlowRun *run, const PpSetStateResult *result)
{
  const json_t *state = result != NULL ? result->state : NULL;
  const char *name = pp_json_string (state, "name");

  if (result == NULL)
    g_message ("Flow run '%s' was deleted on the server before its end could be reported", run->id);
  else if (result->status == PP_SET_STATE_REJECT)
    pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' is now %s: %s", run->name,
                     name != NULL ? name : pp_json_string (state, "type"),
                     result->reason != NULL ? result->reason : "the server decided so");
  else if (result->status == PP_SET_STATE_ABORT)
    g_debug ("Flow run %s keeps its state: %s", run->id,
             result->reason != NULL ? result->reason : "");
}

void
pp_flow_run_on_end_answered (const PpSetStateResult *result, const GError *error,
                             gpointer user_data)
{
  PpFlowRun *run = user_data;
  gboolean is_rejected = result != NULL && result->status == PP_SET_STATE_REJECT;

  pp_failpoint ("answered", "end");
  run->api_call = NULL;
  if (pp_flow_run_drop_invalid_message (run, error))
    {
      pp_flow_run_look_before_report (run);
      return;
    }
  if ((error != NULL && !g_error_matches (error, PP_API_ERROR, 404))
      || (result != NULL && !is_settled (result)))
    {
      report_again (run, result, error);
      return;
    }
  if (is_rejected && is_cancelling (result->state) && !run->report.cancel_reported)
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  run->report.is_slow = result != NULL && result->status == PP_SET_STATE_ACCEPT
                        && g_get_monotonic_time () - run->report.read_at > QUICK_US;
  log_answer (run, result);
  if (is_rejected && pp_flow_run_state_is_scheduled (result->state))
    pp_flow_run_reschedule (run);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}
