/* SPDX-License-Identifier: Apache-2.0 */
/* Handles requests that outlive their flow run, from this worker and from earlier ones. */
#include "config.h"

#include "worker/worker_inside-private.h"

#include "late_requests-private.h"

/* The longest time between two checks. Runs may wait for the result of a check. */
#define LOOK_SECONDS 15.0

static PpLateHands
on_hands (const char *flow_run_id, const char *transition_id, gpointer user_data)
{
  const PpWorker *worker = user_data;
  const PpFlowRun *run = g_hash_table_lookup (worker->runs, flow_run_id);

  if (run == NULL)
    return PP_LATE_IN_NO_HANDS;
  return pp_flow_run_asked_for (run, transition_id) ? PP_LATE_ASKED_FOR_IN_HAND : PP_LATE_IN_HAND;
}

/* The run is already claimed: recover it like a run that an earlier worker claimed. */
static gboolean
on_take_over (const PpJournalEntry *note, gpointer user_data)
{
  PpWorker *worker = user_data;
  g_autofree char *report = g_uuid_string_random ();
  const PpJournalEntry entry = {
    .flow_run_id = note->flow_run_id,
    .flow_run_name = note->flow_run_name,
    .deployment_id = note->deployment_id,
    .flow_id = note->flow_id,
    .phase = PP_JOURNAL_CLAIMED,
    .claim_transition_id = note->claim_transition_id,
    .submitting_transition_id = note->submitting_transition_id,
    .running_transition_id = note->running_transition_id,
    /* Use a new id, because the report of the earlier attempt may still arrive. */
    .report_transition_id = report,
    .claimed_at = g_get_real_time (),
    .scheduled_time = note->scheduled_time,
    .boot_id = worker->boot_id,
  };

  if (worker->phase != PP_WORKER_RUNNING || !pp_worker_has_slot (worker)
      || worker->engine_silence != NULL || pp_journal_failure (worker->context.journal) != NULL)
    return FALSE;
  pp_journal_put (worker->context.journal, &entry, NULL, NULL);
  pp_worker_take_into_hands (worker, &entry);
  pp_worker_recover_run (worker, note->flow_run_id);
  return TRUE;
}

static const char *
on_container (const char *flow_run_id, gpointer user_data)
{
  const PpWorker *worker = user_data;
  const PpFlowRun *run = g_hash_table_lookup (worker->runs, flow_run_id);

  return run != NULL ? pp_flow_run_container_id (run) : NULL;
}

void
pp_worker_expect_late_requests (PpWorker *worker)
{
  const PpLateFuncs funcs = { on_hands, on_take_over, on_container, worker };
  PpWorkerContext *context = &worker->context;

  context->late = pp_late_requests_new (context->api, context->states, context->journal,
                                        pp_late_patience (worker->settings),
                                        pp_late_container_patience (worker->settings), &funcs);
  pp_late_requests_load (context->late);
}

static gboolean
on_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->late_timer = 0;
  pp_worker_watch_late_requests (worker);
  return G_SOURCE_REMOVE;
}

void
pp_worker_watch_late_requests (PpWorker *worker)
{
  double seconds = MIN (worker->settings->worker_query_seconds, LOOK_SECONDS);

  if (worker->phase == PP_WORKER_STOPPING)
    return;
  pp_late_requests_look (worker->context.late);
  pp_worker_look_for_late_containers (worker);
  worker->late_timer = g_timeout_add (pp_worker_interval_ms (seconds, 0), on_timer, worker);
}

void
pp_worker_leave_late_requests (PpWorker *worker)
{
  g_clear_handle_id (&worker->late_timer, g_source_remove);
  pp_worker_leave_late_containers (worker);
}
