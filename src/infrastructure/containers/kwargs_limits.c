/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that a job must not have, because they would affect other runs or outlive the job. Also
 * limits the size of a job's create body and labels. */
#include "config.h"

#include "kwargs_limits-private.h"

#include "prefect-podman/json.h"

#include <string.h>

/* An engine's answer about a container repeats the whole create body, some of it twice. The list of
 * all containers repeats the labels. The worker reads at most PP_ENGINE_MAX_RESPONSE_BYTES of an
 * answer. 4 MiB is enough for a job, because a kernel accepts about 2 MiB of arguments and
 * variables. */
#define MIB ((gsize)1024 * 1024)
#define MAX_LABELS_BYTES (1 * MIB)
#define MAX_BODY_BYTES (4 * MIB)
/* Each member of an array or object counts as this many bytes in addition to its text. The reason:
 * the worker's memory for an answer has a bound, too (MAX_RESPONSE_MEMORY in engine_call.c). */
#define ITEM_BYTES 16
#define PAIR_BYTES 32

/* The parts of a create body that may be large, and the job variable for each. All other parts come
 * from container_create_kwargs. */
static const struct
{
  const char *object; /* NULL: the body itself */
  const char *field;
  const char *key;
} large_parts[] = {
  { NULL, "Labels", "labels" },
  { NULL, "Env", "env" },
  { NULL, "UnsetEnv", "env" },
  { NULL, "Cmd", "command" },
  { NULL, "Entrypoint", "entrypoint" },
  { NULL, "Volumes", "volumes" },
  { "HostConfig", "Binds", "volumes" },
  { "HostConfig", "Devices", "devices" },
  { "HostConfig", "ExtraHosts", "extra_hosts" },
  { "HostConfig", "SecurityOpt", "security_opt" },
  { "HostConfig", "Ulimits", "ulimits" },
};

/* Returns the string in OBJECT whose key is WANTED in upper or lower case, as Go reads keys;
 * borrowed, or NULL. */
static const char *
string_of_any_case (const json_t *object, const char *wanted)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)object, key, value)
  {
    if (g_ascii_strcasecmp (key, wanted) == 0 && json_is_string (value))
      return json_string_value (value);
  }
  return NULL;
}

/* Removes the restart policy: a flow run is one run of its container. With a policy, Podman would
 * start the container again and again after its end was reported, and a Docker container would
 * never end. */
static void
leave_out_restarts (PpContainerSpec *spec)
{
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  const char *name = string_of_any_case (json_object_get (host_config, "RestartPolicy"), "Name");

  if (name != NULL && *name != '\0' && !g_str_equal (name, "no"))
    g_ptr_array_add (
        spec->warnings,
        g_strdup_printf (
            "container_create_kwargs.restart_policy: '%s' is ignored, because a flow run is a "
            "single run of its container. To repeat a run that fails, set retries on the flow: "
            "@flow(retries=3). If the image has no Prefect, set them on the flow run: PATCH "
            "/flow_runs/ID {\"empirical_policy\": {\"retries\": 3, \"retry_delay\": 10}}.",
            name));
  json_object_del (host_config, "RestartPolicy");
}

/* Refuses the log option "path", in upper or lower case. With it, Podman writes the log to any file
 * of the host. That file could be the log of another container, whose run would then get these
 * lines. */
static gboolean
check_log_options (const PpContainerSpec *spec, GError **error)
{
  const json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  const json_t *log_config = json_object_get (host_config, "LogConfig");

  if (string_of_any_case (json_object_get (log_config, "Config"), "path") == NULL)
    return TRUE;
  g_set_error (
      error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
      "container_create_kwargs.log_config: with the option path, the engine would write to a file "
      "on the host. Remove this option. If the job needs a file, mount a volume");
  return FALSE;
}

gboolean
pp_spec_limit_kwargs (PpContainerSpec *spec, GError **error)
{
  leave_out_restarts (spec);
  return check_log_options (spec, error);
}

/* Returns the length of TEXT (LENGTH bytes) as a Go program writes it in JSON, with the quotes. Go
 * also escapes U+2028 and U+2029, Unicode's two line ends. In UTF-8 they begin with 0xe2. */
static gsize
text_bytes (const char *text, gsize length)
{
  gsize bytes = 2;

  for (gsize i = 0; i < length; i++)
    if ((guchar)text[i] < ' ' || text[i] == '<' || text[i] == '>' || text[i] == '&')
      bytes += strlen ("\\u0000");
    else if ((guchar)text[i] == 0xe2)
      bytes += strlen ("\\u2028") - 2;
    else
      bytes += text[i] == '"' || text[i] == '\\' ? 2 : 1;
  return bytes;
}

/* Returns the size of VALUE (may be NULL) for the limits: about its length as JSON. */
static gsize
json_bytes (const json_t *value)
{
  const char *key;
  size_t i;
  json_t *member;
  gsize bytes = json_is_string (value)
                    ? text_bytes (json_string_value (value), json_string_length (value))
                    : 8;

  json_object_foreach ((json_t *)value, key, member)
  {
    bytes += PAIR_BYTES + text_bytes (key, strlen (key)) + json_bytes (member);
  }
  json_array_foreach (value, i, member) { bytes += ITEM_BYTES + json_bytes (member); }
  return bytes;
}

gboolean
pp_spec_limit_size (const PpContainerSpec *spec, GError **error)
{
  const json_t *body = spec->create_body;
  gsize labels = json_bytes (json_object_get (body, "Labels"));
  gsize all = json_bytes (body);
  gsize rest = all;
  gsize most = 0;
  const char *key = NULL;

  if (labels > MAX_LABELS_BYTES)
    {
      g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                   "labels: their size is %" G_GSIZE_FORMAT " bytes; the limit is %" G_GSIZE_FORMAT
                   " bytes",
                   labels, MAX_LABELS_BYTES);
      return FALSE;
    }
  if (all <= MAX_BODY_BYTES)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (large_parts); i++)
    {
      const char *object = large_parts[i].object;
      gsize bytes = json_bytes (json_object_get (
          object != NULL ? json_object_get (body, object) : body, large_parts[i].field));

      rest -= MIN (rest, bytes);
      if (bytes <= most)
        continue;
      most = bytes;
      key = large_parts[i].key;
    }
  g_set_error (
      error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
      "%s: its size is %" G_GSIZE_FORMAT
      " bytes. The whole description of the container has %" G_GSIZE_FORMAT
      " bytes, and the limit is %" G_GSIZE_FORMAT " bytes. Put large data into a file on a volume",
      rest > most ? "container_create_kwargs" : key, MAX (rest, most), all, MAX_BODY_BYTES);
  return FALSE;
}
