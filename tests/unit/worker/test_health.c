/* SPDX-License-Identifier: Apache-2.0 */
/* Tests GET /health as probes send it. */
#include "prefect-podman/http/http.h"
#include "worker/health-private.h"
#include "worker/host_lookup-private.h"

#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  GMainLoop *loop;
  long status;
  char *body;
  char *allow;
} Answer;

static const char *illness;

static const char *
find_illness (gpointer user_data G_GNUC_UNUSED)
{
  return illness;
}

static void
on_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Answer *answer = user_data;
  g_assert_no_error (error);
  answer->status = response->status;
  answer->body = g_strdup (response->body);
  answer->allow = g_strdup (pp_http_response_header (response, "Allow"));
  g_main_loop_quit (answer->loop);
}

static void
assert_answer (const char *host, PpHealth *health, const char *method, const char *path,
               long status, const char *body)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = g_strdup_printf ("http://%s:%d%s", host, pp_health_port (health), path);
  Answer answer = { .loop = g_main_loop_new (NULL, FALSE) };
  PpHttpRequest request = { .method = method, .url = url };

  pp_http_send (http, &request, on_done, &answer);
  g_main_loop_run (answer.loop);
  g_assert_cmpint (answer.status, ==, status);
  g_assert_cmpstr (answer.body, ==, body);
  if (status == 405)
    g_assert_cmpstr (answer.allow, ==, "GET, HEAD");
  g_free (answer.body);
  g_free (answer.allow);
  g_main_loop_unref (answer.loop);
}

static PpHealth *
listen_on (const char *host, int port, GError **error)
{
  struct addrinfo *addresses = pp_host_addresses (host, port);
  PpHealth *health = pp_health_new (host, port, addresses, find_illness, NULL, error);

  freeaddrinfo (addresses);
  return health;
}

static PpHealth *
start (const char *host)
{
  g_autoptr (GError) error = NULL;
  PpHealth *health = listen_on (host, 0, &error);
  g_assert_no_error (error);
  return health;
}

static void
test_answers (void)
{
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  const char *local = "127.0.0.1";

  assert_answer (local, health, "GET", "/health", 200, "{\"message\":\"OK\"}");
  assert_answer (local, health, "GET", "/health?probe=1", 200, "{\"message\":\"OK\"}");
  assert_answer (local, health, "HEAD", "/health", 200, "");
  assert_answer (local, health, "POST", "/health", 405, "{\"detail\":\"Method Not Allowed\"}");
  assert_answer (local, health, "GET", "/", 404, "{\"detail\":\"Not Found\"}");
  illness = "Worker may be unresponsive at this time";
  assert_answer (local, health, "GET", "/health", 503,
                 "{\"message\":\"Worker may be unresponsive at this time\"}");
  assert_answer (local, health, "HEAD", "/health", 503, "");
  illness = "/state: \"No space\" left";
  assert_answer (local, health, "GET", "/health", 503,
                 "{\"message\":\"/state: \\\"No space\\\" left\"}");
  illness = NULL;
}

static void
test_hosts (void)
{
  const char *const hosts[] = { "127.0.0.1", "0.0.0.0", "" };

  for (guint i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      g_autoptr (PpHealth) health = start (hosts[i]);
      assert_answer ("127.0.0.1", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
    }

  g_autoptr (GError) error = NULL;
  g_autoptr (PpHealth) health = listen_on ("::1", 0, &error);
  if (health != NULL)
    assert_answer ("[::1]", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
  else /* a machine without IPv6 */
    g_assert_true (g_error_matches (error, PP_HEALTH_ERROR, EADDRNOTAVAIL)
                   || g_error_matches (error, PP_HEALTH_ERROR, EAFNOSUPPORT));
}

static void
test_errors (void)
{
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  g_autoptr (GError) in_use = NULL;
  g_autofree char *start = g_strdup_printf ("cannot listen on 127.0.0.1:%d for health checks: "
                                            "Address already in use",
                                            pp_health_port (health));

  g_assert_null (listen_on ("127.0.0.1", pp_health_port (health), &in_use));
  g_assert_error (in_use, PP_HEALTH_ERROR, EADDRINUSE);
  g_assert_true (g_str_has_prefix (in_use->message, start));
  g_assert_nonnull (strstr (in_use->message, "PREFECT_WORKER_WEBSERVER_PORT"));
}

/* After one endpoint is closed, a new one can listen on its port at once. */
static void
test_port_is_free_after (void)
{
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  int port = pp_health_port (health);
  g_autoptr (GError) error = NULL;

  assert_answer ("127.0.0.1", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
  g_clear_pointer (&health, pp_health_free);
  health = listen_on ("127.0.0.1", port, &error);
  g_assert_no_error (error);
}

/* A client that sends raw bytes and collects the answer until the server closes. */
typedef struct
{
  GMainLoop *loop;
  GString *answer;
} Raw;

static gboolean
on_readable (int fd, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  Raw *raw = user_data;
  char bytes[1000];
  ssize_t n = read (fd, bytes, sizeof bytes);

  if (n > 0)
    {
      g_string_append_len (raw->answer, bytes, n);
      return G_SOURCE_CONTINUE;
    }
  g_main_loop_quit (raw->loop);
  return G_SOURCE_REMOVE;
}

static int
connect_to (PpHealth *health)
{
  struct sockaddr_in address
      = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)pp_health_port (health)) };
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (connect (fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  return fd;
}

static char *
send_raw (PpHealth *health, const char *text, gsize length)
{
  Raw raw = { .loop = g_main_loop_new (NULL, FALSE), .answer = g_string_new (NULL) };
  int fd = connect_to (health);

  g_assert_cmpint (send (fd, text, length, MSG_NOSIGNAL), ==, (int)length);
  g_unix_fd_add (fd, G_IO_IN | G_IO_HUP, on_readable, &raw);
  g_main_loop_run (raw.loop);
  close (fd);
  g_main_loop_unref (raw.loop);
  return g_string_free (raw.answer, FALSE);
}

static void
test_strangers_are_bounded (void)
{
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  g_autofree char *header = g_strnfill (20000, 'x');
  g_autofree char *text
      = g_strdup_printf ("GET /health HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", header);
  g_autofree char *large = send_raw (health, text, strlen (text));
  g_autofree char *half = NULL;

  /* The request is refused, whether its answer arrives before the reset or not. */
  g_assert_null (strstr (large, "200 OK"));
  /* Half a request is cut off after a while, and the next client is served. */
  gint64 before = g_get_monotonic_time ();
  half = send_raw (health, "GET /hea", 8);
  g_assert_cmpstr (half, ==, "");
  g_assert_cmpint (g_get_monotonic_time () - before, <, 30 * G_USEC_PER_SEC);
  assert_answer ("127.0.0.1", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
}

/* Clients that send a byte of an endless request from time to time. */
typedef struct
{
  int fds[200];
  guint count;
  guint source;
} Slow;

static gboolean
on_trickle (gpointer user_data)
{
  Slow *slow = user_data;

  for (guint i = 0; i < slow->count; i++)
    send (slow->fds[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  return G_SOURCE_CONTINUE;
}

static void
start_slow (Slow *slow, PpHealth *health, guint count, const char *head)
{
  slow->count = count;
  for (guint i = 0; i < count; i++)
    {
      slow->fds[i] = connect_to (health);
      send (slow->fds[i], head, strlen (head), MSG_NOSIGNAL);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  slow->source = g_timeout_add (200, on_trickle, slow);
}

static void
stop_slow (Slow *slow)
{
  g_source_remove (slow->source);
  for (guint i = 0; i < slow->count; i++)
    close (slow->fds[i]);
}

/* Slow clients in any number do not delay the answers for others. */
static void
test_slow_clients_keep_nobody_out (void)
{
  static const char *const heads[] = {
    "",
    "GET /hea",
    "GET /health HTTP/1.1\r\nHost: a\r\nX: ",
    "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (heads); i++)
    {
      g_autoptr (PpHealth) health = start ("127.0.0.1");
      Slow slow = { 0 };

      start_slow (&slow, health, 100, heads[i]);
      for (int probe = 0; probe < 3; probe++)
        {
          gint64 before = g_get_monotonic_time ();
          assert_answer ("127.0.0.1", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
          g_assert_cmpint (g_get_monotonic_time () - before, <, 4 * G_USEC_PER_SEC);
        }
      stop_slow (&slow);
    }
}

/* Clients with many addresses: all of 127.0.0.0/8 is local. */
static void
test_slow_clients_of_many_addresses (void)
{
  g_autoptr (PpHealth) health = start ("0.0.0.0");
  int fds[60];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      struct sockaddr_in from = { .sin_family = AF_INET };
      struct sockaddr_in to
          = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)pp_health_port (health)) };

      from.sin_addr.s_addr = htonl (INADDR_LOOPBACK + 1 + i / 5);
      to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
      fds[i] = socket (AF_INET, SOCK_STREAM, 0);
      g_assert_cmpint (bind (fds[i], (struct sockaddr *)&from, sizeof from), ==, 0);
      g_assert_cmpint (connect (fds[i], (struct sockaddr *)&to, sizeof to), ==, 0);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  gint64 before = g_get_monotonic_time ();
  assert_answer ("127.0.0.1", health, "GET", "/health", 200, "{\"message\":\"OK\"}");
  g_assert_cmpint (g_get_monotonic_time () - before, <, 4 * G_USEC_PER_SEC);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
}

/* A request that never ends is cut off although it is never idle. */
static void
test_request_has_a_deadline (void)
{
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  Raw raw = { .loop = g_main_loop_new (NULL, FALSE), .answer = g_string_new (NULL) };
  Slow slow = { 0 };
  gint64 before = g_get_monotonic_time ();

  start_slow (&slow, health, 1, "GET /health HTTP/1.1\r\nX: ");
  g_unix_fd_add (slow.fds[0], G_IO_IN | G_IO_HUP, on_readable, &raw);
  g_main_loop_run (raw.loop);
  g_assert_cmpint (g_get_monotonic_time () - before, >, 4 * G_USEC_PER_SEC);
  g_assert_cmpint (g_get_monotonic_time () - before, <, 20 * G_USEC_PER_SEC);
  g_assert_cmpstr (raw.answer->str, ==, "");
  stop_slow (&slow);
  g_main_loop_unref (raw.loop);
  g_string_free (raw.answer, TRUE);
}

/* Only the first request on a connection is answered, and then the connection is closed. */
static void
test_one_request_a_connection (void)
{
  static const char request[] = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
  g_autoptr (PpHealth) health = start ("127.0.0.1");
  g_autofree char *twice = g_strconcat (request, request, NULL);
  gint64 before = g_get_monotonic_time ();
  g_autofree char *text = send_raw (health, twice, strlen (twice));
  const char *first = strstr (text, "200 OK");

  g_assert_cmpint (g_get_monotonic_time () - before, <, 4 * G_USEC_PER_SEC);
  g_assert_nonnull (first);
  g_assert_null (strstr (first + 1, "200 OK"));
}

static void
add (void)
{
  g_test_add_func ("/health/answers", test_answers);
  g_test_add_func ("/health/hosts", test_hosts);
  g_test_add_func ("/health/errors", test_errors);
  g_test_add_func ("/health/port-is-free-after", test_port_is_free_after);
  g_test_add_func ("/health/strangers-are-bounded", test_strangers_are_bounded);
  g_test_add_func ("/health/slow-clients", test_slow_clients_keep_nobody_out);
  g_test_add_func ("/health/slow-clients-of-many-addresses", test_slow_clients_of_many_addresses);
  g_test_add_func ("/health/request-has-a-deadline", test_request_has_a_deadline);
  g_test_add_func ("/health/one-request-a-connection", test_one_request_a_connection);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
