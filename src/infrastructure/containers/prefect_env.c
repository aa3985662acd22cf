/* SPDX-License-Identifier: Apache-2.0 */
/* The job variable prefect_env: decides if a container gets the secrets in the worker's
 * settings. */
#include "config.h"

#include "spec_parts-private.h"

#include "job_values-private.h"

#include <string.h>

/* Returns ENTRY, "NAME=URL", without the URL's user and password; new reference. */
static json_t *
without_password (const char *entry)
{
  const char *equals = strchr (entry, '=');
  g_autofree char *url = pp_http_url_for_display (equals + 1);
  g_autofree char *text = g_strdup_printf ("%.*s=%s", (int)(equals - entry), entry, url);

  return json_string (text);
}

/* Adds NAME to MISSED if the server may refuse Prefect's client without that setting. For
 * PREFECT_API_URL, adds words about its password. */
static void
note_missed (GPtrArray *missed, const char *name, const char *value)
{
  static const char *const needed[]
      = { "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS", NULL };

  if (*value == '\0')
    return;
  if (g_strv_contains (needed, name))
    g_ptr_array_insert (missed, 0, g_strdup (name));
  else if (g_str_equal (name, "PREFECT_API_URL"))
    g_ptr_array_insert (missed, 0, g_strdup ("the password in PREFECT_API_URL"));
}

/* Removes SECRETS from ENTRIES. Adds to MISSED those secrets that Prefect's client needs. */
static void
withhold (json_t *entries, const json_t *secrets, GPtrArray *missed)
{
  for (gsize i = json_array_size (entries); i > 0; i--)
    {
      const char *entry = json_string_value (json_array_get (entries, i - 1));
      const char *equals = entry != NULL ? strchr (entry, '=') : NULL;

      if (equals == NULL)
        continue;
      g_autofree char *name = g_strndup (entry, (gsize)(equals - entry));
      const json_t *secret = json_object_get (secrets, name);
      if (secret != NULL)
        note_missed (missed, name, equals + 1);
      if (json_is_null (secret))
        json_array_remove (entries, i - 1);
      else if (secret != NULL)
        json_array_set_new (entries, i - 1, without_password (entry));
    }
}

/* Returns the hint for a run that fails without the settings MISSED, or NULL if there are none;
 * interned. The worker cannot distinguish a wrapper script that runs Prefect from other scripts. */
static const char *
failure_hint (GPtrArray *missed)
{
  if (missed->len == 0)
    return NULL;
  g_ptr_array_add (missed, NULL);
  g_autofree char *names = g_strjoinv (", ", (char **)missed->pdata);
  g_autofree char *text = g_strdup_printf (
      "The container did not get %s, because its command does not seem to run Prefect. If it runs "
      "Prefect, set the job variable state_reporting: engine. If it only calls the API, set "
      "prefect_env: always.",
      names);
  return g_intern_string (text);
}

gboolean
pp_spec_withhold_secrets (PpContainerSpec *spec, const json_t *configuration, GError **error)
{
  static const char *const choices[] = { "auto", "always", "never", NULL };
  const json_t *secrets = json_object_get (configuration, PP_SECRET_ENVIRONMENT_KEY);
  json_t *entries = json_object_get (spec->create_body, "Env");
  guint choice = 0;

  if (!pp_job_choice (configuration, "prefect_env", choices, 0, &choice, error))
    return FALSE;
  gboolean is_prefects
      = spec->policy.state_reporting == PP_REPORT_PREFECT || spec->policy.runs_prefect;
  if (choice == 1 || (choice == 0 && is_prefects))
    return TRUE;
  g_autoptr (GPtrArray) missed = g_ptr_array_new_with_free_func (g_free);
  withhold (entries, secrets, missed);
  if (choice == 0)
    spec->policy.failure_hint = failure_hint (missed);
  if (json_array_size (entries) == 0)
    json_object_del (spec->create_body, "Env");
  return TRUE;
}
