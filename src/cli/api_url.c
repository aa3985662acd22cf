/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/api_url-private.h"
#include "prefect-podman/http/http.h"
#include "prefect-podman/http/proxy.h"
#include "prefect-podman/http/url.h"
#include "prefect-podman/text/visible.h"

#include <string.h>

/* Checks the certificate files before the first request. libcurl's own error message would not name
 * the setting. */
static gboolean
check_certificates (const PpSettings *settings, GError **error)
{
  const char *path = settings->api_ssl_cert_file;
  const char *origin = "PREFECT_API_SSL_CERT_FILE";

  if (settings->api_tls_insecure_skip_verify)
    return TRUE;
  if (path == NULL && g_str_has_prefix (settings->api_url, "https:"))
    {
      path = g_getenv ("SSL_CERT_FILE");
      origin = "SSL_CERT_FILE";
      if (path == NULL || *path == '\0')
        return pp_http_check_ca_folders (error);
    }
  if (path == NULL || pp_http_check_pem (path, "CERTIFICATE", error))
    return TRUE;
  g_prefix_error (error, "%s: ", origin);
  return FALSE;
}

/* Returns what is wrong with URL, or NULL. */
static const char *
url_problem (const char *url)
{
  const char *authority;

  if (g_str_has_prefix (url, "http://"))
    authority = url + strlen ("http://");
  else if (g_str_has_prefix (url, "https://"))
    authority = url + strlen ("https://");
  else
    return "must begin with http:// or https:// and end in /api";
  for (const char *c = url; *c != '\0'; c++)
    if (g_ascii_isspace (*c) || g_ascii_iscntrl (*c))
      return "it must not contain spaces or control characters";

  gsize length = strcspn (authority, "/?#");
  /* In "u:p@ss/word@host", the first "/" ends the host. So the host would be "ss", which is valid,
   * and messages would show "ss/word", a part of the password. */
  if (strchr (authority + length, '@') != NULL)
    return "write /, ? and # in a password as %2F, %3F and %23, and @ in a path as %40";
  const char *at = g_strrstr_len (authority, (gssize)length, "@");
  const char *start = at != NULL ? at + 1 : authority;
  gsize host_length = (gsize)(authority + length - start);
  /* As in Prefect, "HOST:" is HOST. */
  if (host_length > 1 && start[host_length - 1] == ':' && start[host_length - 2] != ':')
    host_length--;
  g_autofree char *host = g_strndup (start, host_length);
  return pp_http_host_problem (host, NULL);
}

static gboolean
check_url (const PpSettings *settings, GError **error)
{
  const char *problem = url_problem (settings->api_url);

  if (problem == NULL)
    return TRUE;
  g_autofree char *display = pp_http_broken_url_for_display (settings->api_url);
  g_autofree char *visible = pp_text_visible (display, "");
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "%s: '%s'%s %s",
               settings->api_url_place, visible, g_str_has_prefix (problem, "must ") ? "" : ":",
               problem);
  return FALSE;
}

gboolean
pp_command_check_api_url (const PpSettings *settings, GError **error)
{
  const char *url = settings->api_url;
  g_autoptr (GError) local = NULL;

  if (url == NULL)
    {
      g_set_error_literal (
          error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
          "PREFECT_API_URL is not set: export PREFECT_API_URL=http://HOST:4200/api, "
          "or set it in the profile (prefect config set PREFECT_API_URL=...)");
      return FALSE;
    }
  if (!check_url (settings, error))
    return FALSE;
  if (check_certificates (settings, &local) && pp_proxy_check (url, &local))
    return TRUE;
  g_set_error_literal (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, local->message);
  return FALSE;
}
