/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that a job must not have, because they would affect other runs or outlive the job. */
#include "config.h"

#include "kwargs_limits-private.h"

#include "prefect-podman/json.h"

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
        g_strdup_printf ("container_create_kwargs.restart_policy: '%s' is left out, for a flow run "
                         "is one run of its container. To run it again after a failure, give the "
                         "flow retries: @flow(retries=3), or of a run whose image has no Prefect, "
                         "PATCH /flow_runs/ID {\"empirical_policy\": {\"retries\": 3, "
                         "\"retry_delay\": 10}}.",
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
      "container_create_kwargs.log_config: the option path would have the engine write to a "
      "file of the host; leave it out, and mount a volume for a file of the job's own");
  return FALSE;
}

gboolean
pp_spec_limit_kwargs (PpContainerSpec *spec, GError **error)
{
  leave_out_restarts (spec);
  return check_log_options (spec, error);
}
