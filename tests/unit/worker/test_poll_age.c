/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that the log says once that the last poll is too old, and once that polls succeed again,
 * although probes ask every few seconds. */
#include "worker/worker_inside-private.h"

#include "tests/unit/tap.h"

static guint criticals;
static guint messages;

static GLogWriterOutput
count (GLogLevelFlags level, const GLogField *fields G_GNUC_UNUSED, gsize count G_GNUC_UNUSED,
       gpointer user_data G_GNUC_UNUSED)
{
  criticals += level == G_LOG_LEVEL_CRITICAL;
  messages += level == G_LOG_LEVEL_MESSAGE;
  return G_LOG_WRITER_HANDLED;
}

static void
assert_asked (PpWorker *worker, gboolean stale, guint wanted_criticals, guint wanted_messages)
{
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (pp_worker_poll_is_stale (worker), ==, stale);
  g_assert_cmpuint (criticals, ==, wanted_criticals);
  g_assert_cmpuint (messages, ==, wanted_messages);
}

static void
test_changes_are_logged_once (void)
{
  char url[] = "http://127.0.0.1:1/api";
  const PpSettings settings = { .api_url = url, .worker_query_seconds = 1 };
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  PpWorker worker = { .settings = &settings, .context = { .api = api } };
  const gint64 long_ago = g_get_monotonic_time () - 40 * G_USEC_PER_SEC;

  criticals = messages = 0;
  worker.phase = PP_WORKER_RUNNING;
  pp_worker_note_poll (&worker);
  assert_asked (&worker, FALSE, 0, 0);
  worker.last_poll = long_ago;
  assert_asked (&worker, TRUE, 1, 0);
  pp_worker_note_poll (&worker);
  g_assert_cmpuint (messages, ==, 1);
  assert_asked (&worker, FALSE, 1, 1);
  pp_worker_note_poll (&worker);
  worker.last_poll = long_ago;
  assert_asked (&worker, TRUE, 2, 1);
  /* A stopping worker does not poll any more. */
  worker.phase = PP_WORKER_STOPPING;
  assert_asked (&worker, FALSE, 2, 1);
}

/* Before the first poll, the answer says what the start waits for. */
static void
test_start_says_what_it_waits_for (void)
{
  static const char peers_words[] = "Worker may be unresponsive at this time";
  char url[] = "http://127.0.0.1:1/api";
  const PpSettings settings = { .api_url = url, .worker_query_seconds = 1 };
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  PpWorker worker = { .settings = &settings, .context = { .api = api } };

  worker.phase = PP_WORKER_RUNNING;
  pp_worker_note_poll (&worker);
  pp_worker_note_absence (&worker.pool_absence, "no answer from the API");
  g_assert_null (pp_worker_poll_trouble (&worker));
  worker.last_poll = g_get_monotonic_time () - 40 * G_USEC_PER_SEC;
  g_assert_cmpstr (pp_worker_poll_trouble (&worker), ==, "no answer from the API");
  pp_worker_note_absence (&worker.engine_absence, "no answer");
  pp_worker_note_absence (&worker.engine_absence, "no answer from the engine");
  g_assert_cmpstr (pp_worker_poll_trouble (&worker), ==, "no answer from the engine");
  worker.started = TRUE;
  g_assert_cmpstr (pp_worker_poll_trouble (&worker), ==, peers_words);
  worker.started = FALSE;
  pp_worker_note_absence (&worker.engine_absence, NULL);
  pp_worker_note_absence (&worker.pool_absence, NULL);
  g_assert_cmpstr (pp_worker_poll_trouble (&worker), ==, peers_words);
}

static void
add_tests (void)
{
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_log_set_writer_func (count, NULL, NULL);
  g_test_add_func ("/poll-age/start", test_start_says_what_it_waits_for);
  g_test_add_func ("/poll-age/changes-are-logged-once", test_changes_are_logged_once);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
