/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/api_url-private.h"
#include "prefect-podman/http/http.h"
#include "prefect-podman/http/proxy.h"

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
  if ((g_str_has_prefix (url, "http://") && url[7] != '\0')
      || (g_str_has_prefix (url, "https://") && url[8] != '\0'))
    {
      if (check_certificates (settings, &local) && pp_proxy_check (url, &local))
        return TRUE;
      g_set_error_literal (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, local->message);
      return FALSE;
    }
  g_set_error_literal (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                       "PREFECT_API_URL must begin with http:// or https:// and end in /api");
  return FALSE;
}
