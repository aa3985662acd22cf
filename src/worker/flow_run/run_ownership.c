/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out if a flow run was run by another worker, or ended by hand, before a request of ours was
 * carried out. The server refuses PENDING for a run that is PENDING, but accepts PENDING and
 * RUNNING for one that is COMPLETED, FAILED or CRASHED. If a request of ours arrives late, another
 * worker may therefore have executed the whole run before. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* The shortest time in which a run can be claimed, executed in a container and reported. */
#define SOONEST_RUN_US (400 * 1000)
/* If more time than this has passed since the run was read, a user may have ended the run by hand
 * before our claim. The run's count of attempts does not show that. */
#define LONG_CLAIM_US (5 * G_USEC_PER_SEC)

gboolean
pp_flow_run_state_is_terminal (const json_t *state)
{
  static const char *const types[] = { "COMPLETED", "FAILED", "CRASHED", "CANCELLED", NULL };
  const char *type = pp_json_string (state, "type");

  return type != NULL && g_strv_contains (types, type);
}

gboolean
pp_flow_run_state_is_scheduled (const json_t *state)
{
  return g_strcmp0 (pp_json_string (state, "type"), "SCHEDULED") == 0;
}

gboolean
pp_flow_run_waits_in_container (const json_t *flow_run)
{
  const json_t *policy = json_object_get (flow_run, "empirical_policy");

  return pp_flow_run_state_is_scheduled (json_object_get (flow_run, "state"))
         && g_strcmp0 (pp_json_string (policy, "retry_type"), "in_process") == 0;
}

gboolean
pp_flow_run_is_paused_in_container (const json_t *state)
{
  const json_t *details = json_object_get (state, "state_details");

  return g_strcmp0 (pp_json_string (state, "type"), "PAUSED") == 0
         && json_is_false (json_object_get (details, "pause_reschedule"));
}

gboolean
pp_flow_run_state_is_left_behind (const json_t *state)
{
  const char *type = pp_json_string (state, "type");

  return g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0
         || pp_flow_run_is_paused_in_container (state);
}

void
pp_flow_run_note_seen (PpFlowRun *run, const json_t *flow_run, gint64 asked_at)
{
  run->claim.seen_at = asked_at;
  run->seen_run_count = json_integer_value (json_object_get (flow_run, "run_count"));
  run->attempt = run->seen_run_count > 0 ? run->seen_run_count + 1 : 0;
}

/* Returns the final state after the last SCHEDULED in STATES (oldest first); borrowed, or NULL.
 * Ignores states that a late request of an earlier attempt has set. If a state was restored, also
 * ignores the states before it. */
static json_t *
find_end (const PpFlowRun *run, json_t *states)
{
  json_t *end = NULL;
  json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    if (pp_flow_run_state_is_scheduled (state))
      end = NULL;
    else if (pp_state_is_restored (state))
      end = pp_flow_run_state_is_terminal (state) ? state : NULL;
    else if (pp_flow_run_state_is_terminal (state) && !pp_flow_run_is_late_word (run, state))
      end = state;
  }
  return end;
}

/* After this many empty lists of states in a row, a run whose container has ended frees its
 * slot. */
#define FREE_SLOT_TRIES 3

static gboolean
on_states_timer (gpointer user_data)
{
  PpStatesWait *wait = user_data;

  wait->timer = 0;
  wait->again (wait->run);
  return G_SOURCE_REMOVE;
}

static void
on_read_without_states (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  PpStatesWait *wait = user_data;
  PpFlowRun *run = wait->run;

  wait->read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    {
      wait->gone (run);
      return;
    }
  if (wait->tries++ == 0)
    g_warning ("The server has flow run '%s' (%s), but returns no states of it. The worker asks "
               "again until the server returns them",
               run->name, run->id);
  if (run->state == PP_FLOW_RUN_EXITED && wait->tries >= FREE_SLOT_TRIES)
    pp_flow_run_free_slot (run);
  wait->timer = g_timeout_add (pp_look_delay (wait->tries), on_states_timer, wait);
}

/* Waits for RUN's states after the server has returned an empty list. If the run was deleted, calls
 * GONE. Otherwise AGAIN requests the states until there are some, because an empty list does not
 * show who has the run. */
static void
wait_for_states (PpFlowRun *run, PpStatesWait *wait, PpFlowRunNextFunc again,
                 PpFlowRunNextFunc gone)
{
  wait->run = run;
  wait->again = again;
  wait->gone = gone;
  wait->read = pp_state_reader_read (run->context->states, run->id, on_read_without_states, wait);
}

static void
stop_waiting_for_states (PpStatesWait *wait)
{
  pp_state_read_cancel (g_steal_pointer (&wait->read));
  g_clear_handle_id (&wait->timer, g_source_remove);
}

void
pp_flow_run_forget_claim_check (PpFlowRun *run)
{
  pp_api_call_cancel (g_steal_pointer (&run->claim_check.call));
  stop_waiting_for_states (&run->claim_check.wait);
}

void
pp_flow_run_forget_history (PpFlowRun *run)
{
  stop_waiting_for_states (&run->history.wait);
}

/* Drops a run that nobody can begin, because it was deleted. */
static void
drop_deleted (PpFlowRun *run)
{
  g_message ("This worker does not take flow run %s: it was deleted on the server", run->id);
  pp_flow_run_drop (run);
}

static void
warn_of_unread_states (const PpFlowRun *run, const GError *error)
{
  g_warning ("Could not read the states of flow run '%s' (%s). This worker assumes that the run is "
             "still its own: %s",
             run->name, run->id, error->message);
}

/* True if STATES, oldest first, have a claim after ours: the run became SCHEDULED again, for a
 * retry or a resumption, and then PENDING. A retry that Prefect waits for inside its container has
 * no such claim. */
static gboolean
have_later_claim (const PpFlowRun *run, const json_t *states)
{
  gboolean ours = FALSE, scheduled = FALSE;
  const json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    const char *type = pp_json_string (state, "type");

    if (pp_flow_run_is_own_state (run, state))
      {
        ours = TRUE;
        scheduled = FALSE;
      }
    else if (ours && pp_flow_run_state_is_scheduled (state))
      scheduled = TRUE;
    else if (scheduled && g_strcmp0 (type, "PENDING") == 0
             && !pp_flow_run_is_late_word (run, state))
      return TRUE;
  }
  return FALSE;
}

static void read_history (PpFlowRun *run);

/* Drops RUN. Puts back END, the final state that another worker or a user has set, if a request of
 * ours has overwritten it. END is NULL if another worker has RUN now, or if the run was scheduled
 * again. */
static void
abort_submission (PpFlowRun *run, json_t *end, gboolean is_overwritten)
{
  if (end == NULL)
    pp_flow_run_log (run, PP_LOG_INFO,
                     "Aborted submission of flow run '%s': it was scheduled again meanwhile",
                     run->id);
  else
    pp_flow_run_log (
        run, PP_LOG_INFO,
        "Aborted submission of flow run '%s': somebody else has ended it, in state '%s'%s", run->id,
        pp_json_string (end, "name"), is_overwritten ? ". The worker restores that state" : "");
  if (end != NULL && is_overwritten)
    pp_flow_run_put_back (run, &run->history.put_back, end, read_history, pp_flow_run_drop);
  else
    pp_flow_run_drop (run);
}

/* Puts END (may be NULL) back again after a failed attempt, if LAST, the last of the run's states,
 * may be ours. Otherwise drops RUN: END is back already, somebody else has changed the state, or
 * the states could not be read (ERROR). */
static void
put_back_again (PpFlowRun *run, json_t *end, const json_t *last, const GError *error)
{
  if (error != NULL)
    g_warning ("Could not restore the final state of flow run '%s' (%s), which another worker or a "
               "user had set: %s",
               run->name, run->id, error->message);
  if (end != NULL && !pp_flow_run_state_is_terminal (last)
      && pp_flow_run_may_be_own_state (run, last))
    pp_flow_run_put_back (run, &run->history.put_back, end, read_history, pp_flow_run_drop);
  else
    pp_flow_run_drop (run);
}

/* Decides about RUN, whose states show that it was ended or scheduled again. The server orders
 * states by their times. A request that it carried out late may have an early time: its state is
 * the run's current one, but not the last in the list. So the run itself shows if our request was
 * the last. */
static void
on_current (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *state = json_object_get (body, "state");
  json_auto_t *end = g_steal_pointer (&run->history.end);
  gboolean is_ours
      = state == NULL
        || (!pp_flow_run_state_is_terminal (state) && !pp_flow_run_state_is_scheduled (state)
            && pp_flow_run_may_be_own_state (run, state));

  run->state_read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    drop_deleted (run);
  else if (is_ours && end == NULL && !run->history.is_begun_elsewhere)
    run->history.next (run);
  else
    abort_submission (run, end, is_ours);
}

static void
on_history (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  json_t *end = find_end (run, body);
  json_t *last = json_array_get (body, json_array_size (body) - 1);

  run->api_call = NULL;
  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_STATES))
    {
      wait_for_states (run, &run->history.wait, read_history, drop_deleted);
      return;
    }
  run->history.wait.tries = 0;
  if (run->history.put_back.tries > 0)
    {
      put_back_again (run, end, last, error);
      return;
    }
  if (error != NULL)
    warn_of_unread_states (run, error);
  run->history.is_begun_elsewhere = have_later_claim (run, body);
  if (end == NULL && !pp_flow_run_state_is_scheduled (last) && !run->history.is_begun_elsewhere)
    {
      run->history.next (run);
      return;
    }
  json_decref (run->history.end);
  run->history.end = json_incref (end);
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_current, run);
}

static void
read_history (PpFlowRun *run)
{
  run->api_call = pp_flow_run_states_read (run->context->api, run->id, on_history, run);
}

void
pp_flow_run_check_history (PpFlowRun *run, PpFlowRunNextFunc next)
{
  pp_flow_run_forget_history (run);
  run->history.next = next;
  read_history (run);
}

/* Returns the final state that a late request of ours has overwritten with the last of STATES
 * (oldest first). New reference, or NULL. */
static json_t *
find_overwritten_end (const PpFlowRun *run, json_t *states)
{
  const json_t *last = json_array_get (states, json_array_size (states) - 1);

  return pp_flow_run_state_is_terminal (last) || !pp_flow_run_is_own_state (run, last)
             ? NULL
             : json_incref (find_end (run, states));
}

/* True if a RUNNING state that we did not set follows one of our states in STATES (oldest first).
 * Prefect inside the container has set it. */
static gboolean
have_other_running (const PpFlowRun *run, const json_t *states)
{
  gboolean ours = FALSE;
  const json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    if (pp_flow_run_is_own_state (run, state))
      ours = TRUE;
    else if (ours && g_strcmp0 (pp_json_string (state, "type"), "RUNNING") == 0)
      return TRUE;
  }
  return FALSE;
}

/* True if STATES (oldest first) end with a final state and one or more SCHEDULED states after it,
 * none of which was restored. */
static gboolean
are_retried_by_hand (const json_t *states)
{
  size_t index = json_array_size (states);
  const json_t *state = json_array_get (states, index - 1);

  while (index > 1 && pp_flow_run_state_is_scheduled (state))
    {
      if (pp_state_is_restored (state))
        return FALSE;
      index--;
      state = json_array_get (states, index - 1);
    }
  return index < json_array_size (states) && pp_flow_run_state_is_terminal (state);
}

/* True if a request of ours has set one of STATES. */
static gboolean
have_own_state (const PpFlowRun *run, const json_t *states)
{
  const json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    if (pp_flow_run_is_own_state (run, state))
      return TRUE;
  }
  return FALSE;
}

/* True if a request of ours has set RUNNING in STATES. If they could not be read (ERROR), returns
 * TRUE if no request of ours has set the run's state as it was read last: a user has then forced
 * that state, perhaps after our RUNNING. */
static gboolean
may_have_run (const PpFlowRun *run, const json_t *states, const GError *error)
{
  const json_t *state;
  size_t index;

  if (error != NULL)
    return !pp_flow_run_is_own_state (run, json_object_get (run->json, "state"));
  json_array_foreach (states, index, state)
  {
    if (pp_is_same_transition (pp_state_transition_id (state), run->transitions.running))
      return TRUE;
  }
  return FALSE;
}

static void read_claims (PpFlowRun *run);

/* The caller's next call finds out that the run was deleted. */
static void
go_on_deleted (PpFlowRun *run)
{
  json_decref (g_steal_pointer (&run->report.overwritten_end));
  run->claim_check.known (run, PP_CLAIM_PREFECT);
}

static void
on_claims (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  PpClaimHolder holder = PP_CLAIM_OURS;

  run->claim_check.call = NULL;
  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_STATES))
    {
      wait_for_states (run, &run->claim_check.wait, read_claims, go_on_deleted);
      return;
    }
  run->claim_check.wait.tries = 0;
  if (error != NULL)
    {
      warn_of_unread_states (run, error);
      g_clear_pointer (&run->watch.state_seen, g_free);
    }
  if (have_later_claim (run, body))
    {
      holder = PP_CLAIM_LOST;
      pp_flow_run_drop_pid (run); /* the run is in another container now */
    }
  else if (error != NULL || have_other_running (run, body))
    holder = PP_CLAIM_PREFECT;
  json_decref (run->report.overwritten_end);
  run->report.overwritten_end = find_overwritten_end (run, body);
  run->claim_check.is_retried_by_hand = are_retried_by_hand (body);
  run->claim_check.has_own_state = have_own_state (run, body);
  run->claim_check.may_have_run = may_have_run (run, body, error);
  run->claim_check.known (run, holder);
}

static void
read_claims (PpFlowRun *run)
{
  run->claim_check.call = pp_flow_run_states_read (run->context->api, run->id, on_claims, run);
}

void
pp_flow_run_check_claim (PpFlowRun *run, PpClaimKnownFunc known)
{
  pp_flow_run_forget_claim_check (run);
  run->claim_check.known = known;
  read_claims (run);
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *count = json_object_get (body, "run_count");

  run->state_read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404))
    drop_deleted (run);
  /* If the run cannot be read, or if only its states can be read, the states decide. */
  else if (!json_is_integer (count) || json_integer_value (count) > run->seen_run_count)
    pp_flow_run_check_history (run, run->history.next);
  else
    run->history.next (run);
}

void
pp_flow_run_check_contest (PpFlowRun *run, PpFlowRunNextFunc next)
{
  gint64 since = g_get_monotonic_time () - run->claim.seen_at;

  if (since < SOONEST_RUN_US)
    {
      next (run);
      return;
    }
  if (since > LONG_CLAIM_US)
    {
      pp_flow_run_check_history (run, next);
      return;
    }
  run->history.next = next;
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_read, run);
}
