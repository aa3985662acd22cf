/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and streams against a real server that behaves well or badly. */
#include "prefect-podman/http/http.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define STREAM_BYTES ((gsize)10 * 1024 * 1024)

/* The result of one call. */
typedef struct
{
  GMainLoop *loop;
  PpHttp *http;
  PpHttpCall *call;
  long status;
  char *body;
  gsize body_length;
  char *header; /* X-Test */
  GError *error;
  guint done;
  GChecksum *checksum; /* checksum of a stream */
  gsize received;
  guint refusals;
  gsize refuse_every; /* bytes between refusals; 0: never */
} Result;

static Result *
result_new (PpHttp *http)
{
  Result *result = g_new0 (Result, 1);
  result->loop = g_main_loop_new (NULL, FALSE);
  result->http = http;
  result->checksum = g_checksum_new (G_CHECKSUM_SHA256);
  return result;
}

static void
result_free (Result *result)
{
  g_main_loop_unref (result->loop);
  g_checksum_free (result->checksum);
  g_free (result->body);
  g_free (result->header);
  g_clear_error (&result->error);
  g_free (result);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Result, result_free)

static void
on_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Result *result = user_data;

  g_assert_true ((response == NULL) != (error == NULL));
  result->done++;
  if (error != NULL)
    result->error = g_error_copy (error);
  else
    {
      result->status = response->status;
      result->body = g_memdup (response->body, (guint)response->body_length + 1);
      result->body_length = response->body_length;
      result->header = g_strdup (pp_http_response_header (response, "X-Test"));
    }
  g_main_loop_quit (result->loop);
}

static void
send_and_wait (Result *result, const PpHttpRequest *request)
{
  pp_http_send (result->http, request, on_done, result);
  g_main_loop_run (result->loop);
  g_assert_cmpuint (result->done, ==, 1);
}

static void
get (Result *result, const char *url)
{
  PpHttpRequest request = { .method = "GET", .url = url };
  send_and_wait (result, &request);
}

static gboolean
quit_loop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* Runs the loop for MILLISECONDS, to show that nothing happens. */
static void
run_for (GMainLoop *loop, guint milliseconds)
{
  g_timeout_add (milliseconds, quit_loop, loop);
  g_main_loop_run (loop);
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data G_GNUC_UNUSED)
{
  return server_reply (fd, 200, "X-Test: first\r\nx-test:  last \r\n", request->body->str);
}

static void
test_request (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/a%20b?c=d");
  const char *const headers[] = { "X-Own: one", "Content-Type: text/plain", NULL };
  PpHttpRequest request
      = { .method = "PATCH", .url = url, .headers = headers, .body = "body", .body_length = 4 };

  send_and_wait (result, &request);
  g_assert_no_error (result->error);
  g_assert_cmpint (result->status, ==, 200);
  g_assert_cmpstr (result->body, ==, "body");
  g_assert_cmpstr (result->header, ==, "last");
  const Request *seen = server_request (server, 0);
  g_assert_cmpstr (seen->method, ==, "PATCH");
  g_assert_cmpstr (seen->target, ==, "/a%20b?c=d");
  g_assert_cmpstr (g_hash_table_lookup (seen->headers, "x-own"), ==, "one");
  g_assert_cmpstr (g_hash_table_lookup (seen->headers, "content-type"), ==, "text/plain");
  g_assert_cmpuint (pp_http_request_count (http), ==, 1);
}

/* A POST without a body has Content-Length: 0 and no Content-Type; DELETE and GET have neither. */
static void
test_no_body (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = server_url (server, "/");
  const char *const methods[] = { "POST", "DELETE", "GET", "HEAD" };
  const char *const lengths[] = { "0", NULL, NULL, NULL };

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      g_autoptr (Result) result = result_new (http);
      PpHttpRequest request = { .method = methods[i], .url = url };
      send_and_wait (result, &request);
      g_assert_no_error (result->error);
      const Request *seen = server_request (server, i);
      g_assert_cmpstr (seen->method, ==, methods[i]);
      g_assert_cmpstr (g_hash_table_lookup (seen->headers, "content-length"), ==, lengths[i]);
      g_assert_null (g_hash_table_lookup (seen->headers, "content-type"));
    }
}

/* A large body is sent at once, without "Expect: 100-continue" and its wait of a second. */
static void
test_large_body (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");
  g_autofree char *text = g_strnfill (4000000, 'x');
  g_autoptr (GBytes) body = g_bytes_new (text, 4000000);
  PpHttpRequest request = { .method = "POST", .url = url, .body_bytes = body };

  send_and_wait (result, &request);
  g_assert_no_error (result->error);
  g_assert_cmpuint (result->body_length, ==, 4000000);
  g_assert_null (g_hash_table_lookup (server_request (server, 0)->headers, "expect"));
}

static void
test_keep_alive (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = server_url (server, "/");

  for (int i = 0; i < 20; i++)
    {
      g_autoptr (Result) result = result_new (http);
      get (result, url);
      g_assert_no_error (result->error);
    }
  g_assert_cmpuint (server_requests (server), ==, 20);
  g_assert_cmpuint (server_connections (server), ==, 1);
}

static gboolean
answer_and_close (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                  gpointer data G_GNUC_UNUSED)
{
  server_reply (fd, 200, "", "ok");
  return FALSE;
}

/* uvicorn closes idle connections after 5 s. The next call must still succeed. */
static void
test_closed_while_idle (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_and_close, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = server_url (server, "/");

  for (int i = 0; i < 10; i++)
    {
      g_autoptr (Result) result = result_new (http);
      get (result, url);
      g_assert_no_error (result->error);
    }
  g_assert_cmpuint (server_requests (server), ==, 10);
}

static gboolean
leave_at_second_request (Server *server G_GNUC_UNUSED, const Request *request, int fd,
                         gpointer path)
{
  if (request->number == 0)
    return server_reply (fd, 200, "", "ok");
  g_assert_cmpint (g_unlink (path), ==, 0);
  return FALSE;
}

/* If a kept connection breaks, libcurl sends the request again and reports only that the second
 * attempt could not connect. The server may have carried out the first. */
static void
test_left_while_it_answers (void)
{
  g_autofree char *folder = g_dir_make_tmp ("pp-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  g_autoptr (Server) server = server_new (path, leave_at_second_request, path);
  g_autoptr (PpHttp) http = pp_http_new ();
  PpHttpRequest request = { .method = "POST", .url = "http://d/logs", .unix_socket_path = path };
  g_autoptr (Result) first = result_new (http);
  g_autoptr (Result) second = result_new (http);

  send_and_wait (first, &request);
  g_assert_no_error (first->error);
  send_and_wait (second, &request);
  g_assert_error (second->error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESET);
  g_assert_nonnull (strstr (second->error->message,
                            "broke before an answer came, and the second attempt failed"));
  g_assert_cmpuint (server_requests (server), ==, 2);
  g_rmdir (folder);
}

static void
test_unix_socket (void)
{
  g_autofree char *folder = g_dir_make_tmp ("pp-http-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "s", NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  PpHttpRequest request = { .method = "GET", .url = "http://d/version", .unix_socket_path = path };

  /* A proxy in the environment is not used for unix sockets. */
  g_setenv ("http_proxy", "http://127.0.0.1:1", TRUE);
  {
    g_autoptr (Server) server = server_new (path, answer, NULL);
    g_autoptr (Result) result = result_new (http);
    send_and_wait (result, &request);
    g_assert_no_error (result->error);
    g_assert_cmpstr (server_request (server, 0)->target, ==, "/version");
  }
  g_unsetenv ("http_proxy");
  g_unlink (path);

  g_autoptr (Result) missing = result_new (http);
  g_autofree char *words = g_strdup_printf (
      "GET http://d/version (unix://%s): cannot connect: No such file or directory", path);
  send_and_wait (missing, &request);
  g_assert_error (missing->error, PP_HTTP_ERROR, PP_HTTP_ERROR_CONNECT);
  g_assert_cmpstr (missing->error->message, ==, words);
  g_rmdir (folder);
}

static void
test_proxy (void)
{
  const char *const names[] = { "http_proxy", "HTTP_PROXY" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (Server) proxy = server_new (NULL, answer, NULL);
      g_autoptr (PpHttp) http = pp_http_new ();
      g_autoptr (Result) result = result_new (http);
      g_autofree char *url = server_url (proxy, "");
      g_setenv (names[i], url, TRUE);
      get (result, "http://prefect.invalid/api/health");
      g_unsetenv (names[i]);
      g_assert_no_error (result->error);
      g_assert_cmpstr (server_request (proxy, 0)->target, ==, "http://prefect.invalid/api/health");
    }
}

/* "hello hello hello hello" */
static const guint8 gzipped[]
    = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9,
        0xc9, 0x57, 0xc8, 0x40, 0x27, 0x01, 0xe3, 0x51, 0x3d, 0x8d, 0x17, 0x00, 0x00, 0x00 };

static gboolean
answer_gzip (Server *server G_GNUC_UNUSED, const Request *request, int fd,
             gpointer data G_GNUC_UNUSED)
{
  const char *accepted = g_hash_table_lookup (request->headers, "accept-encoding");
  g_assert_nonnull (strstr (accepted, "gzip"));
  return server_reply_bytes (fd, 200, "Content-Encoding: gzip\r\n", gzipped, sizeof gzipped);
}

static void
test_gzip (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_gzip, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");

  get (result, url);
  g_assert_no_error (result->error);
  g_assert_cmpstr (result->body, ==, "hello hello hello hello");
}

static gboolean
answer_redirect (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                 gpointer data G_GNUC_UNUSED)
{
  return server_reply (fd, 302, "Location: /elsewhere\r\n", "");
}

static void
test_redirect_is_an_answer (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_redirect, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");

  get (result, url);
  g_assert_cmpint (result->status, ==, 302);
  g_assert_cmpuint (server_requests (server), ==, 1);
}

static gboolean
answer_reset (Server *server G_GNUC_UNUSED, const Request *request, int fd,
              gpointer data G_GNUC_UNUSED)
{
  static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
  static const char chunk[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";

  if (g_str_equal (request->target, "/half"))
    server_write (fd, half, strlen (half));
  else if (g_str_equal (request->target, "/chunk"))
    server_write (fd, chunk, strlen (chunk));
  else if (g_str_equal (request->target, "/reset"))
    server_reset (fd);
  return FALSE;
}

static void
test_reset (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_reset, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  const char *const paths[] = { "/half", "/chunk", "/reset", "/nothing" };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (Result) result = result_new (http);
      g_autofree char *url = server_url (server, paths[i]);
      g_autofree char *start = g_strdup_printf ("GET %s: ", url);
      get (result, url);
      g_assert_error (result->error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESET);
      g_assert_true (g_str_has_prefix (result->error->message, start));
    }
}

static gboolean
answer_then_reset (Server *server, const Request *request, int fd, gpointer data)
{
  if (request->number == 1)
    return FALSE;
  return answer (server, request, fd, data);
}

/* If a kept connection breaks, curl sends the request again, but not with body_once. */
static void
test_body_goes_out_once (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_then_reset, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = server_url (server, "/");
  g_autofree char *body = g_strnfill (200000, 'x');
  PpHttpRequest request
      = { .method = "POST", .url = url, .body = body, .body_length = 200000, .body_once = TRUE };

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (Result) result = result_new (http);
      send_and_wait (result, &request);
      g_assert_cmpuint (server_requests (server), ==, i + 1);
      g_assert_cmpuint (server_request (server, i)->body->len, ==, 200000);
      if (i == 1)
        {
          g_assert_error (result->error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESET);
          g_assert_nonnull (strstr (result->error->message, "broke before an answer"));
        }
      else
        g_assert_cmpstr (result->body, ==, body);
    }
}

static void
test_no_server (void)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) refused = result_new (http);
  g_autoptr (Result) unknown = result_new (http);
  g_autoptr (Result) bad = result_new (http);
  g_autoptr (Result) file = result_new (http);

  get (refused, "http://user:hunter2@127.0.0.1:1/x");
  g_assert_error (refused->error, PP_HTTP_ERROR, PP_HTTP_ERROR_CONNECT);
  g_assert_nonnull (strstr (refused->error->message, "GET http://127.0.0.1:1/x: "));
  g_assert_nonnull (strstr (refused->error->message, "Connection refused"));
  g_assert_null (strstr (refused->error->message, "hunter2"));

  get (unknown, "http://prefect.invalid/");
  g_assert_error (unknown->error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESOLVE);
  get (bad, "not a url");
  g_assert_error (bad->error, PP_HTTP_ERROR, PP_HTTP_ERROR_FAILED);
  get (file, "file:///etc/passwd");
  g_assert_error (file->error, PP_HTTP_ERROR, PP_HTTP_ERROR_FAILED);
}

static gboolean
answer_never (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
              gpointer data G_GNUC_UNUSED)
{
  char byte;
  return read (fd, &byte, 1) < 0; /* until the client goes away */
}

static void
test_timeout (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_never, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url, .timeout_ms = 100 };

  send_and_wait (result, &request);
  g_assert_error (result->error, PP_HTTP_ERROR, PP_HTTP_ERROR_TIMEOUT);
}

static gboolean
answer_large (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
              gpointer data G_GNUC_UNUSED)
{
  g_autofree char *body = g_strnfill (1000, 'x');
  return server_reply (fd, 200, "", body);
}

static void
test_too_large (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_large, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) fits = result_new (http);
  g_autoptr (Result) large = result_new (http);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url, .max_response_bytes = 1000 };

  send_and_wait (fits, &request);
  g_assert_no_error (fits->error);
  request.max_response_bytes = 999;
  send_and_wait (large, &request);
  g_assert_error (large->error, PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LARGE);
  g_assert_nonnull (strstr (large->error->message, "larger than 999 bytes"));
}

static void
fail_at_shortage (const char *why, gpointer data G_GNUC_UNUSED)
{
  g_error ("a shortage: %s", why);
}

/* The call fails at once and is not held back, and the error shows only a part of the URL. */
static void
check_too_long (Server *server, const char *path, const char *const *headers)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, path);
  const PpHttpRequest request = { .method = "GET", .url = url, .headers = headers };

  pp_http_wait_out_shortages (http, fail_at_shortage, NULL);
  send_and_wait (result, &request);
  g_assert_error (result->error, PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LONG);
  g_assert_nonnull (strstr (result->error->message, "the request is not sent"));
  g_assert_cmpuint (strlen (result->error->message), <, 4096);
  g_assert_null (pp_http_shortage (http));
}

static void
test_too_long (void)
{
  static const gsize sizes[] = { 600 * 1024, 1200 * 1024, 9 * 1024 * 1024 };
  g_autoptr (Server) server = server_new (NULL, answer_large, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *filler = g_strnfill (sizes[i], 'x');
      g_autofree char *path = g_strconcat ("/", filler, NULL);
      g_autofree char *header = g_strconcat ("X-Registry-Auth: ", filler, NULL);

      check_too_long (server, path, NULL);
      check_too_long (server, "/", (const char *[]){ header, NULL });
    }
}

/* DATA: the bytes of a header. */
static gboolean
answer_long_header (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                    gpointer data)
{
  g_autofree char *filler = g_strnfill (GPOINTER_TO_UINT (data), 'x');
  g_autofree char *header = g_strdup_printf ("X-Filler: %s\r\n", filler);

  return server_reply (fd, 200, header, "{}");
}

/* libcurl gives up at a bound of its own, and says that it has no memory. */
static void
test_answer_has_long_header (void)
{
  static const guint sizes[] = { 200 * 1024, 2 * 1024 * 1024 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (Server) server
          = server_new (NULL, answer_long_header, GUINT_TO_POINTER (sizes[i]));
      g_autoptr (PpHttp) http = pp_http_new ();
      g_autoptr (Result) result = result_new (http);
      g_autofree char *url = server_url (server, "/");
      const PpHttpRequest request = { .method = "GET", .url = url };

      pp_http_wait_out_shortages (http, fail_at_shortage, NULL);
      send_and_wait (result, &request);
      g_assert_nonnull (result->error);
      g_assert_null (strstr (result->error->message, "has no free memory"));
    }
}

/* DATA is the status. */
static gboolean
answer_large_with (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                   gpointer data)
{
  g_autofree char *body = g_strnfill (1000000, 'x');
  return server_reply (fd, GPOINTER_TO_INT (data), "", body);
}

/* If an answer is too large, the call still gets its status and the first part of its body. For a
 * success, the caller must ask for that (allow_cut). */
static void
test_cut (void)
{
  static const int statuses[] = { 200, 302, 404, 502 };

  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autoptr (Server) server
          = server_new (NULL, answer_large_with, GINT_TO_POINTER (statuses[i]));
      g_autoptr (PpHttp) http = pp_http_new ();
      g_autoptr (Result) result = result_new (http);
      g_autofree char *url = server_url (server, "/");
      PpHttpRequest request = {
        .method = "GET", .url = url, .max_response_bytes = 1000, .allow_cut = statuses[i] == 200
      };

      send_and_wait (result, &request);
      g_assert_no_error (result->error);
      g_assert_cmpint (result->status, ==, statuses[i]);
      g_assert_cmpuint (strlen (result->body), ==, 1000);
    }
}

static void
fill (guint32 *state, guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    {
      *state = *state * 1664525u + 1013904223u;
      bytes[i] = (guint8)(*state >> 24);
    }
}

/* STREAM_BYTES in chunks, as an engine streams logs. */
static gboolean
answer_stream (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
               gpointer data)
{
  GChecksum *checksum = data;
  guint32 state = 1;
  guint8 bytes[5000];
  static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

  server_write (fd, head, strlen (head));
  for (gsize sent = 0; sent < STREAM_BYTES;)
    {
      char size[16];
      gsize n = MIN (sizeof bytes, STREAM_BYTES - sent);
      fill (&state, bytes, n);
      g_snprintf (size, sizeof size, "%zx\r\n", n);
      if (!server_write (fd, size, strlen (size)) || !server_write (fd, bytes, n)
          || !server_write (fd, "\r\n", 2))
        return FALSE;
      if (checksum != NULL)
        g_checksum_update (checksum, bytes, (gssize)n);
      sent += n;
    }
  return server_write (fd, "0\r\n\r\n", 5);
}

static gboolean
resume (gpointer user_data)
{
  Result *result = user_data;
  pp_http_call_resume (result->call);
  return G_SOURCE_REMOVE;
}

static gboolean
on_data (const char *data, gsize length, gpointer user_data)
{
  Result *result = user_data;

  if (result->refuse_every != 0
      && result->received + length > (result->refusals + 1) * result->refuse_every)
    {
      /* Resume from the loop, or inside the callback that refuses the data. */
      if (result->refusals++ % 2 == 0)
        g_idle_add (resume, result);
      else
        pp_http_call_resume (result->call);
      return FALSE;
    }
  g_checksum_update (result->checksum, (const guchar *)data, (gssize)length);
  result->received += length;
  return TRUE;
}

/* Sends slowly for longer than silence_seconds, and then nothing. */
static gboolean
answer_slowly_and_stop (Server *server, const Request *request, int fd, gpointer data)
{
  if (!server_write (fd, "HTTP/1.1 200 OK\r\n\r\n", 19))
    return FALSE;
  for (int i = 0; i < 12; i++)
    {
      g_usleep (G_USEC_PER_SEC / 4);
      if (!server_write (fd, "12345678", 8))
        return FALSE;
    }
  return answer_never (server, request, fd, data);
}

static void
test_silence (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_slowly_and_stop, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url, .silence_seconds = 2 };

  result->call = pp_http_stream (http, &request, on_data, on_done, result);
  g_main_loop_run (result->loop);
  g_assert_error (result->error, PP_HTTP_ERROR, PP_HTTP_ERROR_SILENCE);
  g_assert_cmpuint (result->received, ==, 96);
}

static void
test_stream_pauses_and_loses_nothing (void)
{
  g_autoptr (GChecksum) sent = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (Server) server = server_new (NULL, answer_stream, sent);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url, .max_response_bytes = 100 };

  result->refuse_every = 50000;
  result->call = pp_http_stream (http, &request, on_data, on_done, result);
  g_main_loop_run (result->loop);
  g_assert_no_error (result->error);
  g_assert_cmpint (result->status, ==, 200);
  g_assert_cmpuint (result->body_length, ==, 0);
  g_assert_cmpuint (result->refusals, >, 100);
  g_assert_cmpuint (result->received, ==, STREAM_BYTES);
  g_assert_cmpstr (g_checksum_get_string (result->checksum), ==, g_checksum_get_string (sent));
}

static gboolean
refuse (const char *data G_GNUC_UNUSED, gsize length G_GNUC_UNUSED, gpointer user_data)
{
  Result *result = user_data;
  result->refusals++;
  g_main_loop_quit (result->loop);
  return FALSE;
}

/* Sends a few bytes and closes the connection. */
static gboolean
answer_little (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
               gpointer data G_GNUC_UNUSED)
{
  server_reply (fd, 200, "", "a little");
  return FALSE;
}

/* A paused stream does not spin after its server has closed the connection. */
static void
test_paused_stream_does_not_spin (void)
{
  const Handler handlers[] = { answer_stream, answer_little };

  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++)
    {
      g_autoptr (Server) server = server_new (NULL, handlers[i], NULL);
      g_autoptr (PpHttp) http = pp_http_new ();
      g_autoptr (Result) result = result_new (http);
      g_autofree char *url = server_url (server, "/");
      PpHttpRequest request = { .method = "GET", .url = url };

      result->call = pp_http_stream (http, &request, refuse, on_done, result);
      g_main_loop_run (result->loop);
      run_for (result->loop, 100); /* the server fills the socket's buffers */
      double before = pp_test_cpu_seconds ();
      run_for (result->loop, 500);
      g_assert_cmpfloat (pp_test_cpu_seconds () - before, <, 0.1);
      g_assert_cmpuint (result->refusals, ==, 1);
      g_assert_cmpuint (result->done, ==, 0);
    }
}

static gboolean
answer_not_found (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                  gpointer data G_GNUC_UNUSED)
{
  return server_reply (fd, 404, "", "no such container");
}

static void
test_stream_error_has_its_body (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_not_found, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) result = result_new (http);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url };

  pp_http_stream (http, &request, on_data, on_done, result);
  g_main_loop_run (result->loop);
  g_assert_cmpint (result->status, ==, 404);
  g_assert_cmpstr (result->body, ==, "no such container");
  g_assert_cmpuint (result->received, ==, 0);
}

/* Cancels before the loop has run, while connecting, and while waiting for the answer. */
static void
test_cancel (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_never, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url };

  for (int turns = 0; turns < 12; turns++)
    {
      g_autoptr (Result) result = result_new (http);
      PpHttpCall *call = pp_http_send (http, &request, on_done, result);
      for (int i = 0; i < turns; i++)
        g_main_context_iteration (NULL, FALSE);
      pp_http_call_cancel (call);
      run_for (result->loop, 5);
      g_assert_cmpuint (result->done, ==, 0);
    }
}

static gboolean
cancel_in_data (const char *data G_GNUC_UNUSED, gsize length G_GNUC_UNUSED, gpointer user_data)
{
  Result *result = user_data;
  result->received++;
  pp_http_call_cancel (result->call);
  g_main_loop_quit (result->loop);
  return TRUE;
}

static gboolean
free_in_data (const char *data G_GNUC_UNUSED, gsize length G_GNUC_UNUSED, gpointer user_data)
{
  Result *result = user_data;
  result->received++;
  pp_http_free (result->http);
  g_main_loop_quit (result->loop);
  return TRUE;
}

static void
free_in_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Result *result = user_data;
  pp_http_call_cancel (result->call); /* cancels its own call */
  pp_http_free (result->http);
  on_done (response, error, user_data);
}

static void
test_cancel_and_free_in_callbacks (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_stream, NULL);
  g_autofree char *url = server_url (server, "/");
  PpHttpRequest request = { .method = "GET", .url = url };
  const struct
  {
    PpHttpDataFunc on_data;
    PpHttpDoneFunc done;
    guint expected;
    gboolean frees;
  } cases[] = { { cancel_in_data, on_done, 0, FALSE },
                { free_in_data, on_done, 0, TRUE },
                { on_data, free_in_done, 1, TRUE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      PpHttp *http = pp_http_new ();
      g_autoptr (Result) result = result_new (http);
      g_autoptr (Result) other = result_new (http);
      result->call = pp_http_stream (http, &request, cases[i].on_data, cases[i].done, result);
      pp_http_stream (http, &request, refuse, on_done, other);
      g_main_loop_run (result->loop);
      run_for (result->loop, 20);
      g_assert_cmpuint (result->done, ==, cases[i].expected);
      g_assert_cmpuint (other->done, ==, 0);
      if (!cases[i].frees)
        {
          g_assert_cmpuint (result->received, ==, 1);
          pp_http_free (http);
        }
    }
}

static void
cancel_other_and_send (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Result **results = user_data;
  g_autofree char *url = g_strdup (results[0]->body);

  PpHttpRequest request = { .method = "GET", .url = url };
  if (results[1]->done == 0)
    pp_http_call_cancel (results[1]->call);
  pp_http_send (results[0]->http, &request, on_done, results[2]);
  g_clear_pointer (&results[0]->body, g_free);
  on_done (response, error, results[0]);
}

/* Two answers arrive, mostly in the same turn. The callback of the first cancels the second call
 * and starts a third. */
static void
test_start_and_cancel_others_in_callback (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (Result) first = result_new (http);
  g_autoptr (Result) second = result_new (http);
  g_autoptr (Result) third = result_new (http);
  g_autofree char *url = server_url (server, "/");
  Result *results[] = { first, second, third };
  PpHttpRequest request = { .method = "GET", .url = url };

  first->body = g_strdup (url);
  pp_http_send (http, &request, cancel_other_and_send, results);
  second->call = pp_http_send (http, &request, on_done, second);
  while (third->done == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (first->done, ==, 1);
  g_assert_cmpuint (third->done, ==, 1);
  g_assert_cmpuint (second->done, <=, 1);
}

static void
add (void)
{
  g_test_add_func ("/http/request", test_request);
  g_test_add_func ("/http/no-body", test_no_body);
  g_test_add_func ("/http/large-body", test_large_body);
  g_test_add_func ("/http/keep-alive", test_keep_alive);
  g_test_add_func ("/http/closed-while-idle", test_closed_while_idle);
  g_test_add_func ("/http/left-while-it-answers", test_left_while_it_answers);
  g_test_add_func ("/http/unix-socket", test_unix_socket);
  g_test_add_func ("/http/proxy", test_proxy);
  g_test_add_func ("/http/gzip", test_gzip);
  g_test_add_func ("/http/redirect-is-an-answer", test_redirect_is_an_answer);
  g_test_add_func ("/http/reset", test_reset);
  g_test_add_func ("/http/body-goes-out-once", test_body_goes_out_once);
  g_test_add_func ("/http/no-server", test_no_server);
  g_test_add_func ("/http/timeout", test_timeout);
  g_test_add_func ("/http/silence", test_silence);
  g_test_add_func ("/http/too-large", test_too_large);
  g_test_add_func ("/http/too-long", test_too_long);
  g_test_add_func ("/http/answer-has-long-header", test_answer_has_long_header);
  g_test_add_func ("/http/cut", test_cut);
  g_test_add_func ("/http/stream/pauses-and-loses-nothing", test_stream_pauses_and_loses_nothing);
  g_test_add_func ("/http/stream/paused-does-not-spin", test_paused_stream_does_not_spin);
  g_test_add_func ("/http/stream/error-has-its-body", test_stream_error_has_its_body);
  g_test_add_func ("/http/cancel", test_cancel);
  g_test_add_func ("/http/cancel-and-free-in-callbacks", test_cancel_and_free_in_callbacks);
  g_test_add_func ("/http/start-and-cancel-others-in-callback",
                   test_start_and_cancel_others_in_callback);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
