/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "docker_convert-private.h"

#include "values-private.h"

#include "prefect-podman/text/cut.h"

#include <stdlib.h>
#include <string.h>

/* If a value has the wrong type, the message shows at most this many bytes of it. */
#define MAX_SHOWN_BYTES 80

void
pp_set_type_error (GError **error, const char *key, const json_t *value, const char *wanted)
{
  char *dumped = value != NULL ? json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
  const char *all = dumped != NULL ? dumped : "(nothing)";
  g_autofree char *text = pp_text_cut (all, strlen (all), MAX_SHOWN_BYTES);

  free (dumped);
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
               "%s: %s is needed, not %s", key, wanted, text);
}

gboolean
pp_is_string_list (const json_t *value)
{
  gsize i;
  json_t *item;

  if (!json_is_array (value))
    return FALSE;
  json_array_foreach ((json_t *)value, i, item)
  {
    if (!json_is_string (item))
      return FALSE;
  }
  return TRUE;
}

/* Returns a new reference to VALUE if IS_RIGHT, else NULL with ERROR. */
static json_t *
checked (gboolean is_right, const PpConvertContext *context, const json_t *value,
         const char *wanted, GError **error)
{
  if (is_right)
    return json_incref ((json_t *)value);
  pp_set_type_error (error, context->key, value, wanted);
  return NULL;
}

json_t *
pp_convert_any (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (TRUE, context, value, "anything", error);
}

json_t *
pp_convert_bool (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_boolean (value), context, value, "true or false", error);
}

json_t *
pp_convert_integer (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_integer (value), context, value, "an integer", error);
}

json_t *
pp_convert_string (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_string (value), context, value, "a string", error);
}

/* Returns Python's str() of a string or an integer; new string. NULL for other values. */
static char *
string_or_integer (const json_t *value)
{
  if (json_is_string (value))
    return g_strdup (json_string_value (value));
  if (json_is_integer (value))
    return g_strdup_printf ("%" JSON_INTEGER_FORMAT, json_integer_value (value));
  return NULL;
}

json_t *
pp_convert_string_or_integer (const PpConvertContext *context, const json_t *value, GError **error)
{
  g_autofree char *text = string_or_integer (value);

  if (text != NULL)
    return json_string (text);
  return checked (FALSE, context, value, "a string or an integer", error);
}

json_t *
pp_convert_string_list (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (pp_is_string_list (value), context, value, "a list of strings", error);
}

json_t *
pp_convert_strings (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_string (value) || pp_is_string_list (value), context, value,
                  "a string or a list of strings", error);
}

json_t *
pp_convert_object (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_object (value), context, value, "an object", error);
}

json_t *
pp_convert_object_list (const PpConvertContext *context, const json_t *value, GError **error)
{
  gboolean is_right = json_is_array (value);
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item) { is_right = is_right && json_is_object (item); }
  return checked (is_right, context, value, "a list of objects", error);
}

json_t *
pp_convert_bytes (const PpConvertContext *context, const json_t *value, GError **error)
{
  json_int_t bytes;

  if (json_is_integer (value))
    return json_incref ((json_t *)value);
  if (!json_is_string (value))
    return checked (FALSE, context, value, "a number of bytes or a string like \"512m\"", error);
  if (!pp_parse_bytes (json_string_value (value), &bytes, error))
    {
      g_prefix_error (error, "%s: ", context->key);
      return NULL;
    }
  return json_integer (bytes);
}

json_t *
pp_convert_command (const PpConvertContext *context, const json_t *value, GError **error)
{
  if (!json_is_string (value))
    return pp_convert_strings (context, value, error);

  g_auto (GStrv) words = pp_shlex_split (json_string_value (value), error);
  if (words == NULL)
    {
      g_prefix_error (error, "%s: ", context->key);
      return NULL;
    }
  json_t *list = json_array ();
  for (guint i = 0; words[i] != NULL; i++)
    json_array_append_new (list, json_string (words[i]));
  return list;
}

static void
add_cdi_device (const PpConvertContext *context, const char *name)
{
  json_t *devices = json_object_get (context->rest, "cdi_devices");

  if (devices == NULL)
    {
      devices = json_array ();
      json_object_set_new (context->rest, "cdi_devices", devices);
    }
  json_array_append_new (devices, json_string (name));
}

/* HOST[:CONTAINER[:PERMISSIONS]] (docker/utils/utils.py parse_devices). */
static json_t *
device_from_string (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", -1);
  guint n = g_strv_length (parts);

  return json_pack ("{s:s, s:s, s:s}", "PathOnHost", n > 0 ? parts[0] : "", "PathInContainer",
                    n > 1   ? parts[1]
                    : n > 0 ? parts[0]
                            : "",
                    "CgroupPermissions", n > 2 ? parts[2] : "rwm");
}

json_t *
pp_convert_devices (const PpConvertContext *context, const json_t *value, GError **error)
{
  gsize i;
  json_t *item;

  if (!json_is_array (value))
    return checked (FALSE, context, value, "a list of devices", error);
  json_auto_t *devices = json_array ();
  json_array_foreach ((json_t *)value, i, item)
  {
    if (json_is_object (item))
      json_array_append (devices, item);
    else if (!json_is_string (item))
      return checked (FALSE, context, value, "a list of devices (strings or objects)", error);
    else if (pp_is_cdi_device (json_string_value (item)))
      add_cdi_device (context, json_string_value (item));
    else
      json_array_append_new (devices, device_from_string (json_string_value (item)));
  }
  return json_incref (devices);
}

/* kwargs.get(NAME, kwargs.get(FIELD)): docker-py's types accept both names of an argument. */
static json_t *
either (const json_t *object, const char *name, const char *field)
{
  json_t *value = json_object_get (object, name);
  return value != NULL ? value : json_object_get (object, field);
}

/* Sets TARGET.FIELD from OBJECT's NAME or FIELD without conversion. A missing value becomes null,
 * as in docker-py. */
static void
copy_either (json_t *target, const json_t *object, const char *name, const char *field)
{
  json_t *value = either (object, name, field);
  json_object_set_new (target, field, value != NULL ? json_incref (value) : json_null ());
}

/* Like copy_either(), but a null becomes FALLBACK. Takes ownership of FALLBACK. Returns FALSE if
 * the value has another type than FALLBACK. */
static gboolean
copy_typed (json_t *target, const json_t *object, const char *name, const char *field,
            json_t *fallback)
{
  json_auto_t *default_value = fallback;
  json_t *value = either (object, name, field);

  if (value == NULL || json_is_null (value))
    value = default_value;
  json_object_set (target, field, value);
  return json_typeof (value) == json_typeof (default_value);
}

/* docker.types.DeviceRequest */
json_t *
pp_convert_device_requests (const PpConvertContext *context, const json_t *value, GError **error)
{
  gsize i, j;
  json_t *item, *id;
  json_auto_t *list = pp_convert_object_list (context, value, error);
  json_auto_t *requests = json_array ();

  if (list == NULL)
    return NULL;
  json_array_foreach (list, i, item)
  {
    json_auto_t *request = json_object ();
    if (!copy_typed (request, item, "driver", "Driver", json_string (""))
        || !copy_typed (request, item, "count", "Count", json_integer (0))
        || !copy_typed (request, item, "device_ids", "DeviceIDs", json_array ())
        || !copy_typed (request, item, "capabilities", "Capabilities", json_array ())
        || !copy_typed (request, item, "options", "Options", json_object ()))
      return checked (FALSE, context, item,
                      "an object with driver (string), count (integer), device_ids (list), "
                      "capabilities (list) and options (object)",
                      error);
    if (g_strcmp0 (pp_json_string (request, "Driver"), "cdi") != 0)
      {
        json_array_append (requests, request);
        continue;
      }
    if (!pp_is_string_list (json_object_get (request, "DeviceIDs")))
      return checked (FALSE, context, item, "an object whose device_ids is a list of strings",
                      error);
    json_array_foreach (json_object_get (request, "DeviceIDs"), j, id)
    {
      add_cdi_device (context, json_string_value (id));
    }
  }
  return json_incref (requests);
}

json_t *
pp_convert_group_add (const PpConvertContext *context, const json_t *value, GError **error)
{
  gsize i;
  json_t *item;

  if (!json_is_array (value))
    return checked (FALSE, context, value, "a list of groups", error);
  json_auto_t *groups = json_array ();
  json_array_foreach ((json_t *)value, i, item)
  {
    g_autofree char *group = string_or_integer (item);
    if (group == NULL)
      return checked (FALSE, context, value, "a list of groups (names or numbers)", error);
    json_array_append_new (groups, json_string (group));
  }
  return json_incref (groups);
}

/* docker.types.Healthcheck: missing fields become null. */
json_t *
pp_convert_healthcheck (const PpConvertContext *context, const json_t *value, GError **error)
{
  if (!json_is_object (value))
    return checked (FALSE, context, value, "an object", error);
  if (json_object_size (value) == 0)
    return json_incref ((json_t *)value);

  json_t *check = json_object ();
  copy_either (check, value, "test", "Test");
  copy_either (check, value, "interval", "Interval");
  copy_either (check, value, "timeout", "Timeout");
  copy_either (check, value, "retries", "Retries");
  copy_either (check, value, "start_period", "StartPeriod");
  json_t *test = json_object_get (check, "Test");
  if (json_is_string (test))
    json_object_set_new (check, "Test", json_pack ("[s, O]", "CMD-SHELL", test));
  return check;
}

json_t *
pp_convert_hosts_or_list (const PpConvertContext *context, const json_t *value, GError **error)
{
  return checked (json_is_object (value) || json_is_array (value), context, value,
                  "an object {NAME: ADDRESS} or a list of \"NAME:ADDRESS\"", error);
}

json_t *
pp_convert_init_path (const PpConvertContext *context, const json_t *value G_GNUC_UNUSED,
                      GError **error)
{
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
               "%s: engines no longer accept this argument (since Docker API 1.29). Remove it",
               context->key);
  return NULL;
}

/* docker.types.LogConfig */
json_t *
pp_convert_log_config (const PpConvertContext *context, const json_t *value, GError **error)
{
  if (!json_is_object (value))
    return checked (FALSE, context, value, "an object", error);
  json_t *config = either (value, "config", "Config");
  if (!pp_json_truthy (config))
    config = NULL;
  if (config != NULL && !json_is_object (config))
    return checked (FALSE, context, value, "an object whose config is an object", error);

  json_t *log_config = json_object ();
  copy_either (log_config, value, "type", "Type");
  json_object_set_new (log_config, "Config",
                       config != NULL ? json_incref (config) : json_object ());
  return log_config;
}

json_t *
pp_convert_lxc_conf (const PpConvertContext *context, const json_t *value, GError **error)
{
  const char *key;
  json_t *item;

  if (json_is_array (value))
    return pp_convert_object_list (context, value, error);
  if (!json_is_object (value))
    return checked (FALSE, context, value, "an object or a list", error);
  json_auto_t *list = json_array ();
  json_object_foreach ((json_t *)value, key, item)
  {
    g_autofree char *text = string_or_integer (item);
    if (text == NULL)
      return checked (FALSE, context, value, "an object of strings or integers", error);
    json_array_append_new (list, json_pack ("{s:s, s:s}", "Key", key, "Value", text));
  }
  return json_incref (list);
}

json_t *
pp_convert_sysctls (const PpConvertContext *context, const json_t *value, GError **error)
{
  const char *key;
  json_t *item;

  if (!json_is_object (value))
    return checked (FALSE, context, value, "an object", error);
  json_auto_t *sysctls = json_object ();
  json_object_foreach ((json_t *)value, key, item)
  {
    g_autofree char *text = string_or_integer (item);
    if (text == NULL)
      return checked (FALSE, context, value, "an object of strings or integers", error);
    json_object_set_new (sysctls, key, json_string (text));
  }
  return json_incref (sysctls);
}

/* docker/utils/utils.py convert_tmpfs_mounts */
json_t *
pp_convert_tmpfs (const PpConvertContext *context, const json_t *value, GError **error)
{
  gsize i;
  json_t *item;

  if (json_is_object (value))
    return json_incref ((json_t *)value);
  if (!pp_is_string_list (value))
    return checked (FALSE, context, value, "an object or a list of strings", error);
  json_t *tmpfs = json_object ();
  json_array_foreach ((json_t *)value, i, item)
  {
    g_auto (GStrv) parts = g_strsplit (json_string_value (item), ":", 2);
    json_object_set_new (tmpfs, parts[0] != NULL ? parts[0] : "",
                         json_string (parts[0] != NULL && parts[1] != NULL ? parts[1] : ""));
  }
  return tmpfs;
}

/* Parses the value of `podman run --ulimit`: NAME=SOFT[:HARD]. Returns NULL if TEXT is
 * malformed. */
static json_t *
ulimit_from_string (const char *text)
{
  g_autoptr (GMatchInfo) match = NULL;
  g_autoptr (GRegex) regex = g_regex_new ("^([a-z]+)=(-?\\d{1,18})(?::(-?\\d{1,18}))?$",
                                          G_REGEX_DOLLAR_ENDONLY, 0, NULL);

  if (!g_regex_match (regex, text, 0, &match))
    return NULL;
  g_autofree char *name = g_match_info_fetch (match, 1);
  g_autofree char *soft = g_match_info_fetch (match, 2);
  g_autofree char *hard = g_match_info_fetch (match, 3);
  gint64 soft_value = g_ascii_strtoll (soft, NULL, 10);
  gint64 hard_value = hard != NULL && *hard != '\0' ? g_ascii_strtoll (hard, NULL, 10) : soft_value;
  return json_pack ("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t)soft_value, "Hard",
                    (json_int_t)hard_value);
}

/* docker.types.Ulimit; also takes the syntax of `podman run --ulimit`. */
json_t *
pp_convert_ulimits (const PpConvertContext *context, const json_t *value, GError **error)
{
  static const char wanted[]
      = "a list of objects {\"name\", \"soft\", \"hard\"} or strings \"nofile=1024:2048\"";
  gsize i;
  json_t *item;

  if (!json_is_array (value))
    return checked (FALSE, context, value, wanted, error);
  json_auto_t *ulimits = json_array ();
  json_array_foreach ((json_t *)value, i, item)
  {
    json_auto_t *ulimit = NULL;
    if (json_is_string (item))
      ulimit = ulimit_from_string (json_string_value (item));
    else if (json_is_object (item))
      {
        ulimit = json_object ();
        copy_either (ulimit, item, "name", "Name");
        copy_either (ulimit, item, "soft", "Soft");
        copy_either (ulimit, item, "hard", "Hard");
      }
    const json_t *soft = json_object_get (ulimit, "Soft");
    const json_t *hard = json_object_get (ulimit, "Hard");
    if (!json_is_string (json_object_get (ulimit, "Name"))
        || (!json_is_integer (soft) && !json_is_null (soft))
        || (!json_is_integer (hard) && !json_is_null (hard)))
      return checked (FALSE, context, item, wanted, error);
    json_array_append (ulimits, ulimit);
  }
  return json_incref (ulimits);
}

json_t *
pp_convert_volumes_from (const PpConvertContext *context, const json_t *value, GError **error)
{
  if (!json_is_string (value))
    return pp_convert_strings (context, value, error);

  g_auto (GStrv) names = g_strsplit (json_string_value (value), ",", -1);
  json_t *list = json_array ();
  for (guint i = 0; names[i] != NULL; i++)
    json_array_append_new (list, json_string (names[i]));
  if (names[0] == NULL)
    json_array_append_new (list, json_string (""));
  return list;
}
