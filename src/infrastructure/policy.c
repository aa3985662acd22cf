/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/infrastructure/policy.h"

gboolean
pp_run_policy_forwards_output (const PpRunPolicy *policy)
{
  if (policy->forward_output == PP_FORWARD_AUTO)
    return policy->state_reporting == PP_REPORT_WORKER;
  return policy->forward_output == PP_FORWARD_ALWAYS;
}
