/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_kwargs-private.h"
#include "values-private.h"

#include <stdlib.h>
#include <string.h>

#define HOST_GATEWAY ":host-gateway"

gboolean
pp_engine_knows_host_gateway (const PpEngineInfo *engine)
{
  if (engine == NULL)
    return TRUE;
  if (engine->kind == PP_ENGINE_PODMAN)
    return pp_version_at_least (engine->version, 4, 7);
  return pp_version_at_least (engine->version, 20, 10);
}

gboolean
pp_engine_knows_cdi_requests (const PpEngineInfo *engine)
{
  if (engine == NULL)
    return TRUE;
  if (engine->kind == PP_ENGINE_PODMAN)
    return pp_version_at_least (engine->version, 5, 4);
  return pp_version_at_least (engine->version, 25, 0);
}

gboolean
pp_network_is_user_defined (const char *network_mode)
{
  static const char *const kinds[] = { "",     "default", "bridge",      "podman", "host",
                                       "none", "private", "slirp4netns", "pasta",  NULL };

  if (network_mode == NULL)
    return FALSE;
  /* A mode with options: "slirp4netns:port_handler=...", "container:ID", "ns:PATH",
   * "bridge:ip=...". */
  return !g_strv_contains (kinds, network_mode) && strchr (network_mode, ':') == NULL;
}

gboolean
pp_is_host_gateway (const char *entry)
{
  return entry != NULL && g_str_has_suffix (entry, HOST_GATEWAY);
}

gboolean
pp_has_host_gateway (const json_t *hosts)
{
  for (gsize i = 0; i < json_array_size (hosts); i++)
    if (pp_is_host_gateway (json_string_value (json_array_get (hosts, i))))
      return TRUE;
  return FALSE;
}

gboolean
pp_replace_host_gateway (json_t *hosts, const char *address)
{
  gboolean found = FALSE;

  for (gsize i = json_array_size (hosts); i-- > 0;)
    {
      const char *entry = json_string_value (json_array_get (hosts, i));
      if (!pp_is_host_gateway (entry))
        continue;
      found = TRUE;
      if (address == NULL)
        {
          json_array_remove (hosts, i);
          continue;
        }
      g_autofree char *replaced = g_strdup_printf (
          "%.*s:%s", (int)(strlen (entry) - strlen (HOST_GATEWAY)), entry, address);
      json_array_set_new (hosts, i, json_string (replaced));
    }
  return found;
}

/* Converts HOSTS, an array of "name:address", to an object. Entries without a colon are dropped, as
 * Prefect's worker does. */
static json_t *
hosts_object (const json_t *hosts)
{
  json_t *object = json_object ();

  for (gsize i = 0; i < json_array_size (hosts); i++)
    {
      const char *entry = json_string_value (json_array_get (hosts, i));
      g_auto (GStrv) parts = g_strsplit (entry != NULL ? entry : "", ":", 2);
      if (g_strv_length (parts) == 2)
        json_object_set_new (object, parts[0], json_string (parts[1]));
    }
  return object;
}

json_t *
pp_spec_extra_hosts (const json_t *env, const json_t *user_hosts, const char *network_mode,
                     GError **error)
{
  static const char key[] = "extra_hosts";
  const char *api_url = pp_json_string (env, "PREFECT_API_URL");
  /* A container that joins another container's network has that container's hosts. Engines refuse
   * extra hosts for it. */
  gboolean joined = network_mode != NULL && g_str_has_prefix (network_mode, "container:");

  /* The expression of Prefect's worker: only an API on this host needs the host's address. */
  if (joined
      || (api_url != NULL
          && !g_regex_match_simple (".*(localhost)|(127.0.0.1)|(host.docker.internal).*", api_url,
                                    0, 0)))
    return user_hosts != NULL ? pp_docker_extra_hosts (key, user_hosts, error) : NULL;

  json_auto_t *hosts = json_pack ("{s:s}", "host.docker.internal", "host-gateway");
  if (json_is_array (user_hosts))
    {
      if (!pp_is_string_list (user_hosts))
        return pp_docker_extra_hosts (key, user_hosts, error);
      json_auto_t *object = hosts_object (user_hosts);
      json_object_update (hosts, object);
    }
  else if (user_hosts != NULL)
    json_object_update (hosts, (json_t *)user_hosts);
  return pp_docker_extra_hosts (key, hosts, error);
}

char *
pp_registry_host (const char *url)
{
  if (g_str_has_prefix (url, "https://"))
    url += strlen ("https://");
  else if (g_str_has_prefix (url, "http://"))
    url += strlen ("http://");
  g_autofree char *host = g_strndup (url, strcspn (url, "/"));
  return g_strdup (g_str_equal (host, "index.docker.io") ? "docker.io" : host);
}

char *
pp_image_registry (const char *image)
{
  const char *slash = strchr (image, '/');
  g_autofree char *first = g_strndup (image, slash != NULL ? (gsize)(slash - image) : 0);

  g_autofree char *lower = g_ascii_strdown (first, -1);

  /* If the first part has a capital letter, engines treat it as a host, even without a dot
   * (splitDockerDomain in Docker's reference library). Credentials for Docker Hub must not be sent
   * to that host. */
  if (strpbrk (first, ".:") == NULL && !g_str_equal (first, "localhost")
      && g_str_equal (first, lower))
    return g_strdup ("docker.io");
  return pp_registry_host (first);
}

char *
pp_registry_auth_encode (const json_t *auth)
{
  char *text = json_dumps (auth, JSON_COMPACT | JSON_ENSURE_ASCII);
  char *encoded = g_base64_encode ((const guchar *)text, strlen (text));
  free (text);
  /* Engines expect the URL-safe alphabet. */
  return g_strdelimit (g_strdelimit (encoded, "+", '-'), "/", '_');
}

char *
pp_registry_auth (const json_t *credentials, const char *image)
{
  const char *username = pp_json_string (credentials, "username");
  const char *password = pp_json_string (credentials, "password");
  const char *url = pp_json_string (credentials, "registry_url");

  if (username == NULL || password == NULL)
    return NULL;
  g_autofree char *wanted = pp_image_registry (image);
  g_autofree char *given = pp_registry_host (url != NULL ? url : "docker.io");
  if (!g_str_equal (wanted, given))
    return NULL;

  json_auto_t *auth = json_pack ("{s:s, s:s, s:s}", "username", username, "password", password,
                                 "serveraddress", url != NULL ? url : "docker.io");
  return pp_registry_auth_encode (auth);
}

char *
pp_spec_device (const json_t *device)
{
  const char *host = pp_json_string (device, "PathOnHost");
  const char *container = pp_json_string (device, "PathInContainer");
  const char *permissions = pp_json_string (device, "CgroupPermissions");

  if (host == NULL)
    return NULL;
  return g_strdup_printf ("%s:%s:%s", host, container != NULL ? container : host,
                          permissions != NULL ? permissions : "rwm");
}
