/* Ending a container before its own end: a time-out, a cancellation. */
#include "flow_run_private.h"

#include "prefect-podman/prefect/resources.h"

/* A container that could not be stopped is told again after so many seconds. */
#define STOP_AGAIN_SECONDS 15
/* timeout_seconds: what is longer than 30 years counts as that. */
#define MAX_TIMEOUT_SECONDS 1e9

/* A container whose time is up is asked for again after so many seconds, when the engine is away.
 */
#define LOOK_SECONDS 5

static void stop_container (PpFlowRun *run);

static gboolean
on_stop_timer (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop_timer = 0;
  stop_container (run);
  return G_SOURCE_REMOVE;
}

/* Podman does not stop what is paused. */
static void
on_unpaused (json_t *result G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop_call = NULL;
  if (run->state != PP_FLOW_RUN_STARTED)
    return;
  pp_flow_run_stop_container_in (run, error == NULL ? 0 : STOP_AGAIN_SECONDS);
}

static void
on_stopped (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)result;
  run->stop_call = NULL;
  if (error == NULL || run->state != PP_FLOW_RUN_STARTED)
    return;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    return;
  if (!run->stop_refusal_said)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "Container '%s' could not be stopped, and is told again every %d s: %s",
                     run->container_name, STOP_AGAIN_SECONDS, error->message);
  run->stop_refusal_said = TRUE;
  run->stop_call = pp_infrastructure_unpause (run->context->infrastructure, run->container_id,
                                              on_unpaused, run);
}

static void
stop_container (PpFlowRun *run)
{
  if (run->stop_call == NULL)
    run->stop_call = pp_infrastructure_stop (run->context->infrastructure, run->container_id,
                                             run->spec->stop_timeout, on_stopped, run);
}

void
pp_flow_run_stop_container_in (PpFlowRun *run, guint seconds)
{
  g_clear_handle_id (&run->stop_timer, g_source_remove);
  if (seconds == 0)
    stop_container (run);
  else
    run->stop_timer = g_timeout_add_seconds (seconds, on_stop_timer, run);
}

/* A run whose time is up. What the worker sees of a container's end may come late (it was away, or
 * the engine, or output that waits for the server): only what still runs is stopped, and one that
 * has come to its own end keeps it. */

static void arm_timeout (PpFlowRun *run);

/* For another reason, which was first. */
static gboolean
is_being_stopped (const PpFlowRun *run)
{
  return run->cancelled || run->server_ended || run->stop_call != NULL;
}

static void
stop_timed_out (PpFlowRun *run)
{
  if (run->state == PP_FLOW_RUN_STARTED)
    pp_flow_run_stop_container_in (run, 0);
}

static void
end_for_timeout (PpFlowRun *run)
{
  run->timed_out = TRUE;
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Flow run '%s' has run for %g s (timeout_seconds): stopping container '%s'",
                   run->name, run->spec->timeout_seconds, run->container_name);
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, stop_timed_out);
}

static void
end_for_startup_timeout (PpFlowRun *run)
{
  run->startup_timed_out = TRUE;
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Flow run '%s' is still Pending after %g s (startup_timeout_seconds): stopping "
                   "container '%s'",
                   run->name, run->spec->startup_timeout_seconds, run->container_name);
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, stop_timed_out);
}

static void
on_looked_before_stop (json_t *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  PpContainerEnd end;

  run->look_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
      || is_being_stopped (run))
    return;
  if (error != NULL)
    {
      run->timeout_at = g_get_monotonic_time () + LOOK_SECONDS * G_USEC_PER_SEC;
      arm_timeout (run);
      return;
    }
  pp_container_end_parse (result, &end);
  gboolean running = end.running;
  pp_container_end_clear (&end);
  if (!running)
    return;
  if (run->worker_reported)
    end_for_timeout (run);
  else
    end_for_startup_timeout (run);
}

static void
look_before_stop (PpFlowRun *run)
{
  run->look_call = pp_infrastructure_inspect (run->context->infrastructure, run->container_id,
                                              on_looked_before_stop, run);
}

/* A container in which Prefect does not get to report RUNNING in time. */
static void
on_startup_state (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->api_call = NULL;
  if (error == NULL && run->state == PP_FLOW_RUN_STARTED
      && g_strcmp0 (pp_json_string (json_object_get (body, "state"), "type"), "PENDING") == 0)
    look_before_stop (run);
}

static gboolean
on_timeout (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->timeout_timer = 0;
  if (run->state != PP_FLOW_RUN_STARTED || is_being_stopped (run))
    return G_SOURCE_REMOVE;
  if (g_get_monotonic_time () < run->timeout_at)
    arm_timeout (run);
  else if (run->worker_reported)
    look_before_stop (run);
  else
    run->api_call
        = pp_flow_run_read (run->context->api, run->id, PP_API_PERSIST, on_startup_state, run);
  return G_SOURCE_REMOVE;
}

/* A source counts 24 days at the most: longer ones are armed again. */
static void
arm_timeout (PpFlowRun *run)
{
  gint64 left_ms = (run->timeout_at - g_get_monotonic_time ()) / 1000 + 1;

  run->timeout_timer = g_timeout_add ((guint)CLAMP (left_ms, 1, G_MAXINT), on_timeout, run);
}

void
pp_flow_run_start_timeout (PpFlowRun *run)
{
  double seconds
      = run->worker_reported ? run->spec->timeout_seconds : run->spec->startup_timeout_seconds;

  if (seconds <= 0)
    return;
  run->timeout_at
      = g_get_monotonic_time () + (gint64)(MIN (seconds, MAX_TIMEOUT_SECONDS) * G_USEC_PER_SEC);
  /* Of a run that is taken up again, a part has passed. */
  if (run->taken_up && run->started_time > 0)
    run->timeout_at -= MAX (g_get_real_time () - run->started_time, 0);
  arm_timeout (run);
}
