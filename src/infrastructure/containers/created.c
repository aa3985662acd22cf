/* SPDX-License-Identifier: Apache-2.0 */
/* Checks if a created container or an image is what the job asked for. The host's kernel and
 * control groups decide if a limit takes effect. Rootless Podman on cgroups v1, for example,
 * silently drops all limits. So the created container is inspected. */
#include "config.h"

#include "prefect-podman/infrastructure/container_spec.h"

#include "docker_kwargs-private.h"
#include "engine_api-private.h"

#include <string.h>

typedef struct
{
  const char *key;   /* docker-py's argument, or the job variable */
  const char *field; /* in HostConfig of the create body */
  const char *shown; /* the field in the inspect answer; NULL if it is the same */
  gboolean is_hint;  /* a preference: the engine's own warning is enough */
} Limit;

static const Limit limits[] = {
  { "mem_limit", "Memory", NULL, FALSE },
  { "memswap_limit", "MemorySwap", NULL, TRUE },
  { "mem_reservation", "MemoryReservation", NULL, TRUE },
  { "mem_swappiness", "MemorySwappiness", NULL, TRUE },
  { "oom_kill_disable", "OomKillDisable", NULL, TRUE },
  { "nano_cpus", "NanoCpus", NULL, FALSE },
  { "cpu_quota", "CpuQuota", NULL, FALSE },
  { "cpu_period", "CpuPeriod", NULL, FALSE },
  { "cpu_shares", "CpuShares", NULL, TRUE },
  { "cpu_rt_period", "CPURealtimePeriod", "CpuRealtimePeriod", FALSE },
  { "cpu_rt_runtime", "CPURealtimeRuntime", "CpuRealtimeRuntime", FALSE },
  { "cpuset_cpus", "CpusetCpus", NULL, FALSE },
  { "cpuset_mems", "CpusetMems", NULL, FALSE },
  { "pids_limit", "PidsLimit", NULL, FALSE },
  { "blkio_weight", "BlkioWeight", NULL, TRUE },
  { "blkio_weight_device", "BlkioWeightDevice", NULL, TRUE },
  { "device_read_bps", "BlkioDeviceReadBps", NULL, FALSE },
  { "device_read_iops", "BlkioDeviceReadIOps", NULL, FALSE },
  { "device_write_bps", "BlkioDeviceWriteBps", NULL, FALSE },
  { "device_write_iops", "BlkioDeviceWriteIOps", NULL, FALSE },
  { "ulimits", "Ulimits", NULL, FALSE },
  { "cgroupns", "CgroupnsMode", NULL, FALSE },
};

/* True if VALUE is a limit; -1 means no limit. */
static gboolean
is_limit (const json_t *value)
{
  return json_is_integer (value) ? json_integer_value (value) > 0 : pp_json_truthy (value);
}

gboolean
pp_container_spec_has_limits (const PpContainerSpec *spec)
{
  const json_t *asked = json_object_get (spec->create_body, "HostConfig");

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    if (pp_json_truthy (json_object_get (asked, limits[i].field)))
      return TRUE;
  return FALSE;
}

/* True if SHOWN has the ulimit NAME. Podman calls it "RLIMIT_NAME". */
static gboolean
has_ulimit (const json_t *shown, const char *name)
{
  for (gsize i = 0; i < json_array_size (shown); i++)
    {
      const char *other = pp_json_string (json_array_get (shown, i), "Name");
      if (other != NULL && g_ascii_strncasecmp (other, "RLIMIT_", 7) == 0)
        other += 7;
      if (other != NULL && g_ascii_strcasecmp (other, name) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
has_ulimits (const json_t *shown, const json_t *asked)
{
  for (gsize i = 0; i < json_array_size (asked); i++)
    {
      const char *name = pp_json_string (json_array_get (asked, i), "Name");
      if (name != NULL && !has_ulimit (shown, name))
        return FALSE;
    }
  return TRUE;
}

static gboolean
was_taken (const Limit *limit, const json_t *asked, const json_t *host_config)
{
  const json_t *shown
      = json_object_get (host_config, limit->shown != NULL ? limit->shown : limit->field);

  if (g_str_equal (limit->field, "Ulimits"))
    return has_ulimits (shown, asked);
  if (g_str_equal (limit->field, "CgroupnsMode"))
    {
      const char *mode
          = json_string_value (shown != NULL ? shown : json_object_get (host_config, "CgroupMode"));
      return mode == NULL || g_strcmp0 (mode, json_string_value (asked)) == 0;
    }
  return !is_limit (asked) || is_limit (shown);
}

/* Returns the keys of the limits that HOST_CONFIG lacks, joined by commas, or NULL if it has all;
 * new string. */
static char *
missing_limits (const PpContainerSpec *spec, const json_t *host_config, gboolean was_warned)
{
  const json_t *asked = json_object_get (spec->create_body, "HostConfig");
  g_autoptr (GString) keys = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      const json_t *value = json_object_get (asked, limits[i].field);
      if (!pp_json_truthy (value) || was_taken (&limits[i], value, host_config)
          || (limits[i].is_hint && was_warned))
        continue;
      g_string_append_printf (keys, "%s%s", keys->len > 0 ? ", " : "", limits[i].key);
    }
  return keys->len > 0 ? g_string_free (g_steal_pointer (&keys), FALSE) : NULL;
}

gboolean
pp_container_spec_check_created (const PpContainerSpec *spec, const json_t *container,
                                 gboolean was_warned, const PpEngineInfo *engine, char **warning,
                                 GError **error)
{
  const json_t *asked = json_object_get (spec->create_body, "HostConfig");
  const json_t *host_config = json_object_get (container, "HostConfig");
  json_int_t swap = json_integer_value (json_object_get (host_config, "MemorySwap"));
  g_autofree char *keys = missing_limits (spec, host_config, was_warned);

  *warning = NULL;
  if (keys != NULL)
    {
      const char *pronoun = strchr (keys, ',') != NULL ? "them" : "it";

      g_set_error (
          error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
          "%s %s created the container without %s. The job asks for %s, but would run "
          "without %s. %s",
          engine->name, engine->version, keys, pronoun, pronoun,
          engine->rootless
              ? "Limits of a rootless container need cgroups v2, and controllers that are "
                "delegated to the user (see cgroupVersion and cgroupControllers in podman info). "
                "ulimits need a newer Podman. Remove the limits from the job, or use a rootful "
                "engine"
              : "The kernel or the cgroups of the engine's host may not support this (see docker "
                "info or podman info). Remove this from the job, or use another host");
      return FALSE;
    }
  if (json_integer_value (json_object_get (asked, "MemorySwap")) < 0 && swap > 0)
    *warning
        = g_strdup_printf ("memswap_limit: %s %s does not accept -1 (no limit on swap). Memory and "
                           "swap together are limited to %" JSON_INTEGER_FORMAT " bytes",
                           engine->name, engine->version, swap);
  return TRUE;
}

/* Returns Go's name of an architecture (containerd, normalizeArch in platforms/database.go). */
static const char *
normal_arch (const char *arch)
{
  static const struct
  {
    const char *alias, *name;
  } names[] = {
    { "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" }, { "i386", "386" },
    { "i686", "386" },     { "armhf", "arm" },    { "armel", "arm" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strcasecmp (names[i].alias, arch) == 0)
      return names[i].name;
  return arch;
}

gboolean
pp_container_spec_check_image (const PpContainerSpec *spec, const json_t *image,
                               const PpEngineInfo *engine, GError **error)
{
  g_autofree char *lower = g_ascii_strdown (spec->platform != NULL ? spec->platform : "", -1);
  g_auto (GStrv) asked = g_strsplit (lower, "/", 3);
  guint n = g_strv_length (asked);
  const char *os = pp_json_string (image, "Os");
  const char *arch = pp_json_string (image, "Architecture");
  const char *variant = pp_json_string (image, "Variant");

  if (n == 0 || arch == NULL || *arch == '\0')
    return TRUE;
  /* A single word is an operating system or an architecture. */
  const char *asked_os
      = n > 1 || g_str_equal (asked[0], "linux") || g_str_equal (asked[0], "windows") ? asked[0]
                                                                                      : NULL;
  const char *asked_arch = n > 1 ? asked[1] : asked_os == NULL ? asked[0] : NULL;
  gboolean same_os = asked_os == NULL || os == NULL || g_ascii_strcasecmp (asked_os, os) == 0;
  gboolean same_arch = asked_arch == NULL
                       || g_ascii_strcasecmp (normal_arch (asked_arch), normal_arch (arch)) == 0;
  /* arm64 has only the variant "v8", which is often left out. */
  gboolean same_variant
      = n < 3 || variant == NULL || *variant == '\0' || g_ascii_strcasecmp (asked[2], variant) == 0;
  if (same_os && same_arch && same_variant)
    return TRUE;
  g_set_error (
      error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
      "platform: the job asks for '%s', but image '%s' on %s %s is for '%s/%s%s%s'. Remove "
      "platform from the job, or set an image for the platform that the job asks for",
      spec->platform, spec->image, engine->name, engine->version, os != NULL ? os : "", arch,
      variant != NULL && *variant != '\0' ? "/" : "", variant != NULL ? variant : "");
  return FALSE;
}
