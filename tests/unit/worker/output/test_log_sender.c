/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the timestamps that order a run's log records and identify them. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"
#include "worker/output/log_sender-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#define RUN "11111111-2222-3333-4444-555555555555"
#define OTHER_RUN "66666666-7777-8888-9999-000000000000"
#define THIRD_RUN "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/* The change of the wall clock in seconds. */
static gint64 clock_set;

/* Replaces GLib's function. */
gint64
g_get_real_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (now.tv_sec + clock_set) * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

typedef struct
{
  GMainLoop *loop;
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  char *url;
  PpLogSender *sender;
} Fixture;

/* The number of first requests with log records that the server fails. */
static guint failures;

/* How a gateway refuses some records, or all. NULL if there is none. */
typedef struct
{
  int status;
  const char *body;
  gboolean is_slow;  /* the worker waits before it sends again */
  gboolean is_blind; /* the answer does not say "blocked" */
} Refusal;

static const Refusal *refusal;
/* A gateway answers 413 if a body has more bytes than this; 0: there is no such gateway. */
static gsize body_limit;
static gboolean refuses_all;
/* Bodies that name one of these runs are refused; NULL: none. */
static const char *refused_runs[2];
/* The bodies that were accepted while this is not NULL. */
static GPtrArray *accepted;

/* If breaks_off is set, the server closes the first request's connection without an answer. It
 * carries the request out after LATE_LOOKS searches for its records. */
#define LATE_LOOKS 5
static gboolean breaks_off;
static guint looks;

static gboolean
is_refused (const Request *request)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused_runs); i++)
    if (refused_runs[i] != NULL && strstr (request->body->str, refused_runs[i]) != NULL)
      return TRUE;
  return refuses_all || strstr (request->body->str, "<script>") != NULL;
}

static const char *
answer_to_look (Server *server)
{
  static char found[256];
  json_auto_t *records = json_loads (server_request (server, 0)->body->str, 0, NULL);

  if (++looks < LATE_LOOKS)
    return "[]";
  g_snprintf (found, sizeof found, "[{\"timestamp\": \"%s\"}]",
              json_string_value (json_object_get (
                  json_array_get (records, json_array_size (records) - 1), "timestamp")));
  return found;
}

static gboolean
answer (Server *server, const Request *request, int fd, gpointer data G_GNUC_UNUSED)
{
  if (g_str_equal (request->method, "GET"))
    {
      g_usleep (20000);
      return server_reply (fd, 200, "", "{\"id\": \"x\"}");
    }
  if (strstr (request->target, "/logs/filter") != NULL)
    return server_reply (fd, 200, "", answer_to_look (server));
  if (breaks_off && request->number == 0)
    {
      server_reset (fd);
      return FALSE;
    }
  if (body_limit > 0 && request->body->len > body_limit)
    return server_reply (fd, 413, "", "<html>413 Request Entity Too Large</html>");
  if (refusal != NULL && is_refused (request))
    return server_reply (fd, refusal->status, refusal->is_slow ? "Retry-After: 1\r\n" : "",
                         refusal->body);
  if (strstr (request->body->str, "poison") != NULL || (failures > 0 && failures-- > 0))
    return server_reply (fd, 500, "", "{\"exception_message\": \"Internal Server Error\"}");
  if (accepted != NULL)
    g_ptr_array_add (accepted, g_strdup (request->body->str));
  return server_reply (fd, 201, "", "");
}

static void
set_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->server = server_new (NULL, answer, NULL);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){
    .api_url = fixture->url,
    .api_request_timeout = 60,
    .logging_to_api_max_log_size = 1000000,
    .logging_to_api_batch_size = 1000000,
    .logging_to_api_batch_interval = 0.01,
  };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  fixture->sender = pp_log_sender_new (fixture->api, &fixture->settings);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pp_log_sender_free (fixture->sender);
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_main_loop_unref (fixture->loop);
  g_free (fixture->url);
}

static void
add (Fixture *fixture, const char *run)
{
  pp_log_sender_add (fixture->sender, run, "test", TRUE, PP_LOG_INFO, "line", strlen ("line"));
}

static void
on_delivered (gpointer user_data)
{
  g_main_loop_quit (user_data);
}

/* Adds COUNT records and sets TIMESTAMPS to those that the server received. */
static void
deliver (Fixture *fixture, gint64 *timestamps, guint count)
{
  pp_log_sender_when (fixture->sender, NULL, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
  const Request *request = server_request (fixture->server, server_requests (fixture->server) - 1);
  json_auto_t *records = json_loads (request->body->str, 0, NULL);

  g_assert_cmpuint (json_array_size (records), ==, count);
  for (guint i = 0; i < count; i++)
    timestamps[i] = pp_timestamp_parse (
        json_string_value (json_object_get (json_array_get (records, i), "timestamp")));
}

/* A run whose last worker's clock was ahead does not affect other runs. */
static void
test_goes_on_after (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const gint64 ahead = g_get_real_time () + 3600 * (gint64)G_USEC_PER_SEC;
  gint64 timestamps[4];

  pp_log_sender_go_on_after (fixture->sender, RUN, ahead);
  pp_log_sender_go_on_after (fixture->sender, RUN, ahead - 1);
  add (fixture, RUN);
  add (fixture, OTHER_RUN);
  add (fixture, RUN);
  add (fixture, OTHER_RUN);
  deliver (fixture, timestamps, 4);
  g_assert_cmpint (timestamps[0], ==, ahead + 1);
  g_assert_cmpint (timestamps[2], ==, ahead + 2);
  g_assert_cmpint (timestamps[1], <=, g_get_real_time ());
  g_assert_cmpint (timestamps[1], <, timestamps[3]);
}

/* The clock is set back by an hour: a run with earlier lines continues after them, and other runs
 * use the clock. */
static void
test_clock_set_back (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  gint64 timestamps[4];

  add (fixture, RUN);
  clock_set = -3600;
  add (fixture, OTHER_RUN);
  add (fixture, RUN);
  add (fixture, OTHER_RUN);
  deliver (fixture, timestamps, 4);
  g_assert_cmpint (timestamps[2], ==, timestamps[0] + 1);
  g_assert_cmpint (timestamps[1], <=, g_get_real_time ());
  g_assert_cmpint (timestamps[1], <, timestamps[3]);
  clock_set = 0;
}

/* When the clock has caught up, timestamps follow it again. */
static void
test_clock_catches_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const gint64 ahead = g_get_real_time () + G_USEC_PER_SEC / 10;
  gint64 timestamps[2];

  pp_log_sender_go_on_after (fixture->sender, RUN, ahead);
  add (fixture, RUN);
  while (g_get_real_time () <= ahead + 1)
    g_usleep (1000);
  gint64 before = g_get_real_time ();
  add (fixture, RUN);
  deliver (fixture, timestamps, 2);
  g_assert_cmpint (timestamps[0], ==, ahead + 1);
  g_assert_cmpint (timestamps[1], >=, before);
}

static gboolean
on_quit (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

static void
on_noise (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  pp_flow_run_read (fixture->api, "x", PP_API_ONCE, on_noise, fixture);
}

/* A record that the server fails for is dropped, and the warning names its run. No other record is
 * lost. */
static void
test_server_fails_at_a_record (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  guint sent = 0;

  on_noise (NULL, NULL, fixture);
  for (int i = 0; i < 4; i++)
    pp_log_sender_add (fixture->sender, i == 2 ? OTHER_RUN : RUN, "test", TRUE, PP_LOG_INFO,
                       i == 2 ? "poison" : "good", 4 + (i == 2 ? 2 : 0));
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "The server fails at a log record of flow run " OTHER_RUN "*dropped*500*");
  pp_log_sender_when (fixture->sender, NULL, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
  g_test_assert_expected_messages ();
  for (guint i = 0; i < server_requests (fixture->server); i++)
    {
      const char *body = server_request (fixture->server, i)->body->str;

      if (strstr (body, "poison") != NULL)
        continue;
      for (const char *p = body; (p = strstr (p, "good")) != NULL; p++)
        sent++;
    }
  g_assert_cmpuint (sent, ==, 3);
}

/* An overloaded server answers 500 for a while but answers other requests: no record is the
 * cause. */
static void
test_server_fails_for_a_while (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  failures = 10;
  on_noise (NULL, NULL, fixture);
  add (fixture, RUN);
  pp_log_sender_when (fixture->sender, NULL, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
  /* A dropped record causes a warning and is not sent again. */
  g_assert_cmpuint (failures, ==, 0);
}

/* Makes the server answer other requests successfully from now on. */
static void
begin_noise (Fixture *fixture)
{
  on_noise (NULL, NULL, fixture);
  while (pp_api_answered (fixture->api) == 0)
    g_main_context_iteration (NULL, TRUE);
}

/* Runs the loop until all records were delivered or dropped. */
static void
run_until_delivered (Fixture *fixture)
{
  pp_log_sender_when (fixture->sender, NULL, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
}

static void
add_text (Fixture *fixture, const char *run, const char *text)
{
  pp_log_sender_add (fixture->sender, run, "test", TRUE, PP_LOG_INFO, text, strlen (text));
}

/* Returns how often TEXT occurs in the accepted records. */
static guint
count_taken (Fixture *fixture, const char *text)
{
  guint count = 0;

  for (guint i = 0; i < server_requests (fixture->server); i++)
    {
      const char *body = server_request (fixture->server, i)->body->str;

      if (strstr (body, "<script>") != NULL)
        continue;
      for (const char *p = body; (p = strstr (p, text)) != NULL; p++)
        count++;
    }
  return count;
}

/* If a gateway refuses a line because the line looks like an attack, a placeholder replaces the
 * line, also for two such lines in a row. The other lines are delivered. */
static void
test_gateway_refuses_a_record (Fixture *fixture, gconstpointer data)
{
  refusal = data;
  pp_api_hurry (fixture->api, 0.001);
  begin_noise (fixture);
  for (int i = 0; i < 8; i++)
    add_text (fixture, i == 3 || i == 4 ? OTHER_RUN : RUN, i == 3 || i == 4 ? "<script>" : "good");
  for (int i = 0; i < 2; i++)
    g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                           refusal->is_blind
                               ? "A log record of flow run " OTHER_RUN
                                 " is not accepted, so the record is dropped: *the answer is*"
                               : "A log record of flow run " OTHER_RUN
                                 " is not accepted, so the record is dropped: *blocked*");
  run_until_delivered (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (count_taken (fixture, "good"), ==, 6);
  g_assert_cmpuint (count_taken (fixture, "a log record is missing here"), ==, 2);
  refusal = NULL;
}

/* Collects what was accepted of RUN. Returns the text; *OUTPUT is the number of records of output
 * that the next worker counts. */
static char *
collect (Fixture *fixture, const char *run, guint *output)
{
  GString *text = g_string_new (NULL);
  gint64 last = 0;

  for (guint i = 0; i < server_requests (fixture->server); i++)
    {
      const Request *request = server_request (fixture->server, i);
      json_auto_t *records = json_loads (request->body->str, 0, NULL);
      size_t k;
      json_t *record;

      if (request->body->len > body_limit)
        continue;
      json_array_foreach (records, k, record)
      {
        gint64 time
            = pp_timestamp_parse (json_string_value (json_object_get (record, "timestamp")));

        if (strcmp (json_string_value (json_object_get (record, "flow_run_id")), run) != 0)
          continue;
        g_assert_cmpint (time, >, last);
        last = time;
        g_string_append (text, json_string_value (json_object_get (record, "message")));
        *output += g_str_has_prefix (json_string_value (json_object_get (record, "name")),
                                     "prefect.flow_runs.std")
                       ? 1
                       : 0;
      }
    }
  return g_string_free (text, FALSE);
}

/* Returns how many records of RUN were accepted. They came in order. */
static guint
count_accepted (const char *run)
{
  guint count = 0;
  gint64 last = 0;

  for (guint i = 0; i < accepted->len; i++)
    {
      json_auto_t *records = json_loads (g_ptr_array_index (accepted, i), 0, NULL);
      size_t k;
      json_t *record;

      json_array_foreach (records, k, record)
      {
        if (strcmp (json_string_value (json_object_get (record, "flow_run_id")), run) != 0)
          continue;
        gint64 time
            = pp_timestamp_parse (json_string_value (json_object_get (record, "timestamp")));
        g_assert_cmpint (time, >, last);
        last = time;
        count++;
      }
    }
  return count;
}

/* Runs the loop until the records of RUN were delivered or dropped. */
static void
run_until_run_is_delivered (Fixture *fixture, const char *run)
{
  pp_log_sender_when (fixture->sender, run, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
}

static void
expect_run_is_barred (const char *run)
{
  g_autofree char *pattern = g_strdup_printf ("The server accepts logs of other runs, but none of "
                                              "flow run %s. *",
                                              run);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, pattern);
}

static void
begin_refusal (Fixture *fixture, const Refusal *how, const char *run, const char *other)
{
  accepted = g_ptr_array_new_with_free_func (g_free);
  refusal = how;
  refused_runs[0] = run;
  refused_runs[1] = other;
  pp_api_hurry (fixture->api, 0.001);
  begin_noise (fixture);
}

static void
end_refusal (void)
{
  g_test_assert_expected_messages ();
  g_clear_pointer (&accepted, g_ptr_array_unref);
  refusal = NULL;
  refused_runs[0] = refused_runs[1] = NULL;
}

/* Adds a record of each of RUNS in turn, ROUNDS times. */
static void
add_rounds (Fixture *fixture, int rounds, const char *const *runs)
{
  for (int i = 0; i < rounds; i++)
    for (const char *const *run = runs; *run != NULL; run++)
      add (fixture, *run);
}

/* All bodies that name one run are refused. Records of other runs arrive at once, also new ones.
 * The records of the refused run are dropped after a while. After that, new records of this run
 * are dropped sooner, until one is accepted. */
static void
test_run_is_refused (Fixture *fixture, gconstpointer data)
{
  begin_refusal (fixture, data, RUN, NULL);
  add_rounds (fixture, 10, (const char *const[]){ RUN, OTHER_RUN, NULL });
  run_until_run_is_delivered (fixture, OTHER_RUN);
  g_assert_cmpuint (count_accepted (OTHER_RUN), ==, 10);
  g_assert_cmpuint (pp_log_sender_pending (fixture->sender), ==, 10);
  add (fixture, OTHER_RUN);
  run_until_run_is_delivered (fixture, OTHER_RUN);
  g_assert_cmpuint (pp_log_sender_pending (fixture->sender), ==, 10);

  expect_run_is_barred (RUN);
  run_until_run_is_delivered (fixture, RUN);
  add (fixture, RUN);
  add (fixture, OTHER_RUN);
  run_until_delivered (fixture);
  g_assert_cmpuint (count_accepted (RUN), ==, 0);
  g_assert_cmpuint (count_accepted (OTHER_RUN), ==, 12);

  refused_runs[0] = NULL;
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE,
                         "Logs of flow run " RUN " are accepted again; log records dropped: 11");
  add (fixture, RUN);
  run_until_delivered (fixture);
  g_assert_cmpuint (count_accepted (RUN), ==, 1);
  end_refusal ();
}

/* The same for two runs at once, with a third one between them. */
static void
test_two_runs_are_refused (Fixture *fixture, gconstpointer data)
{
  begin_refusal (fixture, data, RUN, THIRD_RUN);
  add_rounds (fixture, 4, (const char *const[]){ RUN, THIRD_RUN, OTHER_RUN, NULL });
  run_until_run_is_delivered (fixture, OTHER_RUN);
  g_assert_cmpuint (count_accepted (OTHER_RUN), ==, 4);
  g_assert_cmpuint (pp_log_sender_pending (fixture->sender), ==, 8);
  expect_run_is_barred ("*");
  expect_run_is_barred ("*");
  run_until_delivered (fixture);
  end_refusal ();
}

/* The refused run was alone until now, and its output has filled the queue. */
static void
test_others_come_later (Fixture *fixture, gconstpointer data)
{
  guint count = 0;

  begin_refusal (fixture, data, RUN, NULL);
  for (; pp_log_sender_has_room (fixture->sender, RUN); count++)
    add (fixture, RUN);
  g_timeout_add (300, on_quit, fixture->loop);
  g_main_loop_run (fixture->loop);
  add (fixture, OTHER_RUN);
  run_until_run_is_delivered (fixture, OTHER_RUN);
  g_assert_cmpuint (count_accepted (OTHER_RUN), ==, 1);
  g_assert_cmpuint (pp_log_sender_pending (fixture->sender), ==, count);
  g_assert_true (pp_log_sender_has_room (fixture->sender, OTHER_RUN));
  g_assert_false (pp_log_sender_has_room (fixture->sender, RUN));
  expect_run_is_barred (RUN);
  run_until_delivered (fixture);
  g_assert_true (pp_log_sender_has_room (fixture->sender, RUN));
  end_refusal ();
}

/* The server refuses a run only for a while, and later everything for a while: nothing is lost. */
static void
test_run_is_refused_for_a_while (Fixture *fixture, gconstpointer data)
{
  begin_refusal (fixture, data, RUN, NULL);
  add_rounds (fixture, 4, (const char *const[]){ RUN, OTHER_RUN, NULL });
  run_until_run_is_delivered (fixture, OTHER_RUN);
  refused_runs[0] = NULL;
  add (fixture, RUN);
  run_until_delivered (fixture);
  failures = 40;
  add_rounds (fixture, 3, (const char *const[]){ RUN, THIRD_RUN, OTHER_RUN, NULL });
  run_until_delivered (fixture);
  g_assert_cmpuint (failures, ==, 0);
  g_assert_cmpuint (count_accepted (RUN), ==, 8);
  g_assert_cmpuint (count_accepted (OTHER_RUN), ==, 7);
  g_assert_cmpuint (count_accepted (THIRD_RUN), ==, 3);
  end_refusal ();
}

static void
count_delivered (const char *flow_run_id, guint records, gint64 timestamp G_GNUC_UNUSED,
                 gpointer user_data)
{
  if (strcmp (flow_run_id, RUN) == 0)
    *(guint *)user_data += records;
}

/* A gateway takes small bodies only: long lines arrive in parts, in order, and count once. */
static void
test_gateway_takes_small_bodies (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  guint delivered = 0;
  guint output = 0;

  body_limit = GPOINTER_TO_UINT (data);
  pp_log_sender_on_delivered (fixture->sender, count_delivered, &delivered);
  for (int i = 0; i < 6; i++)
    {
      g_autoptr (GString) line = g_string_new ("begin");

      while (i % 2 == 1 && line->len < 9000)
        g_string_append_printf (line, " \xe2\x82\xac%d", i);
      g_string_append (line, " end\n");
      pp_log_sender_add (fixture->sender, RUN, "prefect.flow_runs.stdout", TRUE, PP_LOG_INFO,
                         line->str, line->len);
      add (fixture, OTHER_RUN);
      g_string_append (expected, line->str);
    }
  run_until_delivered (fixture);
  g_autofree char *text = collect (fixture, RUN, &output);
  g_assert_cmpstr (text, ==, expected->str);
  g_assert_cmpuint (output, ==, 6);
  g_assert_cmpuint (delivered, ==, 6);
  body_limit = 0;
}

/* The API refuses a record permanently in its own words, or a short record is refused for its size.
 * A placeholder replaces the record; the others arrive. */
static void
test_record_is_refused_for_good (Fixture *fixture, gconstpointer data)
{
  refusal = data;
  begin_noise (fixture);
  for (int i = 0; i < 5; i++)
    add_text (fixture, i == 2 ? OTHER_RUN : RUN, i == 2 ? "<script>" : "good");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "A log record of flow run " OTHER_RUN
                         " is not accepted, so the record is dropped: *no such text*");
  run_until_delivered (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (count_taken (fixture, "good"), ==, 4);
  g_assert_cmpuint (count_taken (fixture, "a log record is missing here"), ==, 1);
  refusal = NULL;
}

/* If the placeholder is refused permanently, too, the record is dropped, and nothing waits. */
static void
test_placeholder_is_refused_for_good (Fixture *fixture, gconstpointer data)
{
  refusal = data;
  refuses_all = TRUE;
  begin_noise (fixture);
  for (int i = 0; i < 2; i++)
    {
      add_text (fixture, RUN, "good");
      g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                             "A log record of flow run " RUN
                             " was refused and is dropped: *no such text*");
    }
  run_until_delivered (fixture);
  g_test_assert_expected_messages ();
  refuses_all = FALSE;
  refusal = NULL;
}

/* While a gateway refuses all requests, nothing is dropped, however long it lasts. */
static void
test_gateway_before_everything (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const Refusal page = { 403, "<html>403 Forbidden</html>", TRUE };

  refusal = &page;
  refuses_all = TRUE;
  pp_log_sender_give_up_after (fixture->sender, 4);
  pp_api_expect (fixture->api);
  add_text (fixture, RUN, "good");
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING, "*asking again in*");
  g_timeout_add_seconds (8, on_quit, fixture->loop);
  g_main_loop_run (fixture->loop);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (pp_log_sender_pending (fixture->sender), ==, 1);
  refuses_all = FALSE;
  refusal = NULL;
  run_until_delivered (fixture);
  g_assert_cmpuint (server_requests (fixture->server), >, 2);
}

/* A role without permission to write logs does not block a run forever. */
static void
test_no_right_to_write_logs (Fixture *fixture, gconstpointer data)
{
  refusal = data;
  refuses_all = TRUE;
  pp_api_hurry (fixture->api, 0.001);
  pp_log_sender_give_up_after (fixture->sender, 3);
  begin_noise (fixture);
  add_text (fixture, RUN, "good");
  add_text (fixture, OTHER_RUN, "good");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "Log records are not accepted, so they wait: *no right*");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "No logs were accepted for *" RUN ", " OTHER_RUN "*no right*");
  run_until_delivered (fixture);
  g_test_assert_expected_messages ();
  refuses_all = FALSE;
  refusal = NULL;
  add_text (fixture, RUN, "good");
  run_until_delivered (fixture);
}

/* A proxy that closes the connection may still deliver the request later. */
static void
test_carried_out_late (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  breaks_off = TRUE;
  add_text (fixture, RUN, "good");
  run_until_delivered (fixture);
  g_assert_cmpuint (count_taken (fixture, "good"), ==, 1);
  g_assert_cmpuint (looks, ==, LATE_LOOKS);
  breaks_off = FALSE;
}

/* The last lines of a container exceed Prefect Cloud's limit for a record: they are split into
 * several records, between lines. */
static void
test_long_message (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GString) text = g_string_new ("The last lines:");
  g_autoptr (GString) received = g_string_new (NULL);

  pp_log_sender_free (fixture->sender);
  fixture->settings.logging_to_api_max_log_size = 25000;
  fixture->sender = pp_log_sender_new (fixture->api, &fixture->settings);
  for (int i = 0; i < 50; i++)
    g_string_append_printf (text, "\n%02d %s", i, "\xc3\xa4\"\t.");
  while (text->len < 80000)
    g_string_append (text, "\n\xc3\xa4 a line of some words, and a \"quote\"");
  pp_log_sender_add_text (fixture->sender, RUN, "test", PP_LOG_ERROR, text->str);
  pp_log_sender_when (fixture->sender, NULL, FALSE, on_delivered, fixture->loop);
  g_main_loop_run (fixture->loop);
  for (guint i = 0; i < server_requests (fixture->server); i++)
    {
      json_auto_t *records = json_loads (server_request (fixture->server, i)->body->str, 0, NULL);
      size_t k;
      json_t *record;

      json_array_foreach (records, k, record)
      {
        const char *message = json_string_value (json_object_get (record, "message"));

        g_assert_cmpuint (strlen (message), <=, 25000);
        g_string_append_printf (received, "%s%s", received->len > 0 ? "\n" : "", message);
      }
    }
  g_assert_cmpstr (received->str, ==, text->str);
}

/* Tests of runs whose records are refused. */
static void
add_run_tests (void)
{
  static const Refusal refusals[] = {
    { 500, "{\"exception_message\": \"Internal Server Error\"}" },
    { 500, "<html>500</html>" },
    { 403, "<html>blocked</html>" },
    { 403, "{\"detail\": \"no right to this run\"}" },
    { 202, "" },
  };
  static const struct
  {
    const char *name;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "run-is-refused", test_run_is_refused },
    { "two-runs-are-refused", test_two_runs_are_refused },
    { "others-come-later", test_others_come_later },
    { "run-is-refused-for-a-while", test_run_is_refused_for_a_while },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (tests); k++)
      {
        g_autofree char *name
            = g_strdup_printf ("/log-sender/%s/%" G_GSIZE_FORMAT, tests[k].name, i);
        g_test_add (name, Fixture, &refusals[i], set_up, tests[k].test, tear_down);
      }
}

static void
add_tests (void)
{
  static const Refusal refusals[] = {
    { 403, "<html>Request blocked</html>" },
    { 406, "blocked" },
    { 400, "<html>blocked</html>" },
    { 200, "<html>The request was blocked. Your support ID is 1</html>" },
    { 403, "{\"detail\": \"blocked by policy 7\"}" },
    /* The API answers 201 and null. */
    { 201, "<html>blocked</html>" },
    { 201, "{\"status\": \"blocked\"}" },
    { 201, "[\"blocked\"]" },
    { 200, "null", .is_blind = TRUE },
    { 200, "", .is_blind = TRUE },
    { 200, "{\"status\": \"blocked\"}" },
    { 202, "null", .is_blind = TRUE },
    { 202, "", .is_blind = TRUE },
    { 204, "", .is_blind = TRUE },
    { 206, "null", .is_blind = TRUE },
  };
  static const Refusal final[] = {
    { 413, "<html>no such text</html>" },
    { 422, "{\"exception_message\": \"no such text\", \"exception_detail\": []}" },
    { 400, "{\"detail\": \"no such text\"}" },
  };
  static const guint limits[] = { 20000, 6000, 1800 };
  static const Refusal denials[] = {
    { 403, "{\"detail\": \"no right to write logs\"}" },
    { 401, "{\"exception_message\": \"no right\"}" },
    { 405, "<html>no right</html>" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *name
          = g_strdup_printf ("/log-sender/gateway-refuses-a-record/%" G_GSIZE_FORMAT, i);
      g_test_add (name, Fixture, &refusals[i], set_up, test_gateway_refuses_a_record, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (final); i++)
    {
      g_autofree char *name
          = g_strdup_printf ("/log-sender/record-is-refused-for-good/%" G_GSIZE_FORMAT, i);
      g_autofree char *also
          = g_strdup_printf ("/log-sender/placeholder-is-refused-for-good/%" G_GSIZE_FORMAT, i);
      g_test_add (name, Fixture, &final[i], set_up, test_record_is_refused_for_good, tear_down);
      g_test_add (also, Fixture, &final[i], set_up, test_placeholder_is_refused_for_good,
                  tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autofree char *name
          = g_strdup_printf ("/log-sender/gateway-takes-small-bodies/%u", limits[i]);
      g_test_add (name, Fixture, GUINT_TO_POINTER (limits[i]), set_up,
                  test_gateway_takes_small_bodies, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (denials); i++)
    {
      g_autofree char *name
          = g_strdup_printf ("/log-sender/no-right-to-write-logs/%" G_GSIZE_FORMAT, i);
      g_test_add (name, Fixture, &denials[i], set_up, test_no_right_to_write_logs, tear_down);
    }
  add_run_tests ();
  g_test_add ("/log-sender/gateway-before-everything", Fixture, NULL, set_up,
              test_gateway_before_everything, tear_down);
  g_test_add ("/log-sender/carried-out-late", Fixture, NULL, set_up, test_carried_out_late,
              tear_down);
  g_test_add ("/log-sender/long-message", Fixture, NULL, set_up, test_long_message, tear_down);
  g_test_add ("/log-sender/server-fails-at-a-record", Fixture, NULL, set_up,
              test_server_fails_at_a_record, tear_down);
  g_test_add ("/log-sender/server-fails-for-a-while", Fixture, NULL, set_up,
              test_server_fails_for_a_while, tear_down);
  g_test_add ("/log-sender/goes-on-after", Fixture, NULL, set_up, test_goes_on_after, tear_down);
  g_test_add ("/log-sender/clock-set-back", Fixture, NULL, set_up, test_clock_set_back, tear_down);
  g_test_add ("/log-sender/clock-catches-up", Fixture, NULL, set_up, test_clock_catches_up,
              tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
