/* SPDX-License-Identifier: Apache-2.0 */
/* Creates container specs for peer_create/run.py, which compares them with docker-py's. Reads one
 * JSON object per line from standard input, and writes one result per line to standard output.
 *
 * A case has configuration (the output of pp_template_prepare()) and engine {kind, version,
 * rootless, gateway} or null. A result has create_body, name, platform, networks, pull_policy and
 * registry_auth, or error. */
#include "prefect-podman/infrastructure/container_spec.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *
string_or_null (const char *text)
{
  return text != NULL ? json_string (text) : json_null ();
}

static json_t *
describe (const PpContainerSpec *spec)
{
  static const char *const policies[] = { "IfNotPresent", "Always", "IfPossible", "Never" };
  json_t *networks = json_array ();

  for (guint i = 0; i < spec->networks->len; i++)
    json_array_append_new (networks, json_string (g_ptr_array_index (spec->networks, i)));
  return json_pack ("{s:O, s:o, s:o, s:o, s:s, s:o}", "create_body", spec->create_body, "name",
                    string_or_null (spec->name), "platform", string_or_null (spec->platform),
                    "networks", networks, "pull_policy", policies[spec->pull_policy],
                    "registry_auth", string_or_null (spec->registry_auth));
}

static json_t *
run_case (const json_t *test)
{
  const json_t *given = json_object_get (test, "engine");
  PpEngineInfo engine = {
    .kind = g_strcmp0 (pp_json_string (given, "kind"), "podman") == 0 ? PP_ENGINE_PODMAN
                                                                      : PP_ENGINE_DOCKER,
    .name = (char *)pp_json_string (given, "kind"),
    .version = (char *)pp_json_string (given, "version"),
    .rootless = json_is_true (json_object_get (given, "rootless")),
    .gateway = (char *)pp_json_string (given, "gateway"),
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (
      json_object_get (test, "configuration"), json_is_object (given) ? &engine : NULL, &error);

  return spec != NULL ? describe (spec) : json_pack ("{s:s}", "error", error->message);
}

int
main (void)
{
  for (;;)
    {
      json_error_t why;
      json_auto_t *test = json_loadf (stdin, JSON_DISABLE_EOF_CHECK, &why);
      if (test == NULL)
        return feof (stdin) ? EXIT_SUCCESS : EXIT_FAILURE;
      json_auto_t *result = run_case (test);
      json_dumpf (result, stdout, JSON_COMPACT);
      putchar ('\n');
      fflush (stdout);
    }
}
