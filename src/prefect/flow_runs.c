/* SPDX-License-Identifier: Apache-2.0 */
/* Flow runs: /flow_runs/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

#include "prefect-podman/text/visible.h"
#include "prefect-podman/text/timestamp.h"

/* The callback of a set_state call, and what it proposes. */
typedef struct
{
  PpSetStateDoneFunc done;
  gpointer user_data;
  char *type;
  char *transition_id;
} SetState;

static void
set_state_free (gpointer data)
{
  SetState *set_state = data;
  g_free (set_state->type);
  g_free (set_state->transition_id);
  g_free (set_state);
}

/* The shape of an answer to set_state. USER_DATA is a SetState. */
static gboolean
is_set_state_answer (const json_t *json, const char *path G_GNUC_UNUSED, long status G_GNUC_UNUSED,
                     gconstpointer user_data)
{
  const SetState *set_state = user_data;
  PpSetStateResult result;

  return pp_api_read_set_state (json, set_state->type, set_state->transition_id, &result);
}

static void
on_set_state (json_t *body, const GError *error, gpointer user_data)
{
  const SetState *set_state = user_data;
  PpSetStateResult result;

  if (set_state->done == NULL)
    return;
  if (error == NULL)
    pp_api_read_set_state (body, set_state->type, set_state->transition_id, &result);
  set_state->done (error == NULL ? &result : NULL, error, set_state->user_data);
}

PpApiCall *
pp_flow_run_read (PpApi *api, const char *id, PpApiPatience patience, PpApiDoneFunc done,
                  gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/flow_runs", id, NULL);
  return pp_api_read_resource (api, path, patience, done, user_data);
}

/* Copies the values of KEYS from FROM to TO, except null. */
static void
copy_keys (json_t *to, const json_t *from, const char *const *keys)
{
  for (gsize i = 0; keys[i] != NULL; i++)
    {
      json_t *value = json_object_get (from, keys[i]);

      if (value != NULL && !json_is_null (value))
        json_object_set (to, keys[i], value);
    }
}

/* Sends STATE, and takes ownership of it. It has type, name, message and data as needed, and
 * perhaps state_details. TRANSITION_ID may be NULL: then the id in state_details is used, or a new
 * one. */
static PpApiCall *
set_state (PpApi *api, const char *id, const char *transition_id, json_t *state, gboolean force,
           PpApiPatience patience, PpSetStateDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/flow_runs", id, "/set_state");
  SetState *closure = g_new0 (SetState, 1);
  json_t *details = json_object_get (state, "state_details");

  if (details == NULL)
    {
      details = json_object ();
      json_object_set_new (state, "state_details", details);
    }
  if (transition_id == NULL)
    transition_id = pp_json_string (details, "transition_id");
  closure->done = done;
  closure->user_data = user_data;
  closure->type = g_strdup (pp_json_string (state, "type"));
  closure->transition_id
      = transition_id != NULL ? g_strdup (transition_id) : g_uuid_string_random ();
  json_object_set_new (details, "flow_run_id", json_string (id));
  json_object_set_new (details, "transition_id", json_string (closure->transition_id));
  json_t *body = json_pack ("{s:o, s:b}", "state", state, "force", force);
  return pp_api_expects (is_set_state_answer,
                         pp_api_call_full (api, "POST", path, body, patience, PP_API_STATE,
                                           on_set_state, closure, set_state_free));
}

PpApiCall *
pp_flow_run_set_state (PpApi *api, const char *id, const char *transition_id, const char *type,
                       const char *name, const char *message, gboolean force,
                       PpApiPatience patience, PpSetStateDoneFunc done, gpointer user_data)
{
  json_t *state = json_pack ("{s:s}", "type", type);

  if (name != NULL)
    json_object_set_new (state, "name", pp_api_text (name));
  /* The message quotes containers and engines and is shown in terminals. */
  g_autofree char *visible = pp_text_visible (message, "\n\t");
  if (visible != NULL)
    json_object_set_new (state, "message", pp_api_text (visible));
  return set_state (api, id, transition_id, state, force, patience, done, user_data);
}

/* The callback of a read of states. */
typedef struct
{
  PpApiDoneFunc done;
  gpointer user_data;
} States;

static void
on_states (json_t *body, const GError *error, gpointer user_data)
{
  const States *states = user_data;
  g_autoptr (GError) none = NULL;

  if (error == NULL && json_array_size (body) == 0)
    {
      g_set_error_literal (&none, PP_API_ERROR, PP_API_ERROR_NO_STATES,
                           "the server's list of the run's states is empty");
      body = NULL;
      error = none;
    }
  states->done (body, error, states->user_data);
}

static gboolean
are_states (const json_t *json, const char *path G_GNUC_UNUSED, long status G_GNUC_UNUSED,
            gconstpointer user_data G_GNUC_UNUSED)
{
  const json_t *state;
  size_t index;

  json_array_foreach (json, index, state)
  {
    if (pp_json_string (state, "type") == NULL)
      return FALSE;
  }
  return json_is_array (json);
}

PpApiCall *
pp_flow_run_states_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = g_strconcat ("/flow_run_states/?flow_run_id=", id, NULL);
  States *closure = g_new0 (States, 1);

  closure->done = done;
  closure->user_data = user_data;
  return pp_api_expects (are_states,
                         pp_api_call_full (api, "GET", path, NULL, PP_API_PERSIST_UNLESS_TOLD,
                                           PP_API_NEEDED, on_states, closure, g_free));
}

const char *
pp_state_transition_id (const json_t *state)
{
  return pp_json_string (json_object_get (state, "state_details"), "transition_id");
}

/* The index of the version digit in a UUID's text. */
#define UUID_VERSION 14

gboolean
pp_state_is_restored (const json_t *state)
{
  const char *id = pp_state_transition_id (state);

  return id != NULL && g_uuid_string_is_valid (id) && id[UUID_VERSION] == '8';
}

gboolean
pp_is_same_transition (const char *id, const char *other)
{
  return id != NULL && other != NULL && strlen (id) == strlen (other)
         && g_ascii_strncasecmp (id, other, UUID_VERSION) == 0
         && (strlen (id) <= UUID_VERSION
             || g_ascii_strcasecmp (id + UUID_VERSION + 1, other + UUID_VERSION + 1) == 0);
}

/* Returns TRANSITION_ID with the mark of a restored state, or a new id with the mark; new
 * string. */
static char *
mark_restored (const char *transition_id)
{
  char *marked = transition_id != NULL && g_uuid_string_is_valid (transition_id)
                     ? g_strdup (transition_id)
                     : g_uuid_string_random ();

  marked[UUID_VERSION] = '8';
  return marked;
}

PpApiCall *
pp_flow_run_restore_state (PpApi *api, const char *id, json_t *state, PpSetStateDoneFunc done,
                           gpointer user_data)
{
  static const char *const kept[] = { "type", "name", "message", "data", NULL };
  static const char *const details[] = { "scheduled_time",
                                         "deployment_concurrency_lease_id",
                                         "pause_timeout",
                                         "pause_key",
                                         "pause_reschedule",
                                         "run_input_keyset",
                                         NULL };
  const json_t *state_details = json_object_get (state, "state_details");
  g_autofree char *transition_id = mark_restored (pp_state_transition_id (state));
  json_t *restored = json_object ();

  copy_keys (restored, state, kept);
  json_object_set_new (restored, "state_details", json_object ());
  copy_keys (json_object_get (restored, "state_details"), state_details, details);
  return set_state (api, id, transition_id, restored, TRUE, PP_API_TRY, done, user_data);
}

PpApiCall *
pp_flow_run_update_infrastructure_pid (PpApi *api, const char *id, const char *infrastructure_pid,
                                       PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/flow_runs", id, NULL);
  json_t *body = json_pack ("{s:o}", "infrastructure_pid", pp_api_text (infrastructure_pid));
  return pp_api_expects (
      pp_api_is_changed,
      pp_api_call (api, "PATCH", path, body, PP_API_PERSIST_UNLESS_TOLD, done, user_data));
}

PpApiCall *
pp_flow_run_update_empirical_policy (PpApi *api, const char *id, json_t *policy, PpApiDoneFunc done,
                                     gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/flow_runs", id, NULL);
  json_t *body = json_pack ("{s:O}", "empirical_policy", policy);
  return pp_api_expects (pp_api_is_changed,
                         pp_api_call (api, "PATCH", path, body, PP_API_TRY, done, user_data));
}

/* The callback of a call that an older server may not support. */
typedef struct
{
  PpApi *api;
  PpApiDoneFunc done;
  gpointer user_data;
} Labels;

static void
on_labels (json_t *body, const GError *error, gpointer user_data)
{
  const Labels *labels = user_data;

  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_ROUTE))
    labels->api->no_labels = TRUE;
  if (labels->done != NULL)
    labels->done (body, error, labels->user_data);
}

PpApiCall *
pp_flow_run_update_labels (PpApi *api, const char *id, json_t *labels, PpApiDoneFunc done,
                           gpointer user_data)
{
  if (api->no_labels)
    return pp_api_call_nothing (api, done, user_data);

  g_autofree char *path = pp_api_path ("/flow_runs", id, "/labels");
  Labels *closure = g_new0 (Labels, 1);
  closure->api = api;
  closure->done = done;
  closure->user_data = user_data;
  return pp_api_call_full (api, "PATCH", path, json_incref (labels), PP_API_ONCE, PP_API_LAST,
                           on_labels, closure, g_free);
}

PpApiCall *
pp_flow_runs_filter_ids (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data)
{
  json_t *body = json_pack ("{s:{s:{s:O}}}", "flow_runs", "id", "any_", ids);
  return pp_api_expects (pp_api_is_array,
                         pp_api_call_shared (api, "POST", "/flow_runs/filter", body,
                                             PP_API_PERSIST_SHARED, done, user_data));
}

PpApiCall *
pp_flow_runs_scheduled_ids (PpApi *api, const char *pool, gint64 before, PpApiDoneFunc done,
                            gpointer user_data)
{
  g_autofree char *timestamp = pp_timestamp_text (before);
  json_t *body = json_pack ("{s:{s:{s:{s:[s]}}, s:{s:s}}, s:{s:{s:[s]}}}", "flow_runs", "state",
                            "type", "any_", "SCHEDULED", "next_scheduled_start_time", "before_",
                            timestamp, "work_pools", "name", "any_", pool);
  return pp_api_expects (pp_api_is_array, pp_api_call_shared (api, "POST", "/ui/flow_runs/history",
                                                              body, PP_API_ONCE, done, user_data));
}

PpApiCall *
pp_flow_runs_filter_other (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data)
{
  json_t *body = json_pack ("{s:{s:{s:O}}, s:i}", "flow_runs", "id", "not_any_", ids, "limit", 1);
  return pp_api_expects (pp_api_is_array, pp_api_call_shared (api, "POST", "/flow_runs/filter",
                                                              body, PP_API_ONCE, done, user_data));
}

static gboolean
is_count (const json_t *json, const char *path G_GNUC_UNUSED, long status G_GNUC_UNUSED,
          gconstpointer user_data G_GNUC_UNUSED)
{
  return json_is_integer (json);
}

PpApiCall *
pp_flow_runs_count (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data)
{
  json_t *body = json_pack ("{s:{s:{s:O}}}", "flow_runs", "id", "any_", ids);
  return pp_api_expects (is_count, pp_api_call_shared (api, "POST", "/flow_runs/count", body,
                                                       PP_API_ONCE, done, user_data));
}

PpApiCall *
pp_flow_runs_filter_ended (PpApi *api, json_t *ids, PpApiDoneFunc done, gpointer user_data)
{
  json_t *body = json_pack ("{s:{s:{s:O}, s:{s:{s:[s,s,s,s,s,s]}}}}", "flow_runs", "id", "any_",
                            ids, "state", "type", "any_", "CANCELLING", "CANCELLED", "COMPLETED",
                            "FAILED", "CRASHED", "SCHEDULED");
  return pp_api_expects (pp_api_is_array, pp_api_call_shared (api, "POST", "/flow_runs/filter",
                                                              body, PP_API_ONCE, done, user_data));
}
