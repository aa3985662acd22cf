/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "poll_entry-private.h"

#include "worker/flow_run/flow_run-private.h"

#define TOLERANCE_US ((gint64)60 * G_USEC_PER_SEC)

PpPollEntry
pp_poll_entry_judge (const json_t *flow_run, gint64 asked_before, const PpWorkerContext *context)
{
  const char *id = pp_json_string (flow_run, "id");

  if (id == NULL || !g_uuid_string_is_valid (id))
    return PP_POLL_ENTRY_BAD;
  if (pp_flow_run_scheduled_time (flow_run) > asked_before + TOLERANCE_US)
    return PP_POLL_ENTRY_BAD;
  if (pp_claimed_states_has (context->claimed, pp_json_string (flow_run, "state_id")))
    return PP_POLL_ENTRY_CLAIMED;
  if (pp_refused_claims_waits (context->refused, id))
    return PP_POLL_ENTRY_REFUSED;
  return PP_POLL_ENTRY_CLAIMABLE;
}
