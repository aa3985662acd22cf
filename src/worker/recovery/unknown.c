/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "unknown-private.h"

#include "prefect-podman/state/identity.h"

static gboolean
is_unknown (const PpJobRef *ref, GHashTable *runs, GHashTable *states, const char *work_pool)
{
  return ref->identity != NULL && ref->flow_run_id != NULL
         && g_strcmp0 (ref->work_pool, work_pool) == 0
         && !g_hash_table_contains (runs, ref->flow_run_id)
         && GPOINTER_TO_INT (g_hash_table_lookup (states, ref->identity)) == PP_IDENTITY_UNKNOWN;
}

/* A container that was never started, or that has an unknown phase, counts as not ended: its run
 * may wait for recovery. */
void
pp_unknown_containers_say (const GPtrArray *jobs, GHashTable *runs, GHashTable *states,
                           const char *work_pool, const char *state_dir)
{
  const char *name = NULL;
  guint open = 0;
  guint ended = 0;

  for (guint i = 0; i < jobs->len; i++)
    {
      const PpJob *job = g_ptr_array_index (jobs, i);

      if (!is_unknown (&job->ref, runs, states, work_pool))
        continue;
      if (job->status.phase == PP_JOB_ENDED)
        {
          ended++;
          continue;
        }
      name = job->ref.name;
      open++;
    }
  if (open > 0)
    g_warning ("This worker does not touch some containers of its work pool that have not ended, "
               "because the state directory %s does not know their workers. Number of containers: "
               "%u; one is '%s'. If those workers have another state directory, there is nothing "
               "to do. If this state directory was emptied: cancel or delete the flow runs in "
               "Prefect, and remove the containers with podman rm (or docker rm).",
               state_dir, open, name != NULL ? name : "without a name");
  if (ended > 0)
    g_info ("This worker does not touch some ended containers of its work pool, because the state "
            "directory %s does not know their workers. Number of containers: %u",
            state_dir, ended);
}
