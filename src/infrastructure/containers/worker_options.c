/* SPDX-License-Identifier: Apache-2.0 */
/* The job configuration's options for the worker itself, apart from the create call. */
#include "config.h"

#include "worker_options-private.h"

#include "values-private.h"

#include "job_values-private.h"

/* prefect_docker/worker.py _determine_image_pull_policy. Without a policy, Prefect's worker fails
 * if it cannot pull, even if the image is present. */
static gboolean
set_pull_policy (PpContainerSpec *spec, const json_t *configuration, GError **error)
{
  static const char *const names[] = { "IfNotPresent", "Always", "IfPossible", "Never", NULL };
  g_autofree char *name = NULL;
  g_autofree char *tag = NULL;
  guint policy;

  pp_image_split (spec->image, &name, &tag);
  if (!pp_job_choice (configuration, "image_pull_policy", names,
                      tag == NULL || g_str_equal (tag, "latest") ? PP_PULL_ALWAYS
                                                                 : PP_PULL_IF_NOT_PRESENT,
                      &policy, error))
    return FALSE;
  spec->pull_policy = (PpPullPolicy)policy;
  spec->pull_is_implied = policy == PP_PULL_ALWAYS
                          && !pp_json_truthy (json_object_get (configuration, "image_pull_policy"));
  return TRUE;
}

gboolean
pp_spec_set_worker_options (PpContainerSpec *spec, const json_t *configuration, GError **error)
{
  static const char *const reporting[] = { "auto", "engine", "worker", NULL };
  static const char *const forwarding[] = { "auto", "always", "never", NULL };
  guint state_reporting, forward_output;

  spec->policy.stream_output = TRUE;
  spec->policy.stop_timeout = 30;
  spec->policy.infrastructure_retries = 3;
  if (!set_pull_policy (spec, configuration, error)
      || !pp_job_bool (configuration, "auto_remove", &spec->policy.auto_remove, error)
      || !pp_job_bool (configuration, "stream_output", &spec->policy.stream_output, error)
      || !pp_job_choice (configuration, "state_reporting", reporting, PP_REPORT_AUTO,
                         &state_reporting, error)
      || !pp_job_choice (configuration, "forward_output", forwarding, PP_FORWARD_AUTO,
                         &forward_output, error)
      || !pp_job_seconds (configuration, "timeout_seconds", &spec->policy.timeout_seconds, error)
      || !pp_job_seconds (configuration, "startup_timeout_seconds",
                          &spec->policy.startup_timeout_seconds, error)
      || !pp_job_count (configuration, "stop_timeout", &spec->policy.stop_timeout, error)
      || !pp_job_count (configuration, "infrastructure_retries",
                        &spec->policy.infrastructure_retries, error))
    return FALSE;
  spec->policy.state_reporting = (PpStateReporting)state_reporting;
  spec->policy.forward_output = (PpForwardOutput)forward_output;
  return TRUE;
}
