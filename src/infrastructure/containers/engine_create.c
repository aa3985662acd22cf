/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a container. First reads what the request still needs: the proxies, and a gateway's
 * address. */
#include "config.h"

#include "engine_api-private.h"

#include "container_job-private.h"
#include "spec_parts-private.h"
#include "values-private.h"

#include <string.h>

/* Returns the labels in a create body of either API; borrowed. */
static const json_t *
labels_of (const json_t *body)
{
  const json_t *labels = json_object_get (body, "Labels");

  return labels != NULL ? labels : json_object_get (body, "labels");
}

/* True if CONTAINER, an inspect answer, has the run, the worker and the claim of the container that
 * CALL creates. */
static gboolean
is_own (const EngineCall *call, const json_t *container)
{
  const json_t *labels = labels_of (call->body);
  const PpJobRef owner = { .flow_run_id = (char *)pp_json_string (labels, PP_FLOW_RUN_LABEL),
                           .identity = (char *)pp_json_string (labels, PP_IDENTITY_LABEL),
                           .claim = (char *)pp_json_string (labels, PP_CLAIM_LABEL) };
  g_autoptr (PpJob) job = pp_container_job_from_inspect (container);

  return job != NULL && pp_job_is_owned_by (job, &owner);
}

static void
on_looked_at (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *container = pp_engine_call_json (call, response);

  if (container == NULL)
    return;
  if (is_own (call, container))
    pp_engine_call_end (call, call->made, NULL);
  else
    pp_engine_call_fail (
        call, PP_INFRASTRUCTURE_ERROR_FAILED,
        "the engine at %s answered with the Id of another container (%.12s). The worker does not "
        "touch that container. Does a proxy in front of the engine mix up its answers?",
        call->engine->url, pp_json_string (call->made, "Id"));
}

/* Inspects the container that the engine says it has made. Only the labels show that this is the
 * container of CALL. If the engine answered with the Id of another container, the worker would
 * start, follow and remove that other container. */
static void
on_made (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *json = pp_engine_call_json (call, response);
  const char *id = pp_json_string (json, "Id");

  if (json == NULL)
    return;
  if (id == NULL || pp_json_string (labels_of (call->body), PP_CLAIM_LABEL) == NULL)
    {
      pp_engine_end_with_container (call, response);
      return;
    }
  call->creates = FALSE;
  call->made = json_incref (json);
  pp_engine_send_container (call, "GET", id, "/json", PP_ENGINE_QUICK_SECONDS, on_looked_at);
}

static void
send_create (EngineCall *call)
{
  EngineRequest request = { .method = "POST",
                            .path = call->path,
                            .body = call->body,
                            .timeout_seconds = PP_ENGINE_SLOW_SECONDS,
                            .unversioned = g_str_has_prefix (call->path, "/v"),
                            .success = 201 };

  call->creates = TRUE;
  pp_engine_call_send (call, &request, on_made);
}

/* Returns the array of "name:address" in a create body of either API, borrowed. */
static json_t *
hosts_of (const json_t *body)
{
  json_t *hosts = json_object_get (json_object_get (body, "HostConfig"), "ExtraHosts");
  return hosts != NULL ? hosts : json_object_get (body, "hostadd");
}

static void
on_gateway (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *network = pp_engine_call_json (call, response);

  if (network == NULL)
    return;
  pp_replace_host_gateway (hosts_of (call->body), pp_engine_network_gateway (network));
  send_create (call);
}

/* Sends the create request of CALL. If its body needs the address of a network's gateway, first
 * asks for that address. */
static void
ask_gateway_and_send (EngineCall *call)
{
  if (call->network == NULL)
    {
      send_create (call);
      return;
    }
  g_autofree char *escaped = pp_engine_escape (call->network);
  g_autofree char *path = g_strconcat ("/networks/", escaped, NULL);
  EngineRequest request
      = { .method = "GET", .path = path, .timeout_seconds = PP_ENGINE_QUICK_SECONDS };

  pp_engine_call_send (call, &request, on_gateway);
}

/* Warns about TROUBLE (NULL: none), unless it is the same as before. This warning is not in a run's
 * log, because no run is at fault and no run is delayed. */
static void
warn_of_config (Engine *engine, const char *trouble)
{
  if (g_strcmp0 (trouble, engine->docker_trouble) == 0)
    return;
  if (trouble != NULL)
    g_warning ("%s If this file sets proxies, containers do not get them.", trouble);
  g_free (engine->docker_trouble);
  engine->docker_trouble = g_strdup (trouble);
}

/* Adds PROXIES to the environment in the body of CALL: an object in Podman's own API, else an
 * array. */
static void
add_proxies (EngineCall *call, json_t *proxies)
{
  gboolean is_own = g_str_has_prefix (call->path, PP_LIBPOD);
  const char *field = is_own ? "env" : "Env";
  const char *name;
  json_t *value;

  if (json_object_size (proxies) == 0)
    return;
  if (json_object_get (call->body, field) == NULL)
    json_object_set_new (call->body, field, is_own ? json_object () : json_array ());
  json_t *env = json_object_get (call->body, field);
  if (is_own)
    json_object_update (env, proxies);
  else
    {
      json_object_foreach (proxies, name, value)
      {
        g_autofree char *entry = g_strconcat (name, "=", json_string_value (value), NULL);
        json_array_append_new (env, json_string (entry));
      }
    }
}

static void
on_config (const PpDockerConfig *config, gpointer user_data)
{
  EngineCall *call = user_data;
  json_auto_t *proxies = pp_docker_config_proxies (config, call->engine->url, call->env);

  call->docker_read = NULL;
  warn_of_config (call->engine, config->trouble);
  add_proxies (call, proxies);
  ask_gateway_and_send (call);
}

/* Reports the container, or the ERROR of CALL. If the inspection of the new container got no
 * answer, the engine's answer to the create call counts. If the inspection showed another
 * container, or none, the error becomes UNAVAILABLE: the retry finds the right container by its
 * name, or creates it. */
static void
deliver_created (EngineCall *call, json_t *json, const GError *error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new ();
  g_autoptr (GError) passing = NULL;
  json_t *warning;
  size_t index;

  if (call->made != NULL
      && g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      json = call->made;
      error = NULL;
    }
  else if (call->made != NULL && error != NULL)
    {
      passing = g_error_new_literal (PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                                     error->message);
      error = passing;
    }

  json_array_foreach (json_object_get (json, "Warnings"), index, warning)
  {
    if (json_is_string (warning))
      g_ptr_array_add (warnings, (gpointer)json_string_value (warning));
  }
  call->done.created (pp_json_string (json, "Id"), warnings, error, call->user_data);
}

PpInfrastructureCall *
pp_engine_create (PpInfrastructure *infrastructure, const PpContainerSpec *spec, const char *name,
                  PpCreatedFunc created, gpointer user_data)
{
  Engine *engine = (Engine *)infrastructure;
  const char *final_name = name != NULL ? name : spec->name;
  g_autofree char *escaped_name = final_name != NULL ? pp_engine_escape (final_name) : NULL;
  g_autofree char *escaped_platform
      = spec->platform != NULL ? pp_engine_escape (spec->platform) : NULL;
  EngineCall *call = pp_engine_call_new (
      engine,
      final_name != NULL
          ? g_strdup_printf ("create container '%s' of image '%s'", final_name, spec->image)
          : g_strdup_printf ("create a container of image '%s'", spec->image),
      deliver_created, user_data);

  call->done.created = created;
  call->body = json_deep_copy (spec->libpod_body != NULL ? spec->libpod_body : spec->create_body);
  if (spec->libpod_body != NULL)
    {
      call->path = g_strdup (PP_LIBPOD "/containers/create");
      if (final_name != NULL)
        json_object_set_new (call->body, "name", json_string (final_name));
    }
  else
    call->path = g_strconcat ("/containers/create", final_name != NULL ? "?name=" : "",
                              final_name != NULL ? escaped_name : "",
                              spec->platform == NULL ? ""
                              : final_name != NULL   ? "&platform="
                                                     : "?platform=",
                              spec->platform != NULL ? escaped_platform : "", NULL);

  const char *mode
      = pp_json_string (json_object_get (spec->create_body, "HostConfig"), "NetworkMode");
  if (!pp_engine_knows_host_gateway (engine->info) && pp_network_is_user_defined (mode)
      && pp_has_host_gateway (hosts_of (call->body)))
    call->network = g_strdup (mode);
  call->env = json_array ();
  json_array_extend (call->env, json_object_get (spec->create_body, "Env"));
  json_array_extend (call->env, json_object_get (spec->create_body, "UnsetEnv"));
  if (spec->wants_proxies)
    call->docker_read = pp_docker_reader_read (engine->docker, on_config, call);
  else
    ask_gateway_and_send (call);
  return &call->base;
}
