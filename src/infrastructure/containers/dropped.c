/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that an engine accepts in the create call and silently ignores. If that changes what the
 * job means, the worker refuses the run, and the error names the engine and its version. Otherwise
 * the run's log gets a warning. The rows for networking_config, and those for Docker 23 and later,
 * come from the sources of Podman 4.3 to 5.8 and Docker 20.10 to 28. Each other row was tested on
 * Podman 4.3.1 (rootful and rootless), Podman 5.4.2 and Docker 20.10.24 by creating and inspecting
 * a container. */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_kwargs-private.h"
#include "values-private.h"

#include <string.h>

/* Returns TRUE if VALUE asks for something that ENGINE would ignore. */
typedef gboolean (*AskedFunc) (const json_t *value, const PpEngineInfo *engine);

typedef struct
{
  const char *key;   /* docker-py's argument */
  const char *field; /* in the create body or in its HostConfig */
  enum
  {
    ON_PODMAN = 1,
    ON_DOCKER = 2
  } engines;
  guint major, minor; /* the first version that supports it; 0 if no version does */
  AskedFunc asked;
  gboolean passed_over; /* a warning is enough */
  const char *effect;   /* what happens to the job */
  const char *advice;
} Dropped;

static gboolean
any (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  return pp_json_truthy (value);
}

static gboolean
other_runtime (const json_t *value, const PpEngineInfo *engine)
{
  const char *name = json_string_value (value);

  return name != NULL && *name != '\0' && g_strcmp0 (name, engine->default_runtime) != 0;
}

static gboolean
other_isolation (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  return pp_json_truthy (value) && g_strcmp0 (json_string_value (value), "default") != 0;
}

static gboolean
other_volume_driver (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  return pp_json_truthy (value) && g_strcmp0 (json_string_value (value), "local") != 0;
}

/* CpuCount and CpuPercent have no effect on Linux. */
static gboolean
on_linux (const json_t *value, const PpEngineInfo *engine)
{
  return pp_json_truthy (value) && !engine->runs_windows;
}

/* Docker's daemon_unix.go only supports "host". */
static gboolean
other_userns (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  return pp_json_truthy (value) && g_strcmp0 (json_string_value (value), "host") != 0;
}

static gboolean
apparmor_without (const json_t *value, const PpEngineInfo *engine)
{
  for (gsize i = 0; i < json_array_size (value); i++)
    {
      const char *option = json_string_value (json_array_get (value, i));
      if (option == NULL || !g_str_has_prefix (option, "apparmor"))
        continue;
      const char *profile = option + strlen ("apparmor");
      if (*profile != '\0' && !g_str_equal (profile + 1, "unconfined"))
        return !engine->has_apparmor;
    }
  return FALSE;
}

/* Docker ignores KernelMemory since API 1.42. Before, Docker warned about it. */
static gboolean
kernel_memory (const json_t *value, const PpEngineInfo *engine)
{
  return pp_json_truthy (value)
         && (engine->kind == PP_ENGINE_PODMAN || pp_version_at_least (engine->version, 23, 0));
}

/* True if an endpoint of CONFIG, the NetworkingConfig, has one of KEYS. Go accepts keys in upper
 * and lower case. */
static gboolean
has_endpoint_key (const json_t *config, const char *const *keys)
{
  const char *network, *name;
  json_t *endpoint, *value;

  json_object_foreach (json_object_get (config, "EndpointsConfig"), network, endpoint)
  {
    json_object_foreach (endpoint, name, value)
    {
      for (guint i = 0; keys[i] != NULL; i++)
        if (g_ascii_strcasecmp (keys[i], name) == 0 && pp_json_truthy (value))
          return TRUE;
    }
  }
  return FALSE;
}

static gboolean
endpoint_address (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  static const char *const keys[] = { "MacAddress", NULL };

  return has_endpoint_key (value, keys);
}

static gboolean
endpoint_options (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  static const char *const keys[] = { "Links", "DriverOpts", "GwPriority", NULL };

  return has_endpoint_key (value, keys);
}

/* Docker supports GwPriority since API 1.48. The worker uses an older version of the API. */
static gboolean
endpoint_priority (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  static const char *const keys[] = { "GwPriority", NULL };

  return has_endpoint_key (value, keys);
}

/* True if HOST_CONFIG sets ShmSize but uses the /dev/shm of the host or of another container.
 * Podman itself refuses this. */
static gboolean
shm_of_another (const json_t *host_config, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  const char *mode = pp_json_string (host_config, "IpcMode");

  return pp_json_truthy (json_object_get (host_config, "ShmSize")) && mode != NULL
         && (g_str_equal (mode, "host") || g_str_has_prefix (mode, "container:"));
}

/* True if VALUE has an option other than those of Podman's log drivers (specgenutil: "max-size",
 * "path", "tag"). */
static gboolean
log_options (const json_t *value, const PpEngineInfo *engine G_GNUC_UNUSED)
{
  static const char *const known[] = { "max-size", "path", "tag", NULL };
  const char *name;
  json_t *option;

  json_object_foreach (json_object_get (value, "Config"), name, option)
  {
    if (!g_strv_contains (known, name))
      return TRUE;
  }
  return FALSE;
}

static const Dropped dropped[] = {
  { "network_disabled", "NetworkDisabled", ON_PODMAN, 0, 0, any, FALSE,
    "the container would have a network", "Set the job variable network_mode to \"none\"" },
  { "mac_address", "MacAddress", ON_PODMAN, 0, 0, any, FALSE,
    "the container would have another MAC address",
    "Name a network in the job variable networks, and set networking_config to {\"NETWORK\": "
    "{\"MacAddress\": \"...\"}}" },
  { "device_cgroup_rules", "DeviceCgroupRules", ON_PODMAN, 5, 4, any, FALSE,
    "the container could not use the devices",
    "Name the devices in the job variable devices, or update Podman to 5.4 or later" },
  { "runtime", "Runtime", ON_PODMAN, 0, 0, other_runtime, FALSE,
    "the container would run with the engine's default runtime",
    "Set runtime in the engine's containers.conf; for GPUs, use devices: "
    "[\"nvidia.com/gpu=all\"]" },
  { "isolation", "Isolation", ON_PODMAN, 0, 0, other_isolation, FALSE,
    "the container would run without this isolation", "Remove it" },
  { "kernel_memory", "KernelMemory", ON_PODMAN | ON_DOCKER, 0, 0, kernel_memory, FALSE,
    "the container would have no such limit", "Use mem_limit" },
  { "cpu_count", "CpuCount", ON_PODMAN | ON_DOCKER, 0, 0, on_linux, FALSE,
    "the container could use all CPUs (only Windows has such a limit)",
    "Use nano_cpus (2000000000 means two CPUs)" },
  { "cpu_percent", "CpuPercent", ON_PODMAN | ON_DOCKER, 0, 0, on_linux, FALSE,
    "the container could use all CPUs (only Windows has such a limit)",
    "Use nano_cpus (500000000 means half a CPU)" },
  { "lxc_conf", "LxcConf", ON_PODMAN | ON_DOCKER, 0, 0, any, FALSE,
    "no engine has supported LXC since Docker 1.10", "Remove it" },
  { "volume_driver", "VolumeDriver", ON_PODMAN, 0, 0, other_volume_driver, FALSE,
    "the driver \"local\" would create the volumes",
    "Create the volumes first (podman volume create --driver), and name them in the job variable "
    "volumes" },
  { "networking_config", "NetworkingConfig", ON_DOCKER, 25, 0, endpoint_address, FALSE,
    "a network's MacAddress would not be set", "Use mac_address" },
  { "networking_config", "NetworkingConfig", ON_DOCKER, 0, 0, endpoint_priority, FALSE,
    "GwPriority of a network would have no effect", "Remove GwPriority" },
  { "networking_config", "NetworkingConfig", ON_PODMAN, 0, 0, endpoint_options, FALSE,
    "Links, DriverOpts and GwPriority of a network would have no effect", "Remove them" },
  { "shm_size", "HostConfig", ON_DOCKER, 0, 0, shm_of_another, TRUE,
    "with this ipc_mode, the container uses the /dev/shm of the host or of another container",
    "Remove shm_size or ipc_mode" },
  { "userns_mode", "UsernsMode", ON_DOCKER, 0, 0, other_userns, FALSE,
    "the container would share the host's user ids",
    "Docker supports only \"host\", and userns-remap for the whole daemon. Use Podman for the "
    "other modes" },
  { "security_opt", "SecurityOpt", ON_DOCKER, 0, 0, apparmor_without, FALSE,
    "the container would run without an AppArmor profile, because the engine's host has no "
    "AppArmor",
    "Remove the apparmor option" },
  { "domainname", "Domainname", ON_PODMAN, 0, 0, any, TRUE, "the container has no domain name",
    "Use hostname" },
  { "log_config", "LogConfig", ON_PODMAN, 0, 0, log_options, TRUE,
    "its log drivers support only the options max-size, path and tag",
    "The other options have no effect" },
};

static gboolean
applies (const Dropped *row, const json_t *body, const PpEngineInfo *engine)
{
  const json_t *value = json_object_get (body, row->field);

  if (value == NULL)
    value = json_object_get (json_object_get (body, "HostConfig"), row->field);
  if (value == NULL
      || (row->engines & (engine->kind == PP_ENGINE_PODMAN ? ON_PODMAN : ON_DOCKER)) == 0)
    return FALSE;
  if (row->major != 0 && pp_version_at_least (engine->version, row->major, row->minor))
    return FALSE;
  return row->asked (value, engine);
}

/* Refuses ports that cannot be reached. For the host's network, the message is docker-py's
 * (docker/types/containers.py, HostConfig; errors.py, host_config_incompatible_error). */
static gboolean
check_ports (const json_t *body, GError **error)
{
  const json_t *host_config = json_object_get (body, "HostConfig");
  const char *mode = pp_json_string (host_config, "NetworkMode");

  if (json_object_size (json_object_get (host_config, "PortBindings")) == 0 || mode == NULL)
    return TRUE;
  if (!g_str_equal (mode, "host") && !g_str_equal (mode, "none")
      && !g_str_has_prefix (mode, "container:"))
    return TRUE;
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
               "ports: \"%s\" network_mode is incompatible with port_bindings. Remove ports, or "
               "set the job variable network_mode to \"bridge\" (if network_mode is not set and "
               "the Prefect API is on this host, a run gets \"host\")",
               mode);
  return FALSE;
}

gboolean
pp_spec_refuse_dropped (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error)
{
  if (!check_ports (spec->create_body, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (dropped) && engine != NULL; i++)
    {
      const Dropped *row = &dropped[i];
      if (!applies (row, spec->create_body, engine))
        continue;
      g_autofree char *text
          = g_strdup_printf ("%s: %s %s silently ignores this setting: %s. %s", row->key,
                             engine->name, engine->version, row->effect, row->advice);
      if (!row->passed_over)
        {
          g_set_error_literal (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                               text);
          return FALSE;
        }
      g_ptr_array_add (spec->warnings, g_steal_pointer (&text));
    }
  return engine == NULL || pp_spec_refuse_mounts (spec, engine, error);
}
