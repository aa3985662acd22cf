/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over the runs and containers of identities whose worker does not come back. */
#include "config.h"

#include "late_requests-private.h"
#include "prefect-podman/state/state_look.h"
#include "worker/worker_inside-private.h"

/* The interval of the checks. An identity must be without a worker in two checks in a row before
 * its runs are taken over. */
#define LOOK_SECONDS 10

/* Forgets the identities that have a worker again, because that worker handles its containers
 * itself. */
static void
forget_living (PpWorker *worker, GPtrArray *free_names)
{
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, worker->adopted);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (!g_ptr_array_find_with_equal_func (free_names, name, g_str_equal, NULL)
        && !g_hash_table_contains (worker->held, name))
      g_hash_table_iter_remove (&iter);
}

static void
note_adoption (PpWorker *worker, const PpAdoption *adoption)
{
  g_autofree char *who = adoption->worker_name != NULL
                             ? g_strdup_printf ("'%s' (%s)", adoption->worker_name, adoption->name)
                             : g_strdup (adoption->name);

  if (adoption->error != NULL)
    {
      g_warning ("The runs of worker %s cannot be taken over: %s", who, adoption->error->message);
      return;
    }
  if (adoption->count == 1)
    g_message ("Worker %s does not come back: its flow run is taken over", who);
  else if (adoption->count > 1)
    g_message ("Worker %s does not come back: its %d flow runs are taken over", who,
               adoption->count);
  g_hash_table_add (worker->adopted, g_strdup (adoption->name));
}

static void
on_looked (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpWorker *worker = user_data;
  PpFreeIdentitiesLook *look = g_steal_pointer (&worker->identities_look);

  worker->identities_put = NULL;
  forget_living (worker, look->free_names);
  worker->free_identities = g_steal_pointer (&look->free_names);
  for (guint i = 0; i < look->adoptions->len; i++)
    note_adoption (worker, g_ptr_array_index (look->adoptions, i));
  pp_worker_take_entries (worker, look->entries);
  for (guint i = 0; i < look->notes->len; i++)
    {
      PpMovedNote *note = g_ptr_array_index (look->notes, i);

      pp_late_requests_take (worker->context.late, note->id, g_steal_pointer (&note->entry));
    }
  /* List containers even if no journal entry was moved: an identity may have containers without an
   * entry. */
  if (look->adoptions->len > 0)
    pp_worker_list_containers (worker);
}

static gboolean
on_timer (gpointer user_data)
{
  PpWorker *worker = user_data;
  g_autoptr (GPtrArray) before = NULL;

  if (worker->identities_put != NULL)
    return G_SOURCE_CONTINUE;
  before = g_steal_pointer (&worker->free_identities);
  if (worker->phase != PP_WORKER_RUNNING || pp_journal_failure (worker->context.journal) != NULL)
    return G_SOURCE_CONTINUE;
  worker->identities_look
      = pp_free_identities_look_new (worker->identity, g_steal_pointer (&before), worker->adopted);
  worker->identities_put
      = pp_journal_work (worker->context.journal, pp_free_identities_look, worker->identities_look,
                         pp_free_identities_look_free, on_looked, worker);
  return G_SOURCE_CONTINUE;
}

void
pp_worker_watch_dead_workers (PpWorker *worker)
{
  worker->identities_timer = g_timeout_add_seconds (LOOK_SECONDS, on_timer, worker);
}

void
pp_worker_leave_dead_workers (PpWorker *worker)
{
  g_clear_handle_id (&worker->identities_timer, g_source_remove);
  pp_journal_put_cancel (worker->identities_put);
  worker->identities_put = NULL;
  worker->identities_look = NULL; /* identities_put frees it */
  g_clear_pointer (&worker->free_identities, g_ptr_array_unref);
  g_clear_pointer (&worker->adopted, g_hash_table_unref);
}
