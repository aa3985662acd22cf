/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about containers, images and networks: one request and one answer per call.
 * engine_create.c creates containers. */
#include "config.h"

#include "engine_api-private.h"

#include "container_process-private.h"
#include "container_job-private.h"
#include "spec_parts-private.h"
#include "values-private.h"

#include <stdlib.h>
#include <string.h>

/* If the engine does not answer a start, the worker inspects the container: first after
 * FIRST_START_LOOK_SECONDS, then every START_LOOK_SECONDS. */
#define FIRST_START_LOOK_SECONDS 10
#define START_LOOK_SECONDS 15

static void
end_with_json (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *json = pp_engine_call_json (call, response);

  if (json != NULL)
    pp_engine_call_end (call, json, NULL);
}

/* True if JSON is an object with the id of a container. */
static gboolean
has_id (const json_t *json)
{
  const char *id = pp_json_string (json, "Id");

  return id != NULL && *id != '\0';
}

static gboolean
is_list_of_containers (const json_t *json)
{
  gboolean is_right = json_is_array (json);

  for (gsize i = 0; i < json_array_size (json); i++)
    is_right = is_right && has_id (json_array_get (json, i));
  return is_right;
}

/* Ends CALL with JSON if IS_RIGHT, else with an error: another program in the engine's place may
 * send any JSON, and its answer says nothing about containers. If JSON is NULL, does nothing,
 * because the error was already reported. */
static void
end_if_right (EngineCall *call, json_t *json, long status, gboolean is_right, const char *wanted)
{
  if (json == NULL)
    return;
  if (is_right)
    pp_engine_call_end (call, json, NULL);
  else
    pp_engine_call_fail_stranger (call, status, wanted);
}

static void
end_if_container (EngineCall *call, json_t *json, long status)
{
  end_if_right (call, json, status, has_id (json), "its answer has no Id of a container");
}

void
pp_engine_end_with_container (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *json = pp_engine_call_json (call, response);

  end_if_container (call, json, response->status);
}

/* If Podman is killed while it starts a container, its conmon may be killed, too. The container is
 * then "initialized" and could be started, but nobody would keep its output and exit status. This
 * function reports such a container as "created", so the worker does not start it but makes a new
 * one. */
static void
end_with_inspected (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *container = pp_engine_call_json (call, response);
  json_t *state = json_object_get (container, "State");

  if (g_strcmp0 (pp_json_string (state, "Status"), "initialized") == 0 && has_id (container)
      && pp_container_process_lacks_conmon ("/proc", pp_json_string (container, "Id"), container))
    {
      json_object_set_new (state, "Status", json_string ("created"));
      json_object_set_new (state, "Pid", json_integer (0));
    }
  end_if_container (call, container, response->status);
}

static void
end_with_list (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *json = pp_engine_call_json (call, response);

  end_if_right (call, json, response->status, is_list_of_containers (json),
                "its answer is not a list of containers with their Ids");
}

char *
pp_engine_escape (const char *text)
{
  return g_uri_escape_string (text, NULL, FALSE);
}

/* Returns VERB and ID, which may be a name, for an error message; new string. */
static char *
show_container (const char *verb, const char *id)
{
  gboolean is_id = strlen (id) == 64 && strspn (id, "0123456789abcdef") == 64;

  return is_id ? g_strdup_printf ("%s container %.12s", verb, id)
               : g_strdup_printf ("%s container '%s'", verb, id);
}

EngineCall *
pp_engine_container_call (PpInfrastructure *infrastructure, const char *verb, const char *id,
                          PpInfrastructureDoneFunc done, gpointer user_data)
{
  return pp_engine_call_new_plain ((Engine *)infrastructure, show_container (verb, id), done,
                                   user_data);
}

/* PREFIX is "" for the Docker API, and PP_LIBPOD for Podman's own. A request that changes a
 * container must get 204. For a DELETE, PREFIX must be "", because Podman's own API answers 200. */
static void
send_below (const char *prefix, EngineCall *call, const char *method, const char *id,
            const char *tail, guint timeout_seconds, AnswerFunc answer)
{
  g_autofree char *escaped = pp_engine_escape (id);
  g_autofree char *path = g_strconcat (prefix, "/containers/", escaped, tail, NULL);
  EngineRequest request = { .method = method,
                            .path = path,
                            .timeout_seconds = timeout_seconds,
                            .unversioned = prefix[0] != '\0',
                            .success = g_str_equal (method, "GET") ? 200 : 204 };

  pp_engine_call_send (call, &request, answer);
}

void
pp_engine_send_container (EngineCall *call, const char *method, const char *id, const char *tail,
                          guint timeout_seconds, AnswerFunc answer)
{
  send_below ("", call, method, id, tail, timeout_seconds, answer);
}

/* As pp_engine_send_container(), but uses Podman's own API if there is one. Podman's API
 * distinguishes "initialized" from "created"; the Docker API calls both "created". */
static void
send_own (EngineCall *call, const char *method, const char *id, const char *tail,
          guint timeout_seconds, AnswerFunc answer)
{
  send_below (pp_engine_has_own_api (call->engine) ? PP_LIBPOD : "", call, method, id, tail,
              timeout_seconds, answer);
}

static void
deliver_image (EngineCall *call, json_t *json, const GError *error)
{
  g_autoptr (GError) refusal = NULL;

  if (error == NULL)
    pp_container_spec_check_image (call->spec, json, call->engine->info, &refusal);
  call->done.plain (error != NULL ? error : refusal, call->user_data);
}

PpInfrastructureCall *
pp_engine_check_image (PpInfrastructure *infrastructure, const PpContainerSpec *spec,
                       PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call = pp_engine_call_new ((Engine *)infrastructure,
                                         g_strdup_printf ("look for image '%s'", spec->image),
                                         deliver_image, user_data);
  /* Do not escape the slashes of the name: they are part of the path. */
  g_autofree char *escaped = g_uri_escape_string (spec->image, "/", FALSE);
  g_autofree char *path = g_strconcat ("/images/", escaped, "/json", NULL);
  EngineRequest request
      = { .method = "GET", .path = path, .timeout_seconds = PP_ENGINE_QUICK_SECONDS };

  call->done.plain = done;
  call->spec = spec;
  pp_engine_call_send (call, &request, end_with_json);
  return &call->base;
}

PpInfrastructureCall *
pp_engine_connect_network (PpInfrastructure *infrastructure, const char *network,
                           const char *container_id, PpInfrastructureDoneFunc done,
                           gpointer user_data)
{
  EngineCall *call = pp_engine_call_new_plain (
      (Engine *)infrastructure,
      g_strdup_printf ("connect container %.12s to network '%s'", container_id, network), done,
      user_data);
  g_autofree char *escaped = pp_engine_escape (network);
  g_autofree char *path = g_strconcat ("/networks/", escaped, "/connect", NULL);
  json_auto_t *body = json_pack ("{s:s}", "Container", container_id);
  EngineRequest request = {
    .method = "POST", .path = path, .body = body, .timeout_seconds = PP_ENGINE_QUICK_SECONDS
  };

  pp_engine_call_send (call, &request, pp_engine_end_plain);
  return &call->base;
}

/* An engine that does not answer a start may have carried it out (containers/podman issue 13126: a
 * conmon that is stuck). So the container is inspected in parallel to the call. The call ends when
 * the container runs or has run. */

static void look_in (EngineCall *call, guint seconds);

static gboolean
has_begun (const PpHttpResponse *response)
{
  json_auto_t *container = pp_json_parse (response->body, response->body_length, 0, NULL);
  const json_t *state = json_object_get (container, "State");
  const char *status = pp_json_string (state, "Status");
  const char *started = pp_json_string (state, "StartedAt");

  return started != NULL && *started != '\0' && !g_str_has_prefix (started, "0001-")
         && g_strcmp0 (status, "created") != 0 && g_strcmp0 (status, "configured") != 0
         && g_strcmp0 (status, "initialized") != 0;
}

static void
on_start_looked (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineCall *call = user_data;

  call->look = NULL;
  if (error != NULL || response->status >= 400 || !has_begun (response))
    {
      look_in (call, START_LOOK_SECONDS);
      return;
    }
  g_debug ("The engine did not answer, but has carried out the request: %s", call->what);
  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  pp_engine_call_end (call, NULL, NULL);
}

static gboolean
on_start_look (gpointer user_data)
{
  EngineCall *call = user_data;

  call->wait = 0;
  call->look = pp_engine_ask (call->engine, "GET", call->container_id, "/json", FALSE,
                              on_start_looked, call);
  return G_SOURCE_REMOVE;
}

static void
look_in (EngineCall *call, guint seconds)
{
  call->wait = g_timeout_add_seconds (seconds, on_start_look, call);
}

PpInfrastructureCall *
pp_engine_start (PpInfrastructure *infrastructure, const char *container_id,
                 PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call
      = pp_engine_container_call (infrastructure, "start", container_id, done, user_data);

  pp_engine_events_expect (call->engine);
  call->container_id = g_strdup (container_id);
  call->same_is_fine = TRUE;
  pp_engine_send_container (call, "POST", container_id, "/start", PP_ENGINE_SLOW_SECONDS,
                            pp_engine_end_plain);
  look_in (call, FIRST_START_LOOK_SECONDS);
  return &call->base;
}

static void
deliver_job (EngineCall *call, json_t *json, const GError *error)
{
  g_autoptr (PpJob) job = error == NULL ? pp_container_job_from_inspect (json) : NULL;

  call->done.job (job, error, call->user_data);
}

PpInfrastructureCall *
pp_engine_inspect (PpInfrastructure *infrastructure, const char *container_id, PpJobFunc inspected,
                   gpointer user_data)
{
  EngineCall *call = pp_engine_call_new (
      (Engine *)infrastructure, show_container ("inspect", container_id), deliver_job, user_data);

  call->done.job = inspected;
  call->may_be_large = TRUE;
  send_own (call, "GET", container_id, "/json", PP_ENGINE_QUICK_SECONDS, end_with_inspected);
  return &call->base;
}

static void
deliver_checked (EngineCall *call, json_t *json, const GError *error)
{
  g_autoptr (GError) refusal = NULL;
  g_autofree char *warning = NULL;

  if (error == NULL)
    pp_container_spec_check_created (call->spec, json, call->was_warned, call->engine->info,
                                     &warning, &refusal);
  call->done.checked (warning, error != NULL ? error : refusal, call->user_data);
}

PpInfrastructureCall *
pp_engine_check_limits (PpInfrastructure *infrastructure, const PpContainerSpec *spec,
                        const char *container_id, gboolean was_warned, PpCheckedFunc checked,
                        gpointer user_data)
{
  EngineCall *call
      = pp_engine_call_new ((Engine *)infrastructure, show_container ("inspect", container_id),
                            deliver_checked, user_data);

  call->done.checked = checked;
  call->spec = spec;
  call->was_warned = was_warned;
  send_own (call, "GET", container_id, "/json", PP_ENGINE_QUICK_SECONDS,
            pp_engine_end_with_container);
  return &call->base;
}

PpInfrastructureCall *
pp_engine_stop (PpInfrastructure *infrastructure, const char *container_id, guint timeout_seconds,
                PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call
      = pp_engine_container_call (infrastructure, "stop", container_id, done, user_data);
  const PpEngineInfo *info = call->engine->info;
  /* Docker's stop always begins with the stop signal (moby's containerStop), Podman's does not. */
  gboolean kills = timeout_seconds == 0 && info != NULL && info->kind == PP_ENGINE_DOCKER;
  g_autofree char *tail
      = kills ? g_strdup ("/kill") : g_strdup_printf ("/stop?t=%u", timeout_seconds);

  call->ended_is_fine = kills;
  call->same_is_fine = !kills;
  pp_engine_send_container (call, "POST", container_id, tail,
                            MIN (timeout_seconds, G_MAXINT) + PP_ENGINE_QUICK_SECONDS,
                            pp_engine_end_plain);
  return &call->base;
}

PpInfrastructureCall *
pp_engine_unpause (PpInfrastructure *infrastructure, const char *container_id,
                   PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call
      = pp_engine_container_call (infrastructure, "unpause", container_id, done, user_data);

  pp_engine_send_container (call, "POST", container_id, "/unpause", PP_ENGINE_QUICK_SECONDS,
                            pp_engine_end_plain);
  return &call->base;
}

/* Returns ENGINE's words for the states in SCOPE; new array, or NULL for any state. An engine
 * refuses to list if it does not know one of the words (Podman: "restarting"). */
static json_t *
states_of (const Engine *engine, PpListScope scope)
{
  gboolean is_podman = engine->info != NULL && engine->info->kind == PP_ENGINE_PODMAN;

  switch (scope)
    {
    case PP_LIST_NOT_STARTED:
      return is_podman ? json_pack ("[s,s]", "created", "initialized")
                       : json_pack ("[s]", "created");
    case PP_LIST_NOT_ENDED:
      if (is_podman)
        return json_pack ("[s,s,s,s,s,s]", "created", "initialized", "running", "paused", "stopped",
                          "removing");
      return json_pack ("[s,s,s,s,s]", "created", "running", "paused", "restarting", "removing");
    default:
      return NULL;
    }
}

static void
deliver_jobs (EngineCall *call, json_t *json, const GError *error)
{
  g_autoptr (GPtrArray) jobs = error == NULL ? pp_container_jobs_from_list (json) : NULL;

  call->done.jobs (jobs, error, call->user_data);
}

PpInfrastructureCall *
pp_engine_list (PpInfrastructure *infrastructure, PpListScope scope, const char *claim,
                PpJobsFunc listed, gpointer user_data)
{
  Engine *engine = (Engine *)infrastructure;
  EngineCall *call
      = pp_engine_call_new (engine, g_strdup ("list containers"), deliver_jobs, user_data);
  json_t *states = states_of (engine, scope);
  json_t *labels = json_pack ("[s]", PP_IDENTITY_LABEL);
  json_auto_t *filters = json_pack ("{s:o}", "label", labels);

  call->done.jobs = listed;
  call->may_be_large = TRUE;
  if (claim != NULL)
    json_array_append_new (labels, json_sprintf ("%s=%s", PP_CLAIM_LABEL, claim));
  if (states != NULL)
    json_object_set_new (filters, "status", states);
  char *text = json_dumps (filters, JSON_COMPACT);
  g_autofree char *escaped = pp_engine_escape (text);
  free (text);
  g_autofree char *path = g_strconcat ("/containers/json?all=1&filters=", escaped, NULL);
  EngineRequest request
      = { .method = "GET", .path = path, .timeout_seconds = PP_ENGINE_QUICK_SECONDS };
  pp_engine_call_send (call, &request, end_with_list);
  return &call->base;
}
