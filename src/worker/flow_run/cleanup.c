/* SPDX-License-Identifier: Apache-2.0 */
/* REPORTED -> REMOVED: removes the container after all its output was delivered. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"

/* After this many refused removals, the container is left. */
#define MAX_REMOVALS 5
/* If infrastructure_pid of a finished run cannot be set for this long, it is left unset. */
#define PID_SECONDS 30
/* The most runs that may wait for the server without holding a slot. Limits memory. */
#define MAX_UNSETTLED 100

static void remove_container (PpFlowRun *run);

/* Podman also answers 500 for failures that may pass: the container is just stopping, or the
 * storage is busy. */
static void
remove_later_or_give_up (PpFlowRun *run, const GError *error)
{
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE)
      || run->cleanup.refusals++ < MAX_REMOVALS)
    {
      pp_flow_run_later (run, 1000, remove_container);
      return;
    }
  pp_flow_run_log (run, PP_LOG_WARNING, "%s could not be removed: %s", run->first_label,
                   error->message);
  pp_flow_run_move (run, PP_FLOW_RUN_REMOVED);
}

static void
on_removed (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "removed");
  run->engine_call = NULL;
  if (error != NULL)
    remove_later_or_give_up (run, error);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_REMOVED);
}

static void
on_looked_for (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  if (error != NULL
      && !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    {
      remove_later_or_give_up (run, error);
      return;
    }
  if (error != NULL || !pp_flow_run_is_unstarted (run, job))
    {
      pp_flow_run_move (run, PP_FLOW_RUN_REMOVED);
      return;
    }
  run->container_id = g_strdup (job->ref.id);
  remove_container (run);
}

static void
remove_container (PpFlowRun *run)
{
  if (run->container_id == NULL)
    {
      run->engine_call = pp_infrastructure_inspect (run->context->infrastructure,
                                                    run->container_name, on_looked_for, run);
      return;
    }
  run->engine_call
      = pp_infrastructure_remove (run->context->infrastructure, run->container_id, on_removed, run);
}

static void
on_logs_safe (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->cleanup.logs_safe = TRUE;
  pp_flow_run_go_on (run);
}

void
pp_flow_run_free_slot (PpFlowRun *run)
{
  if (run->cleanup.slot_freed || run->context->unsettled >= MAX_UNSETTLED)
    return;
  run->cleanup.slot_freed = TRUE;
  run->cleanup.is_unsettled = TRUE;
  run->context->unsettled++;
  run->notify (run, TRUE, run->user_data);
}

static gboolean
on_left (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->timer = 0;
  if (!run->cleanup.slot_freed)
    run->notify (run, TRUE, run->user_data);
  run->cleanup.slot_freed = TRUE;
  pp_log_sender_when (run->context->logs, run->id, FALSE, on_logs_safe, run);
  return G_SOURCE_REMOVE;
}

static void
forget_pid (PpFlowRun *run)
{
  pp_flow_run_drop_pid (run);
  g_message ("Could not set infrastructure_pid of flow run '%s'. The run is over, so the worker "
             "stops trying",
             run->id);
  pp_flow_run_go_on (run);
}

void
pp_flow_run_enter_reported (PpFlowRun *run)
{
  if (run->cleanup.is_unsettled)
    run->context->unsettled--;
  run->cleanup.is_unsettled = FALSE;
  g_clear_pointer (&run->lease, pp_lease_free);
  pp_api_call_cancel (g_steal_pointer (&run->report.limit_call));
  g_clear_handle_id (&run->report.write_timer, g_source_remove);
  g_clear_handle_id (&run->stop.timeout_timer, g_source_remove);
  g_clear_handle_id (&run->stop.timer, g_source_remove);
  pp_infrastructure_call_cancel (g_steal_pointer (&run->stop.call));
  run->timer = g_idle_add (on_left, run);
}

/* Called when the logs are safe, and when infrastructure_pid is set. */
void
pp_flow_run_go_on_reported (PpFlowRun *run)
{
  if (!run->cleanup.logs_safe || run->engine_call != NULL)
    return;
  if (run->pid.call != NULL)
    {
      pp_flow_run_after (run, PID_SECONDS * 1000, forget_pid);
      return;
    }
  if ((run->container_id == NULL && !run->may_exist) || !run->auto_remove)
    pp_flow_run_move (run, PP_FLOW_RUN_REMOVED);
  else
    remove_container (run);
}

static gboolean
on_over (gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->timer = 0;
  run->notify (run, FALSE, run->user_data);
  return G_SOURCE_REMOVE;
}

void
pp_flow_run_enter_removed (PpFlowRun *run)
{
  if (run->started_once)
    {
      json_t *related = pp_flow_run_related (run);
      g_autofree char *status = g_strdup_printf ("%" G_GINT64_FORMAT, run->end.exit_code);

      json_object_set_new (json_array_get (related, 0), "prefect.infrastructure.status-code",
                           json_string (status));
      pp_events_emit_worker (run->context->events, "prefect.worker.executed-flow-run", related);
    }
  /* The position is not written after this. */
  pp_flow_run_close_position (run);
  pp_flow_run_leave_note (run);
  pp_journal_remove (run->context->journal, run->id);
  run->timer = g_idle_add (on_over, run);
}
