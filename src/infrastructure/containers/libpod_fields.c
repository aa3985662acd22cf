/* SPDX-License-Identifier: Apache-2.0 */
/* Converts networks, logs, health checks and other fields of a Docker create body for Podman's
 * SpecGenerator. */
#include "config.h"

#include "libpod_fields-private.h"

#include "values-private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* "80/tcp" -> [{"HostIp", "HostPort"}] */
gboolean
pp_libpod_ports (json_t *target, const char *libpod_field, const json_t *value)
{
  const char *port;
  json_t *bindings, *binding;
  gsize i;

  json_object_foreach ((json_t *)value, port, bindings)
  {
    g_auto (GStrv) parts = g_strsplit (port, "/", 2);
    guint64 number;
    if (parts[0] == NULL || !g_ascii_string_to_unsigned (parts[0], 10, 1, 65535, &number, NULL))
      return FALSE;
    json_array_foreach (bindings, i, binding)
    {
      const char *host_ip = pp_json_string (binding, "HostIp");
      const char *host_port = pp_json_string (binding, "HostPort");
      guint64 host_number = 0;
      if (host_port != NULL && *host_port != '\0'
          && !g_ascii_string_to_unsigned (host_port, 10, 0, 65535, &host_number, NULL))
        return FALSE;
      json_t *mapping
          = json_pack ("{s:I, s:I, s:s}", "container_port", (json_int_t)number, "host_port",
                       (json_int_t)host_number, "protocol", parts[1] != NULL ? parts[1] : "tcp");
      if (host_ip != NULL && *host_ip != '\0')
        json_object_set_new (mapping, "host_ip", json_string (host_ip));
      pp_libpod_append (target, libpod_field, mapping);
    }
  }
  return TRUE;
}

/* Converts an endpoint of NetworkingConfig to PerNetworkOptions (containers/common,
 * libnetwork/types). */
static json_t *
per_network_options (const json_t *endpoint)
{
  static const char *const addresses[] = { "IPv4Address", "IPv6Address" };
  const json_t *ipam = json_object_get (endpoint, "IPAMConfig");
  json_t *aliases = json_object_get (endpoint, "Aliases");
  const char *mac = pp_json_string (endpoint, "MacAddress");
  json_t *options = json_object ();

  if (json_array_size (aliases) > 0)
    json_object_set (options, "aliases", aliases);
  if (mac != NULL && *mac != '\0')
    json_object_set_new (options, "static_mac", json_string (mac));
  for (gsize i = 0; i < G_N_ELEMENTS (addresses); i++)
    if (pp_json_truthy (json_object_get (ipam, addresses[i])))
      pp_libpod_append (options, "static_ips", json_incref (json_object_get (ipam, addresses[i])));
  return options;
}

gboolean
pp_libpod_endpoints (json_t *target, const char *libpod_field, const json_t *value)
{
  const char *network;
  json_t *endpoint;

  json_object_foreach (json_object_get (value, "EndpointsConfig"), network, endpoint)
  {
    json_t *networks = json_object_get (target, libpod_field);
    if (networks == NULL)
      {
        networks = json_object ();
        json_object_set_new (target, libpod_field, networks);
      }
    json_object_set_new (networks, network, per_network_options (endpoint));
  }
  return TRUE;
}

/* Converts the log configuration. Size and path have their own fields in Podman
 * (specgenutil.FillOutSpecGen). */
gboolean
pp_libpod_log_config (json_t *target, const char *libpod_field, const json_t *value)
{
  const char *type = pp_json_string (value, "Type");
  json_auto_t *log = json_object ();
  json_auto_t *options = json_object ();
  const char *name;
  json_t *option;

  if (type != NULL && *type != '\0')
    json_object_set_new (log, "driver", json_string (type));
  json_object_foreach (json_object_get (value, "Config"), name, option)
  {
    json_int_t bytes;
    if (!json_is_string (option))
      return FALSE;
    if (g_str_equal (name, "path"))
      json_object_set (log, "path", option);
    else if (!g_str_equal (name, "max-size"))
      json_object_set (options, name, option);
    else if (pp_parse_bytes (json_string_value (option), &bytes, NULL))
      json_object_set_new (log, "size", json_integer (bytes));
    else
      return FALSE;
  }
  if (json_object_size (options) > 0)
    json_object_set (log, "options", options);
  if (json_object_size (log) > 0)
    json_object_set (target, libpod_field, log);
  return TRUE;
}

/* Leaves out Test if it is null or empty. A number that is null or 0 becomes Podman's default. */
gboolean
pp_libpod_healthcheck (json_t *target, const char *libpod_field, const json_t *value)
{
  static const struct
  {
    const char *name;
    json_int_t fallback; /* nanoseconds, or a count; Podman's own defaults */
  } members[] = { { "Interval", 30 * (json_int_t)1000000000 },
                  { "Timeout", 30 * (json_int_t)1000000000 },
                  { "StartPeriod", 0 },
                  { "Retries", 3 } };
  json_t *test = json_object_get (value, "Test");
  json_t *check = json_object ();

  json_object_set_new (target, libpod_field, check);
  if (pp_json_truthy (test))
    json_object_set (check, "Test", test);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    {
      json_int_t given = json_integer_value (json_object_get (value, members[i].name));
      json_object_set_new (check, members[i].name,
                           json_integer (given > 0 ? given : members[i].fallback));
    }
  return TRUE;
}

/* Converts "SIGUSR1", "USR1", "10" or "RTMIN+3" to its number. */
gboolean
pp_libpod_stop_signal (json_t *target, const char *libpod_field, const json_t *value)
{
  static const struct
  {
    const char *name;
    int number;
  } names[] = {
    { "HUP", SIGHUP },   { "INT", SIGINT },   { "QUIT", SIGQUIT }, { "ABRT", SIGABRT },
    { "KILL", SIGKILL }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "PIPE", SIGPIPE },
    { "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "CONT", SIGCONT }, { "STOP", SIGSTOP },
    { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "WINCH", SIGWINCH },
    { "IO", SIGIO },     { "PWR", SIGPWR },
  };
  const char *text = json_string_value (value);
  guint64 number = 0;

  if (text == NULL || *text == '\0')
    return text != NULL;
  if (g_ascii_strncasecmp (text, "SIG", 3) == 0)
    text += 3;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strcasecmp (names[i].name, text) == 0)
      number = (guint64)names[i].number;
  if (number == 0 && g_ascii_strncasecmp (text, "RTMIN+", 6) == 0
      && g_ascii_string_to_unsigned (text + 6, 10, 0, 30, &number, NULL))
    number += (guint64)SIGRTMIN;
  if (number == 0 && !g_ascii_string_to_unsigned (text, 10, 1, 64, &number, NULL))
    return FALSE;
  json_object_set_new (target, libpod_field, json_integer ((json_int_t)number));
  return TRUE;
}

/* [{"Path", "Rate" or "Weight"}] -> {path: {"rate" or "weight"}} */
gboolean
pp_libpod_device_rates (json_t *target, const char *libpod_field, const json_t *value)
{
  json_auto_t *devices = json_object ();

  for (gsize i = 0; i < json_array_size (value); i++)
    {
      const json_t *item = json_array_get (value, i);
      const char *path = pp_json_string (item, "Path");
      json_t *rate = json_object_get (item, "Rate");
      json_t *weight = json_object_get (item, "Weight");
      if (path == NULL || (rate == NULL && weight == NULL))
        return FALSE;
      json_object_set_new (devices, path,
                           rate != NULL ? json_pack ("{s:O}", "rate", rate)
                                        : json_pack ("{s:O}", "weight", weight));
    }
  if (json_object_size (devices) > 0)
    json_object_set (target, libpod_field, devices);
  return TRUE;
}
