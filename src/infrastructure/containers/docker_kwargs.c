/* SPDX-License-Identifier: Apache-2.0 */
/* Maps docker-py's arguments to fields of the create body. The table also says which values
 * docker-py leaves out (docker/models/containers.py RUN_CREATE_KWARGS and RUN_HOST_CONFIG_KWARGS,
 * docker/types/containers.py ContainerConfig and HostConfig). */
#include "config.h"

#include "docker_kwargs-private.h"

#include "docker_convert-private.h"

typedef enum
{
  IN_CONTAINER, /* in the body; null removes the field */
  IN_HOST,      /* in body.HostConfig; null means not given */
  IN_REST,      /* in rest, for the caller */
  NOWHERE       /* docker-py accepts it but sends nothing */
} Place;

typedef struct
{
  const char *key;
  const char *field;
  Place place;
  gboolean skip_falsy; /* docker-py leaves out 0, "", [], {} and false */
  PpConvertFunc convert;
} Kwarg;

static const Kwarg kwargs_table[] = {
  { "domainname", "Domainname", IN_CONTAINER, FALSE, pp_convert_string },
  { "entrypoint", "Entrypoint", IN_CONTAINER, FALSE, pp_convert_command },
  { "healthcheck", "Healthcheck", IN_CONTAINER, FALSE, pp_convert_healthcheck },
  { "hostname", "Hostname", IN_CONTAINER, FALSE, pp_convert_string },
  { "mac_address", "MacAddress", IN_CONTAINER, FALSE, pp_convert_string },
  { "network_disabled", "NetworkDisabled", IN_CONTAINER, FALSE, pp_convert_bool },
  { "stdin_open", "OpenStdin", IN_CONTAINER, FALSE, pp_convert_bool },
  { "stop_signal", "StopSignal", IN_CONTAINER, FALSE, pp_convert_string },
  { "tty", "Tty", IN_CONTAINER, FALSE, pp_convert_bool },
  { "user", "User", IN_CONTAINER, FALSE, pp_convert_string_or_integer },
  { "working_dir", "WorkingDir", IN_CONTAINER, FALSE, pp_convert_string },

  { "detach", "detach", IN_REST, TRUE, pp_convert_bool },
  { "extra_hosts", "extra_hosts", IN_REST, FALSE, pp_convert_hosts_or_list },
  { "networking_config", "networking_config", IN_REST, TRUE, pp_convert_object },
  { "platform", "platform", IN_REST, TRUE, pp_convert_string },
  { "use_config_proxy", "use_config_proxy", IN_REST, FALSE, pp_convert_bool },
  { "version", NULL, NOWHERE, FALSE, pp_convert_any },

  { "blkio_weight", "BlkioWeight", IN_HOST, TRUE, pp_convert_integer },
  { "blkio_weight_device", "BlkioWeightDevice", IN_HOST, TRUE, pp_convert_object_list },
  { "cap_add", "CapAdd", IN_HOST, TRUE, pp_convert_strings },
  { "cap_drop", "CapDrop", IN_HOST, TRUE, pp_convert_strings },
  { "cgroup_parent", "CgroupParent", IN_HOST, FALSE, pp_convert_string },
  { "cgroupns", "CgroupnsMode", IN_HOST, TRUE, pp_convert_string },
  { "cpu_count", "CpuCount", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_percent", "CpuPercent", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_period", "CpuPeriod", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_quota", "CpuQuota", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_rt_period", "CPURealtimePeriod", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_rt_runtime", "CPURealtimeRuntime", IN_HOST, TRUE, pp_convert_integer },
  { "cpu_shares", "CpuShares", IN_HOST, TRUE, pp_convert_integer },
  { "cpuset_cpus", "CpusetCpus", IN_HOST, TRUE, pp_convert_string },
  { "cpuset_mems", "CpusetMems", IN_HOST, TRUE, pp_convert_string },
  { "device_cgroup_rules", "DeviceCgroupRules", IN_HOST, FALSE, pp_convert_string_list },
  { "device_read_bps", "BlkioDeviceReadBps", IN_HOST, TRUE, pp_convert_object_list },
  { "device_read_iops", "BlkioDeviceReadIOps", IN_HOST, TRUE, pp_convert_object_list },
  { "device_requests", "DeviceRequests", IN_HOST, FALSE, pp_convert_device_requests },
  { "device_write_bps", "BlkioDeviceWriteBps", IN_HOST, TRUE, pp_convert_object_list },
  { "device_write_iops", "BlkioDeviceWriteIOps", IN_HOST, TRUE, pp_convert_object_list },
  { "devices", "Devices", IN_HOST, TRUE, pp_convert_devices },
  { "dns", "Dns", IN_HOST, FALSE, pp_convert_string_list },
  { "dns_opt", "DnsOptions", IN_HOST, FALSE, pp_convert_string_list },
  { "dns_search", "DnsSearch", IN_HOST, TRUE, pp_convert_string_list },
  { "group_add", "GroupAdd", IN_HOST, TRUE, pp_convert_group_add },
  { "init", "Init", IN_HOST, FALSE, pp_convert_bool },
  { "init_path", "InitPath", IN_HOST, FALSE, pp_convert_init_path },
  { "ipc_mode", "IpcMode", IN_HOST, TRUE, pp_convert_string },
  { "isolation", "Isolation", IN_HOST, TRUE, pp_convert_string },
  { "kernel_memory", "KernelMemory", IN_HOST, TRUE, pp_convert_bytes },
  { "links", "Links", IN_HOST, FALSE, pp_convert_links },
  { "log_config", "LogConfig", IN_HOST, FALSE, pp_convert_log_config },
  { "lxc_conf", "LxcConf", IN_HOST, FALSE, pp_convert_lxc_conf },
  { "mem_reservation", "MemoryReservation", IN_HOST, TRUE, pp_convert_bytes },
  { "mem_swappiness", "MemorySwappiness", IN_HOST, FALSE, pp_convert_integer },
  { "mounts", "Mounts", IN_HOST, FALSE, pp_convert_mounts },
  { "nano_cpus", "NanoCpus", IN_HOST, TRUE, pp_convert_integer },
  { "oom_kill_disable", "OomKillDisable", IN_HOST, TRUE, pp_convert_bool },
  { "oom_score_adj", "OomScoreAdj", IN_HOST, TRUE, pp_convert_integer },
  { "pid_mode", "PidMode", IN_HOST, TRUE, pp_convert_string },
  { "pids_limit", "PidsLimit", IN_HOST, TRUE, pp_convert_integer },
  { "ports", "PortBindings", IN_HOST, TRUE, pp_convert_ports },
  { "publish_all_ports", "PublishAllPorts", IN_HOST, TRUE, pp_convert_bool },
  { "read_only", "ReadonlyRootfs", IN_HOST, FALSE, pp_convert_bool },
  { "restart_policy", "RestartPolicy", IN_HOST, TRUE, pp_convert_object },
  { "runtime", "Runtime", IN_HOST, TRUE, pp_convert_string },
  { "security_opt", "SecurityOpt", IN_HOST, FALSE, pp_convert_string_list },
  { "shm_size", "ShmSize", IN_HOST, FALSE, pp_convert_bytes },
  { "storage_opt", "StorageOpt", IN_HOST, FALSE, pp_convert_object },
  { "sysctls", "Sysctls", IN_HOST, TRUE, pp_convert_sysctls },
  { "tmpfs", "Tmpfs", IN_HOST, TRUE, pp_convert_tmpfs },
  { "ulimits", "Ulimits", IN_HOST, FALSE, pp_convert_ulimits },
  /* docker-py only allows "host". Podman also has keep-id and others. */
  { "userns_mode", "UsernsMode", IN_HOST, TRUE, pp_convert_string },
  { "uts_mode", "UTSMode", IN_HOST, TRUE, pp_convert_string },
  { "volume_driver", "VolumeDriver", IN_HOST, FALSE, pp_convert_string },
  { "volumes_from", "VolumesFrom", IN_HOST, FALSE, pp_convert_volumes_from },
};

static const Kwarg *
find_kwarg (const char *key)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kwargs_table); i++)
    if (g_str_equal (kwargs_table[i].key, key))
      return &kwargs_table[i];
  return NULL;
}

static gboolean
apply_one (const Kwarg *kwarg, const char *where, const json_t *value, json_t *body, json_t *rest,
           GError **error)
{
  if (json_is_null (value) || (kwarg->skip_falsy && !pp_json_truthy (value)))
    {
      if (kwarg->place == IN_CONTAINER)
        json_object_del (body, kwarg->field);
      return TRUE;
    }
  PpConvertContext context = { .key = where, .rest = rest };
  json_auto_t *converted = kwarg->convert (&context, value, error);
  if (converted == NULL)
    return FALSE;
  switch (kwarg->place)
    {
    case IN_CONTAINER:
      json_object_set (body, kwarg->field, converted);
      break;
    case IN_HOST:
      json_object_set (json_object_get (body, "HostConfig"), kwarg->field, converted);
      break;
    case IN_REST:
      json_object_set (rest, kwarg->field, converted);
      break;
    case NOWHERE:
      break;
    }
  return TRUE;
}

gboolean
pp_docker_kwargs_apply (const json_t *kwargs, const char *prefix, json_t *body, json_t *rest,
                        GError **error)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)kwargs, key, value)
  {
    const Kwarg *kwarg = find_kwarg (key);
    g_autofree char *where = g_strconcat (prefix, key, NULL);
    if (g_str_equal (key, "environment") || g_str_equal (key, "network"))
      {
        g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                     "%s: cannot be set here. Set the job variable '%s' instead", where,
                     g_str_equal (key, "network") ? "networks" : "env");
        return FALSE;
      }
    if (kwarg == NULL)
      {
        g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                     "%s: docker-py's containers.create() has no such argument", where);
        return FALSE;
      }
    if (!apply_one (kwarg, where, value, body, rest, error))
      return FALSE;
  }
  return TRUE;
}
