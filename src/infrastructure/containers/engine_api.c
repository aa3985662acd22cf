/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of infrastructure for Podman and Docker: requests and answers of their APIs. */
#include "config.h"

#include "engine_api-private.h"

#include "prefect-podman/http/proxy.h"
#include "prefect-podman/template/template.h"
#include "values-private.h"

#include <stdlib.h>
#include <string.h>

static gboolean
has_place (const char *url)
{
  g_autofree char *socket_path = NULL;
  g_autofree char *base_url = NULL;

  return pp_engine_url_parse (url, &socket_path, &base_url, NULL);
}

/* Reads and checks the environment's settings for the connection to URL, a TCP address: TLS and a
 * proxy. */
static gboolean
check_way (const char *url, char **base_url, PpEngineTls *tls, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (!pp_engine_tls_find (url, base_url, tls, error))
    return FALSE;
  if (pp_proxy_check (*base_url, &problem))
    return TRUE;
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID, "%s",
               problem->message);
  return FALSE;
}

static PpInfrastructure *
engine_new (PpHttp *http, const char *url, GError **error)
{
  g_autofree char *socket_path = NULL;
  g_autofree char *base_url = NULL;

  PpEngineTls tls = { NULL };
  if (!pp_engine_url_parse (url, &socket_path, &base_url, error)
      || (socket_path == NULL && !check_way (url, &base_url, &tls, error)))
    {
      pp_engine_tls_clear (&tls);
      return NULL;
    }
  Engine *engine = g_new0 (Engine, 1);
  engine->tls = tls;
  engine->base.kind = &pp_engine_api_kind;
  engine->http = http;
  engine->url = pp_http_url_for_display (url);
  engine->socket_path = g_steal_pointer (&socket_path);
  engine->base_url = g_steal_pointer (&base_url);
  pp_engine_names_init (&engine->names, engine->socket_path);
  engine->prefix = g_strdup ("");
  engine->calls = g_hash_table_new (NULL, NULL);
  engine->events = pp_engine_events_new (engine);
  engine->docker = pp_docker_reader_new ();
  return &engine->base;
}

static void
engine_free (PpInfrastructure *infrastructure)
{
  Engine *engine = (Engine *)infrastructure;
  GList *calls = g_hash_table_get_keys (engine->calls);

  for (GList *link = calls; link != NULL; link = link->next)
    pp_engine_call_cancel (link->data);
  g_list_free (calls);
  g_hash_table_unref (engine->calls);
  pp_engine_events_free (engine->events);
  pp_docker_reader_free (engine->docker);
  g_free (engine->docker_trouble);
  g_free (engine->log_root);
  pp_engine_info_free (engine->info);
  g_free (engine->server);
  g_free (engine->url);
  g_free (engine->socket_path);
  g_free (engine->base_url);
  pp_engine_tls_clear (&engine->tls);
  pp_engine_names_clear (&engine->names);
  g_free (engine->prefix);
  g_free (engine);
}

const PpEngineInfo *
pp_engine_info (const PpInfrastructure *infrastructure)
{
  return ((const Engine *)infrastructure)->info;
}

static PpInfrastructureAbout
engine_about (const PpInfrastructure *infrastructure)
{
  const PpEngineInfo *info = pp_engine_info (infrastructure);

  return info == NULL ? (PpInfrastructureAbout){ 0 }
                      : (PpInfrastructureAbout){ .name = info->name,
                                                 .version = info->version,
                                                 .manner = info->rootless ? "rootless" : "rootful",
                                                 .place = info->url };
}

static gint64
engine_heard (const PpInfrastructure *infrastructure)
{
  return ((const Engine *)infrastructure)->heard;
}

static PpCapabilities
engine_capabilities (const PpInfrastructure *infrastructure)
{
  const PpEngineInfo *info = ((const Engine *)infrastructure)->info;

  return (PpCapabilities){ .refuses_interrupted_start = info->kind == PP_ENGINE_PODMAN };
}

/* Returns the infrastructure_pid in the format of the Python worker. */
static char *
engine_pid (const PpInfrastructure *infrastructure, const char *job_id)
{
  return g_strdup_printf ("%s:%s", ((const Engine *)infrastructure)->info->base_url, job_id);
}

static const PpContainerCalls container_calls = {
  .cancel = pp_engine_call_cancel,
  .check_image = pp_engine_check_image,
  .pull = pp_engine_pull,
  .create = pp_engine_create,
  .check_limits = pp_engine_check_limits,
  .connect_network = pp_engine_connect_network,
  .inspect = pp_engine_inspect,
};

static PpJobSpec *
engine_prepare (PpInfrastructure *infrastructure, const json_t *configuration, PpRunPolicy *policy,
                GPtrArray *warnings, GError **error)
{
  return pp_container_prepare (&container_calls, ((Engine *)infrastructure)->info, configuration,
                               policy, warnings, error);
}

static const PpPoolType pools[] = {
  { "docker", "DockerWorker", pp_template_default },
  { "podman", "PodmanWorker", pp_template_default },
  { NULL },
};

static const PpKindWords words
    = { .job = "container",
        .first_job = "Container",
        .host = "the engine",
        .full_host = "the container engine",
        .first_full_host = "The container engine",
        .monitor = "conmon",
        .resource = "prefect.docker.container",
        .running_event = "prefect.docker.container.running",
        .ended_event = "prefect.docker.container.exited",
        .not_created_event = "prefect.docker.container.creation-failed" };

const PpInfrastructureKind pp_engine_api_kind = {
  .pools = pools,
  .find_place = pp_engine_find,
  .has_place = has_place,
  .new_ = engine_new,
  .free = engine_free,
  .words = &words,
  .explain_no_end = pp_engine_explain_no_end,
  .about = engine_about,
  .capabilities = engine_capabilities,
  .pid = engine_pid,
  .heard = engine_heard,
  .trouble = pp_engine_trouble,
  .connect = pp_engine_connect,
  .ping = pp_engine_ping,
  .prepare = engine_prepare,
  .set_owner = pp_container_set_owner,
  .free_spec = pp_container_free_spec,
  .submit = pp_container_submit,
  .start = pp_engine_start,
  .follow = pp_engine_follow,
  .read_log = pp_engine_read_log,
  .follow_finish = pp_engine_follow_finish,
  .inspect = pp_engine_inspect,
  .watch = pp_engine_watch,
  .stop = pp_engine_stop,
  .unpause = pp_engine_unpause,
  .remove = pp_engine_remove,
  .keep = pp_engine_keep,
  .list = pp_engine_list,
  .call_resume = pp_engine_call_resume,
  .call_cancel = pp_engine_call_cancel,
};
