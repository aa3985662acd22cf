/* What workers before this one had in their hands: at the start that of this worker's own identity,
 * later that of identities whose worker does not come back. */
#define G_LOG_DOMAIN "prefect.worker.podman"

#include "late_requests.h"
#include "ownership.h"
#include "worker_private.h"

/* A worker that is about to come back has this long, twice, before its runs are taken from it. */
#define ORPHANS_SECONDS 10
#define MAX_BACK_OFF 15

static void list_containers (PpWorker *worker);

PpFlowRun *
pp_worker_take_into_hands (PpWorker *worker, const PpJournalEntry *entry)
{
  PpFlowRun *run
      = pp_flow_run_new_from_journal (&worker->context, entry, pp_worker_on_run_notify, worker);

  worker->slots_used++;
  g_hash_table_insert (worker->runs, (gpointer)pp_flow_run_id (run), run);
  return run;
}

/* Takes up what the journal has and this worker does not know yet. */
static void
load_journal (PpWorker *worker)
{
  g_autoptr (GPtrArray) entries = pp_journal_load (worker->context.journal);

  for (guint i = 0; i < entries->len; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (entries, i);

      if (g_hash_table_contains (worker->runs, entry->flow_run_id))
        continue;
      pp_worker_take_into_hands (worker, entry);
      g_ptr_array_add (worker->taken_up, g_strdup (entry->flow_run_id));
    }
}

/* The arrays of CONTAINERS by the flow run that each container bears the id of. New table; the keys
 * are borrowed from CONTAINERS. */
static GHashTable *
group_by_flow_run (const json_t *containers)
{
  GHashTable *groups
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)json_decref);
  json_t *container;
  size_t index;

  json_array_foreach (containers, index, container)
  {
    const char *id = pp_container_label (container, PP_FLOW_RUN_LABEL);
    json_t *group = id != NULL ? g_hash_table_lookup (groups, id) : NULL;

    if (id == NULL || !g_uuid_string_is_valid (id))
      continue;
    if (group == NULL)
      {
        group = json_array ();
        g_hash_table_insert (groups, (gpointer)id, group);
      }
    json_array_append (group, container);
  }
  return groups;
}

/* The container of RUN among CONTAINERS, which bear its id (NULL: none); borrowed, or NULL. It may
 * have been made by an identity whose runs were handed over to ours. */
static const json_t *
find_container (const PpWorker *worker, const PpFlowRun *run, const json_t *containers)
{
  const json_t *found = NULL;
  const json_t *container;
  size_t index;

  json_array_foreach (containers, index, container)
  {
    const char *identity = pp_container_label (container, PP_IDENTITY_LABEL);

    if (identity != NULL && pp_identity_is_of_our_key (worker->identity, identity)
        && pp_flow_run_owns_container (run, container)
        && (found == NULL || pp_container_is_better_candidate (container, found)))
      found = container;
  }
  return found;
}

/* Containers of our pool whose worker is known to nobody here: nothing tells whether it lives. */
static void
say_unknown (const PpWorker *worker, const json_t *containers)
{
  const json_t *container;
  const char *name = NULL;
  size_t index;
  guint count = 0;

  json_array_foreach (containers, index, container)
  {
    const char *identity = pp_container_label (container, PP_IDENTITY_LABEL);
    const char *pool = pp_container_label (container, PP_WORK_POOL_LABEL);

    if (identity == NULL || g_strcmp0 (pool, worker->options->work_pool) != 0
        || g_hash_table_contains (worker->runs, pp_container_label (container, PP_FLOW_RUN_LABEL))
        || pp_identity_state (worker->state_dir, identity) != PP_IDENTITY_UNKNOWN)
      continue;
    name = pp_flow_run_listed_name (container);
    count++;
  }
  if (count > 0)
    g_warning (
        "%u containers of this work pool (one is '%s') are of workers that %s knows nothing "
        "of, and are left alone. Should it have been emptied, see to their flow runs by hand.",
        count, name != NULL ? name : "without a name", worker->state_dir);
}

static gboolean
on_list_timer (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->list_timer = 0;
  list_containers (worker);
  return G_SOURCE_REMOVE;
}

static void
on_listed (json_t *result, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  g_autoptr (GHashTable) groups = NULL;
  g_autoptr (GPtrArray) taken_up = NULL;

  worker->list_call = NULL;
  if (error != NULL)
    {
      g_warning ("%u flow runs wait to be taken up again: %s", worker->taken_up->len,
                 error->message);
      worker->list_timer = g_timeout_add_seconds (
          MIN (1u << MIN (worker->list_failures, 8), MAX_BACK_OFF), on_list_timer, worker);
      worker->list_failures++;
      return;
    }
  worker->list_failures = 0;
  if (worker->list_is_old)
    {
      /* What was taken over meanwhile may have been made after it was asked for. */
      worker->list_is_old = FALSE;
      list_containers (worker);
      return;
    }
  groups = group_by_flow_run (result);
  taken_up = g_steal_pointer (&worker->taken_up);
  worker->taken_up = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < taken_up->len; i++)
    {
      const char *id = g_ptr_array_index (taken_up, i);
      PpFlowRun *run = g_hash_table_lookup (worker->runs, id);

      pp_flow_run_take_up (run, find_container (worker, run, g_hash_table_lookup (groups, id)));
    }
  pp_worker_look_at_strays (worker, groups);
  if (!worker->unknown_said)
    say_unknown (worker, result);
  worker->unknown_said = TRUE;
}

void
pp_worker_list_later (PpWorker *worker)
{
  if (worker->list_call == NULL && worker->list_timer == 0)
    worker->list_timer = g_timeout_add_seconds (MAX_BACK_OFF, on_list_timer, worker);
}

static void
list_containers (PpWorker *worker)
{
  static const char *const labels[] = { PP_IDENTITY_LABEL, NULL };

  if (worker->list_call != NULL)
    worker->list_is_old = TRUE;
  else if (worker->list_timer == 0)
    worker->list_call
        = pp_infrastructure_list (worker->context.infrastructure, labels, on_listed, worker);
}

void
pp_worker_take_up_run (PpWorker *worker, const char *flow_run_id)
{
  g_ptr_array_add (worker->taken_up, g_strdup (flow_run_id));
  list_containers (worker);
}

/* Runs and containers of identities whose worker is gone. */

/* Forgets whose workers are back: they see to their containers themselves. */
static void
forget_living (PpWorker *worker, GPtrArray *orphans)
{
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, worker->adopted);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (!g_ptr_array_find_with_equal_func (orphans, name, g_str_equal, NULL)
        && !g_hash_table_contains (worker->held, name))
      g_hash_table_iter_remove (&iter);
}

/* Takes over what the identity NAME has left. Whether any entry may be ours now. */
static gboolean
adopt (PpWorker *worker, const char *name)
{
  g_autoptr (GError) error = NULL;
  gint count = pp_identity_try_adopt (worker->identity, name, &error);

  if (error != NULL)
    {
      g_warning ("The runs of worker %s cannot be taken over: %s", name, error->message);
      return TRUE;
    }
  if (count > 0)
    g_message ("Worker %s does not come back: its %d flow runs are taken over", name, count);
  g_hash_table_add (worker->adopted, g_strdup (name));
  return count > 0;
}

static gboolean
on_orphans_timer (gpointer user_data)
{
  PpWorker *worker = user_data;
  g_autoptr (GPtrArray) orphans = NULL;
  g_autoptr (GPtrArray) before = g_steal_pointer (&worker->orphans);
  gboolean found = FALSE, moved = FALSE;

  if (worker->phase != PP_WORKER_RUNNING || pp_journal_failure (worker->context.journal) != NULL
      || pp_journal_is_slow (worker->context.journal))
    return G_SOURCE_CONTINUE;
  orphans = pp_identity_orphans (worker->identity);
  forget_living (worker, orphans);
  for (guint i = 0; before != NULL && i < orphans->len; i++)
    {
      const char *name = g_ptr_array_index (orphans, i);

      if (!g_ptr_array_find_with_equal_func (before, name, g_str_equal, NULL)
          || (g_hash_table_contains (worker->adopted, name)
              && !pp_identity_has_runs (worker->identity, name)))
        continue;
      moved |= adopt (worker, name);
      found = TRUE;
    }
  worker->orphans = g_steal_pointer (&orphans);
  if (moved)
    load_journal (worker);
  if (found)
    pp_late_requests_load (worker->context.late);
  /* Also where no run was written down: containers may be left. */
  if (found)
    list_containers (worker);
  return G_SOURCE_CONTINUE;
}

void
pp_worker_load_journal (PpWorker *worker)
{
  worker->taken_up = g_ptr_array_new_with_free_func (g_free);
  worker->adopted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  pp_worker_expect_strays (worker);
  load_journal (worker);
  pp_identity_warn_of_others (worker->identity);
  if (worker->taken_up->len > 0)
    g_message ("%u flow runs were in the hands of this worker when it ended last",
               worker->taken_up->len);
}

void
pp_worker_take_up (PpWorker *worker)
{
  list_containers (worker);
  if (!worker->options->run_once)
    worker->orphans_timer = g_timeout_add_seconds (ORPHANS_SECONDS, on_orphans_timer, worker);
}

void
pp_worker_stop_taking_up (PpWorker *worker)
{
  g_clear_handle_id (&worker->list_timer, g_source_remove);
  g_clear_handle_id (&worker->orphans_timer, g_source_remove);
  if (worker->list_call != NULL)
    pp_infrastructure_call_cancel (worker->list_call);
  worker->list_call = NULL;
  pp_worker_leave_strays (worker);
  pp_worker_leave_late_containers (worker);
  g_clear_pointer (&worker->taken_up, g_ptr_array_unref);
  g_clear_pointer (&worker->orphans, g_ptr_array_unref);
  g_clear_pointer (&worker->adopted, g_hash_table_unref);
}
