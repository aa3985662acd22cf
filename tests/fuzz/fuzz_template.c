/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: a case with the keys "template", "deployment", "flow_run", "flow", "work_pool",
 * "blocks", "block_ids", "variables", "environment", "podman_pool" and "configuration" goes through
 * every step of template/. The answers of a server are as untrusted as this input. */
#include "prefect-podman/template/template.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
prepare (const json_t *test, const json_t *configuration)
{
  const PpTemplateContext context = {
    .flow_run = json_object_get (test, "flow_run"),
    .flow = json_object_get (test, "flow"),
    .deployment = json_object_get (test, "deployment"),
    .work_pool = json_object_get (test, "work_pool"),
    .worker_name = "worker",
    .environment = json_object_get (test, "environment"),
    .prefect_version = "3",
    .default_image = "image",
    .podman_pool = json_is_true (json_object_get (test, "podman_pool")),
  };
  json_decref (pp_template_prepare (configuration, &context, NULL));
}

static json_t *
populate (const json_t *test)
{
  json_auto_t *variables = pp_template_merge_job_variables (
      json_object_get (json_object_get (test, "deployment"), "job_variables"),
      json_object_get (json_object_get (test, "flow_run"), "job_variables"), NULL);
  json_auto_t *extra = NULL;
  json_auto_t *populated
      = variables == NULL
            ? NULL
            : pp_template_populate (json_object_get (test, "template"), variables,
                                    json_object_get (test, "environment"), &extra, NULL);
  return populated == NULL ? NULL : pp_template_add_extra (populated, extra);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  json_auto_t *test = json_loadb ((const char *)data, size, 0, NULL);
  json_auto_t *populated = populate (test);
  const json_t *given = json_object_get (test, "configuration");
  const json_t *configuration = populated != NULL ? populated : given;
  if (!json_is_object (configuration))
    return 0;

  json_decref (pp_template_references (configuration));
  json_auto_t *resolved = pp_template_resolve_references (
      configuration, json_object_get (test, "blocks"), json_object_get (test, "block_ids"),
      json_object_get (test, "variables"), NULL);
  if (resolved != NULL)
    prepare (test, resolved);
  return 0;
}
