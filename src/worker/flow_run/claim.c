/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a flow run from the poll to the description of its container. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"

/* A claim without an answer is repeated after 0.5, 1, 2, ... seconds, up to this. */
#define MAX_BACK_OFF 30
/* If the server answers reads, but this many claims of a run have failed, the worker drops the run
 * for a while. The server may fail for this run only. */
#define TRIES 4
/* The same limit if the server answers that it is busy. This many claims take about a minute. */
#define BUSY_TRIES 8
/* If a read took longer than this, the server was away. Failed claims from before do not count. */
#define AWAY_US (5 * G_USEC_PER_SEC)

/* An answer that took longer than this may be the answer to a repeated call (PP_API_RETRY). The
 * earlier call may still be carried out. */
#define SOON_US G_USEC_PER_SEC

/* Why the server refuses the claim of a run whose deployment was deleted; its own words. */
#define DEPLOYMENT_NOT_FOUND "Deployment not found."

/* CLAIMED: asks the server if the run is ours. */

static void propose_pending (PpFlowRun *run);

static void
move_to_pending (PpFlowRun *run)
{
  pp_flow_run_move (run, PP_FLOW_RUN_PENDING);
}

static void claim_later (PpFlowRun *run, double seconds);

/* Drops RUN, whose claim was refused (ERROR). The next polls skip it for a while. */
static void
give_up_claim (PpFlowRun *run, const GError *error)
{
  g_autofree char *sentence = pp_flow_run_sentence (error->message);

  if (pp_refused_claims_add (run->context->refused, run->id))
    pp_flow_run_log (run, PP_LOG_ERROR,
                     "Failed to update state of flow run '%s': %s The worker tries again after "
                     "pauses that grow to 5 minutes",
                     run->id, sentence);
  pp_flow_run_drop (run);
}

static gboolean
is_busy (const GError *error)
{
  return error->code == 408 || error->code == 429 || error->code == 503;
}

/* True if RUN's claim has failed so often that the server may fail for this run only. */
static gboolean
is_refused (const PpFlowRun *run)
{
  if (run->retries == 0)
    return FALSE;
  return pp_refused_claims_has (run->context->refused, run->id)
         || run->retries >= (is_busy (run->claim.error) ? BUSY_TRIES : TRIES);
}

/* Handles RUN after a failed claim. The server has answered that RUN is still SCHEDULED. */
static void
claim_again (PpFlowRun *run)
{
  if (g_get_monotonic_time () - run->claim.looked_at > AWAY_US)
    run->retries = 0;
  if (run->cleanup.slot_freed)
    pp_flow_run_drop (run); /* a poll returns it again when there is a slot */
  else if (is_refused (run))
    give_up_claim (run, run->claim.error);
  else
    propose_pending (run);
}

/* Handles a RUN that the server cannot return (ERROR), though it answers other calls. The claim may
 * have succeeded. */
static void
wait_for_state (PpFlowRun *run, const GError *error)
{
  if (!run->cleanup.slot_freed)
    g_warning ("Flow run '%s' (%s) is not started yet: the server did not confirm its claim, and "
               "its state cannot be read. The worker keeps asking: %s",
               run->name, run->id, error->message);
  pp_flow_run_free_slot (run);
  claim_later (run, MAX_BACK_OFF);
}

static void
say_submitting (PpFlowRun *run)
{
  pp_flow_run_log (run, PP_LOG_INFO, "Worker '%s' submitting flow run '%s'",
                   run->context->worker_name, run->id);
}

/* Handles the claim of RUN that the server has accepted with STATE. */
static void
take_claim (PpFlowRun *run, const json_t *state)
{
  pp_claimed_states_add (run->context->claimed, run->claim.state_id);
  if (pp_refused_claims_accept (run->context->refused, run->id))
    say_submitting (run);
  pp_flow_run_take_lease (run, state);
  pp_flow_run_check_contest (run, move_to_pending);
}

/* Returns why RUN, whose STATE on the server is not SCHEDULED, is left alone; new string. */
static char *
describe_loss (const json_t *state)
{
  const char *type = pp_json_string (state, "type");
  const char *name = pp_json_string (state, "name");

  if (name == NULL || g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0)
    return g_strdup ("another worker has it now");
  return g_strdup_printf ("it is %s", name);
}

static void
on_claim_state (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");

  run->state_read = NULL;
  if (g_strcmp0 (type, "SCHEDULED") == 0)
    {
      pp_flow_run_note_seen (run, body, run->claim.looked_at);
      g_free (run->claim.state_id);
      run->claim.state_id = g_strdup (pp_json_string (state, "id"));
      claim_again (run);
    }
  else if (g_strcmp0 (type, "PENDING") == 0 && pp_flow_run_is_own_state (run, state))
    take_claim (run, state);
  else if (error != NULL && !g_error_matches (error, PP_API_ERROR, 404))
    wait_for_state (run, error);
  else
    {
      g_autofree char *why = error != NULL ? g_strdup (error->message) : describe_loss (state);

      g_message ("This worker does not take flow run %s: %s", run->id, why);
      pp_flow_run_drop (run);
    }
}

static void
look_before_claim (PpFlowRun *run)
{
  run->claim.looked_at = g_get_monotonic_time ();
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_claim_state, run);
}

/* Reads the run before the claim is repeated. Another worker may have claimed and ended the run
 * meanwhile, and the server accepts PENDING for a COMPLETED run. */
static void
claim_later (PpFlowRun *run, double seconds)
{
  pp_flow_run_after (run, (guint)(CLAMP (seconds, 0.1, 3600) * 1000), look_before_claim);
}

/* Reads RUN after a delay, and claims it again if it is still SCHEDULED. ERROR is the error of
 * RUN's last claim. */
static void
look_after_failure (PpFlowRun *run, const GError *error)
{
  double seconds = MIN (0.5 * (1u << MIN (run->retries, 8)), MAX_BACK_OFF);

  g_clear_error (&run->claim.error);
  run->claim.error = g_error_copy (error);
  run->retries++;
  claim_later (run, is_refused (run) ? 0 : seconds * g_random_double_range (0.7, 1.3));
}

static gboolean
stays_scheduled (const PpSetStateResult *result)
{
  return result->state == NULL || pp_flow_run_state_is_scheduled (result->state);
}

static void
say_aborted (PpFlowRun *run, const char *reason)
{
  pp_flow_run_log (run, PP_LOG_INFO,
                   "Aborted submission of flow run '%s'. Server sent an abort signal: %s", run->id,
                   reason != NULL ? reason : "no reason given");
}

/* Checks that the run is still SCHEDULED. If a run is over, the server refuses its claim with the
 * same words. */
static void
on_state_without_deployment (json_t *body, const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->state_read = NULL;
  if (pp_flow_run_state_is_scheduled (json_object_get (body, "state")))
    pp_flow_run_cancel_for_deployment (run);
  else
    pp_flow_run_drop (run);
}

/* Handles a RUN whose claim the server refuses because it does not find the deployment
 * (SecureFlowConcurrencySlots). Prefect's worker reads the deployment first, and cancels the run if
 * the deployment is gone. */
static void
settle_without_deployment (PpFlowRun *run)
{
  if (g_error_matches (run->resolve.error, PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_DEPLOYMENT_GONE))
    {
      run->state_read
          = pp_state_reader_read (run->context->states, run->id, on_state_without_deployment, run);
      return;
    }
  if (pp_refused_claims_add (run->context->refused, run->id))
    say_aborted (run, DEPLOYMENT_NOT_FOUND);
  pp_flow_run_drop (run);
}

static void
on_pending (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("answered", "PENDING");
  run->api_call = NULL;
  if (pp_api_error_is_transient (error)
      || g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH))
    {
      pp_flow_run_expect_late (run);
      look_after_failure (run, error);
      return;
    }
  if (error != NULL)
    {
      give_up_claim (run, error);
      return;
    }
  switch (result->status)
    {
    case PP_SET_STATE_ACCEPT:
      take_claim (run, result->state);
      return;
    case PP_SET_STATE_WAIT:
      claim_later (run, result->delay_seconds);
      return;
    case PP_SET_STATE_ABORT:
      if (g_strcmp0 (result->reason, DEPLOYMENT_NOT_FOUND) == 0)
        {
          run->claim.lacks_deployment = TRUE;
          if (run->resolve.is_done)
            settle_without_deployment (run);
          return;
        }
      /* A run that stays SCHEDULED will be returned by the next poll. In another state, it was
       * claimed by another worker, or ended. */
      if (!stays_scheduled (result) || pp_refused_claims_add (run->context->refused, run->id))
        say_aborted (run, result->reason);
      break;
    case PP_SET_STATE_REJECT:
      pp_flow_run_log (
          run, PP_LOG_INFO,
          "Aborted submission of flow run '%s': Server returned a non-pending state '%s'%s%s",
          run->id, pp_json_string (result->state, "type"), result->reason != NULL ? ": " : "",
          result->reason != NULL ? result->reason : "");
      break;
    }
  pp_flow_run_drop (run);
}

static void
propose_pending (PpFlowRun *run)
{
  run->api_call = pp_flow_run_set_state (run->context->api, run->id, run->transitions.claim,
                                         "PENDING", NULL, NULL, FALSE, PP_API_TRY, on_pending, run);
}

static void
on_resolved (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  PpWorkerContext *context = run->context;
  PpResolveIdentity identity = {
    .worker_name = context->worker_name,
    .worker_id = context->worker_id,
    .environment = context->settings->environment,
    .process_environment = context->process_environment,
  };

  run->resolve.call = NULL;
  run->resolve.is_done = TRUE;
  if (error != NULL)
    run->resolve.error = g_error_copy (error);
  else
    {
      run->mask = pp_resolve_mask (parts);
      run->resolve.configuration = pp_resolve_configuration (parts, &identity, &run->resolve.error);
      pp_flow_run_learn_name (run);
    }
  if (run->state == PP_FLOW_RUN_PENDING)
    pp_flow_run_go_on (run);
  else if (run->claim.lacks_deployment)
    settle_without_deployment (run);
}

void
pp_flow_run_enter_claimed (PpFlowRun *run)
{
  if (!pp_refused_claims_has (run->context->refused, run->id))
    say_submitting (run);
  /* Fetch the data for the configuration while the server handles PENDING. */
  run->resolve.call = pp_resolver_fetch (run->context->resolver, run->json, run->context->work_pool,
                                         on_resolved, run);
  pp_flow_run_write_down (run, PP_JOURNAL_CLAIMED, propose_pending);
}

/* PENDING: the run is ours. Waits for the deployment and the objects that it refers to. */

static void
leave_pending (PpFlowRun *run)
{
  if (run->resolve.error == NULL)
    pp_flow_run_move (run, PP_FLOW_RUN_RESOLVED);
  else if (run->recovery.attaches)
    pp_flow_run_attach_undescribed (run, run->resolve.error->message);
  else if (g_error_matches (run->resolve.error, PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_DEPLOYMENT_GONE))
    pp_flow_run_cancel_for_deployment (run);
  else
    pp_flow_run_fail_submission (run, run->resolve.error->message);
}

void
pp_flow_run_enter_pending (PpFlowRun *run)
{
  if (run->resolve.is_done)
    leave_pending (run);
}

/* RESOLVED: describes the container, without a request to the server or the engine. */

void
pp_flow_run_enter_resolved (PpFlowRun *run)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  run->policy = g_new0 (PpRunPolicy, 1);
  run->spec = pp_infrastructure_prepare (run->context->infrastructure, run->resolve.configuration,
                                         run->policy, warnings, &error);
  if (run->spec == NULL)
    g_clear_pointer (&run->policy, g_free);
  g_clear_pointer (&run->resolve.configuration, json_decref);
  g_clear_pointer (&run->json, json_decref);
  if (run->spec == NULL && run->recovery.attaches)
    {
      pp_flow_run_attach_undescribed (run, error->message);
      return;
    }
  if (run->spec == NULL)
    {
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
  /* The deployment may have changed since the container was started. */
  if (run->recovery.attaches && run->recovery.found_reporter != PP_REPORTER_UNKNOWN)
    run->policy->state_reporting
        = run->recovery.found_reporter == PP_REPORTER_WORKER ? PP_REPORT_WORKER : PP_REPORT_PREFECT;
  run->worker_reported = run->policy->state_reporting == PP_REPORT_WORKER;
  /* If the run is over on the server, its container is removed whatever is configured. */
  run->auto_remove = run->policy->auto_remove || (run->recovery.attaches && run->auto_remove);
  for (guint i = 0; i < warnings->len; i++)
    pp_flow_run_log (run, PP_LOG_WARNING, "%s", (const char *)g_ptr_array_index (warnings, i));
  pp_flow_run_move (run, PP_FLOW_RUN_RENDERED);
}

static void
on_submitting (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  gboolean is_slow = g_get_monotonic_time () - run->submitting.sent_at > SOON_US;

  pp_failpoint ("answered", "Submitting");
  run->submitting.call = NULL;
  if (error != NULL || is_slow)
    pp_flow_run_expect_late (run);
  if (error != NULL)
    g_debug ("Flow run %s could not be set to Submitting: %s", run->id, error->message);
  else if (result->status == PP_SET_STATE_ACCEPT)
    {
      pp_flow_run_take_lease (run, result->state);
      run->submitting.is_slow = is_slow;
    }
  if (run->failure != NULL)
    pp_flow_run_report_failure (run);
  else if (run->state == PP_FLOW_RUN_CREATED && !pp_flow_run_is_cancelled (run))
    pp_flow_run_go_on (run);
}

/* Sets the labels that name the container's owner. They override labels of the job and its
 * image. */
static void
set_owner (PpFlowRun *run)
{
  const PpWorkerContext *context = run->context;
  const PpJobRef owner
      = { .identity = (char *)context->identity_name,
          .flow_run_id = run->id,
          .claim = run->transitions.claim,
          .work_pool = (char *)pp_json_string (context->work_pool, "name"),
          .reporter = run->worker_reported ? PP_REPORTER_WORKER : PP_REPORTER_PREFECT };

  pp_infrastructure_set_owner (context->infrastructure, run->spec, &owner);
}

void
pp_flow_run_enter_rendered (PpFlowRun *run)
{
  PpWorkerContext *context = run->context;

  if (run->recovery.attaches)
    {
      pp_flow_run_attach (run);
      return;
    }
  json_auto_t *labels = json_pack (
      "{s:s, s:s, s:s*, s:s*}", "prefect.worker.name", context->worker_name, "prefect.worker.type",
      context->type, "prefect.work-pool.name", pp_json_string (context->work_pool, "name"),
      "prefect.work-pool.id", pp_json_string (context->work_pool, "id"));

  set_owner (run);
  pp_events_emit_worker (context->events, "prefect.worker.submitted-flow-run",
                         pp_flow_run_related (run));
  pp_flow_run_update_labels (context->api, run->id, labels, NULL, NULL);
  /* If Prefect reports the run, its states follow "Submitting". A run that the worker reports goes
   * to RUNNING instead. */
  if (!run->worker_reported)
    {
      run->submitting.sent_at = g_get_monotonic_time ();
      run->submitting.call
          = pp_flow_run_set_state (context->api, run->id, run->transitions.submitting, "PENDING",
                                   "Submitting", NULL, FALSE, PP_API_RETRY, on_submitting, run);
    }
  pp_flow_run_move (run, PP_FLOW_RUN_SUBMITTING);
}

void
pp_flow_run_resubmit (PpFlowRun *run)
{
  run->resolve.call = pp_resolver_fetch (run->context->resolver, run->json, run->context->work_pool,
                                         on_resolved, run);
  pp_flow_run_move (run, PP_FLOW_RUN_PENDING);
}
