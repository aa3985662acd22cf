/* SPDX-License-Identifier: Apache-2.0 */
/* CSRF protection: one token for all calls except GET and HEAD, fetched before the first of them
 * (Prefect's client: _add_csrf_headers() in client/base.py). */
#include "config.h"

#include "api-private.h"

#include "prefect-podman/text/timestamp.h"

#include <string.h>

/* A token is renewed EXPIRY_MARGIN before it expires, or at half its lifetime if that is later, but
 * it is used for at least SHORTEST_USE. If the clocks differ or tokens live only for seconds, the
 * server's 403 shows when a token has expired. */
#define EXPIRY_MARGIN (60 * G_USEC_PER_SEC)
#define SHORTEST_USE (1 * G_USEC_PER_SEC)

gboolean
pp_api_csrf_needed (const char *method)
{
  return !g_str_equal (method, "GET") && !g_str_equal (method, "HEAD");
}

static void
forget_token (PpApi *api)
{
  g_clear_pointer (&api->csrf_token, g_free);
}

/* True if an older server (404), or a server with the protection off, has answered. False if
 * something else has answered in its place. */
static gboolean
says_off (const PpHttpResponse *response, const GError *error)
{
  return error->code != PP_API_ERROR_NO_ANSWER && error->code != PP_API_ERROR_STRANGER
         && (response->status == 404
             || (response->status == 422
                 && strstr (response->body, "CSRF protection is disabled.") != NULL));
}

static gboolean
take_token (PpApi *api, const json_t *body, GError **error)
{
  const char *token = pp_json_string (body, "token");
  gint64 expires = pp_timestamp_parse (pp_json_string (body, "expiration"));

  if (token == NULL || strpbrk (token, "\r\n") != NULL)
    {
      g_set_error (error, PP_API_ERROR, api->heard ? PP_API_ERROR_NO_ANSWER : PP_API_ERROR_SETUP,
                   "GET %s/csrf-token: the answer holds no token", api->display_url);
      return FALSE;
    }
  gint64 lifetime = expires >= 0 ? expires - g_get_real_time () : G_MAXINT64 / 2;
  gint64 use = MAX (MAX (lifetime - EXPIRY_MARGIN, lifetime / 2), SHORTEST_USE);
  api->csrf_token = g_strdup (token);
  api->csrf_renew = g_get_monotonic_time () + use;
  return TRUE;
}

static void
on_token (const PpHttpResponse *response, const GError *http_error, gpointer user_data)
{
  PpApi *api = user_data;
  json_auto_t *body = NULL;
  g_autoptr (GError) error = NULL;

  api->csrf_fetching = NULL;
  if (response != NULL)
    {
      api->has_answer = TRUE;
      g_debug ("GET %s/csrf-token: %ld", api->display_url, response->status);
    }
  if (pp_api_read_answer (api, "GET", "/csrf-token", NULL, NULL, response, http_error, &body,
                          &error)
      && take_token (api, body, &error))
    {
      pp_api_pump (api);
      return;
    }
  if (response != NULL && says_off (response, error))
    {
      api->csrf_enabled = FALSE;
      pp_api_pump (api);
      return;
    }
  pp_api_csrf_failed (api, response, error);
}

gboolean
pp_api_csrf_ready (PpApi *api, const char *method)
{
  if (!api->csrf_enabled || !pp_api_csrf_needed (method))
    return TRUE;
  if (api->csrf_token != NULL && g_get_monotonic_time () < api->csrf_renew)
    return TRUE;
  if (api->csrf_fetching == NULL)
    {
      g_autofree char *path = g_strconcat ("/csrf-token?client=", api->csrf_client, NULL);
      forget_token (api);
      api->csrf_fetching = pp_api_send (api, "GET", path, NULL, NULL, FALSE, on_token, api);
    }
  return FALSE;
}

const char *
pp_api_csrf_token (PpApi *api, const char *method)
{
  return api->csrf_enabled && pp_api_csrf_needed (method) ? api->csrf_token : NULL;
}

gboolean
pp_api_csrf_refused (PpApiCall *call, const PpHttpResponse *response)
{
  PpApi *api = call->api;

  if (response->status != 403 || !api->settings->client_csrf_support_enabled
      || (strstr (response->body, "Invalid CSRF token") == NULL
          && strstr (response->body, "Missing CSRF token") == NULL))
    return FALSE;
  /* The server may have restarted with the protection on. */
  api->csrf_enabled = TRUE;
  /* Another call may have fetched a new token in the meantime. */
  if (g_strcmp0 (api->csrf_token, call->csrf_token) == 0)
    forget_token (api);
  return TRUE;
}
