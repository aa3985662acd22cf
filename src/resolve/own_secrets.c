/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets in the worker's own settings. */
#include "config.h"

#include "prefect-podman/resolve/own_secrets.h"

#include "prefect-podman/http/url.h"
#include "prefect-podman/settings/table.h"
#include "prefect-podman/template/mask.h"

#include <string.h>

/* A shorter password is not masked, because it may be an ordinary word. */
#define MIN_PASSWORD_BYTES 12

/* Adds "USER:PASSWORD" as it stands in a URL: the colon is not escaped. ALLOWED lists the
 * characters of USER and PASSWORD that are not escaped either; may be NULL. */
static void
add_login (PpSecrets *secrets, const char *user, const char *password, const char *allowed)
{
  g_autofree char *escaped_user = g_uri_escape_string (user, allowed, FALSE);
  g_autofree char *escaped_password = g_uri_escape_string (password, allowed, FALSE);
  g_autofree char *login = g_strconcat (escaped_user, ":", escaped_password, NULL);

  pp_secrets_add (secrets, login, PP_SECRETS_MIN_BYTES);
}

/* Adds AUTHENTICATION ("USER:PASSWORD"), its base64 form (as in the header of Basic
 * authentication), its forms in a URL, and PASSWORD alone. */
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
  if (colon == NULL)
    return;
  g_autofree char *user = g_strndup (authentication, (gsize)(colon - authentication));
  add_login (secrets, user, colon + 1, NULL);
  add_login (secrets, user, colon + 1, "/");
  add_login (secrets, user, colon + 1, G_URI_RESERVED_CHARS_ALLOWED_IN_USERINFO);
  pp_secrets_add (secrets, colon + 1, MIN_PASSWORD_BYTES);
}

/* Adds the user and password of a URL: LENGTH bytes at USERINFO, as they are and with %XX decoded.
 */
static void
add_userinfo (PpSecrets *secrets, const char *userinfo, gsize length)
{
  const char *colon = memchr (userinfo, ':', length);

  if (colon == NULL || strcspn (userinfo, "/@") < (gsize)(colon - userinfo))
    return;
  g_autofree char *raw = g_strndup (userinfo, length);
  g_autofree char *user = g_uri_unescape_segment (userinfo, colon, NULL);
  g_autofree char *password = g_uri_unescape_segment (colon + 1, userinfo + length, NULL);

  add_authentication (secrets, raw);
  if (user == NULL || password == NULL)
    return;
  g_autofree char *plain = g_strconcat (user, ":", password, NULL);
  add_authentication (secrets, plain);
  pp_secrets_add (secrets, password, MIN_PASSWORD_BYTES);
}

/* Adds the values of URL parameters with a secret name. TEXT is the URL after "://". */
static void
add_parameters (PpSecrets *secrets, const char *text)
{
  const char *query = strchr (text, '?');
  g_auto (GStrv) parameters = g_strsplit_set (query != NULL ? query + 1 : "", "&#", -1);

  for (char **parameter = parameters; *parameter != NULL; parameter++)
    {
      char *equals = strchr (*parameter, '=');

      if (equals == NULL)
        continue;
      *equals = '\0';
      if (!pp_mask_is_secret_name (*parameter))
        continue;
      g_autofree char *plain = g_uri_unescape_string (equals + 1, NULL);
      pp_secrets_add (secrets, equals + 1, MIN_PASSWORD_BYTES);
      pp_secrets_add (secrets, plain, MIN_PASSWORD_BYTES);
    }
}

/* Adds the passwords in VALUE, which may be NULL or no URL. A password may have a "/" or "@" that
 * should be escaped but is not. So the text before the last "@" also counts as user and password.
 */
static void
add_url (PpSecrets *secrets, const char *value)
{
  const char *start = value != NULL ? strstr (value, "://") : NULL;

  if (start == NULL)
    return;
  start += strlen ("://");
  g_autofree char *login = pp_http_url_login (value);
  const char *last_at = strrchr (start, '@');

  if (login != NULL)
    add_userinfo (secrets, login, strlen (login));
  if (last_at != NULL)
    add_userinfo (secrets, start, (gsize)(last_at - start));
  add_parameters (secrets, start);
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
    add_url (secrets, json_string_value (value));
  }
  return secrets;
}

/* True if TEXT is a URL that may hold a password, in its authority or in a parameter. */
static gboolean
is_telling_url (const char *text)
{
  return text != NULL && strstr (text, "://") != NULL && strpbrk (text, "@?") != NULL;
}

/* Returns the value for a URL in the result of pp_own_secret_environment(): true if a container can
 * use the URL without its password, else null. The value is true for PREFECT_API_URL only, because
 * a container that does not run Prefect may still call the API. The URL of a database or a broker
 * is useless to a container, so all of it counts as secret. */
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
