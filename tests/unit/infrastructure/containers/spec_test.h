/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for tests of container specs: engines, small specs, comparisons of their JSON. */
#pragma once

#include "tests/unit/tap.h"

#include "prefect-podman/infrastructure/container_spec.h"

#include <string.h>

static char podman_name[] = "Podman", old_version[] = "4.3.1", new_version[] = "5.4.0";
static char docker_name[] = "Docker", docker_version[] = "24.0.7", gateway[] = "10.88.0.1";

static G_GNUC_UNUSED const PpEngineInfo old_podman
    = { .kind = PP_ENGINE_PODMAN, .name = podman_name, .version = old_version, .gateway = gateway };
static G_GNUC_UNUSED const PpEngineInfo new_podman
    = { .kind = PP_ENGINE_PODMAN, .name = podman_name, .version = new_version };
static G_GNUC_UNUSED const PpEngineInfo docker
    = { .kind = PP_ENGINE_DOCKER, .name = docker_name, .version = docker_version };

/* Returns a spec for a configuration with an image, an API on another host, and MEMBERS in JSON. */
static G_GNUC_UNUSED PpContainerSpec *
make_spec (const char *members, const PpEngineInfo *engine, GError **error)
{
  json_error_t why;
  json_auto_t *configuration = json_loads (members, 0, &why);
  g_assert_nonnull (configuration);
  if (json_object_get (configuration, "image") == NULL)
    json_object_set_new (configuration, "image", json_string ("busybox:1"));
  if (json_object_get (configuration, "env") == NULL)
    json_object_set_new (configuration, "env",
                         json_pack ("{s:s}", "PREFECT_API_URL", "https://api.example.com/api"));
  return pp_container_spec_new (configuration, engine, error);
}

static G_GNUC_UNUSED PpContainerSpec *
good_spec (const char *members, const PpEngineInfo *engine)
{
  g_autoptr (GError) error = NULL;
  PpContainerSpec *spec = make_spec (members, engine, &error);
  g_assert_no_error (error);
  return spec;
}

/* Asserts that FIELD of OBJECT equals the JSON text WANTED, or does not exist if WANTED is NULL. */
static G_GNUC_UNUSED void
assert_json (const json_t *object, const char *field, const char *wanted)
{
  const json_t *got = json_object_get (object, field);
  if (wanted == NULL)
    {
      g_assert_null (got);
      return;
    }
  json_auto_t *value = json_loads (wanted, JSON_DECODE_ANY, NULL);
  g_assert_nonnull (value);
  if (json_equal (value, got))
    return;
  g_autofree char *text
      = got != NULL ? json_dumps (got, JSON_ENCODE_ANY | JSON_COMPACT) : g_strdup ("(none)");
  g_test_message ("%s: %s, wanted %s", field, text, wanted);
  g_test_fail ();
}
