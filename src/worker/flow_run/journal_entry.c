/* SPDX-License-Identifier: Apache-2.0 */
/* Converts a flow run to its entry in the journal, and an entry to a flow run. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/state/state_dir.h"

#include "worker/failpoint-private.h"

/* How long to wait, in milliseconds, before progress of the output is saved. */
#define NOTE_MS 200

static void
on_written (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  PpFlowRunNextFunc next = run->journal.written;

  pp_failpoint ("written", pp_journal_phase_name (run->journal.phase));
  run->journal.put = NULL;
  /* A run that was not begun is left to the next poll. A run that was begun goes on. */
  if (error != NULL && run->state == PP_FLOW_RUN_CLAIMED)
    {
      g_warning ("Flow run '%s' is not taken: %s", run->id, error->message);
      pp_flow_run_drop (run);
      return;
    }
  if (error != NULL)
    g_warning ("Could not save how far flow run '%s' is. If this worker stops now, its next start "
               "will not know that: %s",
               run->id, error->message);
  next (run);
}

void
pp_flow_run_describe (const PpFlowRun *run, PpJournalEntry *entry)
{
  PpInfrastructureAbout about = pp_infrastructure_about (run->context->infrastructure);

  *entry = (PpJournalEntry){
    .flow_run_id = run->id,
    .flow_run_name = run->name,
    .deployment_id = run->deployment_id,
    .flow_id = run->flow_id,
    .phase = run->journal.phase,
    .claim_transition_id = (char *)run->transitions.claim,
    .submitting_transition_id = (char *)run->transitions.submitting,
    .running_transition_id = (char *)run->transitions.running,
    .report_transition_id = (char *)run->transitions.report,
    .report_type = run->report.type,
    .report_name = run->report.name,
    .report_message = run->report.message,
    .report_force = run->report.force,
    .container_id = run->container_id,
    .container_name = run->container_name,
    .shown_name = g_strcmp0 (run->shown_name, run->container_name) != 0 ? run->shown_name : NULL,
    .replaced_container_id = run->replaced_container_id,
    .undescribed
    = run->policy == NULL && run->container_id != NULL && run->journal.phase != PP_JOURNAL_CLAIMED,
    .worker_reported = run->worker_reported,
    .auto_remove = run->auto_remove,
    .timed_out = pp_flow_run_is_timed_out (run),
    .claimed_at = run->claimed_time,
    .started_at = run->started_time,
    .started_uptime = run->started_uptime,
    .seen_run_count = run->seen_run_count,
    .attempt = run->attempt,
    .scheduled_time = run->scheduled_time,
    .lease_id = run->lease != NULL ? (char *)pp_lease_id (run->lease) : NULL,
    .engine_name = (char *)about.name,
    .engine_url = (char *)about.place,
    .boot_id = (char *)run->context->boot_id,
  };
  if (run->policy == NULL)
    return;
  entry->tty = run->policy->has_tty;
  entry->stream_output = run->policy->stream_output;
  entry->forward_output = pp_run_policy_forwards_output (run->policy);
  entry->stop_timeout = run->policy->stop_timeout;
  entry->timeout_seconds = run->policy->timeout_seconds;
  entry->startup_timeout_seconds = run->policy->startup_timeout_seconds;
}

void
pp_flow_run_write_down (PpFlowRun *run, PpJournalPhase phase, PpFlowRunNextFunc next)
{
  PpJournalEntry entry;

  run->journal.phase = phase;
  run->journal.written = next;
  pp_flow_run_describe (run, &entry);
  pp_journal_put_cancel (run->journal.put);
  run->journal.put = pp_journal_put (run->context->journal, &entry, on_written, run);
}

PpRunPolicy *
pp_flow_run_policy_from_entry (const PpJournalEntry *entry)
{
  PpRunPolicy *policy = g_new0 (PpRunPolicy, 1);

  policy->has_tty = entry->tty;
  policy->auto_remove = entry->auto_remove;
  policy->stream_output = entry->stream_output;
  policy->forward_output = entry->forward_output ? PP_FORWARD_ALWAYS : PP_FORWARD_NEVER;
  policy->state_reporting = entry->worker_reported ? PP_REPORT_WORKER : PP_REPORT_PREFECT;
  policy->stop_timeout = (guint)CLAMP (entry->stop_timeout, 0, G_MAXINT);
  policy->timeout_seconds = entry->timeout_seconds;
  policy->startup_timeout_seconds = entry->startup_timeout_seconds;
  return policy;
}

static void
take_transition (char *into, const char *id)
{
  if (id != NULL)
    g_strlcpy (into, id, PP_TRANSITION_ID_SIZE);
}

void
pp_flow_run_read_entry (PpFlowRun *run, const PpJournalEntry *entry)
{
  run->journal.phase = entry->phase;
  run->journal.was_followed = entry->is_followed;
  run->replaced_container_id = g_strdup (entry->replaced_container_id);
  /* The worker that wrote the entry may have been killed with any request under way. */
  if (entry->phase == PP_JOURNAL_CLAIMED)
    pp_flow_run_expect_late_container (run);
  else
    pp_flow_run_expect_late (run);
  run->name = g_strdup (entry->flow_run_name);
  run->deployment_id = g_strdup (entry->deployment_id);
  run->flow_id = g_strdup (entry->flow_id);
  take_transition (run->transitions.claim, entry->claim_transition_id);
  take_transition (run->transitions.submitting, entry->submitting_transition_id);
  take_transition (run->transitions.running, entry->running_transition_id);
  take_transition (run->transitions.report, entry->report_transition_id);
  run->report.type = g_strdup (entry->report_type);
  run->report.name = g_strdup (entry->report_name);
  run->report.message = g_strdup (entry->report_message);
  run->report.force = entry->report_force;
  run->claimed_time = entry->claimed_at;
  run->started_time = entry->started_at;
  run->seen_run_count = entry->seen_run_count;
  run->attempt = entry->attempt;
  run->scheduled_time = entry->scheduled_time;
  run->recovery.host_restarted = entry->boot_id != NULL && *entry->boot_id != '\0'
                                 && *run->context->boot_id != '\0'
                                 && !g_str_equal (entry->boot_id, run->context->boot_id);
  /* The uptime is valid only in its own boot, and only if that boot is known. */
  if (entry->boot_id != NULL && *entry->boot_id != '\0' && !run->recovery.host_restarted
      && g_str_equal (entry->boot_id, run->context->boot_id))
    run->started_uptime = entry->started_uptime;
  /* An earlier worker that began the run anew may have renamed the container for its removal. The
   * entry has the container's name from before. */
  run->container_name = g_strdup (entry->container_name);
  pp_flow_run_show_name (run, g_strdup (pp_journal_entry_shown_name (entry)));
  if (entry->phase == PP_JOURNAL_CLAIMED)
    return;
  run->container_id = g_strdup (entry->container_id);
  run->worker_reported = entry->worker_reported;
  run->auto_remove = entry->auto_remove;
  if (entry->timed_out)
    pp_flow_run_stop_because (run, PP_STOP_TIMEOUT);
  if (!entry->undescribed)
    run->policy = pp_flow_run_policy_from_entry (entry);
  if (entry->lease_id != NULL)
    pp_flow_run_keep_lease (run, entry->lease_id);
  if (run->lease != NULL && !run->worker_reported)
    pp_lease_keep_until_running (run->lease);
}

void
pp_flow_run_delivered (PpFlowRun *run, guint records, gint64 timestamp)
{
  /* count.records counts records that are later than the old last_timestamp. So add them to the
   * position only when last_timestamp moves past them. */
  run->position.records += run->count.records + records;
  run->count.records = 0;
  run->position.last_timestamp = timestamp;
  if (run->delivery == NULL)
    return;
  pp_delivery_note (run->delivery);
  pp_position_update (run->position_file, &run->position);
}

void
pp_flow_run_sending (PpFlowRun *run, gint64 timestamp)
{
  run->position.sent_until = timestamp;
  if (run->position_file != NULL)
    pp_position_update (run->position_file, &run->position);
}

static void
note_shown (PpFlowRun *run)
{
  if (run->policy->stream_output && pp_stdout_pending (run->context->out) == 0)
    run->position.stdout_bytes = MAX (run->position.stdout_bytes, pp_output_shown (run->output));
  pp_delivery_note (run->delivery);
  pp_position_update (run->position_file, &run->position);
}

static gboolean
on_note_timer (gpointer user_data)
{
  PpFlowRun *run = user_data;

  /* Wait until all output is written to standard output. */
  if (run->policy->stream_output && pp_stdout_pending (run->context->out) > 0)
    return G_SOURCE_CONTINUE;
  run->note_timer = 0;
  note_shown (run);
  return G_SOURCE_REMOVE;
}

void
pp_flow_run_note_shown_soon (PpFlowRun *run)
{
  if (run->note_timer == 0)
    run->note_timer = g_timeout_add (NOTE_MS, on_note_timer, run);
}

void
pp_flow_run_close_position (PpFlowRun *run)
{
  if (run->note_timer != 0)
    note_shown (run);
  g_clear_handle_id (&run->note_timer, g_source_remove);
  pp_position_close (g_steal_pointer (&run->position_file));
}

const char *
pp_flow_run_phase_word (const PpFlowRun *run)
{
  return pp_journal_phase_word (run->journal.phase, run->state >= PP_FLOW_RUN_STARTED
                                                        || (run->state == PP_FLOW_RUN_RECOVERED
                                                            && run->journal.was_followed));
}
