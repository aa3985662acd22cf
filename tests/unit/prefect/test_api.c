/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the API client with a server that behaves as servers and their proxies do on bad days. */
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

/* The server's answer to one request. Each request takes the next step; the last one repeats. */
typedef struct
{
  int status; /* 0: reset the connection; -1: half an answer; -2: the request's Authorization */
  const char *headers;
  const char *body;
} Step;

typedef struct
{
  const Step *steps;
  guint n_steps;
} Script;

typedef struct
{
  GMainLoop *loop;
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  Script script;
  char *url;
  /* The result of the last call. */
  guint done;
  json_t *body;
  GError *error;
} Fixture;

static gboolean
run_step (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const Script *script = data;
  const Step *step = &script->steps[MIN (request->number, script->n_steps - 1)];
  const char *headers = step->headers != NULL ? step->headers : "";
  static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"";

  if (strstr (request->target, "/other") != NULL)
    return server_reply (fd, 200, "", "[]");
  switch (step->status)
    {
    case 0:
      server_reset (fd);
      return FALSE;
    case -1:
      server_write (fd, half, strlen (half));
      return FALSE;
    case -2:
      {
        g_autofree char *echo
            = g_strdup_printf ("{\"detail\": \"bad credentials %s %s\"}",
                               (char *)g_hash_table_lookup (request->headers, "authorization"),
                               (char *)g_hash_table_lookup (request->headers, "x-token"));
        return server_reply (fd, 401, headers, echo);
      }
    default:
      return server_reply (fd, step->status, headers, step->body != NULL ? step->body : "");
    }
}

static Fixture *
fixture_new (const Step *steps, guint n_steps)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->script = (Script){ steps, n_steps };
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->server = server_new (NULL, run_step, &fixture->script);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){
    .api_url = fixture->url,
    .api_request_timeout = 60,
    .client_max_retries = 3,
    .client_retry_jitter_factor = 0.2,
  };
  return fixture;
}

/* Called after a test has changed the settings. */
static void
start (Fixture *fixture)
{
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
}

static void
fixture_free (Fixture *fixture)
{
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  g_clear_pointer (&fixture->server, server_free);
  g_clear_error (&fixture->error);
  json_decref (fixture->body);
  g_main_loop_unref (fixture->loop);
  g_free (fixture->url);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static Fixture *
started (const Step *steps, guint n_steps)
{
  Fixture *fixture = fixture_new (steps, n_steps);
  start (fixture);
  return fixture;
}

/* Returns a started fixture whose API hardly waits before it repeats a call. */
static Fixture *
hurried (const Step *steps, guint n_steps)
{
  Fixture *fixture = started (steps, n_steps);

  pp_api_hurry (fixture->api, 0.001);
  return fixture;
}

static void
on_done (json_t *body, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true (body == NULL || error == NULL);
  fixture->done++;
  json_decref (fixture->body);
  fixture->body = json_incref (body);
  g_clear_error (&fixture->error);
  if (error != NULL)
    fixture->error = g_error_copy (error);
  g_main_loop_quit (fixture->loop);
}

static void
call (Fixture *fixture, const char *method, const char *path, PpApiPatience patience)
{
  json_t *body = g_str_equal (method, "GET") ? NULL : json_object ();
  guint before = fixture->done;
  pp_api_call (fixture->api, method, path, body, patience, on_done, fixture);
  g_main_loop_run (fixture->loop);
  g_assert_cmpuint (fixture->done, ==, before + 1);
}

static gboolean
quit_loop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static void
run_for (GMainLoop *loop, guint milliseconds)
{
  g_timeout_add (milliseconds, quit_loop, loop);
  g_main_loop_run (loop);
}

static const char *
header (Fixture *fixture, guint number, const char *name)
{
  return g_hash_table_lookup (server_request (fixture->server, number)->headers, name);
}

/* --- what a call sends --- */

static void
test_headers (void)
{
  const Step steps[] = { { 200, NULL, "{\"a\": 1}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  fixture->settings.api_key = (char *)"pnu_secret";
  fixture->settings.api_auth_string = (char *)"user:password";
  json_auto_t *custom = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:i}", "X-Tenant", "a\r\nb: c",
                                   "User-Agent", "evil", "prefect-csrf-token", "evil",
                                   "Authorization", "evil", "bad name", "x", "X-Number", 1);
  fixture->settings.client_custom_headers = custom;
  for (int i = 0; i < 5; i++)
    g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING,
                           "*PREFECT_CLIENT_CUSTOM_HEADERS*");
  start (fixture);
  g_test_assert_expected_messages ();
  pp_api_set_worker (fixture->api, " worker\r\n1 ", "  ");

  call (fixture, "POST", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  g_assert_cmpint (json_integer_value (json_object_get (fixture->body, "a")), ==, 1);
  g_assert_cmpstr (server_request (fixture->server, 0)->target, ==, "/api/x");
  g_assert_cmpstr (server_request (fixture->server, 0)->body->str, ==, "{}");
  g_assert_cmpstr (header (fixture, 0, "content-type"), ==, "application/json");
  g_assert_cmpstr (header (fixture, 0, "authorization"), ==, "Bearer pnu_secret");
  g_assert_cmpstr (header (fixture, 0, "x-tenant"), ==, "a  b: c");
  g_assert_cmpstr (header (fixture, 0, "x-prefect-worker-name"), ==, "worker  1");
  g_assert_null (header (fixture, 0, "x-prefect-worker-id"));
  g_assert_cmpstr (header (fixture, 0, "x-prefect-api-version"), ==, "0.8.4");
  g_assert_null (header (fixture, 0, "prefect-csrf-token"));
  /* The server's get_prefect_client_version() must find a version in it. */
  g_assert_true (
      g_regex_match_simple ("^prefect/\\d+\\.\\d+\\.\\d+(?:[a-z.+0-9]+)? \\(API \\S+\\)$",
                            header (fixture, 0, "user-agent"), 0, 0));
}

static void
test_basic_auth (void)
{
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  fixture->settings.api_auth_string = (char *)"user:password";
  start (fixture);
  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_cmpstr (header (fixture, 0, "authorization"), ==, "Basic dXNlcjpwYXNzd29yZA==");
}

/* --- when a call is repeated --- */

static void
test_retry_statuses (void)
{
  const int codes[] = { 408, 429, 502, 503, 418 };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      const Step steps[] = { { codes[i], NULL, "" }, { codes[i], NULL, "" }, { 200, NULL, "{}" } };
      const int extra[] = { 418, 0 };
      g_autoptr (Fixture) fixture = fixture_new (steps, 3);
      fixture->settings.client_retry_extra_codes = (int *)extra;
      start (fixture);
      pp_api_hurry (fixture->api, 0.001);
      call (fixture, "GET", "/x", PP_API_RETRY);
      g_assert_no_error (fixture->error);
      g_assert_cmpuint (server_requests (fixture->server), ==, 3);
    }
}

static void
test_retry_has_an_end (void)
{
  const Step steps[] = { { 503, NULL, "{\"exception_message\": \"Service Unavailable\"}" } };
  g_autoptr (Fixture) fixture = hurried (steps, 1);

  call (fixture, "GET", "/x", PP_API_RETRY);
  g_assert_error (fixture->error, PP_API_ERROR, 503);
  g_assert_true (pp_api_error_is_transient (fixture->error));
  g_assert_cmpuint (server_requests (fixture->server), ==, 4); /* the first and max_retries */
}

static void
test_not_retried (void)
{
  const int codes[] = { 400, 401, 403, 404, 409, 422, 500 };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      const Step steps[] = { { codes[i], NULL, "{\"detail\": \"Flow not found\"}" } };
      g_autoptr (Fixture) fixture = hurried (steps, 1);
      call (fixture, "GET", "/flows/x", PP_API_RETRY);
      g_assert_error (fixture->error, PP_API_ERROR, codes[i]);
      g_assert_cmpuint (server_requests (fixture->server), ==, 1);
    }
}

/* The path contains the name of a block or a variable, which a job's author chooses. */
static void
test_path_is_too_long (void)
{
  const Step steps[] = { { 404, NULL, "{\"detail\": \"Variable not found\"}" } };
  static const gsize sizes[] = { 100 * 1024, 600 * 1024, 1200 * 1024 };
  static const guint requests[] = { 1, 0, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (Fixture) fixture = hurried (steps, 1);
      g_autofree char *name = g_strnfill (sizes[i], 'x');
      g_autofree char *path = g_strconcat ("/variables/name/", name, NULL);

      call (fixture, "GET", path, PP_API_PERSIST);
      g_assert_nonnull (fixture->error);
      g_assert_false (pp_api_error_is_transient (fixture->error));
      g_assert_cmpuint (strlen (fixture->error->message), <, 4096);
      g_assert_cmpuint (server_requests (fixture->server), ==, requests[i]);
    }
}

static void
test_once (void)
{
  const Step steps[] = { { 503, NULL, "" } };
  g_autoptr (Fixture) fixture = hurried (steps, 1);

  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_error (fixture->error, PP_API_ERROR, 503);
  g_assert_cmpuint (server_requests (fixture->server), ==, 1);
}

/* Resets and half answers. The pauses are Prefect's 2 s, 4 s, ..., so each fault comes once. */
static void
test_retry_broken_connections (void)
{
  const Step steps[] = { { 0 }, { 200, NULL, "{}" } };
  const Step halves[] = { { -1 }, { 200, NULL, "{}" } };
  const Step *const scripts[] = { steps, halves };

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (Fixture) fixture = started (scripts[i], 2);
      gint64 before = g_get_monotonic_time ();
      call (fixture, "GET", "/x", PP_API_RETRY);
      double seconds = (double)(g_get_monotonic_time () - before) / G_USEC_PER_SEC;
      g_assert_no_error (fixture->error);
      g_assert_cmpuint (server_requests (fixture->server), ==, 2);
      g_assert_cmpfloat (seconds, >=, 1.6);
      g_assert_cmpfloat (seconds, <, 20);
    }
}

static void
test_retry_after (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) then = g_date_time_add_seconds (now, 2);
  g_autofree char *date = g_date_time_format (then, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n");
  const char *const headers[] = { "Retry-After: 1\r\n", date };

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      const Step steps[] = { { 429, headers[i], "" }, { 200, NULL, "{}" } };
      g_autoptr (Fixture) fixture = started (steps, 2);
      gint64 before = g_get_monotonic_time ();
      call (fixture, "GET", "/x", PP_API_RETRY);
      double seconds = (double)(g_get_monotonic_time () - before) / G_USEC_PER_SEC;
      g_assert_no_error (fixture->error);
      g_assert_cmpfloat (seconds, <, 20);
      if (i == 0)
        g_assert_cmpfloat (seconds, >=, 1.0);
    }
}

/* The server asks for a repetition at once, or at a time that this host's clock has passed. */
static void
test_no_pause_is_asked_for (void)
{
  static const char *const headers[] = { "Retry-After: 0\r\n", "Retry-After: -3600\r\n",
                                         "Retry-After: Thu, 01 Jan 2015 00:00:00 GMT\r\n" };
  static const struct
  {
    PpApiPatience patience;
    double seconds;
  } calls[] = { { PP_API_RETRY, 0.1 },
                { PP_API_PERSIST, 1 },
                { PP_API_PERSIST_REFUSED, 1 },
                { PP_API_PERSIST_UNLESS_TOLD, 1 },
                { PP_API_PERSIST_SHARED, 1 } };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      const Step steps[]
          = { { 429, headers[i % G_N_ELEMENTS (headers)], "{\"detail\": \"slow down\"}" },
              { 200, NULL, "{}" } };
      g_autoptr (Fixture) fixture = started (steps, 2);
      gint64 before = g_get_monotonic_time ();
      call (fixture, "POST", "/x", calls[i].patience);
      double seconds = (double)(g_get_monotonic_time () - before) / G_USEC_PER_SEC;
      g_assert_no_error (fixture->error);
      g_assert_cmpfloat (seconds, >=, calls[i].seconds);
      g_assert_cmpfloat (seconds, <, 20);
    }
}

static void
test_maintenance_does_not_count (void)
{
  const Step down = { 503, "Prefect-Maintenance: true\r\n", "" };
  Step steps[11];
  for (guint i = 0; i < 10; i++)
    steps[i] = down;
  steps[10] = (Step){ 200, NULL, "{}" };
  g_autoptr (Fixture) fixture = hurried (steps, 11);

  g_assert_cmpint (pp_api_maintenance_until (fixture->api), ==, 0);
  call (fixture, "GET", "/x", PP_API_RETRY);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 11);
  g_assert_cmpint (pp_api_maintenance_until (fixture->api), >, 0);
}

/* Returns the seconds that a call of PATIENCE takes if the first answer is STATUS with RETRY_AFTER
 * and the second one is good. Pauses are FACTOR of their length, with a jitter of JITTER. */
static double
seconds_of_call (int status, const char *retry_after, PpApiPatience patience, double factor,
                 double jitter)
{
  const Step steps[]
      = { { status, retry_after, "{\"detail\": \"slow down\"}" }, { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, G_N_ELEMENTS (steps));
  gint64 before = g_get_monotonic_time ();

  fixture->settings.client_retry_jitter_factor = jitter;
  start (fixture);
  pp_api_hurry (fixture->api, factor);
  call (fixture, "POST", "/x", patience);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 2);
  return (double)(g_get_monotonic_time () - before) / G_USEC_PER_SEC;
}

/* Prefect's client does not retry after these answers. Their Retry-After is ignored, also if this
 * call is retried. With Retry-After, each of these calls would wait 6 s or longer. */
static void
test_retry_after_of_other_answers (void)
{
  static const int statuses[] = { 401, 403, 500, 504 };

  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      const Step steps[] = { { statuses[i], "Retry-After: 3600\r\n", "{\"detail\": \"no\"}" } };
      g_autoptr (Fixture) fixture = started (steps, 1);

      g_assert_cmpfloat (
          seconds_of_call (statuses[i], "Retry-After: 99999999999\r\n", PP_API_PERSIST, 0.02, 0.2),
          <, 4);
      call (fixture, "POST", "/x", PP_API_TRY);
      g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), ==, 1000);
    }
}

/* No jitter makes the pause longer than 5 minutes, here 0.6 s. */
static void
test_retry_after_is_bounded (void)
{
  static const char *const headers[] = { "Retry-After: 99999999999\r\n", "Retry-After: 299\r\n",
                                         "Retry-After: Thu, 01 Jan 2099 00:00:00 GMT\r\n" };
  static const PpApiPatience patiences[] = { PP_API_RETRY, PP_API_PERSIST, PP_API_PERSIST_SHARED };

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      double seconds = seconds_of_call (429, headers[i], patiences[i], 0.002, 100);

      g_assert_cmpfloat (seconds, >=, 0.59);
      g_assert_cmpfloat (seconds, <, 3);
    }
}

static void
test_persist (void)
{
  Step steps[31];
  for (guint i = 0; i < 30; i++)
    steps[i] = (Step){ i == 9       ? 401
                       : i % 2 == 0 ? 503
                                    : 500,
                       NULL, "{\"exception_message\": \"database\"}" };
  steps[30] = (Step){ 200, NULL, "{}" };
  g_autoptr (Fixture) fixture = hurried (steps, 31);

  /* A lasting problem is logged once. */
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING, "*503*database*asking again*");
  call (fixture, "POST", "/x", PP_API_PERSIST);
  g_assert_no_error (fixture->error);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (server_requests (fixture->server), ==, 31);

  const Step refused[] = { { 422, NULL, "{\"detail\": \"no\"}" } };
  g_autoptr (Fixture) other = hurried (refused, 1);
  call (other, "POST", "/x", PP_API_PERSIST);
  g_assert_error (other->error, PP_API_ERROR, 422);
}

/* Nobody listens, and later somebody does. RETRY gives up at once, as Prefect's client does before
 * its first answer; after an answer, it tries again. */
static void
test_server_comes_back (void)
{
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);
  int port = server_port (fixture->server);

  g_clear_pointer (&fixture->server, server_free);
  /* The warning comes at most 8 s after the call began. */
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING, "*refused*asking again*");
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_MESSAGE, "*answers correctly again");
  call (fixture, "GET", "/x", PP_API_RETRY);
  g_assert_error (fixture->error, PP_API_ERROR, PP_API_ERROR_NO_ANSWER);
  g_assert_nonnull (strstr (fixture->error->message, "Connection refused"));
  g_assert_true (pp_api_error_is_transient (fixture->error));

  for (int i = 0; i < 2; i++)
    {
      PpApiPatience patience = i == 0 ? PP_API_PERSIST : PP_API_RETRY;
      pp_api_call (fixture->api, "GET", "/x", NULL, patience, on_done, fixture);
      run_for (fixture->loop, 100);
      g_assert_cmpuint (pp_api_pending (fixture->api), ==, 1);
      fixture->server = server_new_on_port (port, run_step, &fixture->script);
      g_main_loop_run (fixture->loop);
      g_assert_no_error (fixture->error);
      g_clear_pointer (&fixture->server, server_free);
    }
  g_test_assert_expected_messages ();
}

static void
test_timeout_is_transient (void)
{
  const Step steps[] = { { 429, "Retry-After: 1\r\n", "" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  fixture->settings.api_request_timeout = 0.001;
  g_free (fixture->url);
  /* This address is reserved for documentation: nothing answers. */
  fixture->settings.api_url = fixture->url = g_strdup ("http://192.0.2.1/api");
  start (fixture);
  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_error (fixture->error, PP_API_ERROR, PP_API_ERROR_NO_ANSWER);
}

/* --- what an answer means --- */

static void
assert_message (const Step *step, int code, const char *expected)
{
  g_autoptr (Fixture) fixture = started (step, 1);
  g_autofree char *whole = g_strdup_printf ("GET %s/flow_runs/x: %s", fixture->url, expected);

  call (fixture, "GET", "/flow_runs/x", PP_API_ONCE);
  g_assert_error (fixture->error, PP_API_ERROR, code);
  g_assert_cmpstr (fixture->error->message, ==, whole);
}

static void
test_errors_have_the_servers_words (void)
{
  const Step detail = { 404, NULL, "{\"detail\": \"Flow run\\n not found\"}" };
  const Step exception
      = { 503, NULL, "{\"exception_message\": \"Service Unavailable\", \"request_body\": \"pw\"}" };
  const Step validation
      = { 422, NULL,
          "{\"exception_message\": \"Invalid request received.\", \"exception_detail\": [{\"loc\": "
          "[\"body\", \"state\", 0], \"msg\": \"Field required\", \"input\": \"pw\"}, {\"loc\": "
          "[], \"msg\": \"Bad\"}, {\"loc\": \"x\"}], \"request_body\": {\"a\": \"pw\"}}" };
  const Step page = { 502, NULL, "<html>\r\n <h1>Bad\tgateway</h1>\xff" };
  const Step empty = { 500, NULL, "" };

  assert_message (&detail, 404, "404 Not Found: Flow run not found");
  assert_message (&exception, 503, "503 Service Unavailable: Service Unavailable");
  g_autoptr (Fixture) fixture = started (&validation, 1);
  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_nonnull (strstr (fixture->error->message,
                            ": Invalid request received.: body.state.0: Field required; Bad"));
  g_assert_null (strstr (fixture->error->message, "pw"));
  assert_message (&page, 502, "502 Bad Gateway: <html> <h1>Bad gateway</h1>\xef\xbf\xbd");
  assert_message (&empty, 500, "500 Internal Server Error");
}

static void
test_words_are_bounded (void)
{
  g_autofree char *long_text = g_strnfill (100000, 'x');
  g_autofree char *json = g_strdup_printf ("{\"detail\": \"%s\"}", long_text);
  const Step steps[] = { { 404, NULL, json } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_cmpuint (strlen (fixture->error->message), <, 700);
}

static void
test_not_the_api (void)
{
  const Step page = { 200, NULL, "<!doctype html>\n<title>Prefect</title>" };
  const Step login = { 302, "Location: https://user:pw@sso.example/login?token=t\r\n", "" };

  assert_message (
      &page, 200,
      "200 OK, but the answer is not JSON; it begins \"<!doctype html> "
      "<title>Prefect</title>\": check that PREFECT_API_URL is the URL of the API (it must "
      "end in /api) and that no login page is in front of it");
  assert_message (&login, 302,
                  "302 Found: redirected to https://sso.example/login, perhaps a login page or "
                  "another server: check PREFECT_API_URL");
  /* Waiting does not help, so PERSIST does not wait. */
  g_autoptr (Fixture) fixture = started (&page, 1);
  call (fixture, "GET", "/x", PP_API_PERSIST);
  g_assert_false (pp_api_error_is_transient (fixture->error));
}

/* The words of an ingress, a gateway or a login page while the server is away say nothing about a
 * deployment, and neither do those of a server that is being started. */
static void
test_stranger_in_the_servers_place (void)
{
  const Step strangers[] = {
    { 404, NULL, "default backend - 404" },
    { 404, NULL, "" },
    { 404, NULL, "{\"message\": \"no Route matched with those values\"}" },
    { 404, NULL, "{\"message\": \"Deployment not found\"}" },
    { 404, NULL, "{\"detail\": \"Not Found\"}" },
    { 404, NULL, "{\"detail\": null}" },
    { 404, NULL, "{\"detail\": \"Workspace not found\"}" },
    { 404, NULL, "{\"detail\": \"No static resource deployments/d\"}" },
    { 405, NULL, "{\"detail\": \"Method Not Allowed\"}" },
    { 400, NULL, "<html>Bad Request</html>" },
    { 401, NULL, "<html>Sign in</html>" },
    { 403, NULL, "<html>Forbidden</html>" },
    { 403, NULL, "{\"message\": \"Forbidden\"}" },
    { 407, NULL, "" },
    { 421, NULL, "" },
    { 200, NULL, "<html>back soon</html>" },
    { 302, "Location: /login\r\n", "" },
    { 302, "Location: /login\r\n", "{\"to\": \"/login\"}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    {
      const Step steps[] = { { 200, NULL, "[]" },
                             strangers[i],
                             { 404, NULL, "{\"detail\": \"Deployment not found\"}" } };
      g_autoptr (Fixture) fixture = hurried (steps, 3);

      call (fixture, "GET", "/x", PP_API_PERSIST);
      g_assert_no_error (fixture->error);
      call (fixture, "GET", "/deployments/d", PP_API_PERSIST);
      g_assert_error (fixture->error, PP_API_ERROR, 404);
      g_assert_nonnull (strstr (fixture->error->message, "Deployment not found"));
      g_assert_cmpuint (server_requests (fixture->server), ==, 3);
    }
}

/* A server that lacks a route for a while has not lost the run. Only its own words about the run
 * mean that, in the answer to any call about the run. */
static void
test_object_that_is_not_there (void)
{
  static const struct
  {
    const char *path;
    const char *words;
    int code;
  } answers[] = {
    { "/flow_runs/f/set_state", "{\"exception_message\": \"Flow run with id f not found\"}", 404 },
    { "/flow_runs/f", "{\"detail\": \"Flow run not found\"}", 404 },
    { "/deployments/d", "{\"detail\": \"Deployment with id d not found\"}", 404 },
    { "/flows/f", "{\"detail\": \"Flow not found\"}", 404 },
    { "/variables/name/v", "{\"detail\": \"Variable not found.\"}", 404 },
    { "/block_documents/b", "{\"detail\": \"Block document not found\"}", 404 },
    { "/block_types/slug/s/block_documents/name/n", "{\"detail\": \"Block type not found\"}", 404 },
    { "/work_pools/p", "{\"detail\": \"Work pool \\\"p\\\" not found.\"}", 404 },
    { "/work_pools/p", "{\"detail\": \"Not Found\"}", PP_API_ERROR_NO_ROUTE },
    { "/flow_runs/f", "{\"detail\": \"Not Found\"}", PP_API_ERROR_NO_ROUTE },
    { "/flow_runs/filter", "{\"detail\": \"Flow run not found\"}", PP_API_ERROR_NO_ROUTE },
    { "/logs/filter", "{\"detail\": \"Workspace not found\"}", PP_API_ERROR_NO_ROUTE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      const Step steps[] = { { 200, NULL, "[]" }, { 404, NULL, answers[i].words } };
      g_autoptr (Fixture) fixture = started (steps, 2);

      call (fixture, "GET", "/x", PP_API_ONCE);
      call (fixture, "POST", answers[i].path, PP_API_ONCE);
      g_assert_error (fixture->error, PP_API_ERROR, answers[i].code);
      g_assert_true (pp_api_error_is_transient (fixture->error) == (answers[i].code != 404));
    }
}

/* The API itself refuses a call that a run waits for. The call is repeated only for the time that
 * an upgrade of the server may need. */
static void
test_what_the_api_denies (void)
{
  static const struct
  {
    int status;
    const char *words;
    int code;
  } answers[] = {
    { 403, "{\"detail\": \"Forbidden\"}", 403 },
    { 404, "{\"detail\": \"Not Found\"}", PP_API_ERROR_NO_ROUTE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      Step steps[9] = { { 200, NULL, "[]" } };
      g_autoptr (Fixture) fixture = NULL;

      for (guint k = 1; k < G_N_ELEMENTS (steps); k++)
        steps[k] = (Step){ answers[i].status, NULL, answers[i].words };
      fixture = hurried (steps, G_N_ELEMENTS (steps));
      call (fixture, "GET", "/x", PP_API_ONCE);
      g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING,
                             "*/block_documents/b*asking again*");
      call (fixture, "GET", "/block_documents/b", PP_API_PERSIST_UNLESS_TOLD);
      g_test_assert_expected_messages ();
      g_assert_error (fixture->error, PP_API_ERROR, answers[i].code);
      g_assert_cmpuint (server_requests (fixture->server), ==, 9);
    }
}

static void
call_others (json_t *body G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  pp_api_call (user_data, "GET", "/other", NULL, PP_API_ONCE, call_others, user_data);
}

/* The server fails at one call only, for example because it cannot serialize a block document. The
 * call ends, so that the run ends and frees its slot. */
static void
test_what_the_server_fails_at (void)
{
  const Step steps[] = { { 500, NULL, "{\"exception_message\": \"Internal Server Error\"}" } };
  g_autoptr (Fixture) fixture = hurried (steps, 1);

  call_others (NULL, NULL, fixture->api);
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING,
                         "*/block_documents/b*asking again*");
  call (fixture, "GET", "/block_documents/b", PP_API_PERSIST_UNLESS_TOLD);
  g_test_assert_expected_messages ();
  g_assert_error (fixture->error, PP_API_ERROR, 500);
}

/* A gateway that refuses one call and passes others counts like a server that fails at that call. A
 * gateway that refuses all calls is waited for. */
static void
test_what_a_gateway_refuses (void)
{
  const Step heard = { 200, NULL, "[]" };
  const Step refusals[] = {
    { 403, NULL, "<html>Request blocked</html>" },
    { 406, NULL, "Not Acceptable!" },
    { 400, NULL, "<html>Bad Request</html>" },
    { 200, NULL, "<html>The requested URL was rejected.</html>" },
    { 302, "Location: /blocked\r\n", "" },
    { 403, NULL, "{\"detail\": \"no right to write logs\"}" },
    { 501, NULL, "Method Not Implemented" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      const Step steps[] = { heard, refusals[i] };
      const Step away[] = { refusals[i], refusals[i], refusals[i], refusals[i], heard };
      g_autoptr (Fixture) f = hurried (steps, G_N_ELEMENTS (steps));
      g_autoptr (Fixture) other = hurried (away, G_N_ELEMENTS (away));

      call (f, "GET", "/x", PP_API_ONCE);
      call (f, "POST", "/logs/", PP_API_PERSIST_REFUSED);
      g_assert_nonnull (f->error);
      g_assert_false (pp_api_error_may_be_done (f->error));
      g_assert_cmpuint (server_requests (f->server), ==, 3);

      pp_api_expect (other->api);
      call (other, "POST", "/logs/", PP_API_PERSIST_REFUSED);
      g_assert_no_error (other->error);
      g_assert_cmpuint (server_requests (other->server), ==, 5);
    }
}

/* A key may lose a right and get it back, but a request that is too large for a gateway stays too
 * large. */
static void
test_what_persists (void)
{
  const Step steps[] = { { 403, NULL, "{\"detail\": \"Forbidden\"}" }, { 200, NULL, "[]" } };
  const Step large[] = { { 413, NULL, "<html>Request Entity Too Large</html>" } };
  g_autoptr (Fixture) fixture = hurried (steps, 2);
  g_autoptr (Fixture) other = hurried (large, 1);

  call (fixture, "POST", "/x", PP_API_PERSIST);
  g_assert_no_error (fixture->error);
  call (other, "POST", "/x", PP_API_PERSIST_REFUSED);
  g_assert_error (other->error, PP_API_ERROR, 413);
}

/* A caller that repeats its call itself can read for how long the server asked it to wait. */
static void
test_rest_that_is_asked_for (void)
{
  const Step steps[] = { { 429, "Retry-After: 7\r\n", "{\"detail\": \"slow down\"}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), ==, 1000);
  call (fixture, "POST", "/x", PP_API_TRY);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), >, 5000);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), <=, 7000);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 9000), ==, 9000);
}

/* If a server asks for an hour, the pause is shorter, and it ends when the server answers again. */
static void
test_rest_that_is_over (void)
{
  const Step steps[] = { { 503, "Retry-After: 3600\r\n", "" }, { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = started (steps, G_N_ELEMENTS (steps));

  call (fixture, "POST", "/x", PP_API_TRY);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), >, 290 * 1000);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), <=, 300 * 1000);
  call (fixture, "POST", "/x", PP_API_TRY);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (pp_api_rest_ms (fixture->api, 1000), ==, 1000);
}

/* A call that the API itself refused is repeated. If a proxy in front of it refused the call, the
 * API may have carried it out. */
static void
test_what_was_refused (void)
{
  const Step steps[]
      = { { 503, NULL, "{\"exception_message\": \"Service Unavailable\"}" },
          { 503, NULL, "upstream connect error or disconnect/reset before headers" } };
  g_autoptr (Fixture) fixture = hurried (steps, G_N_ELEMENTS (steps));

  call (fixture, "POST", "/x", PP_API_PERSIST_REFUSED);
  g_assert_error (fixture->error, PP_API_ERROR, 503);
  g_assert_cmpuint (server_requests (fixture->server), ==, 2);
}

static void
on_state_set (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  g_assert_null (result);
  on_done (NULL, error, user_data);
}

/* Something in the server's place answers 200 to every request. That says nothing about a run. */
static void
test_success_of_a_stranger (void)
{
  static const char *const bodies[] = { "{}",
                                        "",
                                        "null",
                                        "\"ok\"",
                                        "{\"status\": true}",
                                        "{\"status\": \"ok\"}",
                                        "{\"status\": \"ACCEPT\"}",
                                        "{\"status\": \"WAIT\"}" };
  const Step heard = { 200, NULL, "[]" };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      const Step strange = { 200, NULL, bodies[i] };
      const Step steps[] = { heard, strange, strange, strange, heard };
      g_autoptr (Fixture) f = hurried (steps, G_N_ELEMENTS (steps));
      json_auto_t *ids = json_pack ("[s]", "x");

      call (f, "GET", "/x", PP_API_ONCE);
      pp_flow_run_read (f->api, "x", PP_API_ONCE, on_done, f);
      g_main_loop_run (f->loop);
      g_assert_error (f->error, PP_API_ERROR, PP_API_ERROR_STRANGER);
      pp_flow_run_set_state (f->api, "x", "y", "COMPLETED", NULL, NULL, FALSE, PP_API_TRY,
                             on_state_set, f);
      g_main_loop_run (f->loop);
      g_assert_error (f->error, PP_API_ERROR, PP_API_ERROR_STRANGER);
      pp_flow_runs_filter_ids (f->api, ids, on_done, f);
      g_main_loop_run (f->loop);
      g_assert_no_error (f->error);
      g_assert_true (json_is_array (f->body));
      g_assert_cmpuint (server_requests (f->server), ==, 5);
    }
}

#define ID "99999999-0000-4000-8000-00000000000a"

/* Makes one call that must not accept BODY with STATUS as the API's answer. WHICH selects the call.
 */
static void
assert_strange (int status, const char *body, guint which)
{
  const Step steps[] = { { 200, NULL, "[]" }, { status, NULL, body }, { 204, NULL, NULL } };
  g_autoptr (Fixture) f = hurried (steps, G_N_ELEMENTS (steps));
  json_auto_t *value = json_pack ("[s]", ID);

  call (f, "GET", "/x", PP_API_ONCE);
  switch (which)
    {
    case 0:
      pp_flow_run_read (f->api, ID, PP_API_ONCE, on_done, f);
      break;
    case 1:
      pp_flow_runs_count (f->api, value, on_done, f);
      break;
    case 2: /* this call is repeated */
      pp_flow_run_update_infrastructure_pid (f->api, ID, "podman:x", on_done, f);
      break;
    default:
      pp_flow_run_update_empirical_policy (f->api, ID, value, on_done, f);
      break;
    }
  g_main_loop_run (f->loop);
  if (which != 2)
    g_assert_error (f->error, PP_API_ERROR, PP_API_ERROR_STRANGER);
  else
    g_assert_no_error (f->error);
  g_assert_cmpuint (server_requests (f->server), ==, which != 2 ? 2 : 3);
}

/* Answers that the API would not give to this call, although it might give them to another. */
static void
test_answer_to_something_else (void)
{
  assert_strange (200, "{\"id\": \"99999999-0000-4000-8000-00000000000b\"}", 0);
  assert_strange (200, "{\"id\": \"1\"}", 0);
  assert_strange (200, "{}", 1);
  assert_strange (200, "\"3\"", 1);
  assert_strange (200, "", 2);
  assert_strange (200, "{\"status\": \"ok\"}", 2);
  assert_strange (200, "null", 3);
  assert_strange (202, "", 3);
}

/* The same id in capitals is accepted. If a UUID is used as a name, it is not compared as an id. */
static void
test_own_answer (void)
{
  const Step steps[] = { { 200, NULL, "{\"id\": \"99999999-0000-4000-8000-00000000000A\"}" },
                         { 200, NULL, "{\"id\": \"7\"}" } };
  g_autoptr (Fixture) f = hurried (steps, G_N_ELEMENTS (steps));

  pp_deployment_read (f->api, ID, on_done, f);
  g_main_loop_run (f->loop);
  g_assert_no_error (f->error);
  pp_variable_read (f->api, ID, on_done, f);
  g_main_loop_run (f->loop);
  g_assert_no_error (f->error);
}

/* The words of Traefik while it knows of no server, and the API's words for a path that it does not
 * have. */
static void
test_stranger_before_the_server (void)
{
  const Step plain = { 404, NULL, "404 page not found\n" };
  const Step method = { 405, NULL, "<html>405 Not Allowed</html>" };
  const Step forbidden = { 403, NULL, "<html>403 Forbidden</html>" };
  const Step own = { 404, NULL, "{\"detail\": \"Not Found\"}" };

  assert_message (&plain, PP_API_ERROR_STRANGER,
                  "404 Not Found: 404 page not found (not the API's own answer: check "
                  "PREFECT_API_URL, which must end in /api)");
  assert_message (&method, PP_API_ERROR_STRANGER,
                  "405 Method Not Allowed: <html>405 Not Allowed</html> (not the API's own answer: "
                  "check PREFECT_API_URL, which must end in /api)");
  assert_message (&forbidden, PP_API_ERROR_STRANGER,
                  "403 Forbidden: <html>403 Forbidden</html> (not the API's own answer: check "
                  "PREFECT_API_URL, which must end in /api)");
  assert_message (&own, PP_API_ERROR_SETUP,
                  "404 Not Found: Not Found (check PREFECT_API_URL, which must end in /api)");
}

static void
test_empty_answer (void)
{
  const Step steps[] = { { 204, NULL, "" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  call (fixture, "PATCH", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  g_assert_null (fixture->body);
}

/* A NUL in one flow run's parameters would make the poll's whole answer invalid. */
static void
test_nul_in_a_key (void)
{
  const Step steps[] = { { 200, NULL, "{\"a\\u0000b\": \"x\\u0000\", \"c\": \"\\\\u0000\"}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (pp_json_string (fixture->body, "a\xef\xbf\xbd"
                                                  "b"),
                   ==, "x\xef\xbf\xbd");
  g_assert_cmpstr (pp_json_string (fixture->body, "c"), ==, "\\u0000");
}

/* No string is cut at its NUL: a volume without its end would be mounted without "ro". */
static void
test_nul_in_a_string (void)
{
  const Step steps[] = { { 200, NULL,
                           "{\"a\": \"x\\u0000y\", \"b\": 1, \"volumes\": [\"/tmp:/x\\u0000:ro\"],"
                           " \"c\": \"\\u0000\\\\u0000\\u0000\", \"seed\": 1e400}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  const json_t *volumes = json_object_get (fixture->body, "volumes");
  g_assert_cmpstr (pp_json_string (fixture->body, "a"), ==, "x\357\277\275y");
  g_assert_cmpstr (json_string_value (json_array_get (volumes, 0)), ==, "/tmp:/x\357\277\275:ro");
  g_assert_cmpstr (pp_json_string (fixture->body, "c"), ==, "\357\277\275\\u0000\357\277\275");
  g_assert_cmpstr (pp_json_string (fixture->body, "seed"), ==, "1e400");
  g_assert_cmpint (json_integer_value (json_object_get (fixture->body, "b")), ==, 1);
}

/* A large number in one flow run, such as a seed, would make the poll's whole answer invalid. */
static void
test_numbers_beyond_jansson (void)
{
  const Step steps[]
      = { { 200, NULL,
            "{\"a\": [9223372036854775808, -10000000000000000000000, 9223372036854775807, 1e400],"
            " \"b\\\"1\": \"99999999999999999999 \\\\\", \"c\": 1.5e300, \"d\": \"\\u0000\"}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  const json_t *a = json_object_get (fixture->body, "a");
  g_assert_cmpstr (json_string_value (json_array_get (a, 0)), ==, "9223372036854775808");
  g_assert_cmpstr (json_string_value (json_array_get (a, 1)), ==, "-10000000000000000000000");
  g_assert_cmpint (json_integer_value (json_array_get (a, 2)), ==, G_MAXINT64);
  g_assert_cmpstr (json_string_value (json_array_get (a, 3)), ==, "1e400");
  g_assert_cmpstr (pp_json_string (fixture->body, "b\"1"), ==, "99999999999999999999 \\");
  g_assert_cmpfloat (json_real_value (json_object_get (fixture->body, "c")), ==, 1.5e300);
}

static void
test_secrets_are_masked (void)
{
  const Step steps[] = { { -2 } };
  const char *const words[] = { "pnu_key", "hunter22", "tok3n" };

  for (int basic = 0; basic < 2; basic++)
    {
      g_autoptr (Fixture) fixture = fixture_new (steps, 1);
      json_auto_t *custom = json_pack ("{s:s}", "X-Token", "tok3n");
      fixture->settings.client_custom_headers = custom;
      if (basic)
        fixture->settings.api_auth_string = (char *)"admin:hunter22";
      else
        fixture->settings.api_key = (char *)"pnu_key";
      start (fixture);
      call (fixture, "GET", "/x", PP_API_ONCE);
      g_assert_error (fixture->error, PP_API_ERROR, 401);
      g_assert_nonnull (strstr (fixture->error->message, "bad credentials"));
      g_assert_nonnull (strstr (fixture->error->message, "PREFECT_API_KEY"));
      for (guint i = 0; i < G_N_ELEMENTS (words); i++)
        g_assert_null (strstr (fixture->error->message, words[i]));
      g_assert_null (strstr (fixture->error->message, "YWRtaW46aHVudGVyMjI="));
    }
}

/* The server's words are cut, wherever a secret is in them: no part of a secret is left. */
static void
test_secrets_are_not_cut (void)
{
  static const char *const formats[]
      = { "{\"detail\": \"%s%spnu_0123456789abcdef behind\"}",
          "{\"detail\": [{\"loc\": [\"a\"], \"msg\": \"%s%spnu_0123456789abcdef\"}]}",
          "<p>%s%spnu_0123456789abcdef</p>" };

  for (guint i = 0; i < G_N_ELEMENTS (formats) * 2; i++)
    for (guint before = i / 2 == 2 ? 55 : 470; before < (i / 2 == 2 ? 85 : 505); before += 3)
      {
        g_autofree char *filler = g_strnfill (before, '.');
        g_autofree char *body = g_strdup_printf (formats[i / 2], filler, i % 2 == 0 ? " " : "");
        const Step steps[] = { { before % 2 == 0 ? 500 : 200, NULL, body } };
        g_autoptr (Fixture) fixture = fixture_new (steps, 1);

        fixture->settings.api_key = (char *)"pnu_0123456789abcdef";
        start (fixture);
        call (fixture, "GET", "/x", PP_API_ONCE);
        if (fixture->error == NULL)
          continue;
        g_test_message ("%s", fixture->error->message);
        g_assert_null (strstr (fixture->error->message, "pnu"));
        g_assert_nonnull (strstr (fixture->error->message, "..."));
      }
}

/* The server's page shows the user and password of the API's URL, as libcurl has sent them. */
static void
test_login_of_url_is_masked (void)
{
  static const char *const words[] = { "me%40x:hunter%2F22", "me@x:hunter/22", "hunter%2F22",
                                       "hunter/22", "bWVAeDpodW50ZXIvMjI=" };
  const Step steps[] = { { -2 }, { 500, NULL, "{\"detail\": \"me%40x:hunter%2F22, hunter/22\"}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 2);
  int port = server_port (fixture->server);

  g_free (fixture->url);
  fixture->settings.api_url = fixture->url
      = g_strdup_printf ("http://me%%40x:hunter%%2F22@127.0.0.1:%d/api", port);
  start (fixture);
  for (guint call_ = 0; call_ < 2; call_++)
    {
      g_clear_error (&fixture->error);
      call (fixture, "GET", "/x", PP_API_ONCE);
      g_test_message ("%s", fixture->error->message);
      g_assert_nonnull (strstr (fixture->error->message, "***"));
      for (guint i = 0; i < G_N_ELEMENTS (words); i++)
        g_assert_null (strstr (fixture->error->message, words[i]));
    }
}

static void
test_url_with_password (void)
{
  const Step steps[] = { { 500, NULL, "" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  int port = server_port (fixture->server);
  g_free (fixture->url);
  fixture->settings.api_url = fixture->url
      = g_strdup_printf ("http://me:hunter2@127.0.0.1:%d/api/", port);
  start (fixture);
  g_autofree char *display = g_strdup_printf ("http://127.0.0.1:%d/api", port);

  g_assert_cmpstr (pp_api_url (fixture->api), ==, display);
  call (fixture, "GET", "/x", PP_API_ONCE);
  g_assert_null (strstr (fixture->error->message, "hunter2"));
  g_assert_cmpstr (server_request (fixture->server, 0)->target, ==, "/api/x");
}

/* --- CSRF --- */

#define TOKEN(text, until) "{\"token\": \"" text "\", \"expiration\": \"" until "\"}"
#define LATER "2999-01-01T00:00:00Z"

static Fixture *
csrf_fixture (const Step *steps, guint n_steps)
{
  Fixture *fixture = fixture_new (steps, n_steps);
  fixture->settings.client_csrf_support_enabled = TRUE;
  start (fixture);
  return fixture;
}

static void
test_csrf_one_fetch_for_all (void)
{
  const Step steps[] = { { 200, NULL, TOKEN ("abc", LATER) }, { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = csrf_fixture (steps, 2);

  for (int i = 0; i < 5; i++)
    pp_api_call (fixture->api, "POST", "/x", json_object (), PP_API_ONCE, on_done, fixture);
  while (fixture->done < 5)
    g_main_loop_run (fixture->loop);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 6);
  g_assert_true (
      g_str_has_prefix (server_request (fixture->server, 0)->target, "/api/csrf-token?client="));
  const char *client = strchr (server_request (fixture->server, 0)->target, '=') + 1;
  for (guint i = 1; i <= 5; i++)
    {
      g_assert_cmpstr (header (fixture, i, "prefect-csrf-token"), ==, "abc");
      g_assert_cmpstr (header (fixture, i, "prefect-csrf-client"), ==, client);
    }
  /* A call that changes nothing is sent without a token. */
  call (fixture, "GET", "/y", PP_API_ONCE);
  g_assert_null (header (fixture, 6, "prefect-csrf-token"));
}

static void
test_csrf_off (void)
{
  const Step old[] = { { 404, NULL, "{\"detail\": \"Not Found\"}" }, { 200, NULL, "{}" } };
  const Step off[]
      = { { 422, NULL, "{\"detail\": \"CSRF protection is disabled.\"}" }, { 200, NULL, "{}" } };
  const Step *const scripts[] = { old, off };

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (Fixture) fixture = csrf_fixture (scripts[i], 2);
      call (fixture, "POST", "/x", PP_API_ONCE);
      call (fixture, "POST", "/x", PP_API_ONCE);
      g_assert_no_error (fixture->error);
      g_assert_cmpuint (server_requests (fixture->server), ==, 3);
      g_assert_null (header (fixture, 1, "prefect-csrf-token"));
    }
}

static void
test_csrf_turned_on_later (void)
{
  const Step steps[] = { { 422, NULL, "{\"detail\": \"CSRF protection is disabled.\"}" },
                         { 200, NULL, "{}" },
                         { 403, NULL, "{\"detail\": \"Missing CSRF token.\"}" },
                         { 200, NULL, TOKEN ("abc", LATER) },
                         { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = csrf_fixture (steps, 5);

  call (fixture, "POST", "/x", PP_API_ONCE);
  call (fixture, "POST", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 5);
  g_assert_cmpstr (header (fixture, 4, "prefect-csrf-token"), ==, "abc");
}

static void
test_csrf_refresh (void)
{
  const Step steps[] = { { 200, NULL, TOKEN ("old", LATER) },
                         { 403, NULL, "{\"detail\": \"Invalid CSRF token\"}" },
                         /* expired by this host's clock, which may be the wrong one */
                         { 200, NULL, TOKEN ("new", "2001-01-01T00:00:00+00:00") },
                         { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = csrf_fixture (steps, 4);

  call (fixture, "POST", "/x", PP_API_ONCE);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 4);
  g_assert_cmpstr (header (fixture, 1, "prefect-csrf-token"), ==, "old");
  g_assert_cmpstr (header (fixture, 3, "prefect-csrf-token"), ==, "new");
}

static void
test_csrf_refused_for_good (void)
{
  const Step steps[] = { { 200, NULL, TOKEN ("a", LATER) },
                         { 403, NULL, "{\"detail\": \"Invalid CSRF token\"}" },
                         { 200, NULL, TOKEN ("b", LATER) },
                         { 403, NULL, "{\"detail\": \"Invalid CSRF token\"}" } };
  g_autoptr (Fixture) fixture = csrf_fixture (steps, 4);

  call (fixture, "POST", "/x", PP_API_ONCE);
  g_assert_error (fixture->error, PP_API_ERROR, 403);
  g_assert_cmpuint (server_requests (fixture->server), ==, 4);
}

static void
test_csrf_fetch_fails (void)
{
  const Step steps[] = {
    { 503, NULL, "" }, { 503, NULL, "" }, { 200, NULL, TOKEN ("abc", LATER) }, { 200, NULL, "{}" }
  };
  g_autoptr (Fixture) fixture = csrf_fixture (steps, 4);
  pp_api_hurry (fixture->api, 0.001);
  call (fixture, "POST", "/x", PP_API_RETRY);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (server_requests (fixture->server), ==, 4);

  const Step denied[] = { { 422, NULL, "{\"detail\": \"no\"}" } };
  g_autoptr (Fixture) other = csrf_fixture (denied, 1);
  for (int i = 0; i < 3; i++)
    pp_api_call (other->api, "POST", "/x", json_object (), PP_API_PERSIST, on_done, other);
  while (other->done < 3)
    g_main_loop_run (other->loop);
  g_assert_error (other->error, PP_API_ERROR, 422);
  g_assert_nonnull (strstr (other->error->message, "/csrf-token: 422"));
}

/* --- the queue --- */

static gboolean
answer_slowly (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
               gpointer data G_GNUC_UNUSED)
{
  g_usleep (5000); /* the server needs time, so that calls overlap as far as they may */
  return server_reply (fd, 200, "", "{}");
}

static void
test_few_at_once_in_order (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_slowly, NULL);
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  g_free (fixture->url);
  fixture->settings.api_url = fixture->url = server_url (server, "/api");
  start (fixture);

  for (int i = 0; i < 60; i++)
    {
      g_autofree char *path = g_strdup_printf ("/%d", i);
      pp_api_call (fixture->api, "GET", path, NULL, PP_API_ONCE, on_done, fixture);
    }
  g_assert_cmpuint (pp_api_pending (fixture->api), ==, 60);
  while (fixture->done < 60)
    g_main_loop_run (fixture->loop);
  g_assert_cmpuint (server_most_at_once (server), >, 1);
  g_assert_cmpuint (server_most_at_once (server), <=, PP_API_MAX_UNDER_WAY);
  g_assert_cmpuint (server_connections (server), <=, PP_API_MAX_UNDER_WAY);
  for (guint i = 0; i < 60; i++)
    {
      int place = atoi (strrchr (server_request (server, i)->target, '/') + 1);
      g_assert_cmpint (ABS (place - (int)i), <, 4 * PP_API_MAX_UNDER_WAY);
    }
}

/* Log calls that were queued first do not delay calls that a run waits for. One log call is always
 * in flight. */
static void
test_logs_wait (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_slowly, NULL);
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  guint last_read = 0;
  guint first_log = G_MAXUINT;
  g_free (fixture->url);
  fixture->settings.api_url = fixture->url = server_url (server, "/api");
  start (fixture);

  for (int i = 0; i < 40; i++)
    pp_logs_create (fixture->api, json_array (), on_done, fixture);
  for (int i = 0; i < 40; i++)
    pp_flow_run_read (fixture->api, "x", PP_API_ONCE, on_done, fixture);
  while (fixture->done < 80)
    g_main_loop_run (fixture->loop);
  for (guint i = 0; i < 80; i++)
    if (g_str_equal (server_request (server, i)->method, "GET"))
      last_read = i;
    else
      first_log = MIN (first_log, i);
  g_assert_cmpuint (last_read, <, 65);
  g_assert_cmpuint (first_log, <, PP_API_MAX_UNDER_WAY);
}

/* Labels and events that were queued first are sent when no call that a run waits for is left. */
static void
test_decoration_comes_last (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_slowly, NULL);
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  json_auto_t *labels = json_object ();
  g_free (fixture->url);
  fixture->settings.api_url = fixture->url = server_url (server, "/api");
  start (fixture);

  for (int i = 0; i < 40; i++)
    pp_flow_run_read (fixture->api, "x", PP_API_ONCE, on_done, fixture);
  for (int i = 0; i < 5; i++)
    pp_flow_run_update_labels (fixture->api, "x", labels, on_done, fixture);
  pp_events_create (fixture->api, json_array (), on_done, fixture);
  for (int i = 0; i < 40; i++)
    pp_flow_run_read (fixture->api, "x", PP_API_ONCE, on_done, fixture);
  while (fixture->done < 86)
    g_main_loop_run (fixture->loop);
  for (guint i = 0; i < 86; i++)
    g_assert_cmpint (g_str_equal (server_request (server, i)->method, "GET"), ==, i < 80);
}

#define TRANSITION "0cc175b9-c0f1-b6a8-31c3-99e269772661"

/* Does not answer calls whose path has DATA, until they are given up. */
static gboolean
answer_others (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  if (strstr (request->target, data) != NULL)
    g_usleep (3 * G_USEC_PER_SEC);
  if (strstr (request->target, "/logs/") != NULL)
    return server_reply (fd, 201, "", "null");
  if (strstr (request->target, "/set_state") != NULL)
    return server_accept (fd, request);
  return server_reply (fd, 200, "",
                       strstr (request->target, "filter") != NULL ? "[]" : "{\"id\": \"x\"}");
}

static void
on_answered_state (const PpSetStateResult *result G_GNUC_UNUSED, const GError *error,
                   gpointer user_data)
{
  on_done (NULL, error, user_data);
}

/* More calls of one kind hang than may be in flight. They leave room for other calls. */
static void
check_others_go_on (const char *hanging, void (*hang) (Fixture *fixture))
{
  g_autoptr (Server) server = server_new (NULL, answer_others, (gpointer)hanging);
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  json_auto_t *ids = json_array ();
  gint64 began = g_get_monotonic_time ();

  g_free (fixture->url);
  fixture->settings.api_url = fixture->url = server_url (server, "/api");
  start (fixture);
  for (int i = 0; i < 20; i++)
    hang (fixture);
  pp_flow_runs_filter_ended (fixture->api, ids, on_done, fixture);
  pp_logs_create (fixture->api, json_array (), on_done, fixture);
  if (g_str_equal (hanging, "/set_state"))
    pp_flow_run_read (fixture->api, "x", PP_API_ONCE, on_done, fixture);
  else
    pp_flow_run_set_state (fixture->api, "x", TRANSITION, "RUNNING", NULL, NULL, FALSE,
                           PP_API_PERSIST, on_answered_state, fixture);
  while (fixture->done < 3)
    g_main_loop_run (fixture->loop);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 20 * G_USEC_PER_SEC);
}

static void
hang_state (Fixture *fixture)
{
  pp_flow_run_set_state (fixture->api, "x", TRANSITION, "RUNNING", NULL, NULL, FALSE,
                         PP_API_PERSIST, on_answered_state, fixture);
}

static void
hang_read (Fixture *fixture)
{
  pp_deployment_read (fixture->api, "x", NULL, NULL);
}

static void
test_states_hang (void)
{
  check_others_go_on ("/set_state", hang_state);
}

static void
test_reads_hang (void)
{
  check_others_go_on ("/deployments/", hang_read);
}

/* Calls are cancelled while they wait for a slot, a token, an answer or the next attempt. After 10
 * s, a waiting call would log an outage. */
static void
test_cancel (void)
{
  const Step steps[] = { { 200, NULL, TOKEN ("abc", LATER) }, { 503, "Retry-After: 1\r\n", "" } };

  for (int turns = 0; turns < 60; turns += 3)
    {
      g_autoptr (Fixture) fixture = csrf_fixture (steps, 2);
      PpApiCall *calls[20];
      gint64 deadline = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;
      for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
        calls[i] = pp_api_call (fixture->api, "POST", "/x", json_object (), PP_API_PERSIST, on_done,
                                fixture);
      for (int i = 0; i < turns && g_get_monotonic_time () < deadline; i++)
        g_main_context_iteration (NULL, TRUE);
      for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
        pp_api_call_cancel (calls[i]);
      g_assert_cmpuint (pp_api_pending (fixture->api), ==, 0);
      run_for (fixture->loop, 5);
      g_assert_cmpuint (fixture->done, ==, 0);
    }
}

static void
free_api (json_t *body, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;
  g_clear_pointer (&fixture->api, pp_api_free);
  on_done (body, error, user_data);
}

static void
test_free_in_callback (void)
{
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = started (steps, 1);

  for (int i = 0; i < 20; i++)
    pp_api_call (fixture->api, "GET", "/x", NULL, PP_API_ONCE, free_api, fixture);
  g_main_loop_run (fixture->loop);
  run_for (fixture->loop, 20);
  g_assert_cmpuint (fixture->done, ==, 1);
}

/* --- resources --- */

typedef struct
{
  GMainLoop *loop;
  PpSetStateStatus status;
  double delay;
  char *reason;
  char *type;
  GError *error;
} SetState;

static void
on_set_state (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  SetState *seen = user_data;
  g_assert_true ((result == NULL) != (error == NULL));
  if (error != NULL)
    seen->error = g_error_copy (error);
  else
    {
      seen->status = result->status;
      seen->delay = result->delay_seconds;
      seen->reason = g_strdup (result->reason);
      seen->type = g_strdup (pp_json_string (result->state, "type"));
    }
  g_main_loop_quit (seen->loop);
}

static void
assert_set_state (const char *body, PpSetStateStatus status, double delay, const char *reason)
{
  const Step steps[] = { { 201, NULL, body } };
  g_autoptr (Fixture) fixture = started (steps, 1);
  SetState seen = { .loop = fixture->loop };

  pp_flow_run_set_state (fixture->api, "id", TRANSITION, "PENDING", NULL, NULL, FALSE, PP_API_ONCE,
                         on_set_state, &seen);
  g_main_loop_run (fixture->loop);
  g_assert_no_error (seen.error);
  g_assert_cmpint (seen.status, ==, status);
  g_assert_cmpfloat (seen.delay, ==, delay);
  g_assert_cmpstr (seen.reason, ==, reason);
  g_free (seen.reason);
  g_free (seen.type);
}

static void
test_set_state_results (void)
{
  assert_set_state ("{\"status\": \"ACCEPT\", \"state\": {\"type\": \"PENDING\"}, \"details\": {}}",
                    PP_SET_STATE_ACCEPT, 0, NULL);
  assert_set_state ("{\"status\": \"WAIT\", \"state\": null, \"details\": {\"type\": "
                    "\"wait_details\", \"delay_seconds\": 30, \"reason\": \"later\"}}",
                    PP_SET_STATE_WAIT, 30, "later");
  assert_set_state ("{\"status\": \"ABORT\", \"details\": {\"reason\": \"done\"}}",
                    PP_SET_STATE_ABORT, 0, "done");
  assert_set_state ("{\"status\": \"REJECT\", \"state\": {\"type\": \"FAILED\"}, \"details\": "
                    "{\"reason\": 7}}",
                    PP_SET_STATE_REJECT, 0, NULL);
}

static void
test_set_state_unusable (void)
{
  const char *const bodies[] = { "[]", "3", "{\"status\": \"MAYBE\"}", "" };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      const Step steps[] = { { 200, NULL, bodies[i] } };
      g_autoptr (Fixture) fixture = started (steps, 1);
      SetState seen = { .loop = fixture->loop };
      pp_flow_run_set_state (fixture->api, "id", TRANSITION, "PENDING", NULL, NULL, FALSE,
                             PP_API_PERSIST, on_set_state, &seen);
      g_main_loop_run (fixture->loop);
      g_assert_nonnull (seen.error);
      g_assert_false (pp_api_error_is_transient (seen.error));
      g_error_free (seen.error);
    }
}

/* Drops the answer to the first set_state. Rejects the second one as a duplicate and returns the
 * state that the first one has set, as Prefect's server does. */
static gboolean
answer_duplicate (Server *server, const Request *request, int fd, gpointer data)
{
  if (request->number == 0)
    {
      server_reset (fd);
      return FALSE;
    }
  json_auto_t *first = json_loads (server_request (server, 0)->body->str, 0, NULL);
  json_t *state = json_object_get (first, "state");
  json_auto_t *reply = json_pack ("{s:s, s:O, s:{s:s}}", "status", "REJECT", "state", state,
                                  "details", "reason", "already made this state transition");
  char *text = json_dumps (reply, 0);
  gboolean open = server_reply (fd, 200, "", text);
  free (text);
  (void)data;
  return open;
}

static void
test_set_state_lost_answer (void)
{
  g_autoptr (Server) server = server_new (NULL, answer_duplicate, NULL);
  const Step steps[] = { { 200, NULL, "{}" } };
  g_autoptr (Fixture) fixture = fixture_new (steps, 1);
  g_free (fixture->url);
  fixture->settings.api_url = fixture->url = server_url (server, "/api");
  start (fixture);
  SetState seen = { .loop = fixture->loop };

  pp_flow_run_set_state (fixture->api, "a/b", TRANSITION, "PENDING", "Submitting", "words", TRUE,
                         PP_API_PERSIST, on_set_state, &seen);
  g_main_loop_run (fixture->loop);
  g_assert_cmpint (seen.status, ==, PP_SET_STATE_ACCEPT);
  g_assert_cmpstr (seen.type, ==, "PENDING");
  const Request *request = server_request (server, 0);
  g_assert_cmpstr (request->target, ==, "/api/flow_runs/a%2Fb/set_state");
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  json_t *state = json_object_get (body, "state");
  g_assert_true (json_is_true (json_object_get (body, "force")));
  g_assert_cmpstr (pp_json_string (state, "name"), ==, "Submitting");
  g_assert_cmpstr (pp_json_string (state, "message"), ==, "words");
  json_t *sent = json_object_get (state, "state_details");
  g_assert_cmpstr (pp_json_string (sent, "flow_run_id"), ==, "a/b");
  g_assert_cmpstr (pp_json_string (sent, "transition_id"), ==, TRANSITION);
  g_free (seen.reason);
  g_free (seen.type);
}

/* Prefect 2.20 has no labels and no events, so the worker asks once. A 404 about a missing run
 * does not mean that the server has no labels. */
static void
test_old_server_is_asked_once (void)
{
  const Step steps[] = { { 404, NULL, "{\"detail\": \"Flow run with id x not found\"}" },
                         { 404, NULL, "{\"detail\": \"Not Found\"}" },
                         { 404, NULL, "{\"detail\": \"Events are not enabled.\"}" } };
  g_autoptr (Fixture) fixture = started (steps, 3);
  json_auto_t *labels = json_pack ("{s:s}", "a", "b");

  for (int i = 0; i < 4; i++)
    {
      pp_flow_run_update_labels (fixture->api, "x", labels, on_done, fixture);
      g_main_loop_run (fixture->loop);
      g_assert_true ((fixture->error != NULL) == (i < 2));
    }
  for (int i = 0; i < 3; i++)
    {
      pp_events_create (fixture->api, json_array (), on_done, fixture);
      g_main_loop_run (fixture->loop);
      g_assert_true ((fixture->error != NULL) == (i < 1));
    }
  g_assert_cmpuint (server_requests (fixture->server), ==, 3);
}

static void
assert_sent (Fixture *fixture, guint number, const char *method, const char *target,
             const char *body)
{
  g_main_loop_run (fixture->loop);
  g_assert_no_error (fixture->error);
  const Request *request = server_request (fixture->server, number);
  g_assert_cmpstr (request->method, ==, method);
  g_assert_cmpstr (request->target, ==, target);
  g_assert_cmpstr (request->body->str, ==, body);
}

static void
test_requests (void)
{
  const Step one = { 200, NULL, "{\"id\": \"x\"}" };
  const Step many = { 200, NULL, "[]" };
  const Step changed = { 204, NULL, NULL };
  const Step steps[] = { one, one, one, many, many, changed, many, one, one, one, changed };
  g_autoptr (Fixture) f = started (steps, G_N_ELEMENTS (steps));
  const char *const queues[] = { "a", "b", NULL };
  gint64 time = 1700000000123456;
  json_auto_t *ids = json_pack ("[s]", "x");

  pp_work_pool_read (f->api, "po ol", PP_API_ONCE, on_done, f);
  assert_sent (f, 0, "GET", "/api/work_pools/po%20ol", "");
  pp_work_pool_create (f->api, "p", "docker", NULL, on_done, f);
  assert_sent (f, 1, "POST", "/api/work_pools/", "{\"name\":\"p\",\"type\":\"docker\"}");
  pp_work_pool_heartbeat (f->api, "p", "w \xff", 30.2, FALSE, on_done, f);
  assert_sent (f, 2, "POST", "/api/work_pools/p/workers/heartbeat",
               "{\"name\":\"w \xef\xbf\xbd\",\"heartbeat_interval_seconds\":31}");
  pp_work_pool_get_scheduled_flow_runs (f->api, "p", queues, time, 5, on_done, f);
  assert_sent (f, 3, "POST", "/api/work_pools/p/get_scheduled_flow_runs",
               "{\"scheduled_before\":\"2023-11-14T22:13:20.123456Z\",\"work_queue_names\":[\"a\","
               "\"b\"],\"limit\":5}");
  pp_work_pool_get_scheduled_flow_runs (f->api, "p", NULL, time, 0, on_done, f);
  assert_sent (f, 4, "POST", "/api/work_pools/p/get_scheduled_flow_runs",
               "{\"scheduled_before\":\"2023-11-14T22:13:20.123456Z\"}");
  pp_flow_run_update_infrastructure_pid (f->api, "x", "host:c", on_done, f);
  assert_sent (f, 5, "PATCH", "/api/flow_runs/x", "{\"infrastructure_pid\":\"host:c\"}");
  pp_flow_runs_filter_ended (f->api, ids, on_done, f);
  assert_sent (
      f, 6, "POST", "/api/flow_runs/filter",
      "{\"flow_runs\":{\"id\":{\"any_\":[\"x\"]},\"state\":{\"type\":{\"any_\":["
      "\"CANCELLING\",\"CANCELLED\",\"COMPLETED\",\"FAILED\",\"CRASHED\",\"SCHEDULED\"]}}}}");
  pp_block_document_read_by_name (f->api, "secret", "my block", on_done, f);
  assert_sent (f, 7, "GET",
               "/api/block_types/slug/secret/block_documents/name/my%20block?include_secrets=true",
               "");
  pp_block_document_read (f->api, "x", on_done, f);
  assert_sent (f, 8, "GET", "/api/block_documents/x?include_secrets=true", "");
  pp_variable_read (f->api, "v", on_done, f);
  assert_sent (f, 9, "GET", "/api/variables/name/v", "");
  pp_concurrency_lease_renew (f->api, "l", 300, on_done, f);
  assert_sent (f, 10, "POST", "/api/v2/concurrency_limits/leases/l/renew",
               "{\"lease_duration\":300.0}");
  pp_concurrency_lease_release (f->api, "l", on_done, f);
  assert_sent (f, 11, "POST", "/api/v2/concurrency_limits/decrement-with-lease",
               "{\"lease_id\":\"l\"}");
}

static void
send_logs (Fixture *f)
{
  pp_logs_create (f->api, json_array (), on_done, f);
}

static void
renew_lease (Fixture *f)
{
  pp_concurrency_lease_renew (f->api, "l", 300, on_done, f);
}

static void
update_template (Fixture *f)
{
  json_auto_t *template = json_object ();

  pp_work_pool_update_template (f->api, "p", template, on_done, f);
}

static void
create_pool (Fixture *f)
{
  pp_work_pool_create (f->api, "p", "docker", NULL, on_done, f);
}

/* If a gateway answers with a success of its own, the call was not carried out. */
static void
test_success_of_something_else (void)
{
  static const Step pool = { 201, NULL, "{\"id\": \"x\"}" };
  static const Step none = { 204, NULL, "" };
  static const Step made = { 201, NULL, "null" };
  static const Step empty = { 201, NULL, "" };
  const struct
  {
    void (*send) (Fixture *f);
    const Step *right[2];
  } calls[] = { { send_logs, { &made, &empty } },
                { renew_lease, { &none } },
                { update_template, { &none } },
                { create_pool, { &pool } } };
  const Step wrong[] = { { 200, NULL, "null" }, { 200, NULL, "" },   { 200, NULL, "{}" },
                         { 202, NULL, "" },     { 202, NULL, "{}" }, { 206, NULL, "[]" },
                         { 201, NULL, "{}" },   { 201, NULL, "[]" }, { 201, NULL, "<html>" } };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      for (guint k = 0; k < G_N_ELEMENTS (wrong); k++)
        {
          g_autoptr (Fixture) f = started (&wrong[k], 1);

          calls[i].send (f);
          g_main_loop_run (f->loop);
          g_assert_nonnull (f->error);
          g_assert_false (pp_api_error_may_be_done (f->error));
        }
      for (guint k = 0; k < 2 && calls[i].right[k] != NULL; k++)
        {
          g_autoptr (Fixture) f = started (calls[i].right[k], 1);

          calls[i].send (f);
          g_main_loop_run (f->loop);
          g_assert_no_error (f->error);
        }
    }
}

/* Prefect Cloud answers with the bare id. No other text that is not JSON counts as an answer. */
static void
test_worker_id (void)
{
  const Step steps[] = { { 200, NULL, "11111111-2222-3333-4444-555555555555" },
                         { 204, NULL, "" },
                         { 400, NULL, "11111111-2222-3333-4444-555555555555" },
                         { 200, NULL, "no JSON" } };
  g_autoptr (Fixture) f = started (steps, 4);

  pp_work_pool_heartbeat (f->api, "p", "w", 30, TRUE, on_done, f);
  assert_sent (f, 0, "POST", "/api/work_pools/p/workers/heartbeat",
               "{\"name\":\"w\",\"heartbeat_interval_seconds\":30,\"return_id\":true}");
  g_assert_cmpstr (json_string_value (f->body), ==, "11111111-2222-3333-4444-555555555555");
  call (f, "POST", "/x", PP_API_ONCE);
  g_assert_no_error (f->error);
  g_assert_null (f->body);
  for (int i = 0; i < 2; i++)
    {
      call (f, "POST", "/x", PP_API_ONCE);
      g_assert_nonnull (f->error);
    }
}

static void
test_timestamps (void)
{
  gint64 time = 1700000000123456;
  const char *const same[] = { "2023-11-14T22:13:20.123456Z", "2023-11-14T22:13:20.123456+00:00",
                               "2023-11-14T23:13:20.123456+01:00", "2023-11-14T22:13:20.123456" };
  const char *const bad[] = { NULL, "", "yesterday", "2023-11-14", "2023-13-14T22:13:20Z" };

  for (guint i = 0; i < G_N_ELEMENTS (same); i++)
    g_assert_cmpint (pp_timestamp_parse (same[i]), ==, time);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_cmpint (pp_timestamp_parse (bad[i]), ==, -1);
  g_autofree char *text = pp_timestamp_text (time);
  g_autofree char *last = pp_timestamp_text (G_MAXINT64);
  g_assert_cmpstr (text, ==, same[0]);
  g_assert_cmpstr (last, ==, "9999-12-31T23:59:59.000000Z");
}

static void
add (void)
{
  g_test_add_func ("/api/headers", test_headers);
  g_test_add_func ("/api/basic-auth", test_basic_auth);
  g_test_add_func ("/api/retry/statuses", test_retry_statuses);
  g_test_add_func ("/api/retry/has-an-end", test_retry_has_an_end);
  g_test_add_func ("/api/retry/not", test_not_retried);
  g_test_add_func ("/api/path-is-too-long", test_path_is_too_long);
  g_test_add_func ("/api/retry/once", test_once);
  g_test_add_func ("/api/retry/broken-connections", test_retry_broken_connections);
  g_test_add_func ("/api/retry/retry-after", test_retry_after);
  g_test_add_func ("/api/retry/no-pause", test_no_pause_is_asked_for);
  g_test_add_func ("/api/retry/retry-after-of-others", test_retry_after_of_other_answers);
  g_test_add_func ("/api/retry/retry-after-is-bounded", test_retry_after_is_bounded);
  g_test_add_func ("/api/retry/maintenance-does-not-count", test_maintenance_does_not_count);
  g_test_add_func ("/api/retry/persist", test_persist);
  g_test_add_func ("/api/retry/server-comes-back", test_server_comes_back);
  g_test_add_func ("/api/retry/timeout-is-transient", test_timeout_is_transient);
  g_test_add_func ("/api/answer/errors-have-the-servers-words", test_errors_have_the_servers_words);
  g_test_add_func ("/api/answer/words-are-bounded", test_words_are_bounded);
  g_test_add_func ("/api/answer/not-the-api", test_not_the_api);
  g_test_add_func ("/api/answer/stranger-in-the-servers-place", test_stranger_in_the_servers_place);
  g_test_add_func ("/api/answer/stranger-before-the-server", test_stranger_before_the_server);
  g_test_add_func ("/api/answer/object-that-is-not-there", test_object_that_is_not_there);
  g_test_add_func ("/api/answer/what-persists", test_what_persists);
  g_test_add_func ("/api/answer/what-a-gateway-refuses", test_what_a_gateway_refuses);
  g_test_add_func ("/api/answer/what-was-refused", test_what_was_refused);
  g_test_add_func ("/api/answer/rest-that-is-asked-for", test_rest_that_is_asked_for);
  g_test_add_func ("/api/answer/rest-that-is-over", test_rest_that_is_over);
  g_test_add_func ("/api/answer-to-something-else", test_answer_to_something_else);
  g_test_add_func ("/api/own-answer", test_own_answer);
  g_test_add_func ("/api/answer/success-of-a-stranger", test_success_of_a_stranger);
  g_test_add_func ("/api/answer/denied-by-the-api", test_what_the_api_denies);
  g_test_add_func ("/api/answer/failed-at-for-long", test_what_the_server_fails_at);
  g_test_add_func ("/api/answer/empty", test_empty_answer);
  g_test_add_func ("/api/answer/nul-in-a-string", test_nul_in_a_string);
  g_test_add_func ("/api/answer/nul-in-a-key", test_nul_in_a_key);
  g_test_add_func ("/api/answer/numbers-beyond-jansson", test_numbers_beyond_jansson);
  g_test_add_func ("/api/answer/secrets-are-masked", test_secrets_are_masked);
  g_test_add_func ("/api/answer/secrets-are-not-cut", test_secrets_are_not_cut);
  g_test_add_func ("/api/answer/login-of-url-is-masked", test_login_of_url_is_masked);
  g_test_add_func ("/api/answer/url-with-password", test_url_with_password);
  g_test_add_func ("/api/csrf/one-fetch-for-all", test_csrf_one_fetch_for_all);
  g_test_add_func ("/api/csrf/off", test_csrf_off);
  g_test_add_func ("/api/csrf/turned-on-later", test_csrf_turned_on_later);
  g_test_add_func ("/api/csrf/refresh", test_csrf_refresh);
  g_test_add_func ("/api/csrf/refused-for-good", test_csrf_refused_for_good);
  g_test_add_func ("/api/csrf/fetch-fails", test_csrf_fetch_fails);
  g_test_add_func ("/api/queue/few-at-once-in-order", test_few_at_once_in_order);
  g_test_add_func ("/api/queue/states-hang", test_states_hang);
  g_test_add_func ("/api/queue/reads-hang", test_reads_hang);
  g_test_add_func ("/api/queue/logs-wait", test_logs_wait);
  g_test_add_func ("/api/queue/decoration-comes-last", test_decoration_comes_last);
  g_test_add_func ("/api/queue/cancel", test_cancel);
  g_test_add_func ("/api/queue/free-in-callback", test_free_in_callback);
  g_test_add_func ("/api/set-state/results", test_set_state_results);
  g_test_add_func ("/api/set-state/unusable", test_set_state_unusable);
  g_test_add_func ("/api/set-state/lost-answer", test_set_state_lost_answer);
  g_test_add_func ("/api/resources/old-server-is-asked-once", test_old_server_is_asked_once);
  g_test_add_func ("/api/resources/requests", test_requests);
  g_test_add_func ("/api/success-of-something-else", test_success_of_something_else);
  g_test_add_func ("/api/resources/worker-id", test_worker_id);
  g_test_add_func ("/api/timestamps", test_timestamps);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
