/* SPDX-License-Identifier: Apache-2.0 */
/* Submits a recovered flow run again: an earlier worker has claimed it, and nothing of it was
 * executed. Its container, if there is one, is removed first. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"

/* The delay before the next read if the server returns only the run's states. */
#define ASK_AGAIN_MS 15000

/* The most reads of a run for which the server returns only the states: five minutes in all. */
#define MAX_UNTOLD 20

/* After this many failed removals, a container that was never started is left. */
#define MAX_REMOVALS 5

static void begin_again (PpFlowRun *run);
static void look_again (PpFlowRun *run);

static void
on_leftover_removed (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "leftover");
  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      pp_flow_run_ask_again (run, error, begin_again);
      return;
    }
  run->silence.since = 0;
  /* The engine refuses to remove a running container. An earlier worker's start may have been
   * carried out since the container was inspected. */
  if (error != NULL && run->recovery.removals++ < MAX_REMOVALS)
    {
      pp_flow_run_after (run, PP_LOOK_AGAIN_MS, look_again);
      return;
    }
  if (error != NULL)
    g_warning ("%s was never started, but could not be removed: %s", run->first_label,
               error->message);
  run->recovery.found_phase = PP_JOB_ABSENT;
  begin_again (run);
}

/* A container that was created but never started may lack a network, so it is removed first. */
static void
begin_again (PpFlowRun *run)
{
  if (run->recovery.found_phase != PP_JOB_ABSENT)
    {
      run->engine_call = pp_infrastructure_remove_unstarted (
          run->context->infrastructure, run->container_id, on_leftover_removed, run);
      return;
    }
  run->recovered = FALSE;
  run->recovery.host_restarted = FALSE;
  if (run->container_id != NULL)
    {
      g_free (run->replaced_container_id);
      run->replaced_container_id = g_steal_pointer (&run->container_id);
    }
  pp_flow_run_name_job (run, NULL);
  pp_flow_run_resubmit (run);
}

/* True if the server returned only the run's states, which do not say what to submit. A server that
 * is short of database connections does that. Asks again, up to MAX_UNTOLD times. */
static gboolean
is_not_told (PpFlowRun *run)
{
  if (pp_json_string (run->json, "flow_id") != NULL || run->recovery.untold >= MAX_UNTOLD)
    return FALSE;
  if (run->recovery.untold++ == 0)
    g_warning ("Flow run '%s' (%s) is not submitted again yet: the server returns only its states. "
               "The worker asks again",
               run->name, run->id);
  pp_flow_run_after (run, ASK_AGAIN_MS, pp_flow_run_go_on);
  return TRUE;
}

/* Writes to the journal that the run begins anew, and only then removes its container. In the other
 * order, a worker that is killed in between would leave the run's start in the journal and no
 * container: the run would count as lost. */
static void
submit_again (PpFlowRun *run)
{
  if (is_not_told (run))
    return;
  pp_flow_run_say_recovery (run, "it was not started yet and is submitted again");
  run->started_time = 0;
  run->started_uptime = 0;
  pp_flow_run_drop_spec (run);
  g_clear_pointer (&run->policy, g_free);
  pp_flow_run_write_down (run, PP_JOURNAL_CLAIMED, begin_again);
}

/* Called when the container has been started: it runs now, or it has run before. In the second case
 * ERROR may be the engine's refusal to start it once more. */
static void
on_begun (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      pp_flow_run_ask_again (run, error, look_again);
      return;
    }
  run->silence.since = 0;
  pp_flow_run_say_recovery_of_job (run, "", "is followed");
  pp_flow_run_follow_recovered (run);
}

static void
on_looked_again (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  if (!pp_flow_run_is_inspected (run, error, look_again))
    return;
  if (job != NULL)
    pp_flow_run_keep_found (run, job);
  if (job != NULL && job->status.phase == PP_JOB_READY)
    {
      run->engine_call = pp_infrastructure_start (run->context->infrastructure, run->container_id,
                                                  on_begun, run);
      return;
    }
  run->silence.since = 0;
  if (job == NULL || job->status.never_started)
    submit_again (run);
  else
    on_begun (NULL, run);
}

/* The earlier worker may have been killed while the engine was starting the container. So the
 * container is inspected again before the run is submitted again. */
static void
look_again (PpFlowRun *run)
{
  pp_flow_run_inspect (run, on_looked_again);
}

void
pp_flow_run_resubmit_unstarted (PpFlowRun *run)
{
  if (run->recovery.found_phase != PP_JOB_ABSENT)
    pp_flow_run_after (run, PP_LOOK_AGAIN_MS, look_again);
  else
    submit_again (run);
}
