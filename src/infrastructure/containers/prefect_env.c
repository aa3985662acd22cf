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

static void
withhold (json_t *entries, const json_t *secrets)
{
  for (gsize i = json_array_size (entries); i > 0; i--)
    {
      const char *entry = json_string_value (json_array_get (entries, i - 1));
      const char *equals = entry != NULL ? strchr (entry, '=') : NULL;

      if (equals == NULL)
        continue;
      g_autofree char *name = g_strndup (entry, (gsize)(equals - entry));
      const json_t *secret = json_object_get (secrets, name);
      if (json_is_null (secret))
        json_array_remove (entries, i - 1);
      else if (secret != NULL)
        json_array_set_new (entries, i - 1, without_password (entry));
    }
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
  withhold (entries, secrets);
  if (json_array_size (entries) == 0)
    json_object_del (spec->create_body, "Env");
  return TRUE;
}
