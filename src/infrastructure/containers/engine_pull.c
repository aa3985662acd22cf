/* SPDX-License-Identifier: Apache-2.0 */
/* A pull: finds its credentials, sends it, and reports its progress. */
#include "config.h"

#include "engine_api-private.h"

#include "values-private.h"

#include <sys/stat.h>
#include <unistd.h>

/* Passes a line about the pull's progress to the user. */
static void
on_progress (gboolean is_warning, const char *line, gpointer user_data)
{
  EngineCall *call = user_data;

  if (!call->ended && call->progress != NULL)
    call->progress (is_warning, line, call->user_data);
}

static gboolean
on_pull_data (const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;

  pp_engine_call_enter (call);
  pp_pull_push (call->pull, data, length);
  pp_engine_call_leave (call);
  return TRUE;
}

static void
on_pull_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  pp_engine_call_enter (call);
  pp_pull_finish (call->pull, &error);
  if (pp_engine_call_leave (call))
    pp_engine_call_end (call, NULL, error);
}

static void
send_pull (EngineCall *call, const char *registry_auth)
{
  EngineRequest request = { .method = "POST",
                            .path = call->path,
                            .registry_auth = registry_auth,
                            .silence_seconds = PP_ENGINE_PULL_SILENCE_SECONDS,
                            .on_data = on_pull_data };

  pp_engine_call_send (call, &request, on_pull_end);
}

/* True if ENGINE itself finds the credentials in CONFIG. Podman's service reads what `podman login`
 * has written for the service's user, and then docker's file (containers/image,
 * getAuthFilePaths()). A header from the worker would take precedence over both. The service does
 * not know the worker's DOCKER_CONFIG, nor another user's home. */
static gboolean
reads_config_itself (const Engine *engine, const PpDockerConfig *config)
{
  struct stat status;

  return engine->info != NULL && engine->info->kind == PP_ENGINE_PODMAN
         && engine->socket_path != NULL && !config->is_named
         && stat (engine->socket_path, &status) == 0 && status.st_uid == geteuid ();
}

/* Reports TROUBLE, which may be NULL. Returns FALSE if CALL is gone. */
static gboolean
warn (EngineCall *call, const char *trouble)
{
  pp_engine_call_enter (call);
  if (trouble != NULL)
    on_progress (TRUE, trouble, call);
  return pp_engine_call_leave (call);
}

static void
on_helper (const char *auth, const char *trouble, gpointer user_data)
{
  EngineCall *call = user_data;

  call->helper = NULL;
  if (warn (call, trouble))
    send_pull (call, auth != NULL ? auth : call->registry_auth);
}

static void
on_config (const PpDockerConfig *config, gpointer user_data)
{
  EngineCall *call = user_data;
  gboolean is_read = reads_config_itself (call->engine, config);
  g_autofree char *registry = NULL;
  g_autofree char *trouble = NULL;
  gboolean is_store;
  const char *helper = pp_docker_config_helper (config, call->image, &registry, &is_store);

  call->docker_read = NULL;
  if (!is_read)
    call->registry_auth = pp_docker_config_auth (config, call->image, &trouble);
  /* Podman itself asks credHelpers, but does not know credsStore. */
  if (helper != NULL && (!is_read || is_store))
    call->helper = pp_credential_helper_ask (helper, registry, config->path,
                                             PP_CREDENTIAL_HELPER_SECONDS, on_helper, call);
  if (warn (call, config->trouble != NULL ? config->trouble : trouble) && call->helper == NULL)
    send_pull (call, call->registry_auth);
}

PpInfrastructureCall *
pp_engine_pull (PpInfrastructure *infrastructure, const char *image, const char *platform,
                const char *registry_auth, PpPullProgressFunc progress,
                PpInfrastructureDoneFunc done, gpointer user_data)
{
  Engine *engine = (Engine *)infrastructure;
  g_autofree char *name = NULL;
  g_autofree char *tag = NULL;
  EngineCall *call = pp_engine_call_new_plain (engine, g_strdup_printf ("pull image '%s'", image),
                                               done, user_data);

  pp_image_split (image, &name, &tag);
  g_autofree char *escaped_name = g_uri_escape_string (name, NULL, FALSE);
  g_autofree char *escaped_tag = g_uri_escape_string (tag != NULL ? tag : "latest", NULL, FALSE);
  g_autofree char *escaped_platform
      = platform != NULL ? g_uri_escape_string (platform, NULL, FALSE) : NULL;
  call->path = g_strconcat ("/images/create?fromImage=", escaped_name, "&tag=", escaped_tag,
                            escaped_platform != NULL ? "&platform=" : NULL, escaped_platform, NULL);
  call->image = g_strdup (image);
  call->progress = progress;
  call->pull = pp_pull_new (image, on_progress, call);
  if (registry_auth != NULL)
    send_pull (call, registry_auth);
  else
    call->docker_read = pp_docker_reader_read (engine->docker, on_config, call);
  return &call->base;
}
