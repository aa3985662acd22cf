/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a container spec as a `podman run` command line. */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_kwargs-private.h"

#include <stdlib.h>
#include <string.h>

/* Adds OPTION with VALUE to ARGV. */
typedef void (*OptionFunc) (GPtrArray *argv, const char *option, const json_t *value);

typedef struct
{
  const char *field;
  const char *option;
  OptionFunc add;
} Option;

static void
add_pair (GPtrArray *argv, const char *option, char *value)
{
  g_ptr_array_add (argv, g_strdup (option));
  g_ptr_array_add (argv, value);
}

static void
add_flag (GPtrArray *argv, const char *option, const json_t *value)
{
  if (json_is_true (value))
    g_ptr_array_add (argv, g_strdup (option));
}

/* Adds a string or a number. For a list, adds the option once for each element. */
static void
add_value (GPtrArray *argv, const char *option, const json_t *value)
{
  if (json_is_string (value) && json_string_length (value) > 0)
    add_pair (argv, option, g_strdup (json_string_value (value)));
  else if (json_is_integer (value))
    add_pair (argv, option, g_strdup_printf ("%" JSON_INTEGER_FORMAT, json_integer_value (value)));
  for (gsize i = 0; i < json_array_size (value); i++)
    add_value (argv, option, json_array_get (value, i));
}

static void
add_bytes (GPtrArray *argv, const char *option, const json_t *value)
{
  json_int_t bytes = json_integer_value (value);

  if (bytes != 0)
    add_pair (
        argv, option,
        g_strdup_printf (bytes > 0 ? "%" JSON_INTEGER_FORMAT "b" : "%" JSON_INTEGER_FORMAT, bytes));
}

static void
add_cpus (GPtrArray *argv, const char *option, const json_t *value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (text, sizeof text, "%g", (double)json_integer_value (value) / 1e9);
  add_pair (argv, option, g_strdup (text));
}

/* Adds KEY=VALUE for each member of an object. */
static void
add_members (GPtrArray *argv, const char *option, const json_t *value)
{
  const char *key;
  json_t *item;

  json_object_foreach ((json_t *)value, key, item)
  {
    add_pair (argv, option, g_strconcat (key, "=", json_string_value (item), NULL));
  }
}

static void
add_tmpfs (GPtrArray *argv, const char *option, const json_t *value)
{
  const char *path;
  json_t *options;

  json_object_foreach ((json_t *)value, path, options)
  {
    add_pair (argv, option,
              pp_json_truthy (options) ? g_strconcat (path, ":", json_string_value (options), NULL)
                                       : g_strdup (path));
  }
}

/* Adds only the name: every user of the host can read values on a command line. */
static void
add_environment (GPtrArray *argv, const char *option, const json_t *value)
{
  for (gsize i = 0; i < json_array_size (value); i++)
    {
      const char *entry = json_string_value (json_array_get (value, i));
      add_pair (argv, option, g_strndup (entry, strcspn (entry, "=")));
    }
}

static void
add_entrypoint (GPtrArray *argv, const char *option, const json_t *value)
{
  char *text = json_is_string (value) ? NULL : json_dumps (value, JSON_COMPACT);

  add_pair (argv, option, g_strdup (text != NULL ? text : json_string_value (value)));
  free (text);
}

static void
add_devices (GPtrArray *argv, const char *option, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    char *device = pp_spec_device (item);

    if (device != NULL)
      add_pair (argv, option, device);
  }
}

static void
add_device_requests (GPtrArray *argv, const char *option, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    if (g_strcmp0 (pp_json_string (item, "Driver"), "cdi") == 0)
      add_value (argv, option, json_object_get (item, "DeviceIDs"));
  }
}

static void
add_ulimits (GPtrArray *argv, const char *option, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    add_pair (argv, option,
              g_strdup_printf ("%s=%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
                               pp_json_string (item, "Name"),
                               json_integer_value (json_object_get (item, "Soft")),
                               json_integer_value (json_object_get (item, "Hard"))));
  }
}

static void
add_ports (GPtrArray *argv, const char *option, const json_t *value)
{
  const char *port;
  json_t *bindings, *binding;
  gsize i;

  json_object_foreach ((json_t *)value, port, bindings)
  {
    json_array_foreach (bindings, i, binding)
    {
      const char *host_ip = pp_json_string (binding, "HostIp");
      const char *host_port = pp_json_string (binding, "HostPort");
      gboolean has_ip = host_ip != NULL && *host_ip != '\0';
      gboolean has_port = host_port != NULL && *host_port != '\0';
      add_pair (argv, option,
                g_strconcat (has_ip ? host_ip : "", has_ip ? ":" : "", has_port ? host_port : "",
                             has_ip || has_port ? ":" : "", port, NULL));
    }
  }
}

static void
add_network (GPtrArray *argv, const char *option, const json_t *value)
{
  if (!g_str_equal (json_string_value (value), "default"))
    add_value (argv, option, value);
}

/* Adds PATH:RATE or PATH:WEIGHT for each device. */
static void
add_device_rates (GPtrArray *argv, const char *option, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    const char *path = pp_json_string (item, "Path");
    const json_t *rate = json_object_get (item, "Rate");
    const json_t *number = rate != NULL ? rate : json_object_get (item, "Weight");
    if (path != NULL)
      add_pair (argv, option,
                g_strdup_printf ("%s:%" JSON_INTEGER_FORMAT, path, json_integer_value (number)));
  }
}

static void
add_log_config (GPtrArray *argv, const char *option, const json_t *value)
{
  add_value (argv, option, json_object_get (value, "Type"));
  add_members (argv, "--log-opt", json_object_get (value, "Config"));
}

static void
add_mounts (GPtrArray *argv, const char *option, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    const json_t *tmpfs = json_object_get (item, "TmpfsOptions");
    const json_t *size = json_object_get (tmpfs, "SizeBytes");
    const json_t *mode = json_object_get (tmpfs, "Mode");
    const char *type = pp_json_string (item, "Type");
    const char *source = pp_json_string (item, "Source");
    const char *path = pp_json_string (item, "Target");
    const char *propagation = pp_json_string (json_object_get (item, "BindOptions"), "Propagation");
    GString *text = g_string_new (NULL);

    g_string_printf (text, "type=%s", type != NULL ? type : "volume");
    if (source != NULL)
      g_string_append_printf (text, ",source=%s", source);
    if (path != NULL)
      g_string_append_printf (text, ",target=%s", path);
    if (json_is_true (json_object_get (item, "ReadOnly")))
      g_string_append (text, ",ro=true");
    if (propagation != NULL)
      g_string_append_printf (text, ",bind-propagation=%s", propagation);
    if (json_is_integer (size))
      g_string_append_printf (text, ",tmpfs-size=%" JSON_INTEGER_FORMAT, json_integer_value (size));
    if (json_is_integer (mode))
      g_string_append_printf (text, ",tmpfs-mode=%o", (unsigned int)json_integer_value (mode));
    add_pair (argv, option, g_string_free (text, FALSE));
  }
}

/* The API's unit is nanoseconds. */
static void
add_duration (GPtrArray *argv, const char *option, const json_t *value)
{
  if (json_integer_value (value) > 0)
    add_pair (argv, option,
              g_strdup_printf ("%" JSON_INTEGER_FORMAT "ns", json_integer_value (value)));
}

static void
add_healthcheck (GPtrArray *argv, const char *option, const json_t *value)
{
  const json_t *test = json_object_get (value, "Test");
  const char *kind = json_string_value (json_array_get (test, 0));

  if (g_strcmp0 (kind, "CMD-SHELL") == 0)
    add_value (argv, option, json_array_get (test, 1));
  else if (g_strcmp0 (kind, "NONE") == 0)
    add_pair (argv, option, g_strdup ("none"));
  else if (json_array_size (test) > 1)
    {
      json_auto_t *words = json_copy ((json_t *)test);
      json_array_remove (words, 0);
      add_entrypoint (argv, option, words);
    }
  add_duration (argv, "--health-interval", json_object_get (value, "Interval"));
  add_duration (argv, "--health-timeout", json_object_get (value, "Timeout"));
  add_duration (argv, "--health-start-period", json_object_get (value, "StartPeriod"));
  add_value (argv, "--health-retries", json_object_get (value, "Retries"));
}

static const Option container_options[] = {
  { "Hostname", "--hostname", add_value },
  { "User", "--user", add_value },
  { "WorkingDir", "--workdir", add_value },
  { "Tty", "--tty", add_flag },
  { "OpenStdin", "--interactive", add_flag },
  { "StopSignal", "--stop-signal", add_value },
  { "StopTimeout", "--stop-timeout", add_value },
  { "MacAddress", "--mac-address", add_value },
  { "Labels", "--label", add_members },
  { "Env", "--env", add_environment },
  { "Entrypoint", "--entrypoint", add_entrypoint },
  { "Healthcheck", "--health-cmd", add_healthcheck },
};

static const Option host_options[] = {
  { "Binds", "--volume", add_value },
  { "Mounts", "--mount", add_mounts },
  { "Tmpfs", "--tmpfs", add_tmpfs },
  { "StorageOpt", "--storage-opt", add_members },
  { "LogConfig", "--log-driver", add_log_config },
  { "VolumesFrom", "--volumes-from", add_value },
  { "NetworkMode", "--network", add_network },
  { "ExtraHosts", "--add-host", add_value },
  { "PortBindings", "--publish", add_ports },
  { "PublishAllPorts", "--publish-all", add_flag },
  { "Dns", "--dns", add_value },
  { "DnsSearch", "--dns-search", add_value },
  { "DnsOptions", "--dns-option", add_value },
  { "Memory", "--memory", add_bytes },
  { "MemorySwap", "--memory-swap", add_bytes },
  { "MemoryReservation", "--memory-reservation", add_bytes },
  { "MemorySwappiness", "--memory-swappiness", add_value },
  { "NanoCpus", "--cpus", add_cpus },
  { "CpuShares", "--cpu-shares", add_value },
  { "CpuQuota", "--cpu-quota", add_value },
  { "CpuPeriod", "--cpu-period", add_value },
  { "CPURealtimePeriod", "--cpu-rt-period", add_value },
  { "CPURealtimeRuntime", "--cpu-rt-runtime", add_value },
  { "CpusetCpus", "--cpuset-cpus", add_value },
  { "CpusetMems", "--cpuset-mems", add_value },
  { "BlkioWeight", "--blkio-weight", add_value },
  { "BlkioWeightDevice", "--blkio-weight-device", add_device_rates },
  { "BlkioDeviceReadBps", "--device-read-bps", add_device_rates },
  { "BlkioDeviceReadIOps", "--device-read-iops", add_device_rates },
  { "BlkioDeviceWriteBps", "--device-write-bps", add_device_rates },
  { "BlkioDeviceWriteIOps", "--device-write-iops", add_device_rates },
  { "PidsLimit", "--pids-limit", add_value },
  { "ShmSize", "--shm-size", add_bytes },
  { "OomKillDisable", "--oom-kill-disable", add_flag },
  { "OomScoreAdj", "--oom-score-adj", add_value },
  { "Ulimits", "--ulimit", add_ulimits },
  { "Sysctls", "--sysctl", add_members },
  { "Privileged", "--privileged", add_flag },
  { "ReadonlyRootfs", "--read-only", add_flag },
  { "CapAdd", "--cap-add", add_value },
  { "CapDrop", "--cap-drop", add_value },
  { "SecurityOpt", "--security-opt", add_value },
  { "GroupAdd", "--group-add", add_value },
  { "UsernsMode", "--userns", add_value },
  { "PidMode", "--pid", add_value },
  { "IpcMode", "--ipc", add_value },
  { "UTSMode", "--uts", add_value },
  { "CgroupnsMode", "--cgroupns", add_value },
  { "CgroupParent", "--cgroup-parent", add_value },
  { "DeviceCgroupRules", "--device-cgroup-rule", add_value },
  { "Init", "--init", add_flag },
  { "Devices", "--device", add_devices },
  { "DeviceRequests", "--device", add_device_requests },
};

static void
add_options (GPtrArray *argv, const json_t *object, const Option *options, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      const json_t *value = json_object_get (object, options[i].field);
      if (value != NULL && !json_is_null (value))
        options[i].add (argv, options[i].option, value);
    }
}

/* Adds the CDI devices that only the libpod body has. */
static void
add_libpod_devices (GPtrArray *argv, const json_t *libpod_body)
{
  gsize i;
  json_t *item;

  json_array_foreach (json_object_get (libpod_body, "devices"), i, item)
  {
    const char *path = pp_json_string (item, "path");
    if (path[0] != '/')
      add_pair (argv, "--device", g_strdup (path));
  }
}

/* Returns HOST_CONFIG with hosts that every Podman accepts; new reference. Podman before 4.7
 * refuses host-gateway. In the host's own network, 127.0.0.1 replaces host-gateway. In other
 * networks the address depends on the engine, so these hosts are left out, and *WARNING (may be
 * NULL) lists them. */
static json_t *
fit_hosts (const json_t *host_config, char **warning)
{
  json_t *fitted = json_copy ((json_t *)host_config);
  json_t *hosts = json_copy (json_object_get (fitted, "ExtraHosts"));
  g_autoptr (GString) left_out = g_string_new (NULL);

  if (!pp_has_host_gateway (hosts))
    {
      json_decref (hosts);
      return fitted;
    }
  json_object_set_new (fitted, "ExtraHosts", hosts);
  if (g_strcmp0 (pp_json_string (fitted, "NetworkMode"), "host") == 0)
    {
      pp_replace_host_gateway (hosts, "127.0.0.1");
      return fitted;
    }
  for (gsize i = 0; i < json_array_size (hosts); i++)
    {
      const char *entry = json_string_value (json_array_get (hosts, i));
      if (pp_is_host_gateway (entry))
        g_string_append_printf (left_out, " --add-host %s", entry);
    }
  pp_replace_host_gateway (hosts, NULL);
  if (warning != NULL)
    *warning = g_strdup_printf (
        "Left out, because Podman before 4.7 refuses host-gateway:%s (if the container must reach "
        "this host, add the option with the host's address in place of host-gateway)",
        left_out->str);
  return fitted;
}

char **
pp_container_spec_to_podman_run (const PpContainerSpec *spec, guint *image_at, char **warning)
{
  static const char *const pull[] = { "missing", "always", "newer", "never" };
  GPtrArray *argv = g_ptr_array_new ();
  const json_t *body = spec->create_body;
  const json_t *command = json_object_get (body, "Cmd");
  json_auto_t *host_config = fit_hosts (json_object_get (body, "HostConfig"), warning);

  g_ptr_array_add (argv, g_strdup ("podman"));
  g_ptr_array_add (argv, g_strdup ("run"));
  if (spec->policy.auto_remove)
    g_ptr_array_add (argv, g_strdup ("--rm"));
  if (spec->name != NULL)
    add_pair (argv, "--name", g_strdup (spec->name));
  /* "newer" uses a local image if the registry does not provide the image. */
  add_pair (argv, "--pull", g_strdup (spec->pull_is_implied ? "newer" : pull[spec->pull_policy]));
  if (spec->platform != NULL)
    add_pair (argv, "--platform", g_strdup (spec->platform));
  if (spec->policy.timeout_seconds > 0)
    add_pair (argv, "--timeout",
              g_strdup_printf ("%.0f", MIN (spec->policy.timeout_seconds, G_MAXINT)));
  add_options (argv, body, container_options, G_N_ELEMENTS (container_options));
  add_options (argv, host_config, host_options, G_N_ELEMENTS (host_options));
  for (guint i = 0; i < spec->networks->len; i++)
    add_pair (argv, "--network", g_strdup (g_ptr_array_index (spec->networks, i)));
  add_libpod_devices (argv, spec->libpod_body);

  if (image_at != NULL)
    *image_at = argv->len;
  g_ptr_array_add (argv, g_strdup (spec->image));
  if (json_is_string (command))
    g_ptr_array_add (argv, g_strdup (json_string_value (command)));
  for (gsize i = 0; i < json_array_size (command); i++)
    g_ptr_array_add (argv, g_strdup (json_string_value (json_array_get (command, i))));
  g_ptr_array_add (argv, NULL);
  return (char **)g_ptr_array_free (argv, FALSE);
}
