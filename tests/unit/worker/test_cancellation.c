/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that cancelled runs are found, and that one run does not delay or hide another. */
#include "worker/flow_run/flow_run_inside-private.h"
#include "worker/worker_inside-private.h"

#include "prefect-podman/http/http.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define SLOW "11111111-2222-4333-8444-555555555555"
#define QUICK "66666666-7777-4888-8999-aaaaaaaaaaaa"

typedef struct
{
  Server *server;
  PpHttp *http;
  PpSettings settings;
  PpWorker worker;
  char *url;
  gboolean slow_count;
  gboolean waiting; /* both runs wait for retries; a list has one run only */
  gint done;
  gint slow_reads;
  gint quick_reads;
  gint lists; /* requests for lists of ended runs */
} Fixture;

/* Blocks until the end of the test. */
static gboolean
hang (const Fixture *fixture)
{
  while (!g_atomic_int_get (&fixture->done))
    g_usleep (1000);
  return FALSE;
}

/* Returns one of the runs that REQUEST asks for, as a server with
 * PREFECT_SERVER_API_DEFAULT_LIMIT=1 does. */
static gboolean
reply_one (Fixture *fixture, const Request *request, int fd)
{
  gboolean slow = strstr (request->body->str, SLOW) != NULL;
  gboolean quick = strstr (request->body->str, QUICK) != NULL;
  g_autofree char *list = g_strdup_printf (
      "[{\"id\": \"%s\", \"state\": {\"type\": \"SCHEDULED\", \"name\": \"AwaitingRetry\"}, "
      "\"empirical_policy\": {\"retry_type\": \"in_process\"}}]",
      slow ? SLOW : QUICK);

  if (strstr (request->body->str, "CANCELLING") == NULL)
    return server_reply (fd, 200, "", slow || quick ? list : "[]");
  g_atomic_int_add (&fixture->slow_reads, slow ? 1 : 0);
  g_atomic_int_add (&fixture->quick_reads, quick && !slow ? 1 : 0);
  return server_reply (fd, 200, "", slow || quick ? list : "[]");
}

/* Fails all lists of runs, and does not answer reads of one of the two runs, unless a flag of the
 * fixture asks for other answers. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;

  if (g_str_has_suffix (request->target, "/count"))
    return fixture->slow_count ? hang (fixture) : server_reply (fd, 200, "", "2");
  if (fixture->waiting)
    return reply_one (fixture, request, fd);
  if (g_str_equal (request->method, "POST") && strstr (request->body->str, "CANCELLING") != NULL)
    {
      g_atomic_int_inc (&fixture->lists);
      return fixture->slow_count ? server_reply (fd, 200, "", "[]")
                                 : server_reply (fd, 500, "", "{\"exception_message\": \"no\"}");
    }
  if (g_str_equal (request->method, "POST"))
    return server_reply (fd, 500, "", "{\"exception_message\": \"no\"}");
  if (strstr (request->target, SLOW) != NULL)
    {
      g_atomic_int_inc (&fixture->slow_reads);
      return hang (fixture);
    }
  g_atomic_int_inc (&fixture->quick_reads);
  return server_reply (fd, 200, "", "{\"id\": \"" QUICK "\", \"state\": {\"type\": \"RUNNING\"}}");
}

static void
add_run (Fixture *fixture, const char *id)
{
  PpFlowRun *run = g_new0 (PpFlowRun, 1);

  run->context = &fixture->worker.context;
  run->id = g_strdup (id);
  run->state = PP_FLOW_RUN_PENDING;
  g_hash_table_insert (fixture->worker.runs, run->id, run);
}

static void
free_run (gpointer data)
{
  PpFlowRun *run = data;

  g_free (run->id);
  g_free (run);
}

static void
set_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpWorker *worker = &fixture->worker;

  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* warnings are expected */
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url,
                                    .api_request_timeout = 60,
                                    .worker_cancellation_poll_seconds = 0.1 };
  worker->settings = &fixture->settings;
  worker->context.settings = &fixture->settings;
  worker->context.api = pp_api_new (fixture->http, &fixture->settings);
  worker->context.states = pp_state_reader_new (worker->context.api);
  worker->runs = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_run);
  add_run (fixture, SLOW);
  add_run (fixture, QUICK);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpWorker *worker = &fixture->worker;

  pp_worker_stop_watching_cancellations (worker);
  pp_state_reader_free (worker->context.states);
  g_atomic_int_set (&fixture->done, TRUE);
  pp_api_free (worker->context.api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_hash_table_unref (worker->runs);
  g_free (fixture->url);
}

/* Waits until COUNT is WANTED, 8 s at most. */
static void
wait_for (const gint *count, gint wanted)
{
  gint64 deadline = g_get_monotonic_time () + 8 * G_USEC_PER_SEC;

  while (g_atomic_int_get (count) < wanted && g_get_monotonic_time () < deadline)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  g_assert_cmpint (g_atomic_int_get (count), >=, wanted);
}

static void
test_slow_run (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pp_worker_watch_cancellations (&fixture->worker);
  wait_for (&fixture->quick_reads, 3);
  g_assert_cmpint (g_atomic_int_get (&fixture->slow_reads), ==, 1);
}

static void
test_slow_count (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->slow_count = TRUE;
  pp_worker_watch_cancellations (&fixture->worker);
  wait_for (&fixture->lists, 3);
}

/* A run that waits in its container for a retry does not hide another. */
static void
test_many_wait (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->waiting = TRUE;
  pp_worker_watch_cancellations (&fixture->worker);
  wait_for (&fixture->quick_reads, 2);
  g_assert_cmpint (g_atomic_int_get (&fixture->slow_reads), <=, 3);
}

static void
add_tests (void)
{
  g_test_add ("/cancellation/slow-run", Fixture, NULL, set_up, test_slow_run, tear_down);
  g_test_add ("/cancellation/slow-count", Fixture, NULL, set_up, test_slow_count, tear_down);
  g_test_add ("/cancellation/many-wait", Fixture, NULL, set_up, test_many_wait, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
