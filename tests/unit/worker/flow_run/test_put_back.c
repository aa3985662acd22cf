/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that an overwritten end is restored, and that a retry is given back to the poll. States
 * that came in between stay. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"

#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <jansson.h>
#include <string.h>

#define RUN "11111111-2222-4333-8444-555555555555"
#define SCHEDULED "{\"id\": \"1\", \"type\": \"SCHEDULED\", \"name\": \"Scheduled\"}"
#define COMPLETED                                                                                  \
  "{\"id\": \"2\", \"type\": \"COMPLETED\", \"name\": \"Done\","                                   \
  " \"state_details\": {\"transition_id\": \"dddddddd-0000-4000-8000-000000000000\"}}"
/* States of this worker, which came after COMPLETED. */
#define PENDING "{\"id\": \"3\", \"type\": \"PENDING\", \"name\": \"Pending\"}"
#define FAILED "{\"id\": \"4\", \"type\": \"FAILED\", \"name\": \"Failed\"}"

/* What the server does. */
typedef struct
{
  guint failures;      /* set_state and PATCH: how many fail first */
  const char *later;   /* a state that the run gets after the first failure, or NULL */
  gboolean unreadable; /* the run cannot be read; its last state is RUNNING */
  const char *failure; /* the answer to a call that fails; NULL: 503 */
} Case;

typedef struct
{
  Server *server;
  PpHttp *http;
  PpSettings settings;
  PpWorkerContext context;
  char *url;
  const Case *chosen;
  gint changes; /* number of set_state and PATCH calls; atomic */
  gint reads;   /* number of reads of the run's states; atomic */
  gboolean slot_free;
  gboolean went_on;
} Fixture;

static char *
states_now (const Fixture *fixture)
{
  const char *later = g_atomic_int_get (&fixture->changes) > 0 ? fixture->chosen->later : NULL;

  return g_strdup_printf ("[" SCHEDULED ", " COMPLETED ", " PENDING "%s%s]",
                          later != NULL ? ", " : "", later != NULL ? later : "");
}

static char *
run_now (const Fixture *fixture)
{
  const char *later = g_atomic_int_get (&fixture->changes) > 0 ? fixture->chosen->later : NULL;

  return g_strdup_printf (
      "{\"id\": \"" RUN "\", \"state\": %s,"
      " \"empirical_policy\": {\"retries\": 2, \"retry_type\": \"in_process\"}}",
      later != NULL ? later : SCHEDULED);
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;
  g_autofree char *body = NULL;

  if (strstr (request->target, "/flow_run_states/") != NULL)
    {
      g_atomic_int_inc (&fixture->reads);
      if (fixture->chosen->unreadable)
        return server_reply (fd, 200, "", "[{\"id\": \"1\", \"type\": \"RUNNING\"}]");
      body = states_now (fixture);
      return server_reply (fd, 200, "", body);
    }
  if (fixture->chosen->unreadable)
    return server_reply (fd, 500, "", "{\"exception_message\": \"Internal Server Error\"}");
  if (g_str_has_suffix (request->target, "/filter"))
    return server_reply (fd, 200, "", "[{\"id\": \"" RUN "\", \"state\": " PENDING "}]");
  if (g_str_equal (request->method, "GET"))
    {
      body = run_now (fixture);
      return server_reply (fd, 200, "", body);
    }
  gboolean fails = (guint)g_atomic_int_add (&fixture->changes, 1) < fixture->chosen->failures;
  if (fails && fixture->chosen->failure != NULL)
    return server_reply (fd, 200, "", fixture->chosen->failure);
  if (fails)
    return server_reply (fd, 503, "", "{\"exception_message\": \"Service Unavailable\"}");
  if (g_str_equal (request->method, "PATCH"))
    return server_reply (fd, 204, "", "");
  return server_accept (fd, request);
}

static void
on_notify (PpFlowRun *run G_GNUC_UNUSED, gboolean slot_free, gpointer user_data)
{
  ((Fixture *)user_data)->slot_free = slot_free;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->chosen = data;
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url, .api_request_timeout = 60 };
  fixture->context.settings = &fixture->settings;
  fixture->context.infrastructure
      = pp_infrastructure_new (fixture->http, "unix:///nonexistent", NULL);
  fixture->context.api = pp_api_new (fixture->http, &fixture->settings);
  fixture->context.states = pp_state_reader_new (fixture->context.api);
  fixture->context.logs = pp_log_sender_new (fixture->context.api, &fixture->settings);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pp_log_sender_free (fixture->context.logs);
  pp_state_reader_free (fixture->context.states);
  pp_api_free (fixture->context.api);
  pp_infrastructure_free (fixture->context.infrastructure);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_free (fixture->url);
}

static PpFlowRun *
make_run (Fixture *fixture)
{
  json_auto_t *json = json_pack ("{s:s, s:s}", "id", RUN, "name", "run");

  return pp_flow_run_new (&fixture->context, json, 0, on_notify, fixture);
}

static void
run_until_slot_free (Fixture *fixture)
{
  while (!fixture->slot_free)
    g_main_context_iteration (NULL, TRUE);
}

static void
on_next (PpFlowRun *run)
{
  Fixture *fixture = run->user_data;

  fixture->went_on = TRUE;
}

/* The claim has overwritten an end that another worker reported. */
static void
test_end (Fixture *fixture, gconstpointer data)
{
  const Case *chosen = data;
  PpFlowRun *run = make_run (fixture);

  pp_flow_run_check_history (run, on_next);
  run_until_slot_free (fixture);
  g_assert_false (fixture->went_on);
  g_assert_cmpint (fixture->changes, ==, chosen->later != NULL ? 1 : (gint)chosen->failures + 1);
  g_assert_cmpint (fixture->reads, ==, chosen->later != NULL ? 2 : (gint)chosen->failures + 1);
  pp_flow_run_free (run);
}

/* The server has turned the run's FAILED into AwaitingRetry. */
static void
test_retry (Fixture *fixture, gconstpointer data)
{
  const Case *chosen = data;
  PpFlowRun *run = make_run (fixture);

  pp_flow_run_reschedule (run);
  run_until_slot_free (fixture);
  g_assert_cmpint (fixture->changes, ==, chosen->later != NULL ? 1 : (gint)chosen->failures + 1);
  pp_flow_run_free (run);
}

static void
on_noise (json_t *body G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED,
          gpointer user_data G_GNUC_UNUSED)
{
}

/* The server fails at this run and at no other. The run's slot is given to another run, and the
 * worker keeps asking for this one. */
static void
test_unreadable (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpFlowRun *run = make_run (fixture);

  pp_api_hurry (fixture->context.api, 0.001);
  g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING, "*asking again*");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "Could not read or change flow run 'run' *" RUN "* at its end*");
  pp_flow_run_reschedule (run);
  pp_flow_run_states_read (fixture->context.api, RUN, on_noise, NULL);
  run_until_slot_free (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (fixture->context.unsettled, ==, 1);
  pp_flow_run_free (run);
}

/* The server fails at this run, which has startup_timeout_seconds. So the worker reads the run's
 * states to know whether it is Pending. */
static void
test_unreadable_at_start (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpRunPolicy policy = { .startup_timeout_seconds = 0.01 };
  gint64 end = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;
  PpFlowRun *run = make_run (fixture);

  run->journal.phase = PP_JOURNAL_STARTING;
  run->started_time = 1; /* it is about to be started */
  g_assert_cmpstr (pp_flow_run_phase_word (run), ==, "STARTING");
  run->state = PP_FLOW_RUN_RECOVERED;
  g_assert_cmpstr (pp_flow_run_phase_word (run), ==, "STARTING");
  run->journal.was_followed = TRUE;
  g_assert_cmpstr (pp_flow_run_phase_word (run), ==, "RUNNING");
  run->started_time = 0;
  run->state = PP_FLOW_RUN_STARTED;
  g_assert_cmpstr (pp_flow_run_phase_word (run), ==, "RUNNING");
  run->policy = &policy;
  pp_flow_run_start_timeout (run);
  while (g_atomic_int_get (&fixture->reads) == 0 || run->state_read != NULL)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  run->policy = NULL;
  pp_flow_run_free (run);
}

static void
add_tests (void)
{
  static const Case well = { 0, NULL, FALSE, NULL };
  static const Case refused_once = { 1, NULL, FALSE, NULL };
  static const Case not_stored
      = { 1, NULL, FALSE, "{\"status\": \"ABORT\", \"state\": null, \"details\": {}}" };
  static const Case delayed
      = { 1, NULL, FALSE,
          "{\"status\": \"WAIT\", \"state\": null, \"details\": {\"delay_seconds\": 1}}" };
  static const Case ended = { 1, FAILED, FALSE, NULL };
  static const Case scheduled = { 1, SCHEDULED, FALSE, NULL };
  static const Case unreadable = { 0, NULL, TRUE, NULL };
  static const Case cancelling = { 1, "{\"id\": \"5\", \"type\": \"CANCELLING\"}", FALSE, NULL };

  g_test_add ("/put-back/end/at-once", Fixture, &well, set_up, test_end, tear_down);
  g_test_add ("/put-back/end/refused-once", Fixture, &refused_once, set_up, test_end, tear_down);
  g_test_add ("/put-back/end/not-stored", Fixture, &not_stored, set_up, test_end, tear_down);
  g_test_add ("/put-back/end/delayed", Fixture, &delayed, set_up, test_end, tear_down);
  g_test_add ("/put-back/end/ended-meanwhile", Fixture, &ended, set_up, test_end, tear_down);
  g_test_add ("/put-back/end/scheduled-meanwhile", Fixture, &scheduled, set_up, test_end,
              tear_down);
  g_test_add ("/put-back/retry/at-once", Fixture, &well, set_up, test_retry, tear_down);
  g_test_add ("/put-back/retry/refused-once", Fixture, &refused_once, set_up, test_retry,
              tear_down);
  g_test_add ("/put-back/retry/ended-meanwhile", Fixture, &ended, set_up, test_retry, tear_down);
  g_test_add ("/put-back/retry/cancelled-meanwhile", Fixture, &cancelling, set_up, test_retry,
              tear_down);
  g_test_add ("/put-back/retry/unreadable", Fixture, &unreadable, set_up, test_unreadable,
              tear_down);
  g_test_add ("/put-back/startup/unreadable", Fixture, &unreadable, set_up,
              test_unreadable_at_start, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
