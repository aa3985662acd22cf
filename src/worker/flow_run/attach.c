/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a container that the journal does not describe. The description comes from the run's
 * deployment. If the deployment is gone or has changed too much, the container describes itself. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* Seconds between SIGTERM and SIGKILL if the run's stop_timeout is not known: its default. */
#define STOP_SECONDS 30

void
pp_flow_run_stop_ended (PpFlowRun *run)
{
  gboolean at_once = run->stop_reason > PP_STOP_ENDED || run->worker_reported;

  if (pp_flow_run_is_over_on_server (run) && pp_job_phase_is_alive (run->recovery.found_phase))
    pp_flow_run_stop_container_in (run, at_once ? 0 : PP_PREFECT_GRACE_SECONDS);
}

/* Follows the container. Then acts on a cancellation or a final state that the server reported
 * while the container's description was looked up. */
static void
follow (PpFlowRun *run)
{
  pp_flow_run_move (run, PP_FLOW_RUN_STARTED);
  if (pp_flow_run_is_cancelled (run))
    pp_flow_run_stop_cancelled (run);
  pp_flow_run_stop_ended (run);
}

void
pp_flow_run_attach (PpFlowRun *run)
{
  pp_flow_run_write_down (run, PP_JOURNAL_STARTING, follow);
}

void
pp_flow_run_attach_started (PpFlowRun *run, const PpJob *job)
{
  gint64 started = job->status.started_at;

  run->container_id = g_strdup (job->ref.id);
  run->recovery.found_phase = job->status.phase;
  run->started_time = started > 0 ? started : g_get_real_time ();
  run->started_uptime = 0;
  run->started_once = TRUE;
  run->recovered = TRUE;
  pp_flow_run_log (run, PP_LOG_INFO, "%s was already started; the worker follows it",
                   run->first_label);
  pp_flow_run_tell_pid (run);
  pp_flow_run_attach (run);
}

static void inspect (PpFlowRun *run);

/* Sets the policy from the container itself, with defaults for the rest. */
static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  gboolean worker_reported = job != NULL && job->ref.reporter == PP_REPORTER_WORKER;
  const PpJournalEntry entry = {
    .tty = job != NULL && job->status.has_tty,
    .stream_output = TRUE,
    .forward_output = worker_reported,
    .stop_timeout = STOP_SECONDS,
    .worker_reported = worker_reported,
  };

  if (!pp_flow_run_is_inspected (run, error, inspect))
    return;
  run->silence.since = 0;
  run->worker_reported = worker_reported;
  run->policy = pp_flow_run_policy_from_entry (&entry);
  pp_flow_run_move (run, PP_FLOW_RUN_RENDERED);
}

static void
inspect (PpFlowRun *run)
{
  pp_flow_run_inspect (run, on_inspected);
}

void
pp_flow_run_attach_undescribed (PpFlowRun *run, const char *why)
{
  pp_flow_run_log (run, PP_LOG_WARNING,
                   "%s is followed without the time-outs and auto_remove of flow run '%s', because "
                   "the run's job configuration is no longer known: %s",
                   run->first_label, run->name, why);
  inspect (run);
}
