/* SPDX-License-Identifier: Apache-2.0 */
/* The job variables that Prefect's docker worker does not have: this worker's own, and Podman's. */
#include "config.h"

#include "template-private.h"

#include <string.h>

typedef gboolean (*PpOwnCheckFunc) (const char *key, const json_t *value, GError **error);

static gboolean
refuse (const char *key, const json_t *value, const char *needed, GError **error)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (json_is_string (value))
    {
      g_autofree char *shown = pp_check_shown (value);
      return pp_template_invalid (error, "%s: %s is needed, not \"%s\"", key, needed, shown);
    }
  if (!json_is_number (value))
    return pp_template_invalid (error, "%s: %s is needed, not %s", key, needed,
                                pp_json_type_name (value));
  g_ascii_dtostr (number, sizeof number, json_number_value (value));
  return pp_template_invalid (error, "%s: %s is needed, not %s", key, needed, number);
}

static gboolean
check_word (const char *key, const json_t *value, const char *const *words, GError **error)
{
  if (json_is_string (value) && g_strv_contains (words, json_string_value (value)))
    return TRUE;
  g_autofree char *needed = g_strjoinv (", ", (char **)words);
  g_autofree char *shown = pp_check_shown (value);
  return pp_template_invalid (error, "%s: one of %s is needed, not %s", key, needed, shown);
}

static gboolean
check_state_reporting (const char *key, const json_t *value, GError **error)
{
  static const char *const words[] = { "auto", "engine", "worker", NULL };
  return check_word (key, value, words, error);
}

static gboolean
check_auto_always_never (const char *key, const json_t *value, GError **error)
{
  static const char *const words[] = { "auto", "always", "never", NULL };
  return check_word (key, value, words, error);
}

static gboolean
check_seconds (const char *key, const json_t *value, GError **error)
{
  double seconds;

  if (pp_json_number (value, &seconds) && seconds >= 0)
    return TRUE;
  return refuse (key, value, "a number of seconds, 0 or more,", error);
}

static gboolean
check_count (const char *key, const json_t *value, GError **error)
{
  double count;

  if (pp_json_number (value, &count) && count >= 0 && count <= G_MAXINT
      && count == (double)(guint)count)
    return TRUE;
  return refuse (key, value, "a whole number, 0 or more,", error);
}

static gboolean
check_text (const char *key, const json_t *value, GError **error)
{
  return json_is_string (value) || refuse (key, value, "a string", error);
}

static gboolean
check_text_or_number (const char *key, const json_t *value, GError **error)
{
  return json_is_string (value) || json_is_integer (value)
         || refuse (key, value, "a string or a whole number", error);
}

static gboolean
check_text_or_list (const char *key, const json_t *value, GError **error)
{
  return json_is_string (value) || pp_check_strings (key, value, error);
}

/* {"host": "address"} or ["host:address"] */
static gboolean
check_extra_hosts (const char *key, const json_t *value, GError **error)
{
  const char *host;
  json_t *address;

  if (!json_is_object (value))
    return pp_check_strings (key, value, error);
  json_object_foreach ((json_t *)value, host, address)
  {
    if (!json_is_string (address))
      return pp_template_invalid (error, "%s.%s: a string is needed, not %s", key, host,
                                  pp_json_type_name (address));
  }
  return TRUE;
}

/* "name=soft[:hard]" (podman run --ulimit), or docker-py's {"Name", "Soft", "Hard"}. */
static gboolean
check_ulimits (const char *key, const json_t *value, GError **error)
{
  size_t i;
  json_t *limit;

  if (!json_is_array (value))
    return refuse (key, value, "a list", error);
  json_array_foreach (value, i, limit)
  {
    if (!json_is_string (limit) && !json_is_object (limit))
      return pp_template_invalid (error,
                                  "%s[%" G_GSIZE_FORMAT "]: \"name=soft:hard\" or an object "
                                  "with Name, Soft and Hard is needed, not %s",
                                  key, i, pp_json_type_name (limit));
  }
  return TRUE;
}

static const struct
{
  const char *key;
  PpOwnCheckFunc check;
} own_variables[] = {
  { "state_reporting", check_state_reporting },
  { "forward_output", check_auto_always_never },
  { "prefect_env", check_auto_always_never },
  { "timeout_seconds", check_seconds },
  { "startup_timeout_seconds", check_seconds },
  { "infrastructure_retries", check_count },
  { "stop_timeout", check_count },
  { "userns", check_text },
  { "devices", pp_check_strings },
  { "shm_size", check_text_or_number },
  { "user", check_text_or_number },
  { "working_dir", check_text },
  { "entrypoint", check_text_or_list },
  { "ulimits", check_ulimits },
  { "security_opt", pp_check_strings },
  { "extra_hosts", check_extra_hosts },
};

json_t *
pp_template_add_extra (const json_t *configuration, const json_t *extra)
{
  json_t *both = pp_json_shallow_copy (configuration);
  for (gsize i = 0; i < G_N_ELEMENTS (own_variables); i++)
    {
      const char *key = own_variables[i].key;
      json_t *value = json_object_get (extra, key);
      if (value != NULL && json_object_get (both, key) == NULL)
        json_object_set (both, key, value);
    }
  return both;
}

gboolean
pp_check_own_variables (const json_t *configuration, json_t *out, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (own_variables); i++)
    {
      const char *key = own_variables[i].key;
      json_t *value = json_object_get (configuration, key);
      if (value == NULL || json_is_null (value))
        continue;
      if (!own_variables[i].check (key, value, error))
        return FALSE;
      json_object_set (out, key, value);
    }
  return TRUE;
}
