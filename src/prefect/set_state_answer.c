/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the answer to a proposed state: OrchestrationResult in server/schemas/responses.py. A
 * gateway that answers in the server's place may use the same status words. Therefore an answer
 * counts only if the server's rules (BaseOrchestrationRule in server/orchestration/rules.py) can
 * produce it. These rules are the same in Prefect 2 and 3. */
#include "config.h"

#include "api-private.h"

/* The longest wait before a state is proposed again. If the run is scheduled for a later time, the
 * server asks for a longer wait. Proposing the state sooner does no harm. */
#define MAX_WAIT_SECONDS 3600
/* No run is scheduled for a time later than this: ten years. */
#define MAX_ASKED_SECONDS (10.0 * 366 * 24 * 3600)

static gboolean
parse_status (const char *status, PpSetStateStatus *parsed)
{
  static const struct
  {
    const char *name;
    PpSetStateStatus status;
  } names[] = { { "ACCEPT", PP_SET_STATE_ACCEPT },
                { "WAIT", PP_SET_STATE_WAIT },
                { "ABORT", PP_SET_STATE_ABORT },
                { "REJECT", PP_SET_STATE_REJECT } };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_strcmp0 (status, names[i].name) == 0)
      {
        *parsed = names[i].status;
        return TRUE;
      }
  return FALSE;
}

/* True if STATE has one of Prefect's state types (StateType in server/schemas/states.py). */
static gboolean
is_state (const json_t *state)
{
  static const char *const types[] = { "SCHEDULED", "PENDING",   "RUNNING", "COMPLETED",  "FAILED",
                                       "CRASHED",   "CANCELLED", "PAUSED",  "CANCELLING", NULL };
  const char *type = pp_json_string (state, "type");

  return type != NULL && g_strv_contains (types, type);
}

/* True if STATE is what the server makes of a proposed state of TYPE with TRANSITION_ID. A rule may
 * change the name, but not the type. An old server may return no transition id. */
static gboolean
is_proposed (const json_t *state, const char *type, const char *transition_id)
{
  const char *id = pp_state_transition_id (state);

  return g_strcmp0 (pp_json_string (state, "type"), type) == 0
         && (id == NULL || pp_is_same_transition (id, transition_id));
}

/* True if the server rejects the proposal because the run already has this transition
 * (PreventDuplicateTransitions). This happens if an attempt without an answer was carried out and
 * the call was retried. The REJECT counts as an ACCEPT. */
static gboolean
is_own_transition (const PpSetStateResult *result, const char *transition_id)
{
  return result->status == PP_SET_STATE_REJECT
         && pp_is_same_transition (pp_state_transition_id (result->state), transition_id);
}

/* Sets *SECONDS to the delay in DETAILS of a WAIT. Returns FALSE if there is no usable one. */
static gboolean
read_delay (const json_t *details, double *seconds)
{
  const json_t *delay = json_object_get (details, "delay_seconds");
  double asked = json_number_value (delay);

  *seconds = MIN (asked, MAX_WAIT_SECONDS);
  return json_is_number (delay) && asked >= 0 && asked <= MAX_ASKED_SECONDS;
}

gboolean
pp_api_read_set_state (const json_t *body, const char *type, const char *transition_id,
                       PpSetStateResult *result)
{
  const json_t *details = json_object_get (body, "details");
  const json_t *state = json_object_get (body, "state");

  *result = (PpSetStateResult){
    .state = json_is_object (state) ? state : NULL,
    .reason = pp_json_string (details, "reason"),
  };
  if (!parse_status (pp_json_string (body, "status"), &result->status))
    return FALSE;
  if (is_own_transition (result, transition_id))
    result->status = PP_SET_STATE_ACCEPT;
  switch (result->status)
    {
    case PP_SET_STATE_ACCEPT:
      return is_proposed (state, type, transition_id);
    case PP_SET_STATE_WAIT:
      return read_delay (details, &result->delay_seconds);
    case PP_SET_STATE_REJECT: /* the answer has the run's state, which may be a new one */
      return json_is_object (details) && is_state (state);
    case PP_SET_STATE_ABORT: /* no state if the server could not store the proposed one */
    default:
      return json_is_object (details)
             && (state == NULL || json_is_null (state) || is_state (state));
    }
}

gboolean
pp_set_state_is_open (const PpSetStateResult *result)
{
  return result->status == PP_SET_STATE_WAIT
         || (result->status == PP_SET_STATE_ABORT && result->state == NULL);
}
