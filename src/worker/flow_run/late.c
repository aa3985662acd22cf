/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that may be carried out after this worker has given up on them. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"
#include "worker/recovery/late_requests-private.h"

void
pp_flow_run_expect_late (PpFlowRun *run)
{
  run->late_until = MAX (run->late_until, pp_uptime () + pp_late_patience (run->context->settings));
}

void
pp_flow_run_expect_late_container (PpFlowRun *run)
{
  run->late_until
      = MAX (run->late_until, pp_uptime () + pp_late_container_patience (run->context->settings));
}

void
pp_flow_run_leave_note (const PpFlowRun *run)
{
  const gint64 now = pp_uptime ();
  PpJournalEntry entry;

  if (run->context->late == NULL || (run->late_until < now && !run->report.is_slow))
    return;
  pp_flow_run_describe (run, &entry);
  entry.late_until_uptime = MAX (run->late_until, now);
  pp_late_requests_add (run->context->late, &entry);
}

gboolean
pp_flow_run_asked_for (const PpFlowRun *run, const char *transition_id)
{
  return pp_is_same_transition (transition_id, run->transitions.claim)
         || pp_is_same_transition (transition_id, run->transitions.submitting)
         || pp_is_same_transition (transition_id, run->transitions.running)
         || pp_is_same_transition (transition_id, run->transitions.report);
}

gboolean
pp_flow_run_is_late_word (const PpFlowRun *run, const json_t *state)
{
  const char *id = pp_state_transition_id (state);

  return id != NULL && run->context->late != NULL && !pp_flow_run_asked_for (run, id)
         && pp_late_requests_knows (run->context->late, run->id, id);
}

gboolean
pp_flow_run_has_late_words (const PpFlowRun *run)
{
  return run->context->late != NULL && pp_late_requests_has (run->context->late, run->id);
}
