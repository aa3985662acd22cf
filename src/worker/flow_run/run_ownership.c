/* SPDX-License-Identifier: Apache-2.0 */
/* Whether another worker has run a flow run between our sight of it and our claim. Two PENDINGs on
 * top of each other are refused, but the server takes one on top of COMPLETED, FAILED or CRASHED: a
 * claim that was long on its way may arrive after another worker's whole run. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* A container cannot be claimed, made, run and reported sooner. */
#define SOONEST_RUN_US (400 * 1000)

gboolean
pp_flow_run_state_is_terminal (const json_t *state)
{
  static const char *const types[] = { "COMPLETED", "FAILED", "CRASHED", "CANCELLED", NULL };
  const char *type = pp_json_string (state, "type");

  return type != NULL && g_strv_contains (types, type);
}

gboolean
pp_flow_run_waits_in_container (const json_t *flow_run)
{
  const json_t *policy = json_object_get (flow_run, "empirical_policy");
  const char *type = pp_json_string (json_object_get (flow_run, "state"), "type");

  return g_strcmp0 (type, "SCHEDULED") == 0
         && g_strcmp0 (pp_json_string (policy, "retry_type"), "in_process") == 0;
}

gboolean
pp_flow_run_is_paused_in_container (const json_t *state)
{
  const json_t *details = json_object_get (state, "state_details");

  return g_strcmp0 (pp_json_string (state, "type"), "PAUSED") == 0
         && json_is_false (json_object_get (details, "pause_reschedule"));
}

void
pp_flow_run_note_seen (PpFlowRun *run, const json_t *flow_run, gint64 asked_at)
{
  run->seen_at = asked_at;
  run->seen_run_count = json_integer_value (json_object_get (flow_run, "run_count"));
}

static void
on_restored (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  (void)result;
  run->api_call = NULL;
  if (error != NULL)
    g_warning ("Flow run '%s' (%s) was run by another worker, and its end could not be put back: "
               "%s",
               run->name, run->id, error->message);
  pp_flow_run_drop (run);
}

/* The end that came after the last SCHEDULED, or NULL. STATES: oldest first. */
static json_t *
find_end (json_t *states)
{
  json_t *end = NULL;
  json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    if (g_strcmp0 (pp_json_string (state, "type"), "SCHEDULED") == 0)
      end = NULL;
    else if (pp_flow_run_state_is_terminal (state))
      end = state;
  }
  return end;
}

static void
on_history (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  json_t *end = find_end (body);

  run->api_call = NULL;
  if (error != NULL)
    g_debug ("The states of flow run %s are not known: %s", run->id, error->message);
  if (end == NULL)
    {
      run->next (run);
      return;
    }
  pp_flow_run_log (run, PP_LOG_INFO,
                   "Aborted submission of flow run '%s': another worker has run it meanwhile, to "
                   "state '%s', which is put back",
                   run->id, pp_json_string (end, "name"));
  run->api_call = pp_flow_run_restore_state (run->context->api, run->id, end, on_restored, run);
}

void
pp_flow_run_check_history (PpFlowRun *run, void (*next) (PpFlowRun *run))
{
  run->next = next;
  run->api_call = pp_flow_run_states_read (run->context->api, run->id, on_history, run);
}

/* Whether STATES, oldest first, have a claim after ours: it was SCHEDULED once more, for a retry or
 * a resumption, and PENDING followed. A retry that Prefect waits for inside its container has none.
 */
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
    else if (ours && g_strcmp0 (type, "SCHEDULED") == 0)
      scheduled = TRUE;
    else if (scheduled && g_strcmp0 (type, "PENDING") == 0)
      return TRUE;
  }
  return FALSE;
}

/* The end on top of which a late request of ours has put the last of STATES, oldest first; new
 * reference, or NULL. */
static json_t *
find_overwritten_end (const PpFlowRun *run, json_t *states)
{
  const json_t *last = json_array_get (states, json_array_size (states) - 1);

  return pp_flow_run_state_is_terminal (last) || !pp_flow_run_is_own_state (run, last)
             ? NULL
             : json_incref (find_end (states));
}

/* Whether STATES, oldest first, have a RUNNING of somebody else on top of ours: Prefect's inside
 * the container. */
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

static void
on_claims (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->claim_call = NULL;
  if (error != NULL)
    g_debug ("The states of flow run %s are not known: %s", run->id, error->message);
  run->claimed_again = have_later_claim (run, body);
  json_decref (run->overwritten_end);
  run->overwritten_end = find_overwritten_end (run, body);
  /* What is not known stops nothing. */
  run->told_inside = error != NULL || have_other_running (run, body);
  run->claim_known (run);
}

void
pp_flow_run_check_claim (PpFlowRun *run, void (*next) (PpFlowRun *run))
{
  pp_api_call_cancel (run->claim_call);
  run->claim_known = next;
  run->claim_call = pp_flow_run_states_read (run->context->api, run->id, on_claims, run);
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->state_read = NULL;
  if (error == NULL
      && json_integer_value (json_object_get (body, "run_count")) > run->seen_run_count)
    pp_flow_run_check_history (run, run->next);
  else
    run->next (run);
}

void
pp_flow_run_check_contest (PpFlowRun *run, void (*next) (PpFlowRun *run))
{
  if (g_get_monotonic_time () - run->seen_at < SOONEST_RUN_US)
    {
      next (run);
      return;
    }
  run->next = next;
  run->state_read = pp_state_reader_read (run->context->states, run->id, on_read, run);
}
