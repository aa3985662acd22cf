/* SPDX-License-Identifier: Apache-2.0 */
/* A run that has retries left was set to AwaitingRetry instead of FAILED. The server takes it for
 * granted that whoever says FAILED waits and runs it again (RetryFailedFlows: retry_type
 * "in_process"), and its polls pass such runs over. A container is made anew: the run is to come
 * back through the poll, to whichever worker has a place for it. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* A server that refuses is asked again after this. */
#define ASK_AGAIN_MS 15000
/* That a change is not taken is said at this try. */
#define SAY_REFUSED 3

void
pp_flow_run_on_unread (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again)
{
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      g_message ("Flow run '%s' (%s) was deleted on the server before its end was settled",
                 run->name, run->id);
      pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
      return;
    }
  if (run->retries++ == 0)
    g_warning ("The end of flow run '%s' (%s) waits, its state cannot be read or changed; the "
               "server is asked again every %d s: %s",
               run->name, run->id, ASK_AGAIN_MS / 1000, error->message);
  /* The server may fail at this run for ever. */
  pp_flow_run_free_slot (run);
  pp_flow_run_after (run, ASK_AGAIN_MS, again);
}

static void
on_rescheduled (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)body;
  run->api_call = NULL;
  if (error != NULL && pp_api_may_try_again (run->context->api, error)
      && ++run->report.unanswered < SAY_REFUSED)
    pp_flow_run_after (run,
                       pp_api_rest_ms (run->context->api, pp_look_delay (run->report.unanswered)),
                       pp_flow_run_reschedule);
  else if (error != NULL)
    pp_flow_run_on_unread (run, error, pp_flow_run_reschedule);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}

static void
on_policy_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *policy = json_object_get (body, "empirical_policy");
  json_auto_t *changed = json_is_object (policy) ? json_deep_copy (policy) : json_object ();

  run->api_call = NULL;
  if (error != NULL)
    {
      pp_flow_run_on_unread (run, error, pp_flow_run_reschedule);
      return;
    }
  /* It may have been ended, or begun again, since. */
  if (!pp_flow_run_waits_in_container (body))
    {
      pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
      return;
    }
  if (!run->report.is_rescheduled)
    pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' comes by the poll again for its retry",
                     run->name);
  run->report.is_rescheduled = TRUE;
  json_object_set_new (changed, "retry_type", json_string ("reschedule"));
  run->api_call = pp_flow_run_update_empirical_policy (run->context->api, run->id, changed,
                                                       on_rescheduled, run);
}

/* Read before each change of its policy: a change that was made blindly again would hold for what
 * came in between. */
void
pp_flow_run_reschedule (PpFlowRun *run)
{
  run->api_call = pp_flow_run_read (run->context->api, run->id, PP_API_PERSIST_UNLESS_TOLD,
                                    on_policy_read, run);
}
