/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "profiles-private.h"
#include "prefect-podman/settings/settings.h"
#include "toml-private.h"
#include "value-private.h"

#include <string.h>

/* The profiles of prefect/settings/profiles.toml. */
static const struct
{
  const char *name;
  const char *settings[2][2];
} built_in[] = {
  { "ephemeral", { { "PREFECT_SERVER_EPHEMERAL_ENABLED", "true" } } },
  { "local", { { "PREFECT_API_URL", "http://127.0.0.1:4200/api" } } },
  { "test",
    { { "PREFECT_SERVER_EPHEMERAL_ENABLED", "true" },
      { "PREFECT_SERVER_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:///:memory:" } } },
  { "cloud", { { NULL } } },
};

static const char *
environment_value (const char *name)
{
  const char *value = g_getenv (name);
  return value != NULL && *value != '\0' ? value : NULL;
}

gboolean
pp_settings_test_mode (void)
{
  return environment_value ("PREFECT_TEST_MODE") != NULL
         || environment_value ("PREFECT_UNIT_TEST_MODE") != NULL
         || environment_value ("PREFECT_TESTING_UNIT_TEST_MODE") != NULL
         || environment_value ("PREFECT_TESTING_TEST_MODE") != NULL;
}

/* Returns a non-empty string at KEY of SOURCE, borrowed, or NULL. */
static const char *
source_string (const PpSource *source, const char *key)
{
  const char *value = pp_json_string (source->values, key);
  return value != NULL && *value != '\0' ? value : NULL;
}

/* Returns the path of profiles.toml as a new string. */
static char *
find_file (const PpSource *dotenv, const PpSource *toml, const PpSource *pyproject)
{
  const char *path = environment_value ("PREFECT_PROFILES_PATH");

  if (path == NULL)
    path = source_string (dotenv, "prefect_profiles_path");
  if (path == NULL)
    path = source_string (toml, "profiles_path");
  if (path == NULL)
    path = source_string (pyproject, "profiles_path");
  if (path != NULL)
    return g_strdup (path);

  const char *home = environment_value ("PREFECT_HOME");
  g_autofree char *expanded = pp_setting_path (home != NULL ? home : "~/.prefect", TRUE);
  return g_build_filename (expanded, "profiles.toml", NULL);
}

/* Returns the built-in profile NAME as a new object, or NULL. */
static json_t *
built_in_profile (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (built_in); i++)
    {
      if (strcmp (built_in[i].name, name) != 0)
        continue;
      json_t *profile = json_object ();
      for (size_t k = 0; k < 2 && built_in[i].settings[k][0] != NULL; k++)
        json_object_set_new (profile, built_in[i].settings[k][0],
                             json_string (built_in[i].settings[k][1]));
      return profile;
    }
  return NULL;
}

static void
set_unknown_error (GError **error, const char *file, const char *name, const char *said_by,
                   const json_t *profiles)
{
  g_autoptr (GString) known = g_string_new (NULL);
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)profiles, key, value) g_string_append_printf (known, "%s, ", key);
  for (size_t i = 0; i < G_N_ELEMENTS (built_in); i++)
    if (json_object_get (profiles, built_in[i].name) == NULL)
      g_string_append_printf (known, "%s, ", built_in[i].name);
  g_string_truncate (known, known->len - 2);
  g_set_error (
      error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
      "%s: there is no profile \"%s\", which %s asks for: use one of %s, or create it with "
      "[profiles.%s]",
      file, name, said_by, known->str, name);
}

/* Sets SOURCE's values to the profile NAME of DOCUMENT (NULL if there is no file), or to the
 * built-in profile NAME. If a built-in profile is not in the file, Prefect itself uses the profile
 * `ephemeral` instead. `ephemeral` starts a server inside the process, which is of no use to a
 * worker. So this function uses the requested profile. */
static gboolean
take_profile (PpSource *source, json_t *document, json_t *lines, const char *name,
              const char *said_by, GError **error)
{
  json_t *profiles = json_object_get (document, "profiles");
  json_t *profile = json_object_get (profiles, name);

  if (json_is_object (profile))
    {
      source->values = json_incref (profile);
      source->lines = json_incref (json_object_get (json_object_get (lines, "profiles"), name));
      return TRUE;
    }
  source->values = built_in_profile (name);
  if (source->values == NULL)
    set_unknown_error (error, source->label, name, said_by, profiles);
  return source->values != NULL;
}

gboolean
pp_source_profile (PpSource *source, const char *profile, const PpSource *dotenv,
                   const PpSource *toml, const PpSource *pyproject, char **name, GError **error)
{
  g_autoptr (GError) local = NULL;
  json_auto_t *document = NULL;
  json_auto_t *lines = NULL;
  const char *said_by = "--profile";
  gsize length = 0;

  *name = NULL;
  *source = (PpSource){ PP_SOURCE_PROFILE, find_file (dotenv, toml, pyproject), NULL, NULL };
  if (pp_settings_test_mode ())
    return TRUE;

  g_autofree char *text = pp_settings_read_file (source->label, &length, &local);
  if (text != NULL)
    document = pp_toml_parse (text, length, source->label, &lines, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (profile == NULL)
    {
      said_by = "PREFECT_PROFILE";
      profile = environment_value ("PREFECT_PROFILE");
    }
  if (profile == NULL)
    {
      said_by = "`active`";
      profile = pp_json_string (document, "active");
    }
  if (profile == NULL || *profile == '\0')
    {
      *name = document != NULL ? g_strdup ("ephemeral") : NULL;
      source->values = built_in_profile ("ephemeral");
      return TRUE;
    }
  *name = g_strdup (profile);
  return take_profile (source, document, lines, profile, said_by, error);
}
