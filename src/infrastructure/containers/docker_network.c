/* SPDX-License-Identifier: Apache-2.0 */
/* Converts docker-py's ports, links and extra_hosts to the API's fields. */
#include "config.h"

#include "docker_convert-private.h"

#include <string.h>

/* docker/utils/utils.py _convert_port_binding. Returns NULL if VALUE is not a binding. */
static json_t *
port_binding (const json_t *value)
{
  const json_t *port = value;
  const char *host_ip = "";

  if (json_is_object (value))
    {
      port = json_object_get (value, "HostPort");
      if (port == NULL)
        return NULL;
      if (json_object_get (value, "HostIp") != NULL)
        host_ip = pp_json_string (value, "HostIp");
    }
  if (host_ip == NULL)
    return NULL;
  if (json_is_null (port))
    return json_pack ("{s:s, s:s}", "HostIp", host_ip, "HostPort", "");
  if (json_is_string (port))
    return json_pack ("{s:s, s:s}", "HostIp", host_ip, "HostPort", json_string_value (port));
  if (!json_is_integer (port))
    return NULL;
  g_autofree char *text = g_strdup_printf ("%" JSON_INTEGER_FORMAT, json_integer_value (port));
  return json_pack ("{s:s, s:s}", "HostIp", host_ip, "HostPort", text);
}

/* docker/utils/utils.py convert_port_bindings */
json_t *
pp_convert_ports (const PpConvertContext *context, const json_t *value, GError **error)
{
  const char *port;
  json_t *bound, *item;
  gsize i;

  if (!json_is_object (value))
    {
      pp_set_type_error (error, context->key, value,
                         "an object that maps ports of the container to ports of the host");
      return NULL;
    }
  json_auto_t *bindings = json_object ();
  json_object_foreach ((json_t *)value, port, bound)
  {
    json_auto_t *one = json_is_array (bound) ? NULL : json_pack ("[O]", bound);
    json_t *list = json_array ();
    g_autofree char *key
        = strchr (port, '/') != NULL ? g_strdup (port) : g_strconcat (port, "/tcp", NULL);
    json_object_set_new (bindings, key, list);
    json_array_foreach (one != NULL ? one : bound, i, item)
    {
      json_t *binding = port_binding (item);
      if (binding == NULL)
        {
          g_autofree char *where = g_strdup_printf ("%s.%s", context->key, port);
          pp_set_type_error (error, where, item,
                             "a port, null, or an object {\"HostIp\", \"HostPort\"},");
          return NULL;
        }
      json_array_append_new (list, binding);
    }
  }
  return json_incref (bindings);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* Returns the sorted keys of OBJECT, borrowed from it; new array. */
static GPtrArray *
sorted_keys (const json_t *object)
{
  GPtrArray *keys = g_ptr_array_new ();
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)object, key, value) { g_ptr_array_add (keys, (gpointer)key); }
  g_ptr_array_sort (keys, compare_strings);
  return keys;
}

/* docker/utils/utils.py normalize_links, for an object {container: alias} or a list of pairs. */
json_t *
pp_convert_links (const PpConvertContext *context, const json_t *value, GError **error)
{
  static const char wanted[] = "an object {container: alias} or a list of [container, alias]";
  json_auto_t *object = NULL;
  gsize i;
  json_t *pair;

  if (json_is_array (value))
    {
      object = json_object ();
      json_array_foreach ((json_t *)value, i, pair)
      {
        if (json_array_size (pair) != 2 || !json_is_string (json_array_get (pair, 0)))
          {
            pp_set_type_error (error, context->key, value, wanted);
            return NULL;
          }
        json_object_set (object, json_string_value (json_array_get (pair, 0)),
                         json_array_get (pair, 1));
      }
    }
  else if (json_is_object (value))
    object = json_incref ((json_t *)value);
  else
    {
      pp_set_type_error (error, context->key, value, wanted);
      return NULL;
    }

  json_auto_t *links = json_array ();
  g_autoptr (GPtrArray) keys = sorted_keys (object);
  for (guint k = 0; k < keys->len; k++)
    {
      const char *container = g_ptr_array_index (keys, k);
      const json_t *alias = json_object_get (object, container);
      if (!json_is_string (alias) && !json_is_null (alias))
        {
          pp_set_type_error (error, context->key, value, wanted);
          return NULL;
        }
      g_autofree char *link = pp_json_truthy (alias)
                                  ? g_strconcat (container, ":", json_string_value (alias), NULL)
                                  : g_strdup (container);
      json_array_append_new (links, json_string (link));
    }
  return json_incref (links);
}

/* docker/utils/utils.py format_extra_hosts */
json_t *
pp_docker_extra_hosts (const char *key, const json_t *value, GError **error)
{
  if (pp_is_string_list (value))
    return json_incref ((json_t *)value);
  if (!json_is_object (value))
    {
      pp_set_type_error (error, key, value,
                         "an object {NAME: ADDRESS} or a list of \"NAME:ADDRESS\"");
      return NULL;
    }

  json_auto_t *hosts = json_array ();
  g_autoptr (GPtrArray) keys = sorted_keys (value);
  for (guint i = 0; i < keys->len; i++)
    {
      const char *name = g_ptr_array_index (keys, i);
      const char *address = pp_json_string (value, name);
      if (address == NULL)
        {
          g_autofree char *where = g_strdup_printf ("%s.%s", key, name);
          pp_set_type_error (error, where, json_object_get (value, name), "an address");
          return NULL;
        }
      g_autofree char *entry = g_strconcat (name, ":", address, NULL);
      json_array_append_new (hosts, json_string (entry));
    }
  return json_incref (hosts);
}
