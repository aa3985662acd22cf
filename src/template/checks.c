/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the configuration key by key, as Prefect's model does (pydantic, lax mode,
 * DockerWorkerJobConfiguration). Messages have keys and types, but no values, because values may be
 * secrets. There are two exceptions: volumes, and values of keys that accept only a fixed list of
 * words. */
#include "config.h"

#include "template-private.h"

#include <string.h>

/* Checks VALUE of KEY. *CHECKED gets a new reference to the checked value. Returns FALSE with
 * ERROR. */
typedef gboolean (*PpCheckFunc) (const char *key, const json_t *value, json_t **checked,
                                 GError **error);

static gboolean
check_string (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!json_is_string (value))
    return pp_check_refuse (key, value, "a string", error);
  *checked = pp_json_share (value);
  return TRUE;
}

static gboolean
check_optional_string (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!json_is_string (value) && !json_is_null (value))
    return pp_check_refuse (key, value, "a string", error);
  *checked = pp_json_share (value);
  return TRUE;
}

/* _coerce_command: an empty command counts as unset. */
static gboolean
check_command (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!check_optional_string (key, value, checked, error))
    return FALSE;
  if (pp_json_truthy (value))
    return TRUE;
  json_decref (*checked);
  *checked = json_null ();
  return TRUE;
}

static gboolean
check_podman_command (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!json_is_array (value))
    return check_command (key, value, checked, error);
  if (!pp_check_strings (key, value, error))
    return FALSE;
  *checked = pp_json_truthy (value) ? pp_json_share (value) : json_null ();
  return TRUE;
}

static gboolean
check_strings (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!pp_check_strings (key, value, error))
    return FALSE;
  *checked = pp_json_share (value);
  return TRUE;
}

static gboolean
check_volumes (const char *key, const json_t *value, json_t **checked, GError **error)
{
  size_t i;
  json_t *member;

  if (!pp_check_strings (key, value, error))
    return FALSE;
  json_auto_t *volumes = json_array ();
  json_array_foreach (value, i, member)
  {
    g_autofree char *volume = pp_check_volume (json_string_value (member), error);
    if (volume == NULL)
      return FALSE;
    json_array_append_new (volumes, json_string (volume));
  }
  *checked = g_steal_pointer (&volumes);
  return TRUE;
}

/* Returns 1 if VALUE is true, 0 if it is false, and -1 if it is not a boolean. As in pydantic, the
 * numbers 0 and 1 and certain words in any case are also booleans. */
static int
boolean_of (const json_t *value)
{
  static const char *const yes[] = { "1", "on", "t", "true", "y", "yes", NULL };
  static const char *const no[] = { "0", "off", "f", "false", "n", "no", NULL };

  if (json_is_boolean (value))
    return json_is_true (value);
  if (json_is_number (value) && (json_number_value (value) == 0 || json_number_value (value) == 1))
    return json_number_value (value) == 1;
  if (!json_is_string (value))
    return -1;
  g_autofree char *word = g_ascii_strdown (json_string_value (value), -1);
  return g_strv_contains (yes, word) ? 1 : g_strv_contains (no, word) ? 0 : -1;
}

static gboolean
check_boolean (const char *key, const json_t *value, json_t **checked, GError **error)
{
  int boolean = boolean_of (value);
  if (boolean < 0)
    return pp_template_invalid (error, "%s: true or false is needed, not %s%s", key,
                                pp_json_type_name (value),
                                json_is_string (value) ? " with another word" : "");
  *checked = json_boolean (boolean);
  return TRUE;
}

static gboolean
check_pull_policy (const char *key, const json_t *value, json_t **checked, GError **error)
{
  static const char *const policies[] = { "IfNotPresent", "Always", "IfPossible", "Never", NULL };
  if (!json_is_null (value)
      && !(json_is_string (value) && g_strv_contains (policies, json_string_value (value))))
    {
      g_autofree char *shown = pp_check_shown (value);
      return pp_template_invalid (
          error, "%s: IfNotPresent, Always, IfPossible or Never is needed, not %s", key, shown);
    }
  *checked = pp_json_share (value);
  return TRUE;
}

static gboolean
check_optional_object (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (!json_is_object (value) && !json_is_null (value))
    return pp_check_refuse (key, value, "an object", error);
  *checked = pp_json_share (value);
  return TRUE;
}

/* Converts a number or boolean in env or labels to a string, as JSON writes it. Python writes
 * numbers in the same way, but not booleans. */
static json_t *
scalar_as_string (const json_t *value)
{
  if (json_is_boolean (value))
    return json_string (json_is_true (value) ? "true" : "false");
  g_autofree char *text = pp_python_str (value, NULL);
  return json_string (text);
}

/* _coerce_env: converts everything except null to a string. Lists and objects become the text that
 * Python writes for them, which may need several times as many bytes. */
static gboolean
check_env (const char *key, const json_t *value, json_t **checked, GError **error)
{
  const char *name;
  json_t *member;
  gsize spent = 0;

  if (!json_is_object (value))
    return pp_check_refuse (key, value, "an object", error);
  json_auto_t *env = json_object ();
  json_object_foreach ((json_t *)value, name, member)
  {
    if (json_is_null (member) || json_is_string (member))
      json_object_set (env, name, member);
    else if (json_is_number (member) || json_is_boolean (member))
      json_object_set_new (env, name, scalar_as_string (member));
    else
      {
        g_autofree char *text = pp_python_str (member, error);
        json_auto_t *string = text != NULL ? json_string (text) : NULL;
        if (string == NULL || !pp_template_spend (&spent, string, error))
          return FALSE;
        json_object_set (env, name, string);
      }
  }
  *checked = g_steal_pointer (&env);
  return TRUE;
}

static gboolean
check_labels (const char *key, const json_t *value, json_t **checked, GError **error)
{
  const char *name;
  json_t *member;

  if (!json_is_object (value))
    return pp_check_refuse (key, value, "an object", error);
  json_auto_t *labels = json_object ();
  json_object_foreach ((json_t *)value, name, member)
  {
    if (json_is_string (member))
      json_object_set (labels, name, member);
    else if (json_is_number (member) || json_is_boolean (member))
      json_object_set_new (labels, name, scalar_as_string (member));
    else
      return pp_template_invalid (error, "%s.%s: a string is needed, not %s", key, name,
                                  pp_json_type_name (member));
  }
  *checked = g_steal_pointer (&labels);
  return TRUE;
}

/* Copies username, password and registry_url from CREDENTIALS to OUT. Returns FALSE with ERROR if
 * one of them is not a string. KEY is for the message. */
static gboolean
copy_credentials (const char *key, const json_t *credentials, json_t *out, GError **error)
{
  static const char *const needed[] = { "username", "password", "registry_url", NULL };
  for (const char *const *name = needed; *name != NULL; name++)
    {
      json_t *value = json_object_get (credentials, *name);
      if (!json_is_string (value))
        return pp_template_invalid (error, "%s.%s: a string is needed; it is %s", key, *name,
                                    pp_json_type_name (value));
      json_object_set (out, *name, value);
    }
  return TRUE;
}

/* Accepts the block DockerRegistryCredentials, or an object with the same members. */
static gboolean
check_registry_credentials (const char *key, const json_t *value, json_t **checked, GError **error)
{
  if (json_is_null (value))
    {
      *checked = json_null ();
      return TRUE;
    }
  if (!json_is_object (value))
    return pp_check_refuse (key, value, "an object", error);

  const json_t *slug = json_object_get (value, "block_type_slug");
  if (pp_json_truthy (slug)
      && g_strcmp0 (json_string_value (slug), "docker-registry-credentials") != 0)
    return pp_template_invalid (error,
                                "%s: the block must be of type "
                                "docker-registry-credentials",
                                key);

  json_auto_t *credentials = json_object ();
  if (!copy_credentials (key, value, credentials, error))
    return FALSE;
  json_t *reauth = json_object_get (value, "reauth");
  json_t *flag = json_true ();
  if (reauth != NULL && !check_boolean ("registry_credentials.reauth", reauth, &flag, error))
    return FALSE;
  json_object_set_new (credentials, "reauth", flag);
  *checked = g_steal_pointer (&credentials);
  return TRUE;
}

static const struct
{
  const char *key;
  PpCheckFunc check;
  const char *missing; /* JSON: the default of a missing key */
} fields[] = {
  { "command", check_command, "null" },
  { "env", check_env, "{}" },
  { "labels", check_labels, "{}" },
  { "name", check_optional_string, "null" },
  { "image", check_string, "\"\"" },
  { "registry_credentials", check_registry_credentials, "null" },
  { "image_pull_policy", check_pull_policy, "null" },
  { "networks", check_strings, "[]" },
  { "network_mode", check_optional_string, "null" },
  { "auto_remove", check_boolean, "false" },
  { "volumes", check_volumes, "[]" },
  { "stream_output", check_boolean, "true" },
  { "mem_limit", check_optional_string, "null" },
  { "memswap_limit", check_optional_string, "null" },
  { "privileged", check_boolean, "false" },
  { "container_create_kwargs", check_optional_object, "null" },
};

json_t *
pp_check_configuration (const json_t *configuration, gboolean podman_pool, GError **error)
{
  json_auto_t *out = json_object ();
  gsize spent = 0;

  /* Up to here, many placeholders may share one large value. From here on, each placeholder gets
   * its own copy of it as text. So check the size of all copies together. */
  if (!pp_template_spend_all (&spent, configuration, 0, error))
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      const json_t *value = json_object_get (configuration, fields[i].key);
      PpCheckFunc check = fields[i].check;
      json_t *checked = NULL;
      if (podman_pool && check == check_command)
        check = check_podman_command;
      if (value == NULL)
        checked = json_loads (fields[i].missing, JSON_DECODE_ANY, NULL);
      else if (!check (fields[i].key, value, &checked, error))
        return NULL;
      json_object_set_new (out, fields[i].key, checked);
    }
  if (!pp_check_own_variables (configuration, out, error))
    return NULL;
  return g_steal_pointer (&out);
}
