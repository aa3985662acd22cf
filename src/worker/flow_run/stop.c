/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a container before its own end: a time-out, a cancellation. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

/* An engine that refuses to stop a container is asked again after so many seconds: once more the
 * same, then with more force. */
#define STOP_AGAIN_SECONDS 15
/* timeout_seconds: what is longer than 30 years counts as that. */
#define MAX_TIMEOUT_SECONDS 1e9

/* A container whose time is up is asked for again after so many seconds, when the engine is away.
 */
#define LOOK_SECONDS 5

/* An engine that has not ended a container in the time it was given is asked again after so many
 * seconds more. */
#define OVERDUE_SECONDS 5

/* How a container is ended: each where the one before did not within its time. */
enum
{
  STOP_KINDLY, /* the stop signal, and SIGKILL after stop_timeout */
  STOP_KILL,   /* SIGKILL */
  STOP_REMOVE, /* its container goes by force */
};

static void stop_container (PpFlowRun *run);

static gboolean
on_stop_timer (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.timer = 0;
  stop_container (run);
  return G_SOURCE_REMOVE;
}

static void
stop_in (PpFlowRun *run, guint seconds)
{
  g_clear_handle_id (&run->stop.timer, g_source_remove);
  run->stop.timer = g_timeout_add_seconds (seconds, on_stop_timer, run);
}

/* The engine has had its time: it does not answer, or says that it is done, or that it will not. */
static gboolean
on_overdue (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.timer = 0;
  /* Without a watch the container is known to have ended: only its output is waited for. */
  if (run->state != PP_FLOW_RUN_STARTED || run->watch.call == NULL)
    return G_SOURCE_REMOVE;
  pp_infrastructure_call_cancel (g_steal_pointer (&run->stop.call));
  if (run->watch.program_gone)
    {
      pp_flow_run_log (run, PP_LOG_WARNING,
                       "Container '%s' has ended, and the engine does not say so: its exit status "
                       "is not waited for",
                       run->shown_name);
      pp_flow_run_end_without_status (run);
      return G_SOURCE_REMOVE;
    }
  if (run->stop.level < STOP_REMOVE)
    {
      run->stop.level++;
      pp_flow_run_log (
          run, PP_LOG_WARNING,
          "The engine has not stopped container '%s' in the time it was given: it is %s",
          run->shown_name,
          run->stop.level == STOP_KILL ? "told to kill it"
                                       : "removed by force, auto_remove or not");
    }
  stop_container (run);
  return G_SOURCE_REMOVE;
}

static void
look_in (PpFlowRun *run, guint seconds)
{
  g_clear_handle_id (&run->stop.timer, g_source_remove);
  run->stop.timer = g_timeout_add_seconds (seconds, on_overdue, run);
}

/* Podman does not stop what is paused. */
static void
on_unpaused (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.call = NULL;
  if (run->state != PP_FLOW_RUN_STARTED)
    return;
  if (error == NULL)
    stop_container (run);
  else if (run->stop.refusals == 1)
    stop_in (run, STOP_AGAIN_SECONDS);
  else
    look_in (run, STOP_AGAIN_SECONDS);
}

static void
on_stopped (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.call = NULL;
  /* An answer is no end yet: on_overdue() looks. */
  if (error == NULL || run->state != PP_FLOW_RUN_STARTED)
    return;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    return;
  if (run->stop.refusals++ == 0)
    pp_flow_run_log (
        run, PP_LOG_WARNING,
        "Container '%s' could not be stopped; the engine is asked again every %d s: %s",
        run->shown_name, STOP_AGAIN_SECONDS, error->message);
  /* An engine that is away has not had its time. */
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      stop_in (run, STOP_AGAIN_SECONDS);
      return;
    }
  run->stop.call = pp_infrastructure_unpause (run->context->infrastructure, run->container_id,
                                              on_unpaused, run);
}

static void
stop_container (PpFlowRun *run)
{
  PpInfrastructure *infrastructure = run->context->infrastructure;
  gboolean kindly = run->stop.level == STOP_KINDLY;
  guint seconds = kindly ? run->policy->stop_timeout : 0;

  if (run->stop.call != NULL)
    return;
  run->stop.call
      = run->stop.level == STOP_REMOVE
            ? pp_infrastructure_remove (infrastructure, run->container_id, on_stopped, run)
            : pp_infrastructure_stop (infrastructure, run->container_id, seconds, on_stopped, run);
  look_in (run, (guint)MIN (seconds, MAX_TIMEOUT_SECONDS) + OVERDUE_SECONDS);
}

void
pp_flow_run_stop_container_in (PpFlowRun *run, guint seconds)
{
  if (seconds == 0)
    stop_container (run);
  else if (run->stop.call == NULL)
    stop_in (run, seconds);
}

/* A run whose time is up. What the worker sees of a container's end may come late (it was away, or
 * the engine, or output that waits for the server): only what still runs is stopped, and one that
 * has come to its own end keeps it. */

static void arm_timeout (PpFlowRun *run);

/* For another reason, which was first. */
static gboolean
is_being_stopped (const PpFlowRun *run)
{
  return run->stop_reason > PP_STOP_TIMEOUT || run->stop.call != NULL;
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
  pp_flow_run_stop_because (run, PP_STOP_TIMEOUT);
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Flow run '%s' has run for %g s (timeout_seconds): stopping container '%s'",
                   run->name, run->policy->timeout_seconds, run->shown_name);
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, stop_timed_out);
}

static void
end_for_startup_timeout (PpFlowRun *run)
{
  pp_flow_run_stop_because (run, PP_STOP_TIMEOUT);
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Flow run '%s' is still Pending after %g s (startup_timeout_seconds): stopping "
                   "container '%s'",
                   run->name, run->policy->startup_timeout_seconds, run->shown_name);
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, stop_timed_out);
}

static void
on_looked_before_stop (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.look_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
      || is_being_stopped (run))
    return;
  if (error != NULL)
    {
      run->stop.timeout_at = g_get_monotonic_time () + LOOK_SECONDS * G_USEC_PER_SEC;
      arm_timeout (run);
      return;
    }
  if (!job->status.is_running)
    return;
  if (run->worker_reported)
    end_for_timeout (run);
  else
    end_for_startup_timeout (run);
}

static void
look_before_stop (PpFlowRun *run)
{
  run->stop.look_call = pp_infrastructure_inspect (run->context->infrastructure, run->container_id,
                                                   on_looked_before_stop, run);
}

/* A container in which Prefect does not get to report RUNNING in time. */
static void
on_startup_state (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->state_read = NULL;
  if (run->state == PP_FLOW_RUN_STARTED && error != NULL
      && !g_error_matches (error, PP_API_ERROR, 404))
    {
      run->stop.timeout_at = g_get_monotonic_time () + LOOK_SECONDS * G_USEC_PER_SEC;
      arm_timeout (run);
    }
  else if (error == NULL && run->state == PP_FLOW_RUN_STARTED
           && g_strcmp0 (pp_json_string (json_object_get (body, "state"), "type"), "PENDING") == 0)
    look_before_stop (run);
}

static gboolean
on_timeout (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.timeout_timer = 0;
  if (run->state != PP_FLOW_RUN_STARTED || is_being_stopped (run))
    return G_SOURCE_REMOVE;
  if (g_get_monotonic_time () < run->stop.timeout_at)
    arm_timeout (run);
  else if (run->worker_reported)
    look_before_stop (run);
  else
    run->state_read = pp_state_reader_read (run->context->states, run->id, on_startup_state, run);
  return G_SOURCE_REMOVE;
}

/* A source counts 24 days at the most: longer ones are armed again. */
static void
arm_timeout (PpFlowRun *run)
{
  gint64 left_ms = (run->stop.timeout_at - g_get_monotonic_time ()) / 1000 + 1;

  run->stop.timeout_timer = g_timeout_add ((guint)CLAMP (left_ms, 1, G_MAXINT), on_timeout, run);
}

/* How long a run that is recovered has run for, microseconds. The wall clock may have been
 * stepped since: it counts only where the host's uptime does not, after a restart of the host. */
static gint64
time_since_start (const PpFlowRun *run)
{
  gint64 uptime = pp_uptime ();

  if (run->started_uptime > 0 && uptime > 0)
    return MAX (uptime - run->started_uptime, 0);
  return run->started_time > 0 ? MAX (g_get_real_time () - run->started_time, 0) : 0;
}

void
pp_flow_run_start_timeout (PpFlowRun *run)
{
  double seconds
      = run->worker_reported ? run->policy->timeout_seconds : run->policy->startup_timeout_seconds;

  if (seconds <= 0)
    return;
  run->stop.timeout_at
      = g_get_monotonic_time () + (gint64)(MIN (seconds, MAX_TIMEOUT_SECONDS) * G_USEC_PER_SEC);
  if (run->recovered)
    run->stop.timeout_at -= time_since_start (run);
  arm_timeout (run);
}
