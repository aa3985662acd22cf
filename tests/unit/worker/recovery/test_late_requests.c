/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the notes of late requests: stored, checked, acted on, dropped. */
#include "worker/recovery/late_requests-private.h"

#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

#include "tests/unit/server.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <string.h>
#include <time.h>

#define RUN "11111111-2222-4333-8444-555555555555"
#define CLAIM "cccccccc-0000-4000-8000-000000000000"
#define OTHER "dddddddd-0000-4000-8000-000000000000"
#define OTHER_RESTORED "dddddddd-0000-8000-8000-000000000000"

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

/* The states after a late claim. */
static const char claimed[] = "[{\"id\": \"2\", \"type\": \"PENDING\","
                              " \"state_details\": {\"transition_id\": \"" CLAIM "\"}}]";

typedef struct
{
  char *root;
  PpIdentity *identity;
  PpJournal *journal;
  char *notes; /* the folder with the notes */
  Server *server;
  PpHttp *http;
  char *url;
  PpSettings settings;
  PpApi *api;
  PpStateReader *reader;
  PpLateRequests *late;
  const char *states;    /* of the run, JSON, oldest first */
  const char *told;      /* the answer in place of states, or NULL */
  gint64 patience;       /* microseconds */
  const char *pid;       /* infrastructure_pid, or NULL */
  const char *container; /* this worker's container of the run, or NULL */
  gint64 longest;        /* microseconds */
  PpLateHands hands;
  guint taken_over;
  gint refusals; /* number of set_state requests to refuse first; atomic */
} Fixture;

static char *
last_of (const char *states)
{
  json_auto_t *list = json_loads (states, 0, NULL);
  json_t *last = json_array_get (list, json_array_size (list) - 1);

  g_assert_nonnull (last);
  return json_dumps (last, 0);
}

/* The server: answers with the run's current state, and its states. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;

  if (g_str_has_suffix (request->target, "/flow_runs/filter"))
    {
      char *state = last_of (fixture->states);
      g_autofree char *body = g_strdup_printf (
          "[{\"id\": \"" RUN "\", \"infrastructure_pid\": \"%s\", \"state\": %s}]",
          fixture->pid != NULL ? fixture->pid : "", state);

      free (state);
      return server_reply (fd, 200, "", body);
    }
  if (g_str_equal (request->method, "PATCH"))
    return server_reply (fd, 204, "", "");
  if (strstr (request->target, "/flow_run_states/") != NULL)
    return server_reply (fd, 200, "", fixture->told != NULL ? fixture->told : fixture->states);
  if (g_atomic_int_add (&fixture->refusals, -1) > 0)
    return server_reply (fd, 503, "", "{\"exception_message\": \"Service Unavailable\"}");
  return server_accept (fd, request);
}

static PpLateHands
on_hands (const char *flow_run_id, const char *transition_id G_GNUC_UNUSED, gpointer user_data)
{
  g_assert_cmpstr (flow_run_id, ==, RUN);
  return ((const Fixture *)user_data)->hands;
}

static gboolean
on_take_over (const PpJournalEntry *note, gpointer user_data)
{
  g_assert_cmpstr (note->claim_transition_id, ==, CLAIM);
  ((Fixture *)user_data)->taken_over++;
  return TRUE;
}

static const char *
on_container (const char *flow_run_id G_GNUC_UNUSED, gpointer user_data)
{
  return ((const Fixture *)user_data)->container;
}

static void
open_notes (Fixture *fixture)
{
  const PpLateFuncs funcs = { on_hands, on_take_over, on_container, fixture };

  fixture->late = pp_late_requests_new (fixture->api, fixture->reader, fixture->journal,
                                        fixture->patience, fixture->longest, &funcs);
  pp_late_requests_load (fixture->late);
}

static void
set_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  fixture->root = state_test_folder (FALSE);
  fixture->identity = pp_identity_take (fixture->root, &state_test_key, &error);
  g_assert_no_error (error);
  fixture->journal = pp_journal_new (fixture->identity, &error);
  g_assert_no_error (error);
  fixture->notes = state_test_path (fixture->identity, "late", NULL);
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url, .api_request_timeout = 60 };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  fixture->reader = pp_state_reader_new (fixture->api);
  fixture->patience = pp_late_patience (&fixture->settings);
  fixture->longest = pp_late_container_patience (&fixture->settings);
  open_notes (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  clock_set = 0;
  pp_late_requests_free (fixture->late);
  pp_state_reader_free (fixture->reader);
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  pp_journal_free (fixture->journal);
  pp_identity_free (fixture->identity);
  state_test_remove (fixture->root);
  g_free (fixture->notes);
  g_free (fixture->url);
  g_free (fixture->root);
}

/* Adds a note: a request may be carried out for SECONDS from now. */
static void
add_note (Fixture *fixture, int seconds)
{
  g_autofree char *boot_id = pp_boot_id ();
  const PpJournalEntry entry = {
    .flow_run_id = (char *)RUN,
    .claim_transition_id = (char *)CLAIM,
    .container_id = (char *)"cafe",
    .claimed_at = 1,
    .late_until_uptime = pp_uptime () + seconds * G_USEC_PER_SEC,
    .boot_id = boot_id,
  };

  pp_late_requests_add (fixture->late, &entry);
}

static void
wait_requests (Fixture *fixture, guint count)
{
  while (server_requests (fixture->server) < count || pp_api_pending (fixture->api) > 0
         || pp_journal_pending (fixture->journal) > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_taken_over (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}]";
  add_note (fixture, 60);
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 1);
  g_assert_cmpuint (fixture->taken_over, ==, 0);
  fixture->states
      = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}, {\"id\": \"2\", \"type\": \"PENDING\","
        " \"state_details\": {\"transition_id\": \"" CLAIM "\"}}]";
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 3);
  g_assert_cmpuint (fixture->taken_over, ==, 1);
  /* From then on, this worker handles the run. */
  fixture->hands = PP_LATE_ASKED_FOR_IN_HAND;
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 4);
  g_assert_cmpuint (fixture->taken_over, ==, 1);
}

/* A state is restored by force and unchanged, with the mark of a restored one. */
static void
test_put_back (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states
      = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"},"
        " {\"id\": \"2\", \"type\": \"COMPLETED\", \"name\": \"Done\", \"message\": \"all well\","
        " \"state_details\": {\"transition_id\": \"" OTHER "\"}},"
        " {\"id\": \"3\", \"type\": \"PENDING\", \"name\": \"Pending\","
        " \"state_details\": {\"transition_id\": \"" CLAIM "\"}}]";
  add_note (fixture, 60);
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 3);
  const Request *request = server_request (fixture->server, 2);
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  json_auto_t *before = json_loads (fixture->states, 0, NULL);
  const json_t *state = json_object_get (body, "state");

  g_assert_true (g_str_has_suffix (request->target, "/flow_runs/" RUN "/set_state"));
  g_assert_true (json_is_true (json_object_get (body, "force")));
  g_assert_cmpstr (json_string_value (json_object_get (state, "type")), ==, "COMPLETED");
  g_assert_cmpstr (json_string_value (json_object_get (state, "name")), ==, "Done");
  g_assert_cmpstr (json_string_value (
                       json_object_get (json_object_get (state, "state_details"), "transition_id")),
                   ==, OTHER_RESTORED);
  g_assert_true (pp_state_is_restored (state));
  g_assert_false (pp_state_is_restored (json_array_get (before, 2)));
  g_assert_cmpuint (fixture->taken_over, ==, 0);
}

/* A server that answers without states, such as a gateway, decides nothing about the request, even
 * after its expiry. */
static void
test_no_states (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = claimed;
  fixture->told = "[]";
  add_note (fixture, -1);
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 2);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
  fixture->told = NULL;
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 4);
  g_assert_cmpuint (fixture->taken_over, ==, 1);
}

#define OVERWRITTEN                                                                                \
  "{\"id\": \"1\", \"type\": \"COMPLETED\", \"name\": \"Done\","                                   \
  " \"state_details\": {\"transition_id\": \"" OTHER "\"}},"                                       \
  " {\"id\": \"2\", \"type\": \"PENDING\", \"state_details\": {\"transition_id\": \"" CLAIM "\"}}"

/* The next check retries a failed restore, but only if the overwriting state is still there. */
static void
test_put_back_is_refused (Fixture *fixture, gconstpointer later)
{
  fixture->states = "[" OVERWRITTEN "]";
  fixture->refusals = 1;
  add_note (fixture, 60);
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 3);
  g_assert_cmpuint (server_requests (fixture->server), ==, 3);
  if (later != NULL)
    fixture->states = later;
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, later != NULL ? 4 : 6);
  g_assert_cmpuint (server_requests (fixture->server), ==, later != NULL ? 4 : 6);
}

/* A failed restore is reported once and then given up. */
static void
test_put_back_fails (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = "[" OVERWRITTEN "]";
  fixture->refusals = 1000;
  add_note (fixture, 60);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE,
                         "*sets the run back to Done");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "A late request has changed the state of flow run " RUN
                         ", *could not restore it: *503*");
  for (guint i = 1; i <= 120; i++)
    {
      pp_late_requests_look (fixture->late);
      wait_requests (fixture, 3 * i);
    }
  g_test_assert_expected_messages ();
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 361);
  g_assert_cmpuint (server_requests (fixture->server), ==, 361);
}

/* Notes survive this worker, and are dropped when they expire. */
static void
test_kept_and_forgotten (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}]";
  add_note (fixture, 60);
  wait_requests (fixture, 0);
  g_assert_cmpuint (state_test_count (fixture->notes), ==, 1);
  pp_late_requests_free (fixture->late);
  open_notes (fixture);
  g_assert_true (pp_late_requests_knows (fixture->late, RUN, CLAIM));
  g_assert_false (pp_late_requests_knows (fixture->late, RUN, OTHER));
  g_assert_false (pp_late_requests_has (fixture->late, OTHER));
  add_note (fixture, -1);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 2);
  pp_late_requests_look (fixture->late);
  wait_requests (fixture, 1);
  wait_requests (fixture, 1);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
  g_assert_cmpuint (state_test_count (fixture->notes), ==, 1);
}

static void
look_once (Fixture *fixture)
{
  guint count = server_requests (fixture->server);

  pp_late_requests_look (fixture->late);
  wait_requests (fixture, count + 1);
}

/* A clock set forward does not make notes expire, also not after a restart. */
static void
test_clock_set_forward (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}]";
  add_note (fixture, 60);
  clock_set = 86400;
  look_once (fixture);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
  pp_late_requests_free (fixture->late);
  open_notes (fixture);
  look_once (fixture);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
}

/* The engine may take longer to create a container than the API takes for a request. */
static void
test_container (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_cmpint (pp_late_container_patience (&fixture->settings), ==,
                   (gint64)660 * G_USEC_PER_SEC);
  pp_late_requests_free (fixture->late);
  fixture->patience = 100000;
  open_notes (fixture);
  fixture->states = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}]";
  add_note (fixture, 60);
  g_usleep (200000);
  look_once (fixture);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
}

static void
test_clock_set_back (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = "[{\"id\": \"1\", \"type\": \"SCHEDULED\"}]";
  add_note (fixture, -1);
  clock_set = -86400;
  look_once (fixture);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 0);
}

/* Checks repeatedly, for SECONDS or until there is no note. */
static void
look_for (Fixture *fixture, guint seconds)
{
  gint64 deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;

  while (pp_late_requests_count (fixture->late) > 0 && g_get_monotonic_time () < deadline)
    {
      pp_late_requests_look (fixture->late);
      g_usleep (20000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

/* An undecided note is not kept forever. */
static void
test_in_vain (Fixture *fixture, gconstpointer data)
{
  pp_late_requests_free (fixture->late);
  fixture->patience = fixture->longest = 100000;
  open_notes (fixture);
  fixture->states = data;
  fixture->told = "[]";
  add_note (fixture, 60);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "The worker could not find out *flow run " RUN
                         ", *set the right state in Prefect");
  look_for (fixture, 5);
  g_test_assert_expected_messages ();
  wait_requests (fixture, 0);
  g_assert_cmpuint (state_test_count (fixture->notes), ==, 0);
}

/* A note is kept while its run, which is ours, waits for a free slot. */
static void
test_waits_for_a_place (Fixture *fixture, gconstpointer data)
{
  pp_late_requests_free (fixture->late);
  fixture->patience = fixture->longest = 100000;
  open_notes (fixture);
  fixture->states = data;
  add_note (fixture, -1);
  look_for (fixture, 1);
  g_assert_cmpuint (pp_late_requests_count (fixture->late), ==, 1);
}

static void
assert_pid (const Fixture *fixture, guint number, const char *pid)
{
  const Request *request = server_request (fixture->server, number);
  json_auto_t *body = json_loads (request->body->str, 0, NULL);

  g_assert_cmpstr (request->method, ==, "PATCH");
  g_assert_cmpstr (json_string_value (json_object_get (body, "infrastructure_pid")), ==, pid);
}

/* A later attempt of another worker is in progress. */
static const char begun_again[] = "[{\"id\": \"1\", \"type\": \"RUNNING\","
                                  " \"state_details\": {\"transition_id\": \"" OTHER "\"}}]";

/* Another worker has set its container as infrastructure_pid, and then our PATCH was carried
 * out. */
static void
test_pid_of_another_worker (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = begun_again;
  fixture->pid = "elsewhere:f00d";
  add_note (fixture, 60);
  look_once (fixture);
  g_assert_cmpuint (server_requests (fixture->server), ==, 1);
  fixture->pid = "here:cafe";
  look_once (fixture);
  g_assert_cmpuint (server_requests (fixture->server), ==, 3);
  assert_pid (fixture, 2, "elsewhere:f00d");
}

/* The same case, but this worker has started the run again. It corrects the infrastructure_pid also
 * after the note has expired. */
static void
test_pid_of_own_run (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->states = begun_again;
  fixture->pid = "here:cafe";
  fixture->container = "beef";
  fixture->hands = PP_LATE_IN_HAND;
  add_note (fixture, -1);
  look_once (fixture);
  g_assert_cmpuint (server_requests (fixture->server), ==, 2);
  assert_pid (fixture, 1, "here:beef");
}

static void
add_tests (void)
{
  g_test_add ("/late-requests/taken-over", Fixture, NULL, set_up, test_taken_over, tear_down);
  g_test_add ("/late-requests/put-back/at-once", Fixture, NULL, set_up, test_put_back, tear_down);
  g_test_add ("/late-requests/container", Fixture, NULL, set_up, test_container, tear_down);
  g_test_add ("/late-requests/no-states", Fixture, NULL, set_up, test_no_states, tear_down);
  g_test_add ("/late-requests/clock-set-forward", Fixture, NULL, set_up, test_clock_set_forward,
              tear_down);
  g_test_add ("/late-requests/clock-set-back", Fixture, NULL, set_up, test_clock_set_back,
              tear_down);
  g_test_add ("/late-requests/in-vain", Fixture, claimed, set_up, test_in_vain, tear_down);
  g_test_add ("/late-requests/waits-for-a-place", Fixture, claimed, set_up, test_waits_for_a_place,
              tear_down);
  g_test_add ("/late-requests/put-back/refused", Fixture, NULL, set_up, test_put_back_is_refused,
              tear_down);
  g_test_add ("/late-requests/put-back/scheduled-meanwhile", Fixture,
              "[" OVERWRITTEN ", {\"id\": \"3\", \"type\": \"SCHEDULED\"}]", set_up,
              test_put_back_is_refused, tear_down);
  g_test_add ("/late-requests/put-back/ended-meanwhile", Fixture,
              "[" OVERWRITTEN ", {\"id\": \"3\", \"type\": \"FAILED\"}]", set_up,
              test_put_back_is_refused, tear_down);
  g_test_add ("/late-requests/put-back/fails", Fixture, NULL, set_up, test_put_back_fails,
              tear_down);
  g_test_add ("/late-requests/pid-of-another-worker", Fixture, NULL, set_up,
              test_pid_of_another_worker, tear_down);
  g_test_add ("/late-requests/pid-of-own-run", Fixture, NULL, set_up, test_pid_of_own_run,
              tear_down);
  g_test_add ("/late-requests/kept-and-forgotten", Fixture, NULL, set_up, test_kept_and_forgotten,
              tear_down);
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
