/* SPDX-License-Identifier: Apache-2.0 */
/* Renders the cases of the parity test. Each line on standard input is a case, a JSON object; each
 * line on standard output is its result. parity/run.py compares the results with Prefect's own
 * functions.
 *
 * A case has: work_pool (with base_job_template), deployment, flow, flow_run, worker_name,
 * worker_id, blocks, block_ids, variables, environment, process_environment, prefect_version,
 * default_image, podman_pool. A result has: resolved and configuration, or error.
 *
 * With the type of a work pool as its argument, it prints the default base job template of that
 * type. */
#include "prefect-podman/template/template.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *
resolve (const json_t *test, GError **error)
{
  const json_t *template
      = json_object_get (json_object_get (test, "work_pool"), "base_job_template");
  const json_t *deployment = json_object_get (test, "deployment");
  json_auto_t *variables = pp_template_merge_job_variables (
      json_object_get (deployment, "job_variables"),
      json_object_get (json_object_get (test, "flow_run"), "job_variables"), error);
  if (variables == NULL)
    return NULL;
  json_auto_t *populated = pp_template_populate (
      template, variables, json_object_get (test, "process_environment"), NULL, error);
  if (populated == NULL)
    return NULL;
  json_auto_t *with_blocks
      = pp_template_resolve_references (populated, json_object_get (test, "blocks"),
                                        json_object_get (test, "block_ids"), NULL, error);
  if (with_blocks == NULL)
    return NULL;
  return pp_template_resolve_references (with_blocks, NULL, NULL,
                                         json_object_get (test, "variables"), error);
}

static const json_t *
object_or_null (const json_t *test, const char *key)
{
  const json_t *value = json_object_get (test, key);
  return json_is_object (value) ? value : NULL;
}

static json_t *
prepare (const json_t *test, const json_t *resolved, GError **error)
{
  const PpTemplateContext context = {
    .flow_run = json_object_get (test, "flow_run"),
    .flow = object_or_null (test, "flow"),
    .deployment = object_or_null (test, "deployment"),
    .work_pool = object_or_null (test, "work_pool"),
    .worker_name = pp_json_string (test, "worker_name"),
    .worker_id = pp_json_string (test, "worker_id"),
    .environment = json_object_get (test, "environment"),
    .prefect_version = pp_json_string (test, "prefect_version"),
    .default_image = pp_json_string (test, "default_image"),
    .podman_pool = json_is_true (json_object_get (test, "podman_pool")),
  };
  return pp_template_prepare (resolved, &context, error);
}

static json_t *
run_case (const json_t *test)
{
  g_autoptr (GError) error = NULL;
  json_t *result = json_object ();
  json_auto_t *resolved = resolve (test, &error);
  json_auto_t *configuration = resolved != NULL ? prepare (test, resolved, &error) : NULL;

  if (resolved != NULL)
    json_object_set (result, "resolved", resolved);
  if (configuration != NULL)
    json_object_set (result, "configuration", configuration);
  else
    json_object_set_new (result, "error", json_string (error->message));
  return result;
}

static void
run_cases (void)
{
  g_autofree char *line = NULL;
  size_t size = 0;
  ssize_t length;

  while ((length = getline (&line, &size, stdin)) > 0)
    {
      json_error_t json_error;
      json_auto_t *test = json_loadb (line, (size_t)length, 0, &json_error);
      json_auto_t *result
          = test != NULL ? run_case (test) : json_pack ("{s:s}", "error", json_error.text);
      g_autofree char *text = json_dumps (result, JSON_COMPACT | JSON_REAL_PRECISION (17));
      puts (text);
    }
}

int
main (int argc, char **argv)
{
  if (argc > 1)
    {
      json_auto_t *template = pp_template_default (argv[1]);
      json_dumpf (template, stdout, 0);
    }
  else
    run_cases ();
  return 0;
}
