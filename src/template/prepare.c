/* SPDX-License-Identifier: Apache-2.0 */
/* prepare_for_flow_run: adds what the run, its flow, deployment, work pool and worker contribute to
 * the configuration (prefect/workers/base.py, prefect_docker/worker.py). */
#include "config.h"

#include "template-private.h"

#include <string.h>

#define FLOW_RUN_COMMAND "prefect flow-run execute"

/* Sets KEY of OBJECT to the string at MEMBER of SOURCE, if there is one. */
static void
set_from (json_t *object, const char *key, const json_t *source, const char *member)
{
  json_t *value = json_object_get (source, member);
  if (json_is_string (value))
    json_object_set (object, key, value);
}

static void
set_string (json_t *object, const char *key, const char *value)
{
  if (value != NULL)
    json_object_set_new (object, key, json_string (value));
}

/* Replaces "localhost" and "127.0.0.1" in PREFECT_API_URL of ENV by "host.docker.internal", as
 * DockerWorkerJobConfiguration._base_environment does: on a bridge network, "localhost" is the
 * container itself. */
static void
rewrite_api_url (json_t *env)
{
  const char *url = pp_json_string (env, "PREFECT_API_URL");
  if (url == NULL)
    return;
  g_auto (GStrv) by_name = g_strsplit (url, "localhost", -1);
  g_autofree char *renamed = g_strjoinv ("host.docker.internal", by_name);
  g_auto (GStrv) by_address = g_strsplit (renamed, "127.0.0.1", -1);
  g_autofree char *rewritten = g_strjoinv ("host.docker.internal", by_address);
  json_object_set_new (env, "PREFECT_API_URL", json_string (rewritten));
}

/* Adds the variables of _base_flow_run_environment and _base_attribution_environment. */
static void
add_attribution (json_t *env, const PpTemplateContext *context)
{
  set_from (env, "PREFECT__FLOW_RUN_ID", context->flow_run, "id");
  set_string (env, "PREFECT__WORKER_ID", context->worker_id);
  set_string (env, "PREFECT__WORKER_NAME", context->worker_name);
  set_from (env, "PREFECT__FLOW_ID", context->flow_run, "flow_id");
  set_from (env, "PREFECT__FLOW_NAME", context->flow, "name");
  set_from (env, "PREFECT__DEPLOYMENT_ID", context->flow_run, "deployment_id");
  set_from (env, "PREFECT__DEPLOYMENT_NAME", context->deployment, "name");
}

/* Sets `env` of CONFIGURATION to the settings, the variables that describe the run, and the job's
 * own variables. A later one replaces an earlier one of the same name. But a job cannot set
 * PREFECT__FLOW_RUN_ID, so it cannot make Prefect inside the container execute another run. Prefect
 * itself lets a job set it. */
static void
prepare_env (json_t *configuration, const PpTemplateContext *context)
{
  const json_t *given = json_object_get (configuration, "env");
  json_auto_t *all
      = context->environment != NULL ? pp_json_shallow_copy (context->environment) : json_object ();
  const char *name;
  json_t *value;

  if (g_strcmp0 (pp_docker_network_mode (configuration, given, context->environment), "host") != 0)
    rewrite_api_url (all);
  add_attribution (all, context);
  json_object_update (all, (json_t *)given);
  set_from (all, "PREFECT__FLOW_RUN_ID", context->flow_run, "id");

  json_t *env = json_object ();
  json_object_foreach (all, name, value)
  {
    if (!json_is_null (value))
      json_object_set (env, name, value);
  }
  json_object_set_new (configuration, "env", env);
}

static void
add_deployment_labels (json_t *labels, const json_t *deployment)
{
  set_from (labels, "prefect.io/deployment-id", deployment, "id");
  set_from (labels, "prefect.io/deployment-name", deployment, "name");
  const char *updated = pp_json_string (deployment, "updated");
  if (updated == NULL)
    return;
  g_autofree char *in_utc = pp_timestamp_to_utc (updated);
  set_string (labels, "prefect.io/deployment-updated", in_utc);
}

/* Sets the labels that identify a container. A job cannot set any of them. Prefect
 * (prepare_for_flow_run in base.py) lets a job set all except the version. */
static void
prepare_labels (json_t *configuration, const PpTemplateContext *context)
{
  json_auto_t *own = json_object ();
  json_auto_t *given = pp_docker_labels (json_object_get (configuration, "labels"));
  const char *name;
  json_t *value;

  set_from (own, "prefect.io/flow-run-id", context->flow_run, "id");
  set_from (own, "prefect.io/flow-run-name", context->flow_run, "name");
  set_string (own, "prefect.io/version", context->prefect_version);
  set_from (own, "prefect.io/work-pool-name", context->work_pool, "name");
  set_from (own, "prefect.io/work-pool-id", context->work_pool, "id");
  set_string (own, "prefect.io/worker-name", context->worker_name);
  set_from (own, "prefect.io/flow-id", context->flow, "id");
  set_from (own, "prefect.io/flow-name", context->flow, "name");
  add_deployment_labels (own, context->deployment);

  json_t *labels = pp_docker_labels (own);
  json_object_foreach (given, name, value)
  {
    if (!pp_docker_label_is_own (name))
      json_object_set (labels, name, value);
  }
  json_object_set_new (configuration, "labels", labels);
}

/* Renders ctx.* in the name. Returns the name unchanged if it is a single placeholder without a
 * value. {{ $ENV }} stays as it is, as in all other job variables. Prefect replaces it, and so
 * shows a deployment's author every variable of the worker, its API key included. */
static json_t *
render_name (const json_t *name, const PpTemplateContext *context, GError **error)
{
  json_auto_t *values = pp_flow_context (context);
  json_t *rendered;
  if (!pp_apply_values (name, values, NULL, &rendered, error))
    return NULL;
  return rendered != NULL ? rendered : pp_json_share (name);
}

char *
pp_template_name (const json_t *configuration, const PpTemplateContext *context, GError **error)
{
  json_auto_t *name = json_incref (json_object_get (configuration, "name"));
  if (pp_json_truthy (name))
    {
      json_t *rendered = render_name (name, context, error);
      if (rendered == NULL)
        return NULL;
      json_decref (name);
      name = rendered;
    }
  if (!pp_json_truthy (name))
    {
      json_decref (name);
      name = json_incref (json_object_get (context->flow_run, "name"));
    }
  if (json_is_string (name))
    return g_strdup (json_string_value (name));
  pp_template_invalid (error,
                       "name: the value of the placeholder is %s; a string is needed. "
                       "Use another placeholder, or put text beside this one",
                       pp_json_type_name (name));
  return NULL;
}

static gboolean
prepare_name (json_t *configuration, const PpTemplateContext *context, GError **error)
{
  g_autofree char *name = pp_template_name (configuration, context, error);
  if (name == NULL)
    return FALSE;
  g_autofree char *slug = pp_docker_container_name (name);
  json_object_set_new (configuration, "name", slug != NULL ? json_string (slug) : json_null ());
  return TRUE;
}

static gboolean
prepare_image (json_t *configuration, const PpTemplateContext *context, GError **error)
{
  if (pp_json_truthy (json_object_get (configuration, "image")))
    return TRUE;
  if (context->default_image == NULL)
    return pp_template_invalid (error,
                                "image: no image is given; set the job variable image of the "
                                "deployment or its default in the work pool's base job "
                                "template");
  json_object_set_new (configuration, "image", json_string (context->default_image));
  return TRUE;
}

static void
prepare_network_mode (json_t *configuration, const PpTemplateContext *context)
{
  const char *mode = pp_docker_network_mode (configuration, json_object_get (configuration, "env"),
                                             context->environment);
  json_object_set_new (configuration, "network_mode",
                       mode != NULL ? json_string (mode) : json_null ());
}

/* Does what prepare_for_flow_run of BaseJobConfiguration (prefect/workers/base.py) does, except for
 * the name. */
static json_t *
prepare_plain (const json_t *configuration, const PpTemplateContext *context)
{
  json_t *prepared = json_deep_copy (configuration);

  prepare_env (prepared, context);
  prepare_labels (prepared, context);
  if (!pp_json_truthy (json_object_get (prepared, "command")))
    json_object_set_new (prepared, "command", json_string (FLOW_RUN_COMMAND));
  return prepared;
}

json_t *
pp_template_prepare (const json_t *configuration, const PpTemplateContext *context, GError **error)
{
  if (context->plain_pool)
    return prepare_plain (configuration, context);
  json_auto_t *prepared = pp_check_configuration (configuration, context->podman_pool, error);
  if (prepared == NULL)
    return NULL;

  prepare_env (prepared, context);
  prepare_labels (prepared, context);
  if (!prepare_name (prepared, context, error) || !prepare_image (prepared, context, error))
    return NULL;
  if (!context->podman_pool && json_is_null (json_object_get (prepared, "command")))
    json_object_set_new (prepared, "command", json_string (FLOW_RUN_COMMAND));
  prepare_network_mode (prepared, context);
  return g_steal_pointer (&prepared);
}
