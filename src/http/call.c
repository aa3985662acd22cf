/* SPDX-License-Identifier: Apache-2.0 */
/* One call: turns a request into curl's options, and collects the answer from curl's callbacks. */
#include "config.h"

#include "call-private.h"

#include "prefect-podman/http/url.h"
#include "prefect-podman/text/cut.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 30000
#define DEFAULT_MAX_RESPONSE_BYTES ((gsize)64 * 1024 * 1024)
/* A stream lives as long as its container. Its two buffers (one to receive, one kept while it is
 * paused) cost the worker memory for each run. */
#define STREAM_BUFFER_BYTES 8192L
/* How many headers of an answer are kept at most. curl limits the size of each. */
#define MAX_RESPONSE_HEADERS 128

/* CURLOPT_HEADERFUNCTION. Gets one line, CRLF included. */
static size_t
on_header (char *line, size_t size, size_t count, void *user_data)
{
  PpHttpCall *call = user_data;
  size_t length = size * count;

  if (length >= 5 && g_ascii_strncasecmp (line, "HTTP/", 5) == 0)
    {
      g_hash_table_remove_all (call->headers); /* discard the headers of an interim answer (100) */
      return length;
    }
  const char *colon = memchr (line, ':', length);
  if (colon == NULL || g_hash_table_size (call->headers) >= MAX_RESPONSE_HEADERS)
    return length;

  char *name = g_ascii_strdown (line, colon - line);
  char *value = g_strndup (colon + 1, (gsize)(line + length - colon - 1));
  g_hash_table_insert (call->headers, name, g_strstrip (value));
  return length;
}

static gboolean
status_is_success (CURL *easy)
{
  long status = 0;
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

/* CURLOPT_WRITEFUNCTION. A result other than LENGTH or "pause" ends the transfer. */
static size_t
on_body (char *data, size_t size, size_t count, void *user_data)
{
  PpHttpCall *call = user_data;
  size_t length = size * count;

  if (call->state != PP_HTTP_CALL_ACTIVE)
    return 0;
  if (length == 0)
    return 0;
  if (call->on_data != NULL && status_is_success (call->easy))
    {
      gboolean taken = call->on_data (data, length, call->user_data);
      if (call->state != PP_HTTP_CALL_ACTIVE)
        return 0;
      if (taken)
        return length;
      call->paused = TRUE;
      return CURL_WRITEFUNC_PAUSE;
    }

  if (call->body == NULL)
    call->body = g_string_new (NULL);
  gsize room = call->max_response_bytes - call->body->len;
  g_string_append_len (call->body, data, (gssize)MIN (length, room));
  if (length <= room)
    return length;
  /* After an error status (502), a long page is only cut: the status decides about a retry. */
  call->is_cut = call->allow_cut || !status_is_success (call->easy);
  call->too_large = !call->is_cut;
  return 0;
}

/* True if REQUEST has more than PP_HTTP_MAX_HEAD_BYTES of URL and headers. */
static gboolean
is_too_long (const PpHttpRequest *request)
{
  gsize length = strlen (request->url);

  for (const char *const *headers = request->headers; headers != NULL && *headers != NULL;
       headers++)
    length += strlen (*headers);
  return length > PP_HTTP_MAX_HEAD_BYTES;
}

static void
set_headers (PpHttpCall *call, const char *const *headers)
{
  gboolean has_content_type = FALSE;
  struct curl_slist *list = NULL;

  for (; headers != NULL && *headers != NULL; headers++)
    {
      list = curl_slist_append (list, *headers);
      if (g_ascii_strncasecmp (*headers, "content-type:", strlen ("content-type:")) == 0)
        has_content_type = TRUE;
    }
  /* Empty values stop two headers that curl adds by itself: a form's Content-Type, and an Expect
   * for a large body. Expect costs a round trip, or a wait of one second if the server ignores
   * it. */
  if (!has_content_type)
    list = curl_slist_append (list, "Content-Type:");
  list = curl_slist_append (list, "Expect:");
  call->request_headers = list;
  curl_easy_setopt (call->easy, CURLOPT_HTTPHEADER, list);
}

/* CURLOPT_READFUNCTION. There is no seek function, so curl cannot send the body a second time. */
static size_t
on_read (char *buffer, size_t size, size_t count, void *user_data)
{
  PpHttpCall *call = user_data;
  gsize length;
  const char *data = g_bytes_get_data (call->request_body, &length);
  gsize piece = MIN (size * count, length - call->body_sent);

  memcpy (buffer, data + call->body_sent, piece);
  call->body_sent += piece;
  return piece;
}

static void
set_body (PpHttpCall *call, const PpHttpRequest *request)
{
  if (request->body_bytes != NULL)
    call->request_body = g_bytes_ref (request->body_bytes);
  else if (request->body != NULL)
    call->request_body = g_bytes_new (request->body, request->body_length);
  else if (g_str_equal (request->method, "GET") || g_str_equal (request->method, "HEAD")
           || g_str_equal (request->method, "DELETE"))
    return;
  else
    call->request_body = g_bytes_new_static ("", 0);

  gsize length;
  const char *data = g_bytes_get_data (call->request_body, &length);
  curl_easy_setopt (call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
  if (request->body_once && length > 0)
    {
      curl_easy_setopt (call->easy, CURLOPT_POST, 1L);
      curl_easy_setopt (call->easy, CURLOPT_READFUNCTION, on_read);
      curl_easy_setopt (call->easy, CURLOPT_READDATA, call);
      return;
    }
  curl_easy_setopt (call->easy, CURLOPT_POSTFIELDS, data != NULL ? data : "");
}

static void
set_method (CURL *easy, const char *method)
{
  if (g_str_equal (method, "HEAD"))
    curl_easy_setopt (easy, CURLOPT_NOBODY, 1L);
  else
    curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, method);
}

/* CURLOPT_OPENSOCKETFUNCTION. Does what curl does by default, but keeps the errno of a failure. */
static curl_socket_t
open_socket (void *user_data, curlsocktype purpose G_GNUC_UNUSED, struct curl_sockaddr *address)
{
  PpHttpCall *call = user_data;
  int fd = socket (address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

  call->own_errno = fd < 0 ? errno : 0;
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Sets where to connect to: a unix socket, or TCP, through the environment's proxy if it names
 * one. A malformed proxy URL was already refused at the start (pp_proxy_find()). */
static void
set_route (PpHttpCall *call, const PpHttpRequest *request)
{
  CURL *easy = call->easy;

  curl_easy_setopt (easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt (easy, CURLOPT_OPENSOCKETDATA, call);
  curl_easy_setopt (easy, CURLOPT_FRESH_CONNECT, request->own_connection ? 1L : 0L);
  if (request->unix_socket_path != NULL)
    {
      call->over_unix_socket = TRUE;
      curl_easy_setopt (easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket_path);
      curl_easy_setopt (easy, CURLOPT_PROXY, "");
      return;
    }
  call->proxy = pp_proxy_find (request->url, NULL);
  curl_easy_setopt (easy, CURLOPT_PROXY, call->proxy != NULL ? call->proxy->url : "");
  curl_easy_setopt (easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt (easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt (easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt (easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

static void
set_protocol (CURL *easy, const PpHttpRequest *request)
{
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  if (request->http2)
    {
      curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
      curl_easy_setopt (easy, CURLOPT_PIPEWAIT, 1L); /* prefer a new stream to a new connection */
    }
  else
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

PpHttpCall *
pp_http_call_new (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                  PpHttpDoneFunc done, gpointer user_data)
{
  g_autofree char *whole_url = pp_http_url_for_display (request->url);
  g_autofree char *url = pp_text_cut (whole_url, strlen (whole_url), PP_TEXT_MAX_NAME);
  PpHttpCall *call = g_new0 (PpHttpCall, 1);

  call->http = http;
  call->on_data = on_data;
  call->done = done;
  call->user_data = user_data;
  call->max_response_bytes
      = request->max_response_bytes != 0 ? request->max_response_bytes : DEFAULT_MAX_RESPONSE_BYTES;
  call->allow_cut = request->allow_cut;
  call->headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  call->address
      = request->unix_socket_path != NULL
            ? g_strdup_printf ("%s %s (unix://%s)", request->method, url, request->unix_socket_path)
            : g_strdup_printf ("%s %s", request->method, url);

  CURL *easy = pp_http_take_easy (http);
  call->easy = easy;
  curl_easy_setopt (easy, CURLOPT_PRIVATE, call);
  curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, call->words);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Looking up a host name runs in a thread. Without this option, ending the call would wait for
   * that thread, up to half a minute if the name server does not answer. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt (easy, CURLOPT_NOPROGRESS, 1L);
  /* Without a URL, curl ends the call at once. */
  call->too_long = is_too_long (request);
  g_autofree char *escaped = pp_http_url_escape_login (request->url);
  curl_easy_setopt (easy, CURLOPT_URL, call->too_long ? NULL : escaped);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, call);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, call);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS,
                    request->connect_timeout_ms != 0 ? (long)request->connect_timeout_ms
                                                     : (long)DEFAULT_CONNECT_TIMEOUT_MS);
  if (request->silence_seconds > 0)
    {
      call->silence_seconds = request->silence_seconds;
      curl_easy_setopt (easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
      curl_easy_setopt (easy, CURLOPT_LOW_SPEED_TIME, (long)request->silence_seconds);
    }
  if (on_data != NULL)
    curl_easy_setopt (easy, CURLOPT_BUFFERSIZE, STREAM_BUFFER_BYTES);
  set_route (call, request);
  set_protocol (easy, request);
  pp_http_set_tls (call, request);
  set_headers (call, request->headers);
  set_body (call, request);
  set_method (easy, request->method);
  pp_http_silence_watch (call, request);
  return call;
}

void
pp_http_call_rewind (PpHttpCall *call)
{
  call->own_errno = 0;
  call->body_sent = 0;
  call->words[0] = '\0';
  call->paused = FALSE;
  g_hash_table_remove_all (call->headers);
  if (call->body != NULL)
    g_string_truncate (call->body, 0);
}

void
pp_http_call_free (PpHttpCall *call)
{
  pp_http_silence_end (call, FALSE);
  pp_http_return_easy (call->http, call->easy);
  curl_slist_free_all (call->request_headers);
  g_clear_pointer (&call->request_body, g_bytes_unref);
  if (call->body != NULL)
    g_string_free (call->body, TRUE);
  g_hash_table_unref (call->headers);
  pp_proxy_free (call->proxy);
  g_free (call->address);
  g_free (call->origin);
  g_free (call);
}

void
pp_http_call_finish (PpHttpCall *call, CURLcode result)
{
  gboolean answered = result == CURLE_OK || call->is_cut;

  pp_http_silence_end (call, answered);
  if (!answered)
    {
      g_autoptr (GError) error = pp_http_call_error (call, result);
      call->done (NULL, error, call->user_data);
      return;
    }

  PpHttpResponse response = {
    .body = call->body != NULL ? call->body->str : "",
    .body_length = call->body != NULL ? call->body->len : 0,
    .is_cut = call->is_cut,
    .headers = call->headers,
  };
  curl_easy_getinfo (call->easy, CURLINFO_RESPONSE_CODE, &response.status);
  call->done (&response, NULL, call->user_data);
}

const char *
pp_http_response_header (const PpHttpResponse *response, const char *name)
{
  g_autofree char *key = g_ascii_strdown (name, -1);
  return g_hash_table_lookup (response->headers, key);
}
