/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers a flow run that an earlier worker handled: compares its entry in the journal, its
 * container in the engine and its state on the server. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"

#include <string.h>

/* The delay before the next read if the server refuses to return a run's state. */
#define ASK_AGAIN_MS 15000

/* True if the engine's container was started since this host's boot. */
static gboolean
was_started (const PpFlowRun *run)
{
  return pp_job_phase_is_started (run->recovery.found_phase);
}

/* True if an earlier worker has perhaps reported a failure, which the server may have turned into
 * another attempt. */
static gboolean
has_reported_failure (const PpFlowRun *run)
{
  return run->journal.phase == PP_JOURNAL_REPORTING
         && g_strcmp0 (run->report.type, "COMPLETED") != 0;
}

gboolean
pp_flow_run_is_own_state (const PpFlowRun *run, const json_t *state)
{
  const char *id = pp_state_transition_id (state);

  return pp_is_same_transition (id, run->transitions.claim)
         || pp_is_same_transition (id, run->transitions.submitting)
         || pp_is_same_transition (id, run->transitions.running);
}

gboolean
pp_flow_run_may_be_own_state (const PpFlowRun *run, const json_t *state)
{
  return pp_state_transition_id (state) == NULL || pp_flow_run_is_own_state (run, state);
}

void
pp_flow_run_say_recovery (PpFlowRun *run, const char *what)
{
  g_message ("Recovery of flow run '%s' (%s): %s", run->name, run->id, what);
}

void
pp_flow_run_say_recovery_of_job (PpFlowRun *run, const char *before, const char *rest)
{
  g_autofree char *what = g_strdup_printf ("%sits %s %s", before, run->words->job, rest);

  pp_flow_run_say_recovery (run, what);
}

/* Follows a container that the journal does not describe. The run's deployment describes it. */
static void
attach (PpFlowRun *run)
{
  run->recovery.attaches = TRUE;
  if (run->json != NULL)
    pp_flow_run_resubmit (run);
  else
    pp_flow_run_attach_undescribed (run, "the run was deleted on the server");
}

void
pp_flow_run_follow_recovered (PpFlowRun *run)
{
  run->started_once = TRUE;
  if (run->policy != NULL)
    pp_flow_run_move (run, PP_FLOW_RUN_STARTED);
  else
    attach (run);
}

/* Follows the container to its end. REASON is why that end is not reported to the server. */
static void
go_on_unreported (PpFlowRun *run, PpStopReason reason)
{
  pp_flow_run_stop_because (run, reason);
  pp_flow_run_follow_recovered (run);
}

/* Removes what the run left here and reports nothing. */
static void
leave (PpFlowRun *run, const char *why)
{
  pp_flow_run_say_recovery (run, why);
  run->started_once = FALSE;
  if (run->recovery.found_phase == PP_JOB_ABSENT)
    g_clear_pointer (&run->container_id, g_free);
  pp_flow_run_drop (run);
}

/* The container is gone. It was started, or it was found without an entry that describes it. */
static void
go_on_without (PpFlowRun *run)
{
  if (run->policy == NULL && pp_flow_run_is_in_other_container (run->json, run->container_id))
    {
      leave (run, "it was begun again in another container");
      return;
    }
  pp_flow_run_say_recovery_of_job (run, "", "is gone");
  pp_flow_run_report_vanished (run);
}

/* Stops the container of a run that is over for us, and removes it if it did not end by itself.
 * Only a container in which Prefect has reported the final state (PP_STOP_ENDED) ends by itself. */
static void
end_container (PpFlowRun *run, PpStopReason reason)
{
  if ((reason > PP_STOP_ENDED || run->worker_reported)
      && pp_job_phase_is_alive (run->recovery.found_phase))
    run->auto_remove = TRUE;
  go_on_unreported (run, reason);
  if (run->state == PP_FLOW_RUN_STARTED)
    pp_flow_run_stop_ended (run);
}

/* Called when this worker's attempt is over, for the reason WHY. */
static void
on_begun_anew (PpFlowRun *run, const char *why)
{
  if (!was_started (run))
    {
      leave (run, why);
      return;
    }
  pp_flow_run_say_recovery (run, why);
  end_container (run, PP_STOP_BEGUN_AGAIN);
}

/* Handles a RUN that is final on the server. Its container is alive, and Prefect inside it reports
 * the states. Prefect may still run the flow's hooks there. */
static void
on_final (PpFlowRun *run, PpClaimHolder holder)
{
  if (holder == PP_CLAIM_LOST)
    on_begun_anew (run, "another worker has claimed it again");
  else
    pp_flow_run_follow_recovered (run);
}

static void
on_server_ended (PpFlowRun *run, const char *type)
{
  gboolean is_cancelled = g_str_equal (type, "CANCELLED");
  gboolean ends_by_itself = !is_cancelled && run->policy != NULL && !run->worker_reported
                            && run->stop_reason == PP_STOP_NONE
                            && pp_job_phase_is_alive (run->recovery.found_phase);

  if (!was_started (run))
    {
      leave (run, "it has ended on the server");
      return;
    }
  pp_flow_run_say_recovery_of_job (run, "it has ended on the server; ",
                                   "is followed to its end, or stopped");
  run->auto_remove = run->auto_remove || is_cancelled;
  if (ends_by_itself)
    pp_flow_run_check_claim (run, on_final);
  else
    end_container (run, is_cancelled ? PP_STOP_CANCELLED_MEANWHILE : PP_STOP_ENDED);
}

static void
on_scheduled (PpFlowRun *run)
{
  /* Why the run is SCHEDULED: the server has made a reported failure a retry, or a user has
   * scheduled the run once more, or Prefect inside the container waits for its retry. */
  gboolean waits = pp_job_phase_is_alive (run->recovery.found_phase)
                   && pp_flow_run_waits_in_container (run->json);
  gboolean ended = run->worker_reported && run->journal.phase != PP_JOURNAL_CLAIMED
                   && !has_reported_failure (run) && !waits;

  run->report.retry_scheduled = ended || has_reported_failure (run);
  if (was_started (run) && ended)
    on_begun_anew (run, "it is scheduled again, and its attempt here is over");
  else if (was_started (run))
    {
      pp_flow_run_say_recovery_of_job (run, "", "is followed to its end");
      pp_flow_run_follow_recovered (run);
    }
  else if (run->journal.phase != PP_JOURNAL_CLAIMED)
    {
      /* Prefect waited in the container for the run's retry, or a worker has already returned the
       * run to the poll. */
      run->auto_remove = TRUE;
      pp_flow_run_reschedule (run);
    }
  else
    leave (run, "it is scheduled, and will be picked up by a poll");
}

/* True if RUN, which is PENDING and has no container, was never started. A worker that reports the
 * run sets RUNNING before the start. But a user may have forced the run back to PENDING since. */
static gboolean
is_unstarted (const PpFlowRun *run)
{
  return run->worker_reported ? !run->claim_check.may_have_run : run->container_id == NULL;
}

static void
on_pending_or_running (PpFlowRun *run, PpClaimHolder holder)
{
  const json_t *state = json_object_get (run->json, "state");
  gboolean pending = g_strcmp0 (pp_json_string (state, "type"), "PENDING") == 0;
  gboolean own = pp_flow_run_is_own_state (run, state);

  /* Pulling an image may take longer than the lease lasts. */
  if (own)
    pp_flow_run_take_lease (run, state);
  if (holder == PP_CLAIM_LOST)
    on_begun_anew (run, "another worker has claimed it again");
  else if (has_reported_failure (run) && run->worker_reported
           && !pp_flow_run_may_be_own_state (run, state))
    {
      /* The failure was reported. This is the next attempt, perhaps of another worker. */
      pp_flow_run_say_recovery (run, "its failure was reported");
      if (was_started (run))
        go_on_unreported (run, PP_STOP_ENDED);
      else
        leave (run, "its retry has already begun");
    }
  else if (was_started (run))
    {
      pp_flow_run_say_recovery_of_job (run, "", "is followed");
      pp_flow_run_follow_recovered (run);
    }
  else if (run->journal.phase == PP_JOURNAL_REPORTING)
    go_on_without (run); /* its program must not run twice */
  else if (run->recovery.found_phase != PP_JOB_ABSENT)
    pp_flow_run_resubmit_unstarted (run);
  else if (run->journal.phase == PP_JOURNAL_CLAIMED)
    {
      if (own || run->claim_check.has_own_state) /* a user may have forced the state since */
        pp_flow_run_check_history (run, pp_flow_run_resubmit_unstarted);
      else
        leave (run, "another worker has it now");
    }
  else if (pending && run->policy != NULL && is_unstarted (run))
    pp_flow_run_resubmit_unstarted (run);
  else
    go_on_without (run);
}

/* Called if the server does not know the run any more. */
static void
on_deleted (PpFlowRun *run)
{
  if (run->recovery.found_phase != PP_JOB_RUNNING)
    {
      leave (run, "it was deleted on the server");
      return;
    }
  pp_flow_run_say_recovery_of_job (run, "it was deleted on the server: ", "is stopped");
  end_container (run, PP_STOP_DELETED);
}

static void
on_cancelling (PpFlowRun *run)
{
  pp_flow_run_say_recovery (run, "it is being cancelled");
  if (was_started (run))
    {
      pp_flow_run_follow_recovered (run);
      pp_flow_run_cancel (run);
      return;
    }
  run->recovery.is_gone = run->journal.phase != PP_JOURNAL_CLAIMED && run->container_id != NULL
                          && run->recovery.found_phase == PP_JOB_ABSENT;
  pp_flow_run_stop_because (run, PP_STOP_CANCELLED);
  pp_flow_run_report_cancelled (run);
}

/* Keeps the data about RUN from BODY, an object of the API. */
static void
keep_flow_run (PpFlowRun *run, json_t *body)
{
  const char *name = pp_json_string (body, "name");

  json_decref (run->json);
  run->json = json_incref (body);
  /* If the server returned only the run's states, the name is missing. */
  if (name != NULL || run->name == NULL)
    {
      g_free (run->name);
      run->name = g_strdup (name != NULL ? name : run->id);
    }
  if (run->deployment_id == NULL)
    run->deployment_id = g_strdup (pp_json_string (body, "deployment_id"));
  if (run->flow_id == NULL)
    run->flow_id = g_strdup (pp_json_string (body, "flow_id"));
}

/* Called if the run is paused or suspended. */
static void
on_paused (PpFlowRun *run, const json_t *state)
{
  if (was_started (run))
    pp_flow_run_follow_recovered (run);
  else if (run->journal.phase != PP_JOURNAL_CLAIMED && pp_flow_run_is_paused_in_container (state))
    go_on_without (run);
  else
    leave (run, "it is paused, and will be picked up by a poll when it is resumed");
}

static void
on_known (PpFlowRun *run, json_t *body)
{
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  keep_flow_run (run, body);
  if (was_started (run) && pp_json_string (body, "infrastructure_pid") == NULL)
    pp_flow_run_tell_pid (run);
  if (pp_flow_run_state_is_terminal (state))
    on_server_ended (run, type);
  else if (g_strcmp0 (type, "CANCELLING") == 0)
    on_cancelling (run);
  else if (g_strcmp0 (type, "SCHEDULED") == 0)
    on_scheduled (run);
  else if (g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0)
    pp_flow_run_check_claim (run, on_pending_or_running);
  else
    on_paused (run, state);
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->state_read = NULL;
  if (error == NULL)
    on_known (run, body);
  else if (g_error_matches (error, PP_API_ERROR, 404))
    on_deleted (run);
  else
    {
      /* As long as this worker lives, nobody else recovers its runs. */
      if (run->retries++ == 0)
        g_warning ("Flow run '%s' is not recovered yet, because its state cannot be read. The "
                   "worker keeps asking: %s",
                   run->id, error->message);
      pp_flow_run_after (run, ASK_AGAIN_MS, pp_flow_run_go_on);
    }
}

void
pp_flow_run_enter_recovered (PpFlowRun *run)
{
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_read, run);
}
