/* SPDX-License-Identifier: Apache-2.0 */
/* What of the worker's settings nobody else is to see. */
#include "config.h"

#include "prefect-podman/resolve/own_secrets.h"

#include "prefect-podman/http/url.h"
#include "prefect-podman/settings/table.h"

#include <string.h>

/* A password alone may be a word: it takes more of it to be looked for than of a key. */
#define MIN_PASSWORD_BYTES 12

static void
add_authentication (PpSecrets *secrets, const char *authentication)
{
  if (authentication == NULL)
    return;
  const char *colon = strchr (authentication, ':');
  g_autofree char *base64
      = g_base64_encode ((const guchar *)authentication, strlen (authentication));

  pp_secrets_add (secrets, authentication, PP_SECRETS_MIN_BYTES);
  pp_secrets_add (secrets, base64, PP_SECRETS_MIN_BYTES);
  if (colon != NULL)
    pp_secrets_add (secrets, colon + 1, MIN_PASSWORD_BYTES);
}

PpSecrets *
pp_own_secrets (const PpSettings *settings)
{
  PpSecrets *secrets = pp_secrets_new ();
  const char *name;
  json_t *value;

  add_authentication (secrets, settings->api_auth_string);
  pp_secrets_add (secrets, settings->api_key, PP_SECRETS_MIN_BYTES);
  json_object_foreach (settings->client_custom_headers, name, value)
      pp_secrets_add (secrets, json_string_value (value), MIN_PASSWORD_BYTES);
  json_object_foreach (settings->environment, name, value)
  {
    const PpSetting *setting = pp_setting_by_name (name, FALSE);
    if (setting != NULL && setting->type == PP_SETTING_SECRET)
      add_authentication (secrets, json_string_value (value));
  }
  return secrets;
}

/* Whether TEXT is a URL that may hold a password: in its authority, or as a parameter. */
static gboolean
is_telling_url (const char *text)
{
  return text != NULL && strstr (text, "://") != NULL && strpbrk (text, "@?") != NULL;
}

/* A container that does not run Prefect may look for the API itself; what it gets of its URL has no
 * password. That of a database or a broker is of no use to it. */
static json_t *
url_that_is_left (const char *name, const char *url)
{
  g_autofree char *display = pp_http_url_for_display (url);

  return g_str_equal (name, "PREFECT_API_URL") && !is_telling_url (display) ? json_true ()
                                                                            : json_null ();
}

json_t *
pp_own_secret_environment (const json_t *environment, const json_t *given)
{
  json_t *secret = json_object ();
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)environment, name, value)
  {
    const PpSetting *setting = pp_setting_by_name (name, FALSE);
    const char *text = json_string_value (value);
    gboolean is_secret
        = setting != NULL
          && (setting->type == PP_SETTING_SECRET || setting->type == PP_SETTING_HEADERS);

    if (json_object_get (given, name) != NULL)
      continue;
    if (is_secret)
      json_object_set_new (secret, name, json_null ());
    else if (is_telling_url (text))
      json_object_set_new (secret, name, url_that_is_left (name, text));
  }
  return secret;
}
