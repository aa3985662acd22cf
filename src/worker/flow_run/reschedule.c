/* SPDX-License-Identifier: Apache-2.0 */
/* Handles a run with retries left, which the server has set to AwaitingRetry instead of FAILED. The
 * server assumes that whoever reports FAILED waits and runs the flow again (RetryFailedFlows:
 * retry_type "in_process"), so its polls skip such runs. But this worker creates a new container
 * for each attempt. It therefore returns the run to the poll, for any worker with a free slot. The
 * server also keeps the run's slot of a deployment's concurrency limit
 * (ReleaseFlowConcurrencySlots), because it expects the retry in the same container. The next
 * attempt needs the slot, so this worker gives it back first. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* The delay until the next request to a server that refused the last one. */
#define ASK_AGAIN_MS 15000
/* Warn after this many failed attempts to change the run. */
#define SAY_REFUSED 3

void
pp_flow_run_on_unread (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again)
{
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      g_message (
          "Flow run '%s' (%s) was deleted on the server before this worker was finished with it",
          run->name, run->id);
      pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
      return;
    }
  if (run->retries++ == 0)
    g_warning ("Could not read or change flow run '%s' (%s) at its end; the worker asks the server "
               "again every %d s: %s",
               run->name, run->id, ASK_AGAIN_MS / 1000, error->message);
  /* The server may fail for this run forever. */
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
      && ++run->report.changes < SAY_REFUSED)
    pp_flow_run_after (run, pp_api_rest_ms (run->context->api, pp_look_delay (run->report.changes)),
                       pp_flow_run_reschedule);
  else if (error != NULL)
    pp_flow_run_on_unread (run, error, pp_flow_run_reschedule);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}

/* FLOW_RUN is the run as read from the server. Its queue is null after the queue or the pool was
 * deleted, also if there is a new one of the same name. */
static void
log_retry (PpFlowRun *run, const json_t *flow_run)
{
  if (json_is_null (json_object_get (flow_run, "work_queue_id")))
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "Flow run '%s' waits for its retry, but its work queue was deleted on the "
                     "server, so no worker will pick the run up. Deploy its deployment again, "
                     "which puts it into a queue, and then start a new run of it",
                     run->name);
  else
    pp_flow_run_log (run, PP_LOG_INFO, "Flow run '%s' will be picked up by a poll for its retry",
                     run->name);
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
  /* The run may have been ended or begun again since. */
  if (!pp_flow_run_waits_in_container (body))
    {
      pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
      return;
    }
  if (!run->report.is_rescheduled)
    log_retry (run, body);
  run->report.is_rescheduled = TRUE;
  json_object_set_new (changed, "retry_type", json_string ("reschedule"));
  run->api_call = pp_flow_run_update_empirical_policy (run->context->api, run->id, changed,
                                                       on_rescheduled, run);
}

static void
on_released (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)body;
  run->api_call = NULL;
  if (error != NULL)
    g_warning ("The concurrency slot of flow run '%s' (%s) could not be given back; the server "
               "frees it when its lease expires: %s",
               run->name, run->id, error->message);
  pp_flow_run_reschedule (run);
}

/* Reads the run before each change of its policy. A change that is repeated blindly would also
 * apply to an attempt that has begun since. */
void
pp_flow_run_reschedule (PpFlowRun *run)
{
  if (run->lease != NULL)
    {
      run->api_call = pp_concurrency_lease_release (run->context->api, pp_lease_id (run->lease),
                                                    on_released, run);
      g_clear_pointer (&run->lease, pp_lease_free);
      return;
    }
  run->api_call = pp_flow_run_read (run->context->api, run->id, PP_API_PERSIST_UNLESS_TOLD,
                                    on_policy_read, run);
}
