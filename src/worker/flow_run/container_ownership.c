/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "container_ownership-private.h"

#include "prefect-podman/json.h"
#include "prefect-podman/prefect/resources.h"

const json_t *
pp_states_find_claim (const json_t *states, const char *claim)
{
  const json_t *found = NULL;
  const json_t *state;
  gboolean scheduled = FALSE;
  size_t index;

  json_array_foreach (states, index, state)
  {
    const char *type = pp_json_string (state, "type");
    const char *id = pp_state_transition_id (state);

    if (pp_is_same_transition (id, claim))
      {
        found = state;
        scheduled = FALSE;
      }
    else if (found != NULL && g_strcmp0 (type, "SCHEDULED") == 0)
      scheduled = TRUE;
    else if (scheduled && g_strcmp0 (type, "PENDING") == 0)
      return NULL;
  }
  return found;
}
