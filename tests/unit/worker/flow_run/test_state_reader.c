/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that many reads of flow runs at one moment need few calls, and that each reader gets its
 * own run. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"
#include "worker/flow_run/state_reader-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <jansson.h>
#include <string.h>

typedef struct
{
  GMainLoop *loop;
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  char *url;
  PpStateReader *reader;
  GString *heard; /* what the readers were told, in order */
  guint wanted;
} Fixture;

/* Answers the GET of a run, or of a run's states. Runs whose ids begin with "gone" or "mute" cannot
 * be read. */
static gboolean
answer_single (const Request *request, int fd)
{
  const char *id = strrchr (request->target, '/') + 1;
  g_autofree char *text = g_strdup_printf ("{\"id\": \"%s\"}", id);

  if (g_str_has_prefix (id, "?flow_run_id="))
    return server_reply (fd, 200, "", "[{\"type\": \"PENDING\"}, {\"type\": \"RUNNING\"}]");
  if (g_str_equal (id, "noise"))
    g_usleep (20000);
  if (g_str_has_prefix (id, "gone"))
    return server_reply (fd, 404, "", "{\"detail\": \"Flow run not found\"}");
  if (g_str_has_prefix (id, "mute"))
    return server_reply (fd, 500, "", "{\"exception_message\": \"Internal Server Error\"}");
  return server_reply (fd, 200, "", text);
}

/* A list fails if it has a run whose id begins with "bad" or "mute" (as Prefect fails), with "page"
 * (HTML in place of JSON), or with "reset" (no answer). */
static gboolean
fail_for_member (const char *ids, int fd, gboolean *open)
{
  *open = FALSE;
  if (strstr (ids, "\"reset") != NULL)
    server_reset (fd);
  else if (strstr (ids, "\"page") != NULL)
    *open = server_reply (fd, 200, "", "<html>no</html>");
  else if (strstr (ids, "\"bad") != NULL || strstr (ids, "\"mute") != NULL)
    *open = server_reply (fd, 500, "", "{\"exception_message\": \"Internal Server Error\"}");
  else
    return FALSE;
  return TRUE;
}

/* The server fails at this many lists, whatever is in them. */
static gint failing_lists;

/* Another program answers this many requests first, whatever they are. */
static gint strange_answers;

/* Answers with the requested runs, except those whose ids begin with "gone" or "hidden". Of those
 * that begin with "cut", the answer has one at most, as with PREFECT_SERVER_API_DEFAULT_LIMIT. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  int status = GPOINTER_TO_INT (data);
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  json_auto_t *runs = json_array ();
  const json_t *ids, *id;
  size_t index;
  gboolean open;

  if (g_atomic_int_add (&strange_answers, -1) > 0)
    return server_reply (fd, 200, "", "[]");
  if (status != 200)
    return server_reply (fd, status, "", "{\"detail\": \"no\"}");
  if (g_str_equal (request->method, "GET"))
    return answer_single (request, fd);
  if (g_atomic_int_add (&failing_lists, -1) > 0)
    return server_reply (fd, 500, "", "{\"exception_message\": \"database is locked\"}");
  if (fail_for_member (request->body->str, fd, &open))
    return open;
  g_usleep (20000); /* other reads are requested meanwhile */
  ids = json_object_get (json_object_get (json_object_get (body, "flow_runs"), "id"), "any_");
  json_array_foreach (ids, index, id)
  {
    const char *text = json_string_value (id);

    if (!g_str_has_prefix (text, "gone") && !g_str_has_prefix (text, "hidden")
        && !(g_str_has_prefix (text, "cut") && json_array_size (runs) > 0))
      json_array_insert_new (runs, 0, json_pack ("{s:s}", "id", text));
  }
  g_autofree char *text = json_dumps (runs, 0);
  return server_reply (fd, 200, "", text);
}

static Fixture *
fixture_new (int status)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->server = server_new (NULL, answer, GINT_TO_POINTER (status));
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url, .api_request_timeout = 60 };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  fixture->reader = pp_state_reader_new (fixture->api);
  fixture->heard = g_string_new (NULL);
  return fixture;
}

static void
fixture_free (Fixture *fixture)
{
  pp_state_reader_free (fixture->reader);
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_main_loop_unref (fixture->loop);
  g_string_free (fixture->heard, TRUE);
  g_free (fixture->url);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static void
on_read (json_t *flow_run, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true ((flow_run == NULL) != (error == NULL));
  if (error != NULL)
    g_string_append_printf (fixture->heard, "%d ", error->code);
  else
    g_string_append_printf (fixture->heard, "%s%s ",
                            json_string_value (json_object_get (flow_run, "id")),
                            json_object_get (flow_run, "state") != NULL ? "(state)" : "");
  if (--fixture->wanted == 0)
    g_main_loop_quit (fixture->loop);
}

static PpStateRead *
read_run (Fixture *fixture, const char *id)
{
  fixture->wanted++;
  return pp_state_reader_read (fixture->reader, id, on_read, fixture);
}

static void
test_one_call_for_many (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  read_run (fixture, "a");
  g_main_loop_run (fixture->loop);
  g_assert_cmpstr (fixture->heard->str, ==, "a ");
  for (int i = 0; i < 150; i++)
    {
      g_autofree char *id = g_strdup_printf ("%d", i);
      read_run (fixture, id);
    }
  read_run (fixture, "gone");
  g_main_loop_run (fixture->loop);
  g_assert_true (g_str_has_prefix (fixture->heard->str, "a 0 1 2 3 "));
  g_assert_true (g_str_has_suffix (fixture->heard->str, " 148 149 404 "));
  g_assert_cmpuint (server_requests (fixture->server), ==, 4); /* the last: the missing run */
}

/* A run that has no room in an answer does not count as deleted. */
static void
test_answer_cut_short (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  read_run (fixture, "cut1");
  read_run (fixture, "cut2");
  read_run (fixture, "gone");
  read_run (fixture, "cut3");
  g_main_loop_run (fixture->loop);
  g_assert_true (g_str_has_prefix (fixture->heard->str, "cut1 "));
  g_assert_nonnull (strstr (fixture->heard->str, "cut2 "));
  g_assert_nonnull (strstr (fixture->heard->str, "404 "));
  g_assert_nonnull (strstr (fixture->heard->str, "cut3 "));
  g_assert_cmpuint (server_requests (fixture->server), ==, 4);
}

/* A run that a list lacks for another reason does not count as deleted either. */
static void
test_answer_without_it (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  read_run (fixture, "hidden");
  g_main_loop_run (fixture->loop);
  g_assert_cmpstr (fixture->heard->str, ==, "hidden ");
  read_run (fixture, "a");
  read_run (fixture, "hidden");
  g_main_loop_run (fixture->loop);
  g_assert_cmpstr (fixture->heard->str, ==, "hidden a hidden ");
}

/* Another program answers an empty list to every request: the reader asks until the server is back.
 * If there are two runs, each gets one such answer when it is read alone. If run "b" got a second
 * one after the server had returned run "a", that would count as a refusal of run "b". */
static void
test_empty_list_for_everything (gconstpointer count)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  g_atomic_int_set (&strange_answers, GPOINTER_TO_INT (count) > 1 ? 3 : 4);
  read_run (fixture, "a");
  if (GPOINTER_TO_INT (count) > 1)
    read_run (fixture, "b");
  g_main_loop_run (fixture->loop);
  g_assert_nonnull (strstr (fixture->heard->str, "a "));
  g_assert_true ((strstr (fixture->heard->str, "b ") != NULL) == (GPOINTER_TO_INT (count) > 1));
}

static void
test_refused (void)
{
  g_autoptr (Fixture) fixture = fixture_new (422);

  read_run (fixture, "a");
  read_run (fixture, "b");
  g_main_loop_run (fixture->loop);
  g_assert_cmpstr (fixture->heard->str, ==, "422 422 ");
}

static void
expect_warning (const char *pattern)
{
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, pattern);
}

/* A run that the server cannot list does not delay the others. It is read alone, and stays out of
 * later lists. */
static void
test_bad_member (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);
  guint requests;

  for (int i = 0; i < 20; i++)
    {
      g_autofree char *id = g_strdup_printf ("%d", i);
      read_run (fixture, i == 13 ? "bad" : id);
    }
  g_main_loop_run (fixture->loop);
  expect_warning ("*fails at every list that contains flow run bad.*500*");
  read_run (fixture, "bad");
  g_main_loop_run (fixture->loop);
  g_test_assert_expected_messages ();
  g_assert_nonnull (strstr (fixture->heard->str, "bad "));
  g_assert_nonnull (strstr (fixture->heard->str, "12 "));
  g_assert_nonnull (strstr (fixture->heard->str, "19 "));
  g_assert_cmpuint (server_requests (fixture->server), <, 16);
  requests = server_requests (fixture->server);
  g_string_truncate (fixture->heard, 0);
  read_run (fixture, "a");
  read_run (fixture, "bad");
  read_run (fixture, "b");
  g_main_loop_run (fixture->loop);
  g_assert_cmpuint (server_requests (fixture->server), ==, requests + 2);
}

/* If a server fails at a list now and then, the runs in it are not the cause. */
static void
test_lists_that_fail_now_and_then (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  for (int i = 0; i < 3; i++)
    {
      g_atomic_int_set (&failing_lists, 1);
      read_run (fixture, "a");
      g_main_loop_run (fixture->loop);
      g_assert_false (pp_state_reader_is_unlistable (fixture->reader, "a"));
      read_run (fixture, "a");
      g_main_loop_run (fixture->loop);
    }
  g_atomic_int_set (&failing_lists, 0);
  g_assert_cmpstr (fixture->heard->str, ==, "a a a a a a ");
}

/* Several runs that the server cannot list, one that was deleted, and one that the server cannot
 * return at all. The state of the last one is found in the list of its states. */
static void
test_bad_members (void)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  read_run (fixture, "bad1");
  read_run (fixture, "mute");
  read_run (fixture, "a");
  read_run (fixture, "gone");
  read_run (fixture, "bad2");
  g_main_loop_run (fixture->loop);
  read_run (fixture, "bad1");
  read_run (fixture, "mute");
  read_run (fixture, "bad2");
  /* One warning for each, in any order. */
  for (guint i = 0; i < 3; i++)
    expect_warning ("*fails at every list that contains flow run *.*");
  g_main_loop_run (fixture->loop);
  g_test_assert_expected_messages ();
  for (const char *const *word
       = (const char *const[]){ "bad1 ", "bad2 ", "mute(state) ", "a ", "404 ", NULL };
       *word != NULL; word++)
    g_assert_nonnull (strstr (fixture->heard->str, *word));
}

static void
on_noise (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  if (fixture->wanted > 0)
    pp_flow_run_read (fixture->api, "noise", PP_API_ONCE, on_noise, fixture);
}

/* A missing answer may be the network's fault, unless the server keeps answering other calls. */
static void
test_no_answer_for_member (gconstpointer id)
{
  g_autoptr (Fixture) fixture = fixture_new (200);

  read_run (fixture, "a");
  read_run (fixture, id);
  read_run (fixture, "b");
  pp_flow_run_read (fixture->api, "noise", PP_API_ONCE, on_noise, fixture);
  g_main_loop_run (fixture->loop);
  read_run (fixture, id);
  pp_flow_run_read (fixture->api, "noise", PP_API_ONCE, on_noise, fixture);
  expect_warning ("*flow run *");
  g_main_loop_run (fixture->loop);
  g_test_assert_expected_messages ();
  g_assert_nonnull (strstr (fixture->heard->str, id));
  g_assert_nonnull (strstr (fixture->heard->str, "a "));
  g_assert_nonnull (strstr (fixture->heard->str, "b "));
}

/* A server without this route says nothing of the runs. */
static void
test_no_route (void)
{
  g_autoptr (Fixture) fixture = fixture_new (404);
  g_autofree char *expected = g_strdup_printf ("%d ", PP_API_ERROR_SETUP);

  read_run (fixture, "a");
  g_main_loop_run (fixture->loop);
  g_assert_cmpstr (fixture->heard->str, ==, expected);
}

/* A read is cancelled before its request is sent, and afterwards. */
static void
test_cancel (void)
{
  for (int turns = 0; turns < 12; turns += 3)
    {
      g_autoptr (Fixture) fixture = fixture_new (200);
      PpStateRead *unwanted = read_run (fixture, "a");

      read_run (fixture, "b");
      for (int i = 0; i < turns; i++)
        g_main_context_iteration (NULL, FALSE);
      pp_state_read_cancel (unwanted);
      fixture->wanted--;
      g_main_loop_run (fixture->loop);
      g_assert_cmpstr (fixture->heard->str, ==, "b ");
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/state-reader/one-call-for-many", test_one_call_for_many);
  g_test_add_func ("/state-reader/answer-cut-short", test_answer_cut_short);
  g_test_add_func ("/state-reader/answer-without-it", test_answer_without_it);
  g_test_add_data_func ("/state-reader/empty-list-for-everything/one", GINT_TO_POINTER (1),
                        test_empty_list_for_everything);
  g_test_add_data_func ("/state-reader/empty-list-for-everything/two", GINT_TO_POINTER (2),
                        test_empty_list_for_everything);
  g_test_add_func ("/state-reader/refused", test_refused);
  g_test_add_func ("/state-reader/no-route", test_no_route);
  g_test_add_func ("/state-reader/cancel", test_cancel);
  g_test_add_func ("/state-reader/bad-member", test_bad_member);
  g_test_add_func ("/state-reader/bad-members", test_bad_members);
  g_test_add_func ("/state-reader/lists-that-fail-now-and-then", test_lists_that_fail_now_and_then);
  g_test_add_data_func ("/state-reader/no-answer-for-member/reset", "reset",
                        test_no_answer_for_member);
  g_test_add_data_func ("/state-reader/no-answer-for-member/page", "page",
                        test_no_answer_for_member);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
