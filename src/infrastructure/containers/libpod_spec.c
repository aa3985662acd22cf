/* SPDX-License-Identifier: Apache-2.0 */
/* Converts a Docker create body to Podman's own (SpecGenerator, podman/pkg/specgen/specgen.go). It
 * is needed for CDI devices, which the Docker API of older Podman versions cannot express. A field
 * that is not in the tables below is an error, so that no setting of a deployment is silently
 * ignored. */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_kwargs-private.h"

#include "libpod_fields-private.h"

#include <string.h>

typedef struct
{
  const char *field;
  const char *libpod_field;
  PpLibpodFunc translate;
} Translation;

static gboolean
copy (json_t *target, const char *libpod_field, const json_t *value)
{
  json_object_set (target, libpod_field, (json_t *)value);
  return TRUE;
}

/* For a field that the SpecGenerator lacks: accepts only an empty value, docker-py's default. */
static gboolean
only_when_empty (json_t *target G_GNUC_UNUSED, const char *libpod_field G_GNUC_UNUSED,
                 const json_t *value)
{
  return !pp_json_truthy (value);
}

static gboolean
ignore (json_t *target G_GNUC_UNUSED, const char *libpod_field G_GNUC_UNUSED,
        const json_t *value G_GNUC_UNUSED)
{
  return TRUE;
}

static gboolean
words (json_t *target, const char *libpod_field, const json_t *value)
{
  json_object_set_new (target, libpod_field,
                       json_is_string (value) ? json_pack ("[O]", value)
                                              : json_incref ((json_t *)value));
  return TRUE;
}

static gboolean
environment (json_t *target, const char *libpod_field, const json_t *value)
{
  json_t *env = json_object ();

  json_object_set_new (target, libpod_field, env);
  for (gsize i = 0; i < json_array_size (value); i++)
    {
      g_auto (GStrv) parts = g_strsplit (json_string_value (json_array_get (value, i)), "=", 2);
      /* A name without a value is in UnsetEnv. */
      if (g_strv_length (parts) == 2)
        json_object_set_new (env, parts[0], json_string (parts[1]));
    }
  return TRUE;
}

/* "host", "private", "keep-id:uid=5", "container:ID", ... */
static gboolean namespace(json_t *target, const char *libpod_field, const json_t *value)
{
  g_auto (GStrv) parts = g_strsplit (json_string_value (value), ":", 2);
  json_t *ns;

  if (parts[0] == NULL)
    return TRUE;
  ns = json_pack ("{s:s}", "nsmode", g_str_equal (parts[0], "ns") ? "path" : parts[0]);
  if (parts[1] != NULL)
    json_object_set_new (ns, "value", json_string (parts[1]));
  json_object_set_new (target, libpod_field, ns);
  return TRUE;
}

/* Podman's Docker API uses a bridge for "default", rootless or not. */
static gboolean
network (json_t *target, const char *libpod_field, const json_t *value)
{
  const char *mode = json_string_value (value);
  g_auto (GStrv) parts = g_strsplit (mode, ":", 2);

  if (g_str_has_prefix (mode, "slirp4netns:") || g_str_has_prefix (mode, "pasta:"))
    {
      json_t *options = json_object ();
      pp_libpod_append_split (options, parts[0], parts[1], ",");
      json_object_set_new (target, "network_options", options);
      json_object_set_new (target, libpod_field, json_pack ("{s:s}", "nsmode", parts[0]));
      return TRUE;
    }
  if (pp_network_is_user_defined (mode))
    {
      json_t *networks = json_object_get (target, "Networks");
      if (networks == NULL)
        json_object_set_new (target, "Networks", json_pack ("{s:{}}", mode));
      else if (json_object_get (networks, mode) == NULL)
        json_object_set_new (networks, mode, json_object ());
    }
  else if (!g_str_equal (mode, "default") && !g_str_equal (mode, "podman"))
    return namespace(target, libpod_field, value);
  json_object_set_new (target, libpod_field, json_pack ("{s:s}", "nsmode", "bridge"));
  return TRUE;
}

/* LIBPOD_FIELD is "GROUP.NAME" in resource_limits. */
static gboolean
resource (json_t *target, const char *libpod_field, const json_t *value)
{
  g_auto (GStrv) path = g_strsplit (libpod_field, ".", 2);
  json_t *limits = json_object_get (target, "resource_limits");

  if (limits == NULL)
    {
      limits = json_object ();
      json_object_set_new (target, "resource_limits", limits);
    }
  json_t *group = json_object_get (limits, path[0]);
  if (group == NULL)
    {
      group = json_object ();
      json_object_set_new (limits, path[0], group);
    }
  json_object_set (group, path[1], (json_t *)value);
  return TRUE;
}

/* Like the Docker API, uses a period of 100 ms and a quota. */
static gboolean
nano_cpus (json_t *target, const char *libpod_field G_GNUC_UNUSED, const json_t *value)
{
  json_auto_t *period = json_integer (100000);
  json_auto_t *quota = json_integer (json_integer_value (value) / 10000);

  return resource (target, "cpu.period", period) && resource (target, "cpu.quota", quota);
}

static gboolean
ulimits (json_t *target, const char *libpod_field, const json_t *value)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)value, i, item)
  {
    /* A missing value is 0, as in the Docker API. */
    json_int_t soft = json_integer_value (json_object_get (item, "Soft"));
    json_int_t hard = json_integer_value (json_object_get (item, "Hard"));
    pp_libpod_append (target, libpod_field,
                      json_pack ("{s:O, s:I, s:I}", "type", json_object_get (item, "Name"), "soft",
                                 soft, "hard", hard));
  }
  return TRUE;
}

static gboolean
security_opt (json_t *target, const char *libpod_field G_GNUC_UNUSED, const json_t *value)
{
  for (gsize i = 0; i < json_array_size (value); i++)
    {
      const char *option = json_string_value (json_array_get (value, i));
      const char *equals = option + strcspn (option, "=:");
      const char *argument = *equals != '\0' ? equals + 1 : "";
      g_autofree char *name = g_strndup (option, (gsize)(equals - option));
      if (g_str_equal (name, "label"))
        pp_libpod_append (target, "selinux_opts", json_string (argument));
      else if (g_str_equal (name, "no-new-privileges"))
        json_object_set_new (target, "no_new_privileges",
                             json_boolean (!g_str_equal (argument, "false")));
      else if (g_str_equal (name, "apparmor"))
        json_object_set_new (target, "apparmor_profile", json_string (argument));
      else if (g_str_equal (name, "seccomp"))
        json_object_set_new (target, "seccomp_profile_path", json_string (argument));
      else if (g_str_equal (name, "mask"))
        pp_libpod_append_split (target, "mask", argument, ":");
      else if (g_str_equal (name, "unmask"))
        pp_libpod_append_split (target, "unmask", argument, ":");
      else if (g_str_equal (name, "systempaths") && g_str_equal (argument, "unconfined"))
        pp_libpod_append (target, "unmask", json_string ("ALL"));
      else if (g_str_equal (name, "proc-opts"))
        pp_libpod_append_split (target, "procfs_opts", argument, ",");
      else
        return FALSE;
    }
  return TRUE;
}

static const Translation container_translations[] = {
  { "Image", "image", copy },
  { "Cmd", "command", words },
  { "Entrypoint", "entrypoint", words },
  { "Env", "env", environment },
  { "UnsetEnv", "unsetenv", copy },
  { "Labels", "labels", copy },
  { "Tty", "terminal", copy },
  { "OpenStdin", "stdin", copy },
  { "User", "user", copy },
  { "WorkingDir", "work_dir", copy },
  { "Hostname", "hostname", copy },
  { "StopTimeout", "stop_timeout", copy },
  { "NetworkDisabled", NULL, only_when_empty },
  { "StopSignal", "stop_signal", pp_libpod_stop_signal },
  { "Healthcheck", "healthconfig", pp_libpod_healthcheck },
  { "NetworkingConfig", "Networks", pp_libpod_endpoints },
  /* Podman has no such field: pp_spec_refuse_dropped() warns. */
  { "Domainname", NULL, ignore },
  /* Binds and PortBindings replace Volumes and ExposedPorts. The three Attach fields and StdinOnce
   * matter only to a client that attaches. host_translations converts HostConfig. */
  { "Volumes", NULL, ignore },
  { "ExposedPorts", NULL, ignore },
  { "AttachStdin", NULL, ignore },
  { "AttachStdout", NULL, ignore },
  { "AttachStderr", NULL, ignore },
  { "StdinOnce", NULL, ignore },
  { "HostConfig", NULL, ignore },
};

static const Translation host_translations[] = {
  { "Binds", NULL, pp_libpod_binds },
  { "Mounts", NULL, pp_libpod_mounts },
  { "Tmpfs", NULL, pp_libpod_tmpfs },
  { "PortBindings", "portmappings", pp_libpod_ports },
  { "PublishAllPorts", "publish_image_ports", copy },
  { "LogConfig", "log_configuration", pp_libpod_log_config },
  { "StorageOpt", "storage_opts", copy },
  { "NetworkMode", "netns", network },
  { "ExtraHosts", "hostadd", copy },
  { "Privileged", "privileged", copy },
  { "UsernsMode", "userns", namespace },
  { "PidMode", "pidns", namespace },
  { "IpcMode", "ipcns", namespace },
  { "UTSMode", "utsns", namespace },
  { "CgroupnsMode", "cgroupns", namespace },
  { "Memory", "memory.limit", resource },
  { "MemorySwap", "memory.swap", resource },
  { "MemoryReservation", "memory.reservation", resource },
  { "CpuShares", "cpu.shares", resource },
  { "CpuQuota", "cpu.quota", resource },
  { "CpuPeriod", "cpu.period", resource },
  { "CPURealtimePeriod", "cpu.realtimePeriod", resource },
  { "CPURealtimeRuntime", "cpu.realtimeRuntime", resource },
  { "CpusetCpus", "cpu.cpus", resource },
  { "CpusetMems", "cpu.mems", resource },
  { "NanoCpus", NULL, nano_cpus },
  { "PidsLimit", "pids.limit", resource },
  { "MemorySwappiness", "memory.swappiness", resource },
  { "OomKillDisable", "memory.disableOOMKiller", resource },
  { "BlkioWeight", "blockIO.weight", resource },
  { "BlkioWeightDevice", "weightDevice", pp_libpod_device_rates },
  { "BlkioDeviceReadBps", "throttleReadBpsDevice", pp_libpod_device_rates },
  { "BlkioDeviceReadIOps", "throttleReadIOPSDevice", pp_libpod_device_rates },
  { "BlkioDeviceWriteBps", "throttleWriteBpsDevice", pp_libpod_device_rates },
  { "BlkioDeviceWriteIOps", "throttleWriteIOPSDevice", pp_libpod_device_rates },
  { "ShmSize", "shm_size", copy },
  { "Ulimits", "r_limits", ulimits },
  { "CapAdd", "cap_add", words },
  { "CapDrop", "cap_drop", words },
  { "SecurityOpt", NULL, security_opt },
  { "ReadonlyRootfs", "read_only_filesystem", copy },
  { "GroupAdd", "groups", copy },
  { "Sysctls", "sysctl", copy },
  { "Init", "init", copy },
  { "Dns", "dns_server", copy },
  { "DnsSearch", "dns_search", copy },
  { "DnsOptions", "dns_option", copy },
  { "OomScoreAdj", "oom_score_adj", copy },
  { "CgroupParent", "cgroup_parent", copy },
  { "VolumesFrom", "volumes_from", words },
  { "DeviceRequests", NULL, only_when_empty },
  /* pp_spec_refuse_dropped() has refused every value except Podman's own default. */
  { "Runtime", NULL, ignore },
  { "Isolation", NULL, ignore },
  { "VolumeDriver", NULL, ignore },
};

static gboolean
translate_all (json_t *target, const json_t *source, const Translation *table, gsize n,
               GError **error)
{
  const char *field;
  json_t *value;

  json_object_foreach ((json_t *)source, field, value)
  {
    gboolean said = FALSE;
    for (gsize i = 0; i < n && !said; i++)
      said = g_str_equal (table[i].field, field)
             && table[i].translate (target, table[i].libpod_field, value);
    if (!said)
      {
        g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                     "that API cannot set %s as this job asks. Remove this setting, or update "
                     "Podman to 5.4 or later",
                     field);
        return FALSE;
      }
  }
  return TRUE;
}

/* Adds the devices with a path and the CDI devices to one list. */
static gboolean
add_devices (json_t *target, const json_t *devices, const json_t *cdi_devices)
{
  gsize i;
  json_t *item;

  json_array_foreach ((json_t *)devices, i, item)
  {
    g_autofree char *path = pp_spec_device (item);

    if (path == NULL)
      return FALSE;
    pp_libpod_append (target, "devices", json_pack ("{s:s}", "path", path));
  }
  json_array_foreach ((json_t *)cdi_devices, i, item)
  {
    pp_libpod_append (target, "devices", json_pack ("{s:O}", "path", item));
  }
  return TRUE;
}

json_t *
pp_libpod_body_new (const json_t *create_body, const json_t *cdi_devices, GError **error)
{
  const json_t *host_config = json_object_get (create_body, "HostConfig");
  json_auto_t *body = json_object ();
  json_auto_t *host = json_copy ((json_t *)host_config);

  json_object_del (host, "Devices");
  if (!translate_all (body, create_body, container_translations,
                      G_N_ELEMENTS (container_translations), error)
      || !translate_all (body, host, host_translations, G_N_ELEMENTS (host_translations), error))
    return NULL;
  if (!add_devices (body, json_object_get (host_config, "Devices"), cdi_devices))
    {
      g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                   "that API cannot describe a device without PathOnHost");
      return NULL;
    }
  /* Podman's Docker API does the same: volumes of the image become anonymous volumes, and the
   * working directory is created. */
  json_object_set_new (body, "image_volume_mode", json_string ("anonymous"));
  json_object_set_new (body, "create_working_dir", json_true ());
  return json_incref (body);
}
