/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of every call: version, credentials, custom headers, attribution. */
#include "config.h"

#include "api-private.h"
#include "prefect-podman/http/url.h"
#include "prefect-podman/prefect/version.h"

#include <string.h>

/* The server reads the client's version from the User-Agent ("prefect/X.Y.Z... (API N)",
 * get_prefect_client_version()). If the client is older than 3.4.11 or has another name, the server
 * takes the concurrency lease from its runs. PP_PREFECT_VERSION is the client version whose
 * protocol this worker implements. The local part after "+" names this worker. */
#define USER_AGENT                                                                                 \
  "prefect/" PP_PREFECT_VERSION "+podman." PACKAGE_VERSION " (API " PP_PREFECT_API_VERSION ")"

static const char *const protected_headers[]
    = { "user-agent", "prefect-csrf-token", "prefect-csrf-client", NULL };

static gboolean
is_token_char (char c)
{
  return g_ascii_isalnum (c) || (c != '\0' && strchr ("!#$%&'*+-.^_`|~", c) != NULL);
}

static gboolean
is_header_name (const char *name)
{
  if (*name == '\0')
    return FALSE;
  for (; *name != '\0'; name++)
    if (!is_token_char (*name))
      return FALSE;
  return TRUE;
}

/* Returns VALUE as a valid header value: without line breaks, and without blanks around it. Returns
 * NULL if nothing is left (get_attribution_headers() of Prefect's client). */
static char *
header_value (const char *value)
{
  char *clean = g_strdup (value);
  g_strdelimit (clean, "\r\n", ' ');
  g_strstrip (clean);
  if (*clean != '\0')
    return clean;
  g_free (clean);
  return NULL;
}

static void
add_secret (PpApi *api, const char *secret)
{
  /* Masking a very short string would mask large parts of any message. */
  if (secret != NULL && strlen (secret) >= 4)
    g_ptr_array_add (api->secrets, g_strdup (secret));
}

/* Adds three secrets: LOGIN ("user:password"), LOGIN in base64 as in the header of Basic
 * authentication, and the password alone. */
static void
add_login (PpApi *api, const char *login)
{
  const char *colon = strchr (login, ':');
  g_autofree char *base64 = g_base64_encode ((const guchar *)login, strlen (login));

  add_secret (api, base64);
  add_secret (api, login);
  if (colon != NULL)
    add_secret (api, colon + 1);
}

/* Adds the user and password in the API's URL, both as they are and with %XX decoded. libcurl sends
 * them to a server that asks for them, and a page from that server may show them. */
static void
add_login_of_url (PpApi *api)
{
  g_autofree char *login = pp_http_url_login (api->settings->api_url);

  if (login == NULL)
    return;
  g_autofree char *plain = g_uri_unescape_string (login, NULL);
  add_login (api, login);
  if (plain != NULL)
    add_login (api, plain);
}

static void
add_custom_headers (PpApi *api)
{
  const char *name;
  json_t *value;
  gboolean has_credentials
      = api->settings->api_key != NULL || api->settings->api_auth_string != NULL;

  json_object_foreach (api->settings->client_custom_headers, name, value)
  {
    g_autofree char *lower = g_ascii_strdown (name, -1);
    g_autofree char *clean = NULL;
    if (g_strv_contains (protected_headers, lower)
        || (has_credentials && g_str_equal (lower, "authorization")))
      {
        g_warning ("PREFECT_CLIENT_CUSTOM_HEADERS: the worker sets %s itself, so it ignores this "
                   "header",
                   name);
        continue;
      }
    if (!is_header_name (name) || !json_is_string (value))
      {
        g_warning ("PREFECT_CLIENT_CUSTOM_HEADERS: the worker ignores '%s', because a header needs "
                   "a valid name and a string as its value",
                   name);
        continue;
      }
    clean = header_value (json_string_value (value));
    if (clean == NULL)
      continue;
    g_ptr_array_add (api->headers, g_strdup_printf ("%s: %s", name, clean));
    add_secret (api, clean);
  }
}

void
pp_api_init_headers (PpApi *api)
{
  const PpSettings *settings = api->settings;

  g_ptr_array_add (api->headers, g_strdup ("User-Agent: " USER_AGENT));
  g_ptr_array_add (api->headers, g_strdup ("X-PREFECT-API-VERSION: " PP_PREFECT_API_VERSION));
  if (settings->api_key != NULL)
    {
      g_autofree char *key = header_value (settings->api_key);
      g_ptr_array_add (api->headers,
                       g_strconcat ("Authorization: Bearer ", key != NULL ? key : "", NULL));
      add_secret (api, key);
    }
  else if (settings->api_auth_string != NULL)
    {
      const char *auth = settings->api_auth_string;
      g_autofree char *base64 = g_base64_encode ((const guchar *)auth, strlen (auth));
      g_ptr_array_add (api->headers, g_strconcat ("Authorization: Basic ", base64, NULL));
      add_login (api, auth);
    }
  add_login_of_url (api);
  add_custom_headers (api);
}

void
pp_api_set_worker (PpApi *api, const char *name, const char *id)
{
  g_autofree char *clean_name = name != NULL ? header_value (name) : NULL;
  g_autofree char *clean_id = id != NULL ? header_value (id) : NULL;

  g_ptr_array_set_size (api->worker, 0);
  if (clean_name != NULL)
    g_ptr_array_add (api->worker, g_strconcat ("X-Prefect-Worker-Name: ", clean_name, NULL));
  if (clean_id != NULL)
    g_ptr_array_add (api->worker, g_strconcat ("X-Prefect-Worker-Id: ", clean_id, NULL));
}

char *
pp_api_mask (const PpApi *api, char *message)
{
  for (guint i = 0; i < api->secrets->len; i++)
    {
      const char *secret = g_ptr_array_index (api->secrets, i);
      if (strstr (message, secret) == NULL)
        continue;
      g_auto (GStrv) parts = g_strsplit (message, secret, -1);
      g_free (message);
      message = g_strjoinv ("***", parts);
    }
  return message;
}
