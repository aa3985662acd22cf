/* SPDX-License-Identifier: Apache-2.0 */
/* Tests who has a flow run. An answer without states says nothing about that. */
#include "worker/flow_run/flow_run_inside-private.h"

#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define RUN "11111111-2222-4333-8444-555555555555"
#define OWN "cccccccc-0000-4000-8000-000000000000"
#define OTHER "dddddddd-0000-4000-8000-000000000000"

#define STATE(type, transition)                                                                    \
  "{\"type\": \"" type "\", \"state_details\": {\"transition_id\": \"" transition "\"}}"
/* Our claim, and then another worker's. */
#define CLAIMED_AGAIN                                                                              \
  "[" STATE ("PENDING", OWN) ", {\"type\": \"SCHEDULED\"}, " STATE ("PENDING", OTHER) "]"
#define CLAIMED "[{\"type\": \"SCHEDULED\"}, " STATE ("PENDING", OWN) "]"

typedef struct
{
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  PpWorkerContext context;
  PpFlowRun *run;
  char *url;
  const char *nothing; /* the first answer in place of the states */
  const char *states;
  gboolean deleted;
  gint lists; /* number of requests for the states */
  gboolean known;
  PpClaimHolder holder; /* the result */
} Fixture;

/* Answers the first request for the states with NOTHING, later ones with STATES. If the run is
 * deleted, every such answer is NOTHING. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;

  if (strstr (request->target, "/flow_run_states/") != NULL)
    {
      gboolean told = g_atomic_int_add (&fixture->lists, 1) >= 1 && !fixture->deleted;

      return server_reply (fd, 200, "", told ? fixture->states : fixture->nothing);
    }
  if (g_str_equal (request->method, "PATCH"))
    return server_reply (fd, 503, "", "{\"detail\": \"busy\"}");
  if (fixture->deleted && g_str_equal (request->method, "GET"))
    return server_reply (fd, 404, "", "{\"detail\": \"Flow run not found\"}");
  if (fixture->deleted)
    return server_reply (fd, 200, "", "[]");
  return server_reply (fd, 200, "", "[{\"id\": \"" RUN "\"}]");
}

static void
set_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url, .api_request_timeout = 60 };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  pp_api_expect (fixture->api);
  fixture->context.settings = &fixture->settings;
  fixture->context.api = fixture->api;
  fixture->context.states = pp_state_reader_new (fixture->api);
  fixture->run = g_new0 (PpFlowRun, 1);
  fixture->run->context = &fixture->context;
  fixture->run->user_data = fixture;
  fixture->run->id = g_strdup (RUN);
  fixture->run->name = g_strdup ("clever-crow");
  g_strlcpy (fixture->run->transitions.claim, OWN, PP_TRANSITION_ID_SIZE);
  fixture->nothing = "[]";
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* this file tests warnings */
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pp_flow_run_forget_claim_check (fixture->run);
  pp_flow_run_forget_history (fixture->run);
  json_decref (fixture->run->report.overwritten_end);
  g_free (fixture->run->id);
  g_free (fixture->run->name);
  g_free (fixture->run);
  pp_state_reader_free (fixture->context.states);
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_free (fixture->url);
}

static void
on_known (PpFlowRun *run)
{
  ((Fixture *)run->user_data)->known = TRUE;
}

static void
on_holder (PpFlowRun *run, PpClaimHolder holder)
{
  ((Fixture *)run->user_data)->holder = holder;
  on_known (run);
}

static void
wait_known (const Fixture *fixture)
{
  while (!fixture->known)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_claimed_again (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = CLAIMED_AGAIN;
  pp_flow_run_check_claim (fixture->run, on_holder);
  wait_known (fixture);
  g_assert_cmpint (fixture->holder, ==, PP_CLAIM_LOST);
  g_assert_cmpint (fixture->lists, ==, 2);
}

static void
on_pid (json_t *body G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED,
        gpointer user_data G_GNUC_UNUSED)
{
}

/* The request with our container's id is cancelled, but the server may still carry it out. */
static void
test_pid_is_dropped (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = CLAIMED_AGAIN;
  fixture->run->pid.call
      = pp_flow_run_update_infrastructure_pid (fixture->api, RUN, "podman:cafe", on_pid, NULL);
  pp_flow_run_check_claim (fixture->run, on_holder);
  wait_known (fixture);
  g_assert_null (fixture->run->pid.call);
  g_assert_cmpint (fixture->run->late_until, >, 0);
}

static void
test_not_claimed_again (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = CLAIMED;
  pp_flow_run_check_claim (fixture->run, on_holder);
  wait_known (fixture);
  g_assert_cmpint (fixture->holder, ==, PP_CLAIM_OURS);
}

/* A request to the engine may be carried out later than a request to the server that was made after
 * it. */
static void
test_late_container (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  gint64 now = pp_uptime ();

  pp_flow_run_expect_late (fixture->run);
  g_assert_cmpint (fixture->run->late_until, <, now + 130 * G_USEC_PER_SEC);
  pp_flow_run_expect_late_container (fixture->run);
  pp_flow_run_expect_late (fixture->run);
  g_assert_cmpint (fixture->run->late_until, >=, now + 660 * G_USEC_PER_SEC);
}

/* The next call learns from the server that the run was deleted. */
static void
test_deleted (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->deleted = TRUE;
  pp_flow_run_check_claim (fixture->run, on_holder);
  wait_known (fixture);
  g_assert_cmpint (fixture->holder, ==, PP_CLAIM_PREFECT);
  g_assert_cmpint (fixture->lists, ==, 1);
}

/* The check before the run is started. */
static void
test_history (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = CLAIMED;
  pp_flow_run_check_history (fixture->run, on_known);
  wait_known (fixture);
  g_assert_cmpint (fixture->lists, ==, 2);
}

/* The server does not say how often the run has run, so its states are read. */
static void
test_contest (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = CLAIMED;
  pp_flow_run_check_contest (fixture->run, on_known);
  wait_known (fixture);
  g_assert_cmpint (fixture->lists, ==, 2);
}

/* A list of objects that are not states is not a list of states. */
static void
test_no_states (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->nothing = "[{\"status\": \"ok\"}]";
  fixture->states = CLAIMED_AGAIN;
  pp_flow_run_check_claim (fixture->run, on_holder);
  wait_known (fixture);
  g_assert_cmpint (fixture->holder, ==, PP_CLAIM_LOST);
}

static void
add_tests (void)
{
#define ADD(name, function)                                                                        \
  g_test_add ("/run-ownership/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("claimed-again", test_claimed_again);
  ADD ("pid-is-dropped", test_pid_is_dropped);
  ADD ("not-claimed-again", test_not_claimed_again);
  ADD ("deleted", test_deleted);
  ADD ("late-container", test_late_container);
  ADD ("history", test_history);
  ADD ("contest", test_contest);
  ADD ("no-states", test_no_states);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
