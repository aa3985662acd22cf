/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "container_ownership-private.h"

#include "prefect-podman/json.h"
#include "worker/context-private.h"
#include "exit_status-private.h"

const char *
pp_container_label (const json_t *container, const char *key)
{
  const json_t *config = json_object_get (container, "Config");
  /* Podman's list has an empty Config beside the labels. */
  const json_t *holder = json_is_object (config) ? config : container;

  return pp_json_string (json_object_get (holder, "Labels"), key);
}

const char *
pp_container_claim (const json_t *container)
{
  const char *claim = pp_container_label (container, PP_CLAIM_LABEL);

  return claim != NULL && g_uuid_string_is_valid (claim) ? claim : NULL;
}

gboolean
pp_container_is_of_claim (const json_t *container, const char *claim)
{
  const char *label = pp_container_claim (container);

  return label != NULL && claim != NULL && g_ascii_strcasecmp (label, claim) == 0;
}

gboolean
pp_container_is_better_candidate (const json_t *container, const json_t *other)
{
  const char *status = pp_json_string (other, "State");
  json_int_t created = json_integer_value (json_object_get (container, "Created"));
  json_int_t other_created = json_integer_value (json_object_get (other, "Created"));
  gboolean alive = pp_container_status_is_alive (pp_json_string (container, "State"));

  if (alive != pp_container_status_is_alive (status))
    return alive;
  if (created != other_created)
    return created > other_created;
  return g_strcmp0 (status, "created") == 0;
}

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
    const char *id = pp_json_string (json_object_get (state, "state_details"), "transition_id");

    if (id != NULL && g_ascii_strcasecmp (id, claim) == 0)
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
