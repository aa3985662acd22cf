/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers the runs of earlier workers with the help of the engine's list of containers. */
#include "config.h"

#include "prefect-podman/state/state_look.h"
#include "worker/worker_inside-private.h"
#include "unknown-private.h"

#define MAX_BACK_OFF 15
/* After this many failed lists in a row, assume that one broken container makes the engine refuse
 * the list. */
#define LIST_TRIES 3
/* The longest time between two list requests while no run waits for a list. */
#define MAX_LIST_SECONDS 60

PpFlowRun *
pp_worker_take_into_hands (PpWorker *worker, const PpJournalEntry *entry)
{
  PpFlowRun *run
      = pp_flow_run_new_from_journal (&worker->context, entry, pp_worker_on_run_notify, worker);

  worker->slots_used++;
  g_hash_table_insert (worker->runs, (gpointer)pp_flow_run_id (run), run);
  return run;
}

void
pp_worker_take_entries (PpWorker *worker, const GPtrArray *entries)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (entries, i);

      if (g_hash_table_contains (worker->runs, entry->flow_run_id))
        continue;
      pp_worker_take_into_hands (worker, entry);
      g_ptr_array_add (worker->to_recover, g_strdup (entry->flow_run_id));
    }
}

/* Groups JOBS by flow run id into arrays of PpJob. Returns a new table; its keys are borrowed from
 * JOBS. */
static GHashTable *
group_by_flow_run (const GPtrArray *jobs)
{
  GHashTable *groups
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);

  for (guint i = 0; i < jobs->len; i++)
    {
      PpJob *job = g_ptr_array_index (jobs, i);
      const char *id = job->ref.flow_run_id;
      GPtrArray *group = id != NULL ? g_hash_table_lookup (groups, id) : NULL;

      if (id == NULL || !g_uuid_string_is_valid (id))
        continue;
      if (group == NULL)
        {
          group = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_job_unref);
          g_hash_table_insert (groups, (gpointer)id, group);
        }
      g_ptr_array_add (group, pp_job_ref (job));
    }
  return groups;
}

/* Returns the container of RUN among JOBS; borrowed, or NULL. All JOBS have its flow run id. JOBS
 * may be NULL. The container may have our identity, or the identity of a worker that we took runs
 * over from. */
static const PpJob *
find_container (const PpLabelsLook *look, const PpFlowRun *run, const GPtrArray *jobs)
{
  const PpJob *found = NULL;

  for (guint i = 0; jobs != NULL && i < jobs->len; i++)
    {
      const PpJob *job = g_ptr_array_index (jobs, i);

      if (job->ref.identity != NULL && g_hash_table_contains (look->ours, job->ref.identity)
          && pp_flow_run_owns_container (run, job)
          && (found == NULL || pp_job_is_better_candidate (job, found)))
        found = job;
    }
  return found;
}

static gboolean
on_list_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->list_timer = 0;
  pp_worker_list_containers (worker);
  return G_SOURCE_REMOVE;
}

/* True if containers are being listed or a list is being checked. */
static gboolean
is_listing (const PpWorker *worker)
{
  return worker->list_call != NULL || worker->list_put != NULL;
}

/* Lists containers again if a run was added after the last request: its container may be newer. */
static gboolean
list_again_if_old (PpWorker *worker)
{
  if (!worker->list_is_old)
    return FALSE;
  worker->list_is_old = FALSE;
  pp_worker_list_containers (worker);
  return TRUE;
}

/* Handles the state directory's answer about the labels of the listed containers. */
static void
on_labels (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpWorker *worker = user_data;
  PpLabelsLook *look = g_steal_pointer (&worker->list_look);
  g_autoptr (GPtrArray) listed = g_steal_pointer (&worker->listed);
  g_autoptr (GHashTable) groups = NULL;
  g_autoptr (GPtrArray) waiting = NULL;

  worker->list_put = NULL;
  if (list_again_if_old (worker))
    return;
  groups = group_by_flow_run (listed);
  waiting = g_steal_pointer (&worker->to_recover);
  worker->to_recover = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < waiting->len; i++)
    {
      const char *id = g_ptr_array_index (waiting, i);
      PpFlowRun *run = g_hash_table_lookup (worker->runs, id);

      const PpJob *job = find_container (look, run, g_hash_table_lookup (groups, id));

      if (job == NULL && worker->list_scope != PP_LIST_ALL)
        pp_flow_run_recover_unlisted (run); /* its container may have ended */
      else
        pp_flow_run_recover (run, job, job != NULL ? job->status.phase : PP_JOB_ABSENT);
    }
  pp_worker_look_at_orphans (worker, groups, look);
  if (!worker->unknown_said)
    pp_unknown_containers_say (listed, worker->runs, look->states, worker->options->work_pool,
                               worker->state_dir);
  worker->unknown_said = TRUE;
}

static void
look_at_labels (PpWorker *worker, const GPtrArray *jobs)
{
  PpLabelsLook *look = pp_labels_look_new (worker->identity);

  worker->listed = g_ptr_array_new_full (jobs->len, (GDestroyNotify)pp_job_unref);
  for (guint i = 0; i < jobs->len; i++)
    {
      PpJob *job = g_ptr_array_index (jobs, i);

      g_ptr_array_add (worker->listed, pp_job_ref (job));
      if (job->ref.identity != NULL)
        pp_labels_look_add (look, job->ref.identity, pp_worker_has_to_hold (worker, job));
    }
  worker->list_look = look;
  worker->list_put = pp_journal_work (worker->context.journal, pp_labels_look, look,
                                      pp_labels_look_free, on_labels, worker);
}

/* Recovers runs without a list. If the engine refuses lists, recovers all runs. If it is only away
 * or slow, recovers the runs whose container's id is known, and the others keep waiting. */
static void
recover_unlisted (PpWorker *worker)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&worker->to_recover);

  worker->to_recover = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < waiting->len; i++)
    {
      const char *id = g_ptr_array_index (waiting, i);
      PpFlowRun *run = g_hash_table_lookup (worker->runs, id);

      if (worker->list_is_refused || pp_flow_run_container_id (run) != NULL)
        pp_flow_run_recover_unlisted (run);
      else
        g_ptr_array_add (worker->to_recover, g_strdup (id));
    }
}

/* Podman refuses the whole list if one container is broken. */
static void
on_list_failed (PpWorker *worker, const GError *error)
{
  gboolean away
      = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  gboolean was_refused = worker->list_is_refused;

  worker->list_failures++;
  worker->list_is_refused = was_refused || (!away && worker->list_failures >= LIST_TRIES);
  if (worker->list_is_refused && !was_refused)
    g_warning ("The container engine does not list its containers. One broken container can be the "
               "cause. The worker recovers flow runs from its state directory (%u now). Containers "
               "without an entry there wait until the engine lists them: %s",
               worker->to_recover->len, error->message);
  else if (worker->to_recover->len > 0)
    g_warning ("%u flow %s to be recovered: %s", worker->to_recover->len,
               worker->to_recover->len == 1 ? "run waits" : "runs wait", error->message);
  if (worker->list_failures >= LIST_TRIES)
    recover_unlisted (worker);
  worker->list_is_old = FALSE;
  worker->list_timer
      = g_timeout_add_seconds (MIN (1u << MIN (worker->list_failures - 1, 8),
                                    worker->to_recover->len > 0 ? MAX_BACK_OFF : MAX_LIST_SECONDS),
                               on_list_timer, worker);
}

static void on_listed (const GPtrArray *jobs, const GError *error, gpointer user_data);

static void
list_containers (PpWorker *worker, PpListScope scope)
{
  worker->list_scope = scope;
  worker->list_call
      = pp_infrastructure_list (worker->context.infrastructure, scope, NULL, on_listed, worker);
}

/* Lists only containers that have not ended. auto_remove is off by default, so a host may collect
 * thousands of ended containers. */
static void
list_without_ended (PpWorker *worker, const GError *error)
{
  if (!worker->list_is_cut)
    g_warning (
        "There are too many containers of flow runs to list them all: %s. The worker now lists "
        "only containers that have not ended. It recovers a flow run with an ended container only "
        "from its state directory. Remove ended containers with 'podman container prune' (or "
        "docker). The job variable auto_remove removes each container at its end",
        error->message);
  worker->list_is_cut = TRUE;
  list_containers (worker, PP_LIST_NOT_ENDED);
}

static void
on_listed (const GPtrArray *jobs, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->list_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_TOO_LARGE)
      && worker->list_scope == PP_LIST_ALL)
    {
      list_without_ended (worker, error);
      return;
    }
  if (error != NULL)
    {
      on_list_failed (worker, error);
      return;
    }
  if (worker->list_is_refused)
    g_message ("The container engine lists its containers again");
  worker->list_is_refused = FALSE;
  worker->list_is_cut = worker->list_is_cut && worker->list_scope != PP_LIST_ALL;
  worker->list_failures = 0;
  if (!list_again_if_old (worker))
    look_at_labels (worker, jobs);
}

void
pp_worker_list_later (PpWorker *worker)
{
  if (!is_listing (worker) && worker->list_timer == 0)
    worker->list_timer = g_timeout_add_seconds (MAX_BACK_OFF, on_list_timer, worker);
}

void
pp_worker_list_containers (PpWorker *worker)
{
  if (is_listing (worker))
    worker->list_is_old = TRUE;
  else if (worker->list_timer == 0)
    list_containers (worker, PP_LIST_ALL);
  else if (worker->list_is_refused)
    recover_unlisted (worker);
}

void
pp_worker_recover_run (PpWorker *worker, const char *flow_run_id)
{
  g_ptr_array_add (worker->to_recover, g_strdup (flow_run_id));
  pp_worker_list_containers (worker);
}

void
pp_worker_load_journal (PpWorker *worker)
{
  g_autoptr (GPtrArray) entries = pp_journal_load (worker->context.journal);

  worker->to_recover = g_ptr_array_new_with_free_func (g_free);
  pp_worker_expect_orphans (worker);
  pp_worker_take_entries (worker, entries);
  pp_identity_warn_of_others (worker->identity);
  if (worker->to_recover->len == 1)
    g_message ("1 flow run was in flight when this worker last ended");
  else if (worker->to_recover->len > 1)
    g_message ("%u flow runs were in flight when this worker last ended", worker->to_recover->len);
}

void
pp_worker_recover (PpWorker *worker)
{
  pp_worker_list_containers (worker);
  if (!worker->options->run_once)
    pp_worker_watch_dead_workers (worker);
}

void
pp_worker_stop_recovering (PpWorker *worker)
{
  g_clear_handle_id (&worker->list_timer, g_source_remove);
  pp_infrastructure_call_cancel (worker->list_call);
  worker->list_call = NULL;
  pp_journal_put_cancel (worker->list_put);
  worker->list_put = NULL;
  worker->list_look = NULL; /* list_put frees it */
  g_clear_pointer (&worker->listed, g_ptr_array_unref);
  pp_worker_leave_dead_workers (worker);
  pp_worker_leave_orphans (worker);
  pp_worker_leave_late_requests (worker);
  g_clear_pointer (&worker->to_recover, g_ptr_array_unref);
}
