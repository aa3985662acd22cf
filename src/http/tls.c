/* SPDX-License-Identifier: Apache-2.0 */
/* Sets which CAs a connection trusts. A setting that names CAs must replace all others. libcurl's
 * default is a file and a folder, and setting the file leaves the folder in force. */
#include "config.h"

#include "call-private.h"

#include <string.h>

/* Returns the value of the environment variable NAME, or NULL if it is unset or empty. */
static const char *
variable (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* The files that can be set. files[] has a curl option for the path of each and one for its
 * content. */
typedef enum
{
  SERVER_CAS,
  PROXY_CAS,
  CERTIFICATE,
  KEY,
} File;

#if LIBCURL_VERSION_NUM >= 0x074d00 /* 7.77 */
#define BLOB(option) option
#else
#define BLOB(option) 0
#endif

static const struct
{
  CURLoption path;
  CURLoption blob; /* 0: this libcurl has no such option */
  const char *marker;
} files[] = {
  [SERVER_CAS] = { CURLOPT_CAINFO, BLOB (CURLOPT_CAINFO_BLOB), "CERTIFICATE" },
  [PROXY_CAS] = { CURLOPT_PROXY_CAINFO, BLOB (CURLOPT_PROXY_CAINFO_BLOB), "CERTIFICATE" },
  [CERTIFICATE] = { CURLOPT_SSLCERT, BLOB (CURLOPT_SSLCERT_BLOB), "CERTIFICATE" },
  [KEY] = { CURLOPT_SSLKEY, BLOB (CURLOPT_SSLKEY_BLOB), "PRIVATE KEY" },
};

#if LIBCURL_VERSION_NUM >= 0x074d00
/* True if libcurl's TLS library accepts the content of all FILES. With other libraries, libcurl
 * ignores some of these options. */
static gboolean
takes_content (void)
{
  const char *library = curl_version_info (CURLVERSION_NOW)->ssl_version;

  return library != NULL
         && (g_str_has_prefix (library, "OpenSSL/") || g_str_has_prefix (library, "LibreSSL/"));
}
#endif

/* Makes CALL use the FILE at PATH, or none if PATH is NULL. */
static void
set_file (PpHttpCall *call, File file, const char *path)
{
#if LIBCURL_VERSION_NUM >= 0x074d00
  if (path != NULL && takes_content ())
    {
      gsize length;
      gconstpointer content
          = g_bytes_get_data (pp_http_pem (call->http, path, files[file].marker), &length);
      /* If the file could not be read, trust nothing: set an empty content, because libcurl does
       * not copy NULL. */
      struct curl_blob blob
          = { .data = (void *)(length > 0 ? content : ""), .len = length, .flags = CURL_BLOB_COPY };

      curl_easy_setopt (call->easy, files[file].path, NULL);
      curl_easy_setopt (call->easy, files[file].blob, &blob);
      return;
    }
#endif
  curl_easy_setopt (call->easy, files[file].path, path);
}

/* Sets the CAs for the server. SSL_CERT_FILE hides SSL_CERT_DIR, as in httpx's
 * create_ssl_context(). OpenSSL reads the files of SSL_CERT_DIR when it needs them. */
static void
set_server_cas (PpHttpCall *call, const char *ca_file)
{
  const char *folder = variable ("SSL_CERT_DIR");

  if (ca_file == NULL)
    ca_file = variable ("SSL_CERT_FILE");
  if (ca_file == NULL && folder == NULL)
    return; /* use the default that libcurl was built with: the system's CAs */
  set_file (call, SERVER_CAS, ca_file);
  curl_easy_setopt (call->easy, CURLOPT_CAPATH, ca_file != NULL ? NULL : folder);
}

/* Sets the CAs for an https:// proxy. The setting for the server's CAs does not apply: the proxy
 * is another party. */
static void
set_proxy_cas (PpHttpCall *call)
{
  const char *file = variable ("SSL_CERT_FILE");
  const char *folder = variable ("SSL_CERT_DIR");

  if (file == NULL && folder == NULL)
    return;
  set_file (call, PROXY_CAS, file);
  curl_easy_setopt (call->easy, CURLOPT_PROXY_CAPATH, file != NULL ? NULL : folder);
}

void
pp_http_set_tls (PpHttpCall *call, const PpHttpRequest *request)
{
  if (call->proxy != NULL && g_str_has_prefix (call->proxy->url, "https:"))
    set_proxy_cas (call);
  if (!g_str_has_prefix (request->url, "https:"))
    return;
  if (request->tls_skip_verify)
    {
      curl_easy_setopt (call->easy, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt (call->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
  else
    set_server_cas (call, request->tls_ca_file);
  set_file (call, CERTIFICATE, request->tls_cert_file);
  set_file (call, KEY, request->tls_key_file);
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
  g_set_error (error, PP_HTTP_ERROR, PP_HTTP_ERROR_TLS,
               "SSL_CERT_DIR: %s: there is no such folder of CA certificates", value);
  return FALSE;
}
