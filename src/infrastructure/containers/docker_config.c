/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "docker_config-private.h"

#include "prefect-podman/files/files.h"

#include "spec_parts-private.h"

#include <string.h>

/* docker/auth.py INDEX_URL: the name of docker.io in `docker login`. */
#define INDEX_URL "https://index.docker.io/v1/"
#define MAX_FILE_BYTES ((gsize)512 * 1024)
#define MAX_MEMORY_BYTES ((gsize)32 * 1024 * 1024)

char **
pp_docker_config_paths (void)
{
  const char *folder = g_getenv ("DOCKER_CONFIG");
  const char *home = g_getenv ("HOME");
  gboolean is_named = folder != NULL && *folder != '\0';
  GPtrArray *paths = g_ptr_array_new ();

  if (home == NULL || *home == '\0')
    home = g_get_home_dir ();
  g_ptr_array_add (paths,
                   is_named ? g_build_filename (folder, "config.json", NULL) : g_strdup (""));
  g_ptr_array_add (paths, g_build_filename (home, ".docker", "config.json", NULL));
  g_ptr_array_add (paths, g_build_filename (home, ".dockercfg", NULL));
  g_ptr_array_add (paths, NULL);
  return (char **)g_ptr_array_free (paths, FALSE);
}

/* Parses the oldest format (docker/auth.py _load_legacy_config): a line "auth = BASE64" and a line
 * "email = ADDRESS". Returns NULL if TEXT is not in this format. */
static json_t *
parse_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", 3);

  if (g_strv_length (lines) < 2)
    return NULL;
  g_auto (GStrv) words = g_strsplit (g_strstrip (lines[0]), " = ", 2);
  return g_strv_length (words) == 2
             ? json_pack ("{s:{s:{s:s}}}", "auths", INDEX_URL, "auth", words[1])
             : NULL;
}

/* Parses TEXT as an object. Returns a new reference, or NULL with *WHY, which quotes nothing of
 * TEXT. */
static json_t *
parse (const char *text, gsize length, char **why)
{
  json_error_t error;

  *why = NULL;
  if (!pp_json_fits (text, length, MAX_MEMORY_BYTES))
    {
      *why = g_strdup ("it is too large");
      return NULL;
    }
  json_t *json = pp_json_parse (text, length, 0, &error);
  if (json_is_object (json))
    return json;
  if (json == NULL && (json = parse_lines (text)) != NULL)
    return json;
  *why = json != NULL
             ? g_strdup ("it is not a JSON object")
             : g_strdup_printf ("it is not JSON (line %d, column %d)", error.line, error.column);
  json_decref (json);
  return NULL;
}

PpDockerConfig *
pp_docker_config_read (const char *const *paths)
{
  PpDockerConfig *config = g_new0 (PpDockerConfig, 1);

  for (guint i = 0; paths[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *why = NULL;
      gsize length;

      if (*paths[i] == '\0')
        continue;
      g_autofree char *text
          = pp_foreign_file_read (paths[i], FALSE, MAX_FILE_BYTES, &length, &error);
      if (g_error_matches (error, PP_FILE_ERROR, PP_FILE_ERROR_MISSING))
        continue;
      config->path = g_strdup (paths[i]);
      config->is_named = i == 0;
      if (text != NULL)
        config->json = parse (text, length, &why);
      if (config->json == NULL)
        config->trouble = g_strdup_printf ("Docker's configuration %s is not used: %s.", paths[i],
                                           error != NULL ? error->message : why);
      break;
    }
  return config;
}

void
pp_docker_config_free (PpDockerConfig *config)
{
  if (config == NULL)
    return;
  g_free (config->path);
  json_decref (config->json);
  g_free (config->trouble);
  g_free (config);
}

/* Returns the object of registries, borrowed, or NULL. If the file has none of the keys auths,
 * credsStore and credHelpers, the whole file is that object. */
static const json_t *
auths_of (const json_t *json)
{
  const json_t *auths = json_object_get (json, "auths");

  if (pp_json_truthy (auths))
    return auths;
  return pp_json_truthy (json_object_get (json, "credsStore"))
                 || pp_json_truthy (json_object_get (json, "credHelpers"))
             ? NULL
             : json;
}

/* Returns the entry for REGISTRY in AUTHS, borrowed, or NULL. Prefers an entry with exactly this
 * name, then takes the first entry with the same host. Sets *KEY to its name (docker/auth.py
 * AuthConfig.resolve_authconfig). */
static const json_t *
find_entry (const json_t *auths, const char *registry, const char **key)
{
  const json_t *entry = json_object_get (auths, registry);
  const char *name;
  json_t *value;

  *key = registry;
  if (entry != NULL)
    return entry;
  json_object_foreach ((json_t *)auths, name, value)
  {
    g_autofree char *host = pp_registry_host (name);
    if (!g_str_equal (host, registry))
      continue;
    *key = name;
    return value;
  }
  return NULL;
}

/* Decodes AUTH, base64 of "USER:PASSWORD", to the object that the engine takes. Returns NULL if it
 * is malformed. */
static json_t *
decode_auth (const char *auth, const char *key)
{
  gsize length;
  g_autofree char *bytes = (char *)g_base64_decode (auth, &length);
  /* Docker pads passwords with NULs. */
  g_autofree char *text = g_strndup (bytes, length);
  char *colon = strchr (text, ':');

  if (colon == NULL || !g_utf8_validate (text, -1, NULL))
    return NULL;
  *colon = '\0';
  return json_pack ("{s:s, s:s, s:s}", "username", text, "password", colon + 1, "serveraddress",
                    key);
}

char *
pp_docker_config_auth (const PpDockerConfig *config, const char *image, char **trouble)
{
  g_autofree char *registry = pp_image_registry (image);
  const char *key;
  const json_t *entry = find_entry (auths_of (config->json), registry, &key);
  const char *token = pp_json_string (entry, "identitytoken");
  const json_t *auth = json_object_get (entry, "auth");
  json_auto_t *decoded = NULL;

  *trouble = NULL;
  if (entry == NULL)
    return NULL;
  if (token != NULL && *token != '\0')
    decoded = json_pack ("{s:s}", "identitytoken", token);
  else if (json_is_string (auth) && json_string_length (auth) > 0)
    decoded = decode_auth (json_string_value (auth), key);
  /* Docker writes {} for a registry whose credentials a helper has. */
  else if (json_is_object (entry) && !pp_json_truthy (auth))
    return NULL;
  if (decoded != NULL)
    return pp_registry_auth_encode (decoded);
  *trouble = g_strdup_printf (
      "The entry for %s in %s cannot be used: it must have \"auth\" (base64 of USER:PASSWORD) or "
      "\"identitytoken\". `docker login %s` writes such an entry.",
      registry, config->path, registry);
  return NULL;
}

const char *
pp_docker_config_helper (const PpDockerConfig *config, const char *image, char **registry,
                         gboolean *is_store)
{
  const json_t *helpers = json_object_get (config->json, "credHelpers");
  g_autofree char *host = pp_image_registry (image);

  *registry = g_strdup (g_str_equal (host, "docker.io") ? INDEX_URL : host);
  const char *name = pp_json_string (helpers, *registry);
  if (name == NULL)
    name = pp_json_string (helpers, host);
  *is_store = name == NULL || *name == '\0';
  if (*is_store)
    name = pp_json_string (config->json, "credsStore");
  if (name != NULL && *name != '\0')
    return name;
  g_clear_pointer (registry, g_free);
  return NULL;
}

/* True if ENV sets or removes NAME. */
static gboolean
has_variable (const json_t *env, const char *name)
{
  gsize length = strlen (name);

  for (gsize i = 0; i < json_array_size (env); i++)
    {
      const char *entry = json_string_value (json_array_get (env, i));
      if (entry != NULL && strncmp (entry, name, length) == 0
          && (entry[length] == '=' || entry[length] == '\0'))
        return TRUE;
    }
  return FALSE;
}

json_t *
pp_docker_config_proxies (const PpDockerConfig *config, const char *url, const json_t *env)
{
  static const struct
  {
    const char *key;
    const char *names[2];
  } table[] = { { "httpProxy", { "HTTP_PROXY", "http_proxy" } },
                { "httpsProxy", { "HTTPS_PROXY", "https_proxy" } },
                { "ftpProxy", { "FTP_PROXY", "ftp_proxy" } },
                { "noProxy", { "NO_PROXY", "no_proxy" } } };
  const json_t *all = json_object_get (config->json, "proxies");
  const json_t *proxies = json_object_get (all, url);
  json_t *wanted = json_object ();

  if (proxies == NULL)
    proxies = json_object_get (all, "default");
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const char *value = pp_json_string (proxies, table[i].key);
      for (gsize j = 0; j < 2; j++)
        if (value != NULL && *value != '\0' && !has_variable (env, table[i].names[j]))
          json_object_set_new (wanted, table[i].names[j], json_string (value));
    }
  return wanted;
}
