/* SPDX-License-Identifier: Apache-2.0 */
/* Describes why a call failed: whose fault it is (this process's, the proxy's, the server's), with
 * the error text of that side. */
#include "config.h"

#include "call-private.h"

#include "prefect-podman/http/limits.h"

#include <errno.h>
#include <string.h>

/* How many descriptors curl needs at most to look up a name or to load CA certificates. */
#define HELPER_DESCRIPTORS 6

static PpHttpError
error_code (CURLcode result)
{
  switch (result)
    {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return PP_HTTP_ERROR_RESOLVE;
    case CURLE_COULDNT_CONNECT:
#if LIBCURL_VERSION_NUM >= 0x074900
    case CURLE_PROXY:
#endif
      return PP_HTTP_ERROR_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
      return PP_HTTP_ERROR_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
      return PP_HTTP_ERROR_TLS;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SEND_FAIL_REWIND:
      return PP_HTTP_ERROR_RESET;
    default:
      return PP_HTTP_ERROR_FAILED;
    }
}

static long
get_long (const PpHttpCall *call, CURLINFO info)
{
  long value = 0;

  curl_easy_getinfo (call->easy, info, &value);
  return value;
}

static double
get_double (const PpHttpCall *call, CURLINFO info)
{
  double value = 0;

  curl_easy_getinfo (call->easy, info, &value);
  return value;
}

/* curl's text for this failure, or its general text for RESULT. */
static const char *
words_of (const PpHttpCall *call, CURLcode result)
{
  /* curl's own text is about its attempt to send the body again. */
  if (result == CURLE_SEND_FAIL_REWIND)
    return "the connection broke before an answer came";
  /* curl quotes a URL that it cannot parse, with the password. */
  if (call->proxy != NULL && strstr (call->words, call->proxy->url) != NULL)
    return curl_easy_strerror (result);
  return call->words[0] != '\0' ? call->words : curl_easy_strerror (result);
}

/* ---- resources of this process ---- */

int
pp_http_call_shortage (const PpHttpCall *call, CURLcode result)
{
  int os_error = (int)get_long (call, CURLINFO_OS_ERRNO);

  if (result == CURLE_OK || call->too_large || call->too_long)
    return 0;
  if (call->own_errno != 0 && result != CURLE_OPERATION_TIMEDOUT)
    return pp_limits_is_shortage (call->own_errno) ? call->own_errno : 0;
  switch (result)
    {
    case CURLE_OUT_OF_MEMORY:
      /* libcurl also returns this if one of its own limits is exceeded, for example by a header of
       * an answer. */
      return pp_limits_probe_memory ();
    case CURLE_COULDNT_CONNECT:
      return pp_limits_is_shortage (os_error) ? os_error : 0;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      /* A resolver that cannot open its files or a socket reports that the name does not exist. */
      os_error = pp_limits_probe (HELPER_DESCRIPTORS);
      /* libcurl has no error code for this: "getaddrinfo() thread failed to start". */
      if (os_error == 0 && strstr (call->words, "thread failed") != NULL)
        os_error = EAGAIN;
      return os_error;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_FAILED_INIT:
      return pp_limits_probe (HELPER_DESCRIPTORS);
    default:
      return 0;
    }
}

/* ---- the proxy ---- */

/* True if CALL failed at the proxy: this process did not connect to the proxy, or the proxy did not
 * connect to the server (https://, SOCKS). CALL has a proxy. */
static gboolean
proxy_failed (const PpHttpCall *call, CURLcode result)
{
  gboolean tunnel = g_str_has_prefix (call->address + strcspn (call->address, " "), " https:");
  gboolean connected = get_double (call, CURLINFO_CONNECT_TIME) > 0;
  long tunnel_status = get_long (call, CURLINFO_HTTP_CONNECTCODE);

  switch (result)
    {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
#if LIBCURL_VERSION_NUM >= 0x074900
    case CURLE_PROXY:
#endif
      return TRUE;
    case CURLE_COULDNT_RESOLVE_HOST:
      return FALSE; /* with socks5:// (not socks5h://) this side resolves the name */
    default:
      break;
    }
  if (get_long (call, CURLINFO_NUM_CONNECTS) == 0)
    return FALSE; /* a reused connection */
  if (!connected || tunnel_status >= 300)
    return TRUE;
  return tunnel && tunnel_status == 0 && g_str_has_prefix (call->proxy->url, "http");
}

/* Describes what went wrong at the proxy; new string. */
static char *
describe_proxy_failure (const PpHttpCall *call, CURLcode result)
{
  long status = get_long (call, CURLINFO_HTTP_CONNECTCODE);
  int os_error = (int)get_long (call, CURLINFO_OS_ERRNO);

  if (status == 407)
    return g_strdup ("the proxy needs a password, or refuses the one that was given (407): "
                     "http://user:password@host:port");
  if (status >= 300)
    return g_strdup_printf ("the proxy answered %ld to CONNECT", status);
  if (result == CURLE_COULDNT_CONNECT && os_error != 0)
    return g_strdup (g_strerror (os_error));
  return g_strdup (words_of (call, result));
}

/* ---- the error ---- */

static GError *
connect_error (const PpHttpCall *call, PpHttpError code, CURLcode result)
{
  int os_error = (int)get_long (call, CURLINFO_OS_ERRNO);

  if (code != PP_HTTP_ERROR_CONNECT || os_error == 0)
    return g_error_new (PP_HTTP_ERROR, (int)code, "%s: %s", call->address, words_of (call, result));
  /* curl's text for a failed connect has host and port, the system's text has the reason. For a
   * unix socket, curl's host and port would mislead. */
  if (call->over_unix_socket)
    return g_error_new (PP_HTTP_ERROR, (int)code, "%s: cannot connect: %s", call->address,
                        g_strerror (os_error));
  return g_error_new (PP_HTTP_ERROR, (int)code, "%s: %s (%s)", call->address,
                      words_of (call, result), g_strerror (os_error));
}

/* True if CALL had already sent its request before it failed to get a connection. If a kept
 * connection breaks before the answer, libcurl sends the request again on a new connection
 * (Curl_retry_request()). It then reports only the second attempt, although the server may have
 * carried out the first. CURLINFO_PRETRANSFER_TIME then still has the time of the first attempt. A
 * CONNECT to a proxy does not set this time. */
static gboolean
was_sent_before (const PpHttpCall *call)
{
  return get_double (call, CURLINFO_PRETRANSFER_TIME) > 0;
}

/* Returns how an error's message begins. WAS_SENT is the result of was_sent_before(). */
static const char *
sent_words (gboolean was_sent)
{
  return was_sent ? "the connection broke before an answer came, and the second attempt failed: "
                  : "";
}

static GError *
proxy_error (const PpHttpCall *call, PpHttpError code, CURLcode result)
{
  const PpProxy *proxy = call->proxy;

  if (!proxy_failed (call, result))
    return g_error_new (PP_HTTP_ERROR, (int)code, "%s: %s (through the proxy %s, which %s names)",
                        call->address, words_of (call, result), proxy->display, proxy->variable);
  g_autofree char *words = describe_proxy_failure (call, result);
  gboolean was_sent = was_sent_before (call);
  const char *advice = code == PP_HTTP_ERROR_TLS
                           ? " (to trust the CA of the proxy, name its file in SSL_CERT_FILE)"
                           : "";
  /* A failure of the proxy may be temporary, so do not report it as a wrong configuration of the
   * server. */
  if (was_sent)
    code = PP_HTTP_ERROR_RESET;
  else if (code == PP_HTTP_ERROR_FAILED || code == PP_HTTP_ERROR_RESET || code == PP_HTTP_ERROR_TLS)
    code = PP_HTTP_ERROR_CONNECT;
  return g_error_new (PP_HTTP_ERROR, (int)code,
                      "%s: %sthe proxy %s, which %s names, gives no connection to the server: %s%s",
                      call->address, sent_words (was_sent), proxy->display, proxy->variable, words,
                      advice);
}

/* True if RESULT says that nothing was sent. An earlier attempt may have sent the request: see
 * was_sent_before(). */
static gboolean
tells_of_no_connection (CURLcode result)
{
  return result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST
         || result == CURLE_COULDNT_RESOLVE_PROXY;
}

GError *
pp_http_call_error (PpHttpCall *call, CURLcode result)
{
  int shortage = pp_http_call_shortage (call, result);
  PpHttpError code = error_code (result);

  /* With TLS 1.3, the server's refusal of our certificate shows only when the answer is read. */
  if (code == PP_HTTP_ERROR_TLS || code == PP_HTTP_ERROR_RESET)
    pp_http_pems_doubt (call->http);
  if (call->too_large)
    return g_error_new (PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LARGE,
                        "%s: the answer is larger than %" G_GSIZE_FORMAT " bytes", call->address,
                        call->max_response_bytes);
  if (call->too_long)
    return g_error_new (PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LONG,
                        "%s: the request is not sent, because its URL and headers have more than "
                        "%d bytes",
                        call->address, PP_HTTP_MAX_HEAD_BYTES);
  if (shortage != 0)
    {
      g_autofree char *words = pp_limits_describe (shortage);
      gboolean was_sent = was_sent_before (call);
      return g_error_new (PP_HTTP_ERROR, was_sent ? PP_HTTP_ERROR_RESET : PP_HTTP_ERROR_SHORTAGE,
                          "%s: %sthis host cannot send the request: %s", call->address,
                          sent_words (was_sent), words);
    }
  if (code == PP_HTTP_ERROR_TIMEOUT && call->silence_seconds > 0
      && get_long (call, CURLINFO_REQUEST_SIZE) > 0)
    code = PP_HTTP_ERROR_SILENCE;
  if (call->proxy != NULL)
    return proxy_error (call, code, result);
  if (tells_of_no_connection (result) && was_sent_before (call))
    return g_error_new (PP_HTTP_ERROR, PP_HTTP_ERROR_RESET, "%s: %s%s", call->address,
                        sent_words (TRUE), words_of (call, result));
  return connect_error (call, code, result);
}
