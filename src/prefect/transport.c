/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the API: warnings about unsafe settings, and advice for failed connections. */
#include "config.h"

#include "api-private.h"

#include "prefect-podman/http/url.h"

#include <string.h>

static gboolean
is_loopback (const char *url)
{
  guint port;
  g_autofree char *host = pp_http_url_host (url, &port);

  return g_str_equal (host, "localhost") || g_str_has_suffix (host, ".localhost")
         || g_str_has_prefix (host, "127.") || g_str_equal (host, "::1");
}

void
pp_api_warn_of_transport (const PpApi *api)
{
  const PpSettings *settings = api->settings;
  gboolean is_https = g_str_has_prefix (api->url, "https:");
  const char *secret = settings->api_key != NULL           ? "PREFECT_API_KEY"
                       : settings->api_auth_string != NULL ? "PREFECT_API_AUTH_STRING"
                                                           : NULL;

  if (settings->api_tls_insecure_skip_verify && is_https)
    g_warning (
        "PREFECT_API_TLS_INSECURE_SKIP_VERIFY is set: anyone on the network path to %s can read "
        "the API key and answer in the server's place. To trust a CA instead, name its file in "
        "PREFECT_API_SSL_CERT_FILE",
        api->display_url);
  if (secret != NULL && !is_https && !is_loopback (api->url))
    g_warning (
        "%s goes to %s without encryption: anyone on the network path can read it. Use https://",
        secret, api->display_url);
}

/* Returns advice about a failed certificate check or handshake; new string. */
static char *
advise_on_tls (const PpApi *api, const char *message)
{
  const char *file = api->settings->api_ssl_cert_file;

  /* libcurl's errors about certificates contain this word. Without it, the handshake itself
   * failed. */
  if (strstr (message, "certificate") == NULL)
    return g_strdup (" (if the server speaks plain HTTP, PREFECT_API_URL must begin with http://)");
  if (file == NULL)
    return g_strdup (" (to trust the CA, name its file in PREFECT_API_SSL_CERT_FILE)");
  return g_strdup_printf (
      " (only the CAs in %s are trusted; PREFECT_API_SSL_CERT_FILE names this file)", file);
}

char *
pp_api_advise_without_answer (const PpApi *api, const GError *http_error)
{
  if (g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_TLS))
    return advise_on_tls (api, http_error->message);
  /* A TLS server closes the connection if a client sends plain HTTP. */
  if (g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESET) && !api->has_answer
      && g_str_has_prefix (api->url, "http://"))
    return g_strdup (" (if the server speaks TLS, PREFECT_API_URL must begin with https://)");
  return g_strdup ("");
}
