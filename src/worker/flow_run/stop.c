/* SPDX-License-Identifier: Apache-2.0 */
/* Stops a container before its own end: for a timeout or a cancellation. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

/* If an engine refuses to stop a container, it is asked again after this many seconds: once in the
 * same way, then with more force. */
#define STOP_AGAIN_SECONDS 15
/* A longer timeout_seconds (more than 30 years) counts as this. */
#define MAX_TIMEOUT_SECONDS 1e9

/* If the engine or the server does not answer, a run past its timeout is checked again after this
 * many seconds. */
#define LOOK_SECONDS 5

/* After the stop timeout, the engine gets this many more seconds. Then it is asked again. */
#define OVERDUE_SECONDS 5

/* How a container is stopped. Each level follows if the one before did not stop it in time. */
enum
{
  STOP_KINDLY, /* the stop signal, then SIGKILL after stop_timeout */
  STOP_KILL,   /* SIGKILL */
  STOP_REMOVE, /* removal of the container by force */
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

/* Called when the engine's time is over and no end was seen: the engine did not answer, or reported
 * success, or refused. */
static gboolean
on_overdue (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.timer = 0;
  /* Without a watch, the container is known to have ended, and only its output is missing. */
  if (run->state != PP_FLOW_RUN_STARTED || run->watch.call == NULL)
    return G_SOURCE_REMOVE;
  pp_infrastructure_call_cancel (g_steal_pointer (&run->stop.call));
  if (run->watch.program_gone)
    {
      pp_flow_run_log (run, PP_LOG_WARNING,
                       "%s has ended, but %s does not report the end. The worker does not wait for "
                       "the exit status",
                       run->first_label, run->words->host);
      pp_flow_run_end_without_status (run);
      return G_SOURCE_REMOVE;
    }
  if (run->stop.level < STOP_REMOVE)
    {
      run->stop.level++;
      pp_flow_run_log (run, PP_LOG_WARNING, "%s has not stopped %s in time. The worker now %s",
                       run->words->first_full_host, run->label,
                       run->stop.level == STOP_KILL
                           ? "kills it"
                           : "removes it by force, even if auto_remove is off");
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

/* Podman does not stop a paused container, so the next attempt follows an unpause. */
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

/* True if ERROR, the answer to a stop, means that the job goes on. */
static gboolean
is_refusal (const GError *error)
{
  return error != NULL
         && !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
         && !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
}

static void
on_stopped (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->stop.call = NULL;
  run->stop.is_refused = is_refusal (error);
  /* The answer does not mean that the container has ended. on_overdue() checks this. */
  if (error == NULL || run->state != PP_FLOW_RUN_STARTED)
    return;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    return;
  if (run->stop.refusals++ == 0)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "%s could not be stopped; the worker asks %s again every %d s: %s",
                     run->first_label, run->words->host, STOP_AGAIN_SECONDS, error->message);
  /* Do not count the time during which the engine does not answer. */
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
  guint seconds;

  if (run->stop.call != NULL)
    return;
  /* On SIGTERM, Prefect inside the container sets its run to Crashed, by force. That would
   * overwrite the state of the other attempt. */
  if (run->stop_reason == PP_STOP_BEGUN_AGAIN && !run->worker_reported)
    run->stop.level = MAX (run->stop.level, STOP_KILL);
  seconds = run->stop.level == STOP_KINDLY ? run->policy->stop_timeout : 0;
  run->stop.is_refused = FALSE;
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

char *
pp_flow_run_describe_cancellation (const PpFlowRun *run)
{
  const char *job = run->words->job;

  if (run->recovery.is_gone)
    return g_strdup_printf ("Flow run cancelled. Its %s is gone, and may have run.", job);
  if (!run->started_once)
    return g_strdup ("Flow run cancelled by the worker before it was started.");
  if (!pp_flow_run_is_cancelled (run))
    return g_strdup_printf ("The %s ended while the run was being cancelled.", job);
  if (run->stop.is_refused)
    return g_strdup_printf (
        "Flow run cancelled: its %s ended by itself; %s had refused to stop it.", job,
        run->words->full_host);
  return g_strdup_printf ("Flow run cancelled: its %s was stopped.", job);
}

/* Timeouts. The worker may see a container's end late, because the worker or the engine was away,
 * or because output waits for the server. So only a container that still runs is stopped. One that
 * has ended by itself keeps its result. */

static void arm_timeout (PpFlowRun *run);

/* True if RUN is already being stopped for another reason. */
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
                   "Flow run '%s' has run for %g s (timeout_seconds): stopping %s", run->name,
                   run->policy->timeout_seconds, run->label);
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, stop_timed_out);
}

static void
end_for_startup_timeout (PpFlowRun *run)
{
  pp_flow_run_stop_because (run, PP_STOP_TIMEOUT);
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "Flow run '%s' is still Pending after %g s (startup_timeout_seconds): stopping "
                   "%s",
                   run->name, run->policy->startup_timeout_seconds, run->label);
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

/* Handles the state of a run past startup_timeout_seconds. If it is still PENDING, Prefect inside
 * the container did not report RUNNING in time. */
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

/* A GLib timer lasts 24 days at most. A longer timeout is armed again. */
static void
arm_timeout (PpFlowRun *run)
{
  gint64 left_ms = (run->stop.timeout_at - g_get_monotonic_time ()) / 1000 + 1;

  run->stop.timeout_timer = g_timeout_add ((guint)CLAMP (left_ms, 1, G_MAXINT), on_timeout, run);
}

/* Returns how long a recovered run has run, in microseconds. Uses the host's uptime, because the
 * wall clock may have been changed since. Uses the wall clock only if the uptime is of no use,
 * after a restart of the host. */
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
