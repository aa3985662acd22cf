/* SPDX-License-Identifier: Apache-2.0 */
/* What prefect_docker's DockerWorkerJobConfiguration adds to its base class: network mode, labels
 * in Docker's spelling, and the container's name. */
#include "config.h"

#include "template-private.h"

#include "prefect-podman/template/mask.h"

#include <string.h>

/* Returns the host in URL as urllib.parse.urlparse (url).netloc.split (":")[0] does; new string, or
 * NULL if there is none. As in Prefect, user information counts as the host. */
static char *
netloc_host (const char *url)
{
  g_autofree char *clean = pp_python_strip (url);
  const char *scheme_end = strstr (clean, "//");
  if (scheme_end == NULL)
    return NULL;
  /* Only a scheme with its colon, or nothing, may precede "//". */
  gsize scheme = scheme_end - clean;
  if (scheme > 0
      && (!g_ascii_isalpha (clean[0])
          || strspn (clean, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "+-.") != scheme - 1
          || clean[scheme - 1] != ':'))
    return NULL;

  const char *netloc = scheme_end + 2;
  gsize length = strcspn (netloc, "/?#");
  /* An IPv6 address is not compared with this host. In Prefect, a malformed one is an error. */
  if (memchr (netloc, '[', length) != NULL || memchr (netloc, ']', length) != NULL)
    return NULL;
  return g_strndup (netloc, MIN (length, strcspn (netloc, ":")));
}

const char *
pp_docker_network_mode (const json_t *configuration, const json_t *env, const json_t *environment)
{
  const char *network_mode = pp_json_string (configuration, "network_mode");
  if (network_mode != NULL && network_mode[0] != '\0')
    return network_mode;
  if (json_array_size (json_object_get (configuration, "networks")) > 0)
    return NULL;

  /* A null in env removes the variable. Then the network mode is not inferred. */
  const json_t *api_url = json_object_get (env, "PREFECT_API_URL");
  if (api_url == NULL)
    api_url = json_object_get (environment, "PREFECT_API_URL");
  if (!json_is_string (api_url))
    return NULL;

  g_autofree char *host = netloc_host (json_string_value (api_url));
  if (g_strcmp0 (host, "127.0.0.1") == 0 || g_strcmp0 (host, "localhost") == 0)
    return "host";
  return NULL;
}

/* Changes "a.b/c" to "b.a.c"; new string. */
static char *
docker_label (const char *name)
{
  const char *slash = strchr (name, '/');
  if (slash == NULL)
    return g_strdup (name);

  g_autofree char *namespace = g_strndup (name, slash - name);
  g_auto (GStrv) parts = g_strsplit (namespace, ".", -1);
  guint count = g_strv_length (parts);
  for (guint i = 0; i < count / 2; i++)
    {
      char *part = parts[i];
      parts[i] = parts[count - 1 - i];
      parts[count - 1 - i] = part;
    }
  g_autofree char *reversed = g_strjoinv (".", parts);
  return g_strconcat (reversed, ".", slash + 1, NULL);
}

gboolean
pp_docker_label_is_own (const char *name)
{
  static const char *const own[]
      = { "io.prefect.flow-run-id",     "io.prefect.flow-run-name",      "io.prefect.version",
          "io.prefect.work-pool-name",  "io.prefect.work-pool-id",       "io.prefect.worker-name",
          "io.prefect.flow-id",         "io.prefect.flow-name",          "io.prefect.deployment-id",
          "io.prefect.deployment-name", "io.prefect.deployment-updated", NULL };

  /* Podman's compat API cuts a label at its first "=", so "NAME=x": "y" would set NAME to "x=y". */
  g_autofree char *key = g_strndup (name, strcspn (name, "="));

  return g_str_has_prefix (key, "io.prefect-podman.") || g_strv_contains (own, key);
}

json_t *
pp_docker_labels (const json_t *labels)
{
  json_t *converted = json_object ();
  const char *name;
  json_t *value;
  json_object_foreach ((json_t *)labels, name, value)
  {
    g_autofree char *label = docker_label (name);
    json_object_set (converted, label, value);
  }
  return converted;
}

char *
pp_docker_container_name (const char *name)
{
  g_autofree char *slug = pp_slugify (name);
  const char *start = slug + strspn (slug, "_-.");
  return start[0] == '\0' ? NULL : g_strdup (start);
}

char *
pp_template_shown_name (const char *name)
{
  /* Stands for PP_MASKED, with the same length. These characters may be in a container's name. */
  static const char kept[] = "________";
  g_auto (GStrv) parts = g_strsplit (name, PP_MASKED, -1);
  g_autofree char *marked = g_strjoinv (kept, parts);
  g_autofree char *cut = pp_slugify (marked);
  gsize length = strlen (cut);
  /* pp_slugify() limits the length, and may have cut the last `kept`. */
  while (length > 0 && cut[length - 1] == '_')
    length--;
  g_autofree char *slug
      = g_strdup_printf ("%.*s%s", (int)length, cut, cut[length] != '\0' ? kept : "");
  g_auto (GStrv) pieces = g_strsplit (slug, kept, -1);
  g_autofree char *shown = g_strjoinv (PP_MASKED, pieces);
  const char *start = shown + strspn (shown, "_-.");
  return g_strdup (start[0] == '\0' ? PP_MASKED : start);
}
