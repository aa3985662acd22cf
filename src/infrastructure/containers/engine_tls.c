/* SPDX-License-Identifier: Apache-2.0 */
/* TLS to an engine at a TCP address, set up like Docker's own clients. */
#include "config.h"

#include "engine_api-private.h"

#include <string.h>

/* Returns the value of NAME, or NULL if it is empty. */
static const char *
variable (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

static gboolean
check (const char *path, const char *marker, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (pp_http_check_pem (path, marker, &problem))
    return TRUE;
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
               "%s. For TLS to the engine, the folder DOCKER_CERT_PATH (default ~/.docker) must "
               "have ca.pem, cert.pem and key.pem",
               problem->message);
  return FALSE;
}

gboolean
pp_engine_tls_find (const char *url, char **base_url, PpEngineTls *tls, GError **error)
{
  const char *folder = variable ("DOCKER_CERT_PATH");

  if (folder == NULL && variable ("DOCKER_TLS_VERIFY") == NULL)
    return TRUE;
  if (g_str_has_prefix (url, "http://"))
    {
      g_autofree char *display = pp_http_url_for_display (url);
      g_set_error (
          error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
          "%s does not use TLS, but %s asks for TLS: write tcp:// or https://, or unset %s",
          display, folder != NULL ? "DOCKER_CERT_PATH" : "DOCKER_TLS_VERIFY",
          folder != NULL ? "DOCKER_CERT_PATH" : "DOCKER_TLS_VERIFY");
      return FALSE;
    }
  g_autofree char *home
      = folder != NULL ? g_strdup (folder) : g_build_filename (g_get_home_dir (), ".docker", NULL);
  tls->ca_file = g_build_filename (home, "ca.pem", NULL);
  tls->cert_file = g_build_filename (home, "cert.pem", NULL);
  tls->key_file = g_build_filename (home, "key.pem", NULL);
  if (!check (tls->ca_file, "CERTIFICATE", error) || !check (tls->cert_file, "CERTIFICATE", error)
      || !check (tls->key_file, "PRIVATE KEY", error))
    return FALSE;
  if (g_str_has_prefix (*base_url, "http://"))
    {
      char *https = g_strconcat ("https://", *base_url + strlen ("http://"), NULL);
      g_free (*base_url);
      *base_url = https;
    }
  return TRUE;
}

void
pp_engine_tls_clear (PpEngineTls *tls)
{
  g_clear_pointer (&tls->ca_file, g_free);
  g_clear_pointer (&tls->cert_file, g_free);
  g_clear_pointer (&tls->key_file, g_free);
}
