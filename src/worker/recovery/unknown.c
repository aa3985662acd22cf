/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "unknown-private.h"

#include "prefect-podman/json.h"
#include "prefect-podman/state/identity.h"
#include "worker/flow_run/container_ownership-private.h"
#include "worker/worker_inside-private.h"

/* Of CONTAINER, an entry of the engine's list. One that was never started, and one in a state that
 * is not known, have not ended: their runs may wait for somebody. */
static gboolean
has_ended (const json_t *container)
{
  static const char *const ended[] = { "exited", "stopped", "dead", "removing", NULL };
  const char *state = pp_json_string (container, "State");

  return state != NULL && g_strv_contains (ended, state);
}

static gboolean
is_unknown (const json_t *container, GHashTable *runs, GHashTable *states, const char *work_pool)
{
  const char *identity = pp_container_label (container, PP_IDENTITY_LABEL);
  const char *pool = pp_container_label (container, PP_WORK_POOL_LABEL);
  const char *id = pp_container_label (container, PP_FLOW_RUN_LABEL);

  return identity != NULL && id != NULL && g_strcmp0 (pool, work_pool) == 0
         && !g_hash_table_contains (runs, id)
         && GPOINTER_TO_INT (g_hash_table_lookup (states, identity)) == PP_IDENTITY_UNKNOWN;
}

void
pp_unknown_containers_say (const json_t *containers, GHashTable *runs, GHashTable *states,
                           const char *work_pool, const char *state_dir)
{
  const json_t *container;
  const char *name = NULL;
  size_t index;
  guint open = 0;
  guint ended = 0;

  json_array_foreach (containers, index, container)
  {
    if (!is_unknown (container, runs, states, work_pool))
      continue;
    if (has_ended (container))
      {
        ended++;
        continue;
      }
    name = pp_flow_run_listed_name (container);
    open++;
  }
  if (open > 0)
    g_warning ("%u containers of this work pool (one is '%s') that have not ended are of workers "
               "that the state directory %s knows nothing of, and are left alone. If those "
               "workers have another state directory, there is nothing to do. If this one was "
               "emptied: cancel or delete the flow runs in Prefect, and remove the containers "
               "with podman rm (or docker rm).",
               open, name != NULL ? name : "without a name", state_dir);
  if (ended > 0)
    g_info ("%u containers of this work pool that have ended are of workers that the state "
            "directory %s knows nothing of, and are left alone",
            ended, state_dir);
}
