/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a connection trusts. A setting that names CAs replaces all others: libcurl's own default is
 * a file and a folder, and naming a file leaves the folder in force. */
#include "config.h"

#include "call-private.h"

#include "prefect-podman/files/files.h"

#include <string.h>

/* The CAs of all the world are a quarter of a megabyte. */
#define MAX_PEM_BYTES ((gsize)16 * 1024 * 1024)

/* The value of the environment's NAME, or NULL where that is empty. */
static const char *
variable (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* The server's CAs. As httpx's create_ssl_context() has it, SSL_CERT_FILE hides SSL_CERT_DIR. */
static void
set_server_cas (CURL *easy, const char *ca_file)
{
  const char *folder = variable ("SSL_CERT_DIR");

  if (ca_file == NULL)
    ca_file = variable ("SSL_CERT_FILE");
  if (ca_file == NULL && folder == NULL)
    return; /* what libcurl was built with: the system's */
  curl_easy_setopt (easy, CURLOPT_CAINFO, ca_file);
  curl_easy_setopt (easy, CURLOPT_CAPATH, ca_file != NULL ? NULL : folder);
}

/* The CAs of an https:// proxy. What names the server's CAs does not count here: the proxy is
 * another party. */
static void
set_proxy_cas (CURL *easy)
{
  const char *file = variable ("SSL_CERT_FILE");
  const char *folder = variable ("SSL_CERT_DIR");

  if (file == NULL && folder == NULL)
    return;
  curl_easy_setopt (easy, CURLOPT_PROXY_CAINFO, file);
  curl_easy_setopt (easy, CURLOPT_PROXY_CAPATH, file != NULL ? NULL : folder);
}

void
pp_http_set_tls (CURL *easy, const PpHttpRequest *request)
{
  set_proxy_cas (easy);
  if (request->tls_skip_verify)
    {
      curl_easy_setopt (easy, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt (easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
  else
    set_server_cas (easy, request->tls_ca_file);
  curl_easy_setopt (easy, CURLOPT_SSLCERT, request->tls_cert_file);
  curl_easy_setopt (easy, CURLOPT_SSLKEY, request->tls_key_file);
}

static gboolean
fail (GError **error, const char *path, const char *problem)
{
  g_set_error (error, PP_HTTP_ERROR, PP_HTTP_ERROR_TLS, "%s: %s", path, problem);
  return FALSE;
}

/* The text of the file at PATH, new; NULL with ERROR. */
static GString *
read_file (const char *path, GError **error)
{
  g_autoptr (GError) local = NULL;
  gsize length;
  g_autofree char *text = pp_foreign_file_read (path, FALSE, MAX_PEM_BYTES, &length, &local);

  if (text != NULL)
    return g_string_new_len (text, (gssize)length);
  fail (error, path, local->message);
  return NULL;
}

gboolean
pp_http_check_pem (const char *path, const char *marker, GError **error)
{
  g_autoptr (GString) text = read_file (path, error);
  g_autofree char *tail = g_strconcat (marker, "-----", NULL);
  guint begins = 0, ends = 0;

  if (text == NULL)
    return FALSE;
  if (text->len == 0)
    return fail (error, path, "the file is empty");
  for (const char *line = strstr (text->str, "-----"); line != NULL;
       line = strstr (line + 1, "-----"))
    {
      gsize length = strcspn (line, "\r\n");
      gboolean is_marked = g_strrstr_len (line, (gssize)length, tail) != NULL;

      if (is_marked && g_str_has_prefix (line, "-----BEGIN "))
        begins++;
      if (is_marked && g_str_has_prefix (line, "-----END "))
        ends++;
    }
  g_autofree char *none = g_strdup_printf ("there is no %s in it (PEM: it begins with a line "
                                           "-----BEGIN %s-----)",
                                           marker, marker);
  if (begins == 0)
    return fail (error, path, none);
  return begins == ends || fail (error, path, "it is cut off: a line -----END is missing");
}

gboolean
pp_http_check_ca_folders (GError **error)
{
  const char *value = variable ("SSL_CERT_DIR");

  if (value == NULL || variable ("SSL_CERT_FILE") != NULL)
    return TRUE;
  g_auto (GStrv) folders = g_strsplit (value, ":", -1);
  for (char **folder = folders; *folder != NULL; folder++)
    if (g_file_test (*folder, G_FILE_TEST_IS_DIR))
      return TRUE;
  g_autofree char *path = g_strconcat ("SSL_CERT_DIR: ", value, NULL);
  return fail (error, path, "there is no such folder of CA certificates");
}
