/* SPDX-License-Identifier: Apache-2.0 */
/* A server that is silent or answers with errors, or whose clock differs, causes one warning
 * within seconds. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOW_MS 200

static void
expect (const char *domain, GLogLevelFlags level, const char *pattern)
{
  g_test_expect_message (domain, level, pattern);
}

/* ---- silence of single calls (http) ---- */

typedef struct
{
  GMainLoop *loop;
  guint wanted;
} Waiting;

static void
on_done (const PpHttpResponse *response G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED,
         gpointer user_data)
{
  Waiting *waiting = user_data;

  if (--waiting->wanted == 0)
    g_main_loop_quit (waiting->loop);
}

/* Makes COUNT calls of URL, each with a time-out of four seconds. */
static void
call_many (const char *url, const char *unix_socket_path, guint count)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Waiting waiting = { loop, count };
  PpHttpRequest request = { .method = "GET",
                            .url = url,
                            .unix_socket_path = unix_socket_path,
                            .timeout_ms = 4000,
                            .slow_ms = SLOW_MS };

  for (guint i = 0; i < count; i++)
    pp_http_send (http, &request, on_done, &waiting);
  g_main_loop_run (loop);
  g_test_assert_expected_messages ();
}

static gboolean
answer_late (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
             gpointer data)
{
  g_usleep (GPOINTER_TO_UINT (data) * 1000);
  return server_reply (fd, 200, "", "{}");
}

static void
test_no_answer (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_late, GUINT_TO_POINTER (1500));
  g_autofree char *url = server_url (server, "/x");

  expect ("prefect.http", G_LOG_LEVEL_WARNING,
          "GET http://127.0.0.1:*/x: no answer for 0 s (connected, and the request was sent)*");
  expect ("prefect.http", G_LOG_LEVEL_MESSAGE, "GET http://127.0.0.1:*/x: the host answers again");
  call_many (url, NULL, 3); /* one warning for all of them */
}

/* The server sends the answer's first byte at once, and the rest late. */
static gboolean
answer_in_pieces (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                  gpointer data)
{
  static const char first[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{";

  g_assert_cmpint (write (fd, first, strlen (first)), ==, strlen (first));
  g_usleep (GPOINTER_TO_UINT (data) * 1000);
  return write (fd, "}", 1) == 1;
}

static void
test_slow_answer (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_in_pieces, GUINT_TO_POINTER (1500));
  g_autofree char *url = server_url (server, "/x");

  expect ("prefect.http", G_LOG_LEVEL_WARNING,
          "GET http://127.0.0.1:*/x: the answer is not complete after 0 s (1 bytes so far); *");
  expect ("prefect.http", G_LOG_LEVEL_MESSAGE, "GET http://127.0.0.1:*/x: the host answers again");
  call_many (url, NULL, 3);
}

/* Answers only requests for /quick. */
static gboolean
answer_quick (Server *server G_GNUC_UNUSED, const Request *request, int fd,
              gpointer data G_GNUC_UNUSED)
{
  if (g_str_has_suffix (request->target, "/quick"))
    return server_reply (fd, 200, "", "{}");
  return TRUE;
}

typedef struct
{
  PpHttp *http;
  PpHttpRequest request;
  Waiting waiting;
} LaterCall;

static gboolean
send_later_call (gpointer user_data)
{
  LaterCall *later = user_data;

  pp_http_send (later->http, &later->request, on_done, &later->waiting);
  return G_SOURCE_REMOVE;
}

/* The host answers another call than the one in the warning. The message does not say that the
 * silent call was answered, and it does not show the password in the URL. */
static void
test_another_call_is_answered (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_quick, NULL);
  g_autofree char *silent_url
      = g_strdup_printf ("http://me:pass-word@127.0.0.1:%d/silent", server_port (server));
  g_autofree char *quick_url
      = g_strdup_printf ("http://me:pass-word@127.0.0.1:%d/quick", server_port (server));
  g_autofree char *shown_url = server_url (server, "/quick");
  g_autofree char *words = g_strdup_printf ("GET %s: the host answers again", shown_url);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  PpHttpRequest request
      = { .method = "GET", .url = silent_url, .timeout_ms = 60000, .slow_ms = SLOW_MS };
  LaterCall later = { http, request, { loop, 1 } };

  expect ("prefect.http", G_LOG_LEVEL_WARNING, "GET http://127.0.0.1:*/silent: no answer for*");
  expect ("prefect.http", G_LOG_LEVEL_MESSAGE, words);
  pp_http_send (http, &request, on_done, NULL);
  later.request.url = quick_url;
  g_timeout_add (2 * SLOW_MS, send_later_call, &later);
  g_main_loop_run (loop);
  g_test_assert_expected_messages ();
}

static void
test_no_answer_on_socket (void)
{
  g_autofree char *folder = g_dir_make_tmp ("silence-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "engine.sock", NULL);
  Server *server = server_new (path, answer_late, GUINT_TO_POINTER (1500));

  expect ("prefect.http", G_LOG_LEVEL_WARNING, "GET http://engine/_ping (unix://*): no answer*");
  expect ("prefect.http", G_LOG_LEVEL_MESSAGE,
          "GET http://engine/_ping (unix://*): the host answers again");
  call_many ("http://engine/_ping", path, 1);
  server_free (server);
  unlink (path);
  rmdir (folder);
}

/* The kernel accepts the connection, but no TLS handshake follows. */
static void
test_no_handshake (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (bind (fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 5), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *)&address, &length), ==, 0);
  g_autofree char *url = g_strdup_printf ("https://127.0.0.1:%d/api", ntohs (address.sin_port));
  expect ("prefect.http", G_LOG_LEVEL_WARNING,
          "*no answer for*still connecting*to the TLS handshake*");
  call_many (url, NULL, 1);
  close (fd);
}

/* ---- silence of the server as a whole (prefect) ---- */

typedef struct
{
  GMainLoop *loop;
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  char *url;
} Fixture;

static Fixture *
fixture_new (Handler handler, gpointer data)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->server = server_new (NULL, handler, data);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings
      = (PpSettings){ .api_url = fixture->url, .api_request_timeout = 60, .client_max_retries = 5 };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  return fixture;
}

static void
fixture_free (Fixture *fixture)
{
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_main_loop_unref (fixture->loop);
  g_free (fixture->url);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static void
on_called (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  g_main_loop_quit (fixture->loop);
}

static void
call_api (Fixture *fixture)
{
  pp_work_pool_read (fixture->api, "p", PP_API_RETRY, on_called, fixture);
  g_main_loop_run (fixture->loop);
}

/* Answers the first three requests with 503. */
static gboolean
answer_busy (Server *server G_GNUC_UNUSED, const Request *request, int fd,
             gpointer data G_GNUC_UNUSED)
{
  if (request->number < 3)
    return server_reply (fd, 503, "", "{\"exception_message\": \"Service Unavailable\"}");
  return server_reply (fd, 200, "", "{\"id\": \"1\"}");
}

/* Prefect's client retries for a minute. The warning must come earlier. */
static void
test_outage (void)
{
  g_autoptr (Fixture) fixture = fixture_new (answer_busy, NULL);
  gint64 began = g_get_monotonic_time ();

  expect ("prefect.client", G_LOG_LEVEL_WARNING, "GET *503*Service Unavailable*");
  expect ("prefect.client", G_LOG_LEVEL_MESSAGE, "*answers correctly again");
  call_api (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpint (g_get_monotonic_time () - began, >, 6 * G_USEC_PER_SEC);
}

/* Answers with a Date that is this many seconds ahead of our clock. */
static gboolean
answer_dated (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
              gpointer data)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) then = g_date_time_add_seconds (now, *(const double *)data);
  g_autofree char *header = g_date_time_format (then, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n");

  return server_reply (fd, 200, header, "{\"id\": \"1\"}");
}

static void
test_clock (void)
{
  static const struct
  {
    double seconds;
    const char *words; /* or NULL */
  } cases[] = { { 0, NULL },
                { 45, NULL },
                { -45, NULL },
                { 3600, "This host's clock is 3*00 s behind the clock of the Prefect API*late*" },
                { -90, "This host's clock is * s ahead of the clock of the Prefect API*early*" } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double seconds = cases[i].seconds;
      g_autoptr (Fixture) fixture = fixture_new (answer_dated, &seconds);

      if (cases[i].words != NULL)
        expect ("prefect.client", G_LOG_LEVEL_WARNING, cases[i].words);
      call_api (fixture);
      call_api (fixture); /* the warning is logged once */
      g_test_assert_expected_messages ();
      /* A name with two servers: the clock of one of them is right. */
      seconds = 0;
      call_api (fixture);
      seconds = cases[i].seconds;
      call_api (fixture);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/silence/no-answer", test_no_answer);
  g_test_add_func ("/silence/slow-answer", test_slow_answer);
  g_test_add_func ("/silence/another-call-is-answered", test_another_call_is_answered);
  g_test_add_func ("/silence/no-answer-on-socket", test_no_answer_on_socket);
  g_test_add_func ("/silence/no-handshake", test_no_handshake);
  g_test_add_func ("/silence/outage", test_outage);
  g_test_add_func ("/silence/clock", test_clock);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
