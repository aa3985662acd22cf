/* SPDX-License-Identifier: Apache-2.0 */
/* Removes containers that the engine created late: the worker that requested the container had
 * ended, or the run had finished or had been started again. Such a container was never started, and
 * no worker will start it. */
#include "config.h"

#include "worker/worker_inside-private.h"

#include "late_requests-private.h"

typedef struct
{
  PpWorker *worker;
  char *id;
  char *flow_run_id;
  char *claim;
  PpInfrastructureCall *call;
} Found;

static void
free_found (gpointer data)
{
  Found *found = data;

  pp_infrastructure_call_cancel (found->call);
  g_free (found->claim);
  g_free (found->flow_run_id);
  g_free (found->id);
  g_free (found);
}

static void
end_look (Found *found)
{
  found->worker->late_containers = g_list_remove (found->worker->late_containers, found);
  free_found (found);
}

/* True if no worker needs the container CONTAINER_ID of the claim CLAIM. FALSE if the run is in
 * flight here and does not know its container yet, because it may find this container by its
 * name. */
static gboolean
is_left_over (const PpWorker *worker, const char *flow_run_id, const char *claim,
              const char *container_id)
{
  const PpFlowRun *run = g_hash_table_lookup (worker->runs, flow_run_id);
  const char *own = run != NULL ? pp_flow_run_container_id (run) : NULL;

  if (!pp_late_requests_knows (worker->context.late, flow_run_id, claim))
    return FALSE;
  return run == NULL || !pp_flow_run_asked_for (run, claim)
         || (own != NULL && !g_str_equal (own, container_id));
}

static void
on_removed (const GError *error, gpointer user_data)
{
  Found *found = user_data;

  found->call = NULL;
  if (error != NULL)
    g_debug ("Container %.12s cannot be removed yet: %s", found->id, error->message);
  end_look (found);
}

static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  Found *found = user_data;

  found->call = NULL;
  if (error != NULL || !job->status.never_started
      || !is_left_over (found->worker, found->flow_run_id, found->claim, found->id))
    {
      end_look (found);
      return;
    }
  g_message ("Container %.12s of flow run %s is removed: the engine created it late, and no worker "
             "needs it any more",
             found->id, found->flow_run_id);
  found->call = pp_infrastructure_remove_unstarted (found->worker->context.infrastructure,
                                                    found->id, on_removed, found);
}

static gint
has_id (gconstpointer found, gconstpointer id)
{
  return g_strcmp0 (((const Found *)found)->id, id);
}

static void
look_at (PpWorker *worker, const PpJob *job)
{
  const PpJobRef *ref = &job->ref;
  Found *found;

  if (ref->flow_run_id == NULL || ref->claim == NULL || ref->identity == NULL
      || job->status.phase != PP_JOB_CREATED
      || !is_left_over (worker, ref->flow_run_id, ref->claim, ref->id)
      || g_list_find_custom (worker->late_containers, ref->id, has_id) != NULL)
    return;
  found = g_new0 (Found, 1);
  found->worker = worker;
  found->id = g_strdup (ref->id);
  found->flow_run_id = g_strdup (ref->flow_run_id);
  found->claim = g_strdup (ref->claim);
  worker->late_containers = g_list_prepend (worker->late_containers, found);
  found->call
      = pp_infrastructure_inspect (worker->context.infrastructure, ref->id, on_inspected, found);
}

/* JOBS may be NULL. */
static void
look_at_all (PpWorker *worker, const GPtrArray *jobs)
{
  for (guint i = 0; jobs != NULL && i < jobs->len; i++)
    look_at (worker, g_ptr_array_index (jobs, i));
}

static void list_next_claim (PpWorker *worker);

static void
on_claim_listed (const GPtrArray *jobs, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->late_list_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    g_ptr_array_set_size (worker->late_claims, 0);
  look_at_all (worker, jobs);
  list_next_claim (worker);
}

static void
list_next_claim (PpWorker *worker)
{
  GPtrArray *claims = worker->late_claims;

  if (claims->len == 0)
    {
      g_clear_pointer (&worker->late_claims, g_ptr_array_unref);
      return;
    }
  g_autofree char *claim = g_strdup (g_ptr_array_index (claims, claims->len - 1));

  g_ptr_array_set_size (claims, (gint)claims->len - 1);
  worker->late_list_call = pp_infrastructure_list (
      worker->context.infrastructure, PP_LIST_NOT_STARTED, claim, on_claim_listed, worker);
}

/* Podman refuses the whole list if one container is broken. Then list the containers of each claim
 * separately. */
static void
on_listed (const GPtrArray *jobs, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->late_list_call = NULL;
  if (error == NULL)
    {
      look_at_all (worker, jobs);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    return;
  worker->late_claims = pp_late_requests_claims (worker->context.late);
  list_next_claim (worker);
}

void
pp_worker_look_for_late_containers (PpWorker *worker)
{
  if (worker->late_list_call == NULL && pp_late_requests_count (worker->context.late) > 0)
    worker->late_list_call = pp_infrastructure_list (worker->context.infrastructure,
                                                     PP_LIST_NOT_STARTED, NULL, on_listed, worker);
}

void
pp_worker_leave_late_containers (PpWorker *worker)
{
  pp_infrastructure_call_cancel (g_steal_pointer (&worker->late_list_call));
  g_clear_pointer (&worker->late_claims, g_ptr_array_unref);
  g_list_free_full (g_steal_pointer (&worker->late_containers), free_found);
}
