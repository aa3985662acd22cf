/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the container of a recovered flow run: in the engine's list, or by the id in the
 * journal. */
#include "config.h"

#include "flow_run_inside-private.h"

/* If the engine gives no list and refuses for this long to inspect the container, the run goes on
 * as if the container had been started. */
#define MAX_REFUSED_US (60 * G_USEC_PER_SEC)

gboolean
pp_flow_run_owns_container (const PpFlowRun *run, const PpJob *job)
{
  if (run->journal.phase != PP_JOURNAL_CLAIMED && run->container_id != NULL)
    return g_str_equal (job->ref.id, run->container_id);
  return pp_job_is_of_claim (job, run->transitions.claim);
}

gboolean
pp_flow_run_is_in_other_container (const json_t *flow_run, const char *container_id)
{
  const char *pid = pp_json_string (flow_run, "infrastructure_pid");

  return pid != NULL && container_id != NULL && !g_str_has_suffix (pid, container_id);
}

/* Nothing waits for this answer. */
static void
on_kept (const GError *error, gpointer user_data G_GNUC_UNUSED)
{
  if (error != NULL)
    g_debug ("Could not protect the container from a late removal: %s", error->message);
}

void
pp_flow_run_keep_container (PpFlowRun *run)
{
  pp_infrastructure_keep (run->context->infrastructure, run->container_id, run->container_name,
                          on_kept, NULL);
}

void
pp_flow_run_keep_found (PpFlowRun *run, const PpJob *job)
{
  if (run->journal.phase == PP_JOURNAL_CLAIMED && job->status.phase != PP_JOB_CREATED
      && run->container_name != NULL && job->ref.name != NULL
      && !g_str_equal (job->ref.name, run->container_name))
    pp_flow_run_keep_container (run);
}

void
pp_flow_run_recover (PpFlowRun *run, const PpJob *job, PpJobPhase phase)
{
  if (job != NULL)
    {
      g_free (run->container_id);
      run->container_id = g_strdup (job->ref.id);
      run->recovery.found_phase = phase;
      run->recovery.found_reporter = job->ref.reporter;
      if (run->container_name == NULL)
        pp_flow_run_name_job (run, job->ref.name);
      pp_flow_run_keep_found (run, job);
    }
  pp_flow_run_move (run, PP_FLOW_RUN_RECOVERED);
}

static void look_unlisted (PpFlowRun *run);

/* True if the engine has refused to inspect RUN's container (ERROR) for long enough, and the
 * journal has the container's start. The container then counts as started: it can be stopped, and
 * its end is seen once the engine answers. */
static gboolean
is_beyond_look (const PpFlowRun *run, const GError *error)
{
  return (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED)
          || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_TOO_LARGE))
         && run->journal.phase != PP_JOURNAL_CLAIMED && run->silence.since != 0
         && g_get_monotonic_time () - run->silence.since > MAX_REFUSED_US;
}

static void
on_unlisted (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  gboolean gone
      = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND);

  run->engine_call = NULL;
  if (error != NULL && !gone && !is_beyond_look (run, error))
    {
      pp_flow_run_ask_again (run, error, look_unlisted);
      return;
    }
  run->silence.since = 0;
  if (error == NULL && pp_flow_run_owns_container (run, job))
    {
      run->recovery.found_phase = job->status.phase;
      run->recovery.found_reporter = job->ref.reporter;
    }
  else if (error != NULL && !gone)
    {
      g_warning ("%s could not inspect %s of flow run '%s'. The worker assumes that the run was "
                 "started: %s",
                 run->words->first_full_host, run->label, run->name, error->message);
      run->recovery.found_phase = PP_JOB_UNKNOWN;
    }
  pp_flow_run_move (run, PP_FLOW_RUN_RECOVERED);
}

static void
look_unlisted (PpFlowRun *run)
{
  run->engine_call = pp_infrastructure_inspect (run->context->infrastructure, run->container_id,
                                                on_unlisted, run);
}

void
pp_flow_run_recover_unlisted (PpFlowRun *run)
{
  if (run->container_id != NULL)
    look_unlisted (run);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_RECOVERED);
}
