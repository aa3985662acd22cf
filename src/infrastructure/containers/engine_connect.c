/* SPDX-License-Identifier: Apache-2.0 */
/* Identifies the engine: GET /version, GET /info, and an address of this host for engines that do
 * not know host-gateway. */
#include "config.h"

#include "engine_api-private.h"

#include "spec_parts-private.h"
#include "values-private.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

/* The newest version of the Docker API that this code supports (docker-py's
 * DEFAULT_DOCKER_API_VERSION). */
#define NEWEST_API_MINOR 45
/* How long an engine may take to answer /_ping and to find a network. */
#define TIMEOUT_SECONDS 30
/* How long an engine may take to answer /version and /info. Podman asks the package manager for the
 * versions of its parts, and /info counts all containers. On a busy host this takes minutes, and a
 * second request makes it slower. If the engine ends, the connection closes, so the worker does not
 * wait that long. */
#define LOOK_SECONDS 300

/* Returns this host's first IPv4 address that is no loopback address; new string, or NULL. Podman
 * uses the same address for rootless containers (host.containers.internal). */
static char *
local_address (void)
{
  struct ifaddrs *all = NULL;
  char *found = NULL;

  if (getifaddrs (&all) != 0)
    return NULL;
  for (struct ifaddrs *one = all; one != NULL && found == NULL; one = one->ifa_next)
    {
      char text[INET_ADDRSTRLEN];
      if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET
          || (one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0)
        continue;
      const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)one->ifa_addr;
      if (inet_ntop (AF_INET, &address->sin_addr, text, sizeof text) != NULL)
        found = g_strdup (text);
    }
  freeifaddrs (all);
  return found;
}

const char *
pp_engine_network_gateway (const json_t *network)
{
  const json_t *configs = json_object_get (json_object_get (network, "IPAM"), "Config");

  for (gsize i = 0; i < json_array_size (configs); i++)
    {
      const char *gateway = pp_json_string (json_array_get (configs, i), "Gateway");
      if (gateway != NULL && strchr (gateway, '.') != NULL)
        return gateway;
    }
  return NULL;
}

static void
take_info (EngineCall *call)
{
  Engine *engine = call->engine;

  if (engine->info != NULL
      && (engine->info->kind != call->info->kind
          || !g_str_equal (engine->info->version, call->info->version)))
    g_message ("The container engine is %s %s now, and was %s %s", call->info->name,
               call->info->version, engine->info->name, engine->info->version);
  pp_engine_info_free (engine->info);
  engine->info = g_steal_pointer (&call->info);
}

static void
finish (EngineCall *call)
{
  take_info (call);
  pp_engine_call_end (call, NULL, NULL);
}

static void
on_network (EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *network = pp_json_parse (response->body, response->body_length, 0, NULL);
  PpEngineInfo *info = call->engine->info;

  /* Another call that connects may have set it since. */
  g_free (info->gateway);
  info->gateway = g_strdup (pp_engine_network_gateway (network));
  pp_engine_call_end (call, NULL, NULL);
}

/* True if the SecurityOptions of INFO have one that begins with PREFIX. */
static gboolean
has_security_option (const json_t *info, const char *prefix)
{
  const json_t *options = json_object_get (info, "SecurityOptions");

  for (gsize i = 0; i < json_array_size (options); i++)
    {
      const char *option = json_string_value (json_array_get (options, i));
      if (option != NULL && g_str_has_prefix (option, prefix))
        return TRUE;
    }
  return FALSE;
}

static void
fill_from_info (PpEngineInfo *engine, const json_t *info)
{
  engine->rootless = json_is_true (json_object_get (info, "Rootless"))
                     || has_security_option (info, "name=rootless");
  engine->has_apparmor = has_security_option (info, "name=apparmor");
  engine->runs_windows = g_strcmp0 (pp_json_string (info, "OSType"), "windows") == 0;
  engine->default_runtime = g_strdup (pp_json_string (info, "DefaultRuntime"));
}

/* Returns where a Podman on this host keeps its containers' logs; new string, or NULL. */
static char *
log_root (const Engine *engine, const PpEngineInfo *info, const json_t *answer)
{
  const char *root = pp_json_string (answer, "DockerRootDir");
  const char *driver = pp_json_string (answer, "Driver");

  if (info->kind != PP_ENGINE_PODMAN || engine->socket_path == NULL || root == NULL
      || driver == NULL)
    return NULL;
  return g_strdup_printf ("%s/%s-containers", root, driver);
}

/* For /info, Podman counts all containers. This fails if one of them is broken, for example half
 * removed when the host crashed. Podman still runs the other containers. */
static void
warn_of_no_info (const EngineCall *call, const PpHttpResponse *response)
{
  g_autofree char *words = pp_engine_words (response);

  g_warning ("%s at %s answered %ld to /info: %s. The usual reason is one broken container: find "
             "it with podman ps -a --external, remove it with podman rm --force, and restart this "
             "worker. Until then, the worker reads the output of containers through the engine, "
             "and parts of the output may be missing",
             call->info->name, call->engine->url, response->status, words);
}

static void
on_info (EngineCall *call, const PpHttpResponse *response)
{
  static const EngineRequest request
      = { .method = "GET", .path = "/networks/bridge", .timeout_seconds = TIMEOUT_SECONDS };
  json_auto_t *info = NULL;

  call->may_refuse = FALSE;
  if (response->status < 400)
    {
      info = pp_engine_call_json (call, response);
      if (info == NULL)
        return;
      fill_from_info (call->info, info);
      g_free (call->engine->log_root);
      call->engine->log_root = log_root (call->engine, call->info, info);
    }
  else
    warn_of_no_info (call, response);
  if (pp_engine_knows_host_gateway (call->info))
    {
      finish (call);
      return;
    }
  /* A rootless bridge is in a network namespace of its own, so its gateway is not this host. */
  if (call->info->rootless)
    {
      call->info->gateway = local_address ();
      finish (call);
      return;
    }
  /* If there is no network "bridge", its gateway is unknown; the worker then works without it. */
  take_info (call);
  call->gone_is_fine = TRUE;
  pp_engine_call_send (call, &request, on_network);
}

/* An engine is Podman if it has a component with the name "Podman Engine". */
static gboolean
is_podman (const json_t *version)
{
  const json_t *components = json_object_get (version, "Components");

  for (gsize i = 0; i < json_array_size (components); i++)
    if (g_strcmp0 (pp_json_string (json_array_get (components, i), "Name"), "Podman Engine") == 0)
      return TRUE;
  return FALSE;
}

/* Returns the API version to use; new string. Returns the engine's version if it is not newer than
 * 1.NEWEST_API_MINOR. Else returns 1.NEWEST_API_MINOR if the engine still supports it. Else returns
 * the oldest version that the engine supports. */
static char *
choose_api_version (const json_t *version)
{
  const char *own = pp_json_string (version, "ApiVersion");
  const char *oldest = pp_json_string (version, "MinAPIVersion");

  if (!pp_version_at_least (own, 1, NEWEST_API_MINOR + 1))
    return g_strdup (own);
  if (oldest != NULL && pp_version_at_least (oldest, 1, NEWEST_API_MINOR + 1))
    return g_strdup (oldest);
  return g_strdup_printf ("1.%d", NEWEST_API_MINOR);
}

static void
on_version (EngineCall *call, const PpHttpResponse *response)
{
  static const EngineRequest request
      = { .method = "GET", .path = "/info", .timeout_seconds = LOOK_SECONDS };
  Engine *engine = call->engine;
  json_auto_t *version = pp_engine_call_json (call, response);

  if (version == NULL)
    return;
  const char *text = pp_json_string (version, "Version");
  if (text == NULL || pp_json_string (version, "ApiVersion") == NULL)
    {
      pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_FAILED,
                           "the program that answers at %s is not a container engine: its answer "
                           "to /version lacks Version or ApiVersion",
                           engine->url);
      return;
    }
  PpEngineInfo *info = g_new0 (PpEngineInfo, 1);
  info->kind = is_podman (version) ? PP_ENGINE_PODMAN : PP_ENGINE_DOCKER;
  info->name = g_strdup (info->kind == PP_ENGINE_PODMAN ? "Podman" : "Docker");
  info->version = g_strdup (text);
  info->api_version = choose_api_version (version);
  info->url = g_strdup (engine->url);
  info->base_url = engine->socket_path != NULL ? g_strdup ("http+docker://localhost")
                                               : pp_http_url_for_display (engine->base_url);
  pp_engine_info_free (call->info);
  call->info = info;
  g_free (engine->server);
  engine->server = g_strdup (pp_http_response_header (response, "server"));
  g_free (engine->prefix);
  engine->prefix = g_strconcat ("/v", info->api_version, NULL);
  call->may_refuse = TRUE;
  pp_engine_call_send (call, &request, on_info);
}

static void
ask_version (EngineCall *call)
{
  static const EngineRequest request = {
    .method = "GET", .path = "/version", .timeout_seconds = LOOK_SECONDS, .unversioned = TRUE
  };

  call->asks_engine = TRUE;
  pp_engine_call_send (call, &request, on_version);
}

PpInfrastructureCall *
pp_engine_connect (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done,
                   gpointer user_data)
{
  EngineCall *call = pp_engine_call_new_plain (
      (Engine *)infrastructure, g_strdup ("identify the container engine"), done, user_data);

  ask_version (call);
  return &call->base;
}

static void
on_pong (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  if (call->is_news)
    ask_version (call);
  else
    pp_engine_call_end (call, NULL, NULL);
}

PpInfrastructureCall *
pp_engine_ping (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done, gpointer user_data)
{
  static const EngineRequest request = {
    .method = "GET", .path = "/_ping", .timeout_seconds = TIMEOUT_SECONDS, .unversioned = TRUE
  };
  EngineCall *call
      = pp_engine_call_new_plain ((Engine *)infrastructure, g_strdup ("ping"), done, user_data);

  call->asks_engine = TRUE;
  pp_engine_call_send (call, &request, on_pong);
  return &call->base;
}
