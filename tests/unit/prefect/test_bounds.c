/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that an answer of the API needs a bounded amount of memory, whatever is in it. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((gsize)1024 * 1024)

typedef struct
{
  GMainLoop *loop;
  GError *error;
  size_t members;
} Answer;

static void
on_done (json_t *body, const GError *error, gpointer user_data)
{
  Answer *answer = user_data;

  answer->error = error != NULL ? g_error_copy (error) : NULL;
  answer->members = json_array_size (body);
  g_main_loop_quit (answer->loop);
}

static gboolean
reply (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd, gpointer data)
{
  return server_reply (fd, 200, "", data);
}

/* Polls a server that answers with TEXT, which is taken. Returns the error's code, or 0 and the
 * number of members in *MEMBERS. */
static int
poll_for (char *text, size_t *members)
{
  g_autofree char *owned = text; /* until the server's threads have ended */
  g_autoptr (Server) server = server_new (NULL, reply, text);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 60 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Answer answer = { loop, NULL, 0 };

  pp_work_pool_get_scheduled_flow_runs (api, "p", NULL, 0, 0, on_done, &answer);
  g_main_loop_run (loop);
  if (members != NULL)
    *members = answer.members;
  int code = answer.error != NULL ? answer.error->code : 0;
  if (answer.error != NULL)
    g_assert_nonnull (strstr (answer.error->message, "get_scheduled_flow_runs"));
  g_clear_error (&answer.error);
  return code;
}

/* Returns a JSON array of COUNT times ITEM; new string. */
static char *
many (const char *item, gsize count)
{
  GString *text = g_string_new ("[");

  for (gsize i = 0; i < count; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "," : "", item);
  g_string_append_c (text, ']');
  return g_string_free (text, FALSE);
}

static void
test_usual_answer (void)
{
  size_t members;

  g_assert_cmpint (
      poll_for (many ("{\"flow_run\": {\"id\": \"x\", \"parameters\": {\"a\": [1, 2]}}}", 200),
                &members),
      ==, 0);
  g_assert_cmpuint (members, ==, 200);
}

static void
test_too_large (void)
{
  char *text = g_strnfill (40 * MIB, ' ');

  text[0] = '[';
  g_assert_cmpint (poll_for (text, NULL), ==, PP_API_ERROR_TOO_MUCH);
}

/* The text is short but needs much memory. */
static void
test_too_many_members (void)
{
  g_assert_cmpint (poll_for (many ("{}", 300000), NULL), ==, PP_API_ERROR_TOO_MUCH);
  g_assert_cmpint (poll_for (many ("0", 3000000), NULL), ==, PP_API_ERROR_TOO_MUCH);
}

static void
test_too_deep (void)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; i < 3000; i++)
    g_string_append_c (text, '[');
  for (int i = 0; i < 3000; i++)
    g_string_append_c (text, ']');
  g_assert_cmpint (poll_for (g_string_free (text, FALSE), NULL), ==, PP_API_ERROR_TOO_MUCH);
}

/* The answers to reads of a deployment. Each has SIZE bytes: TEXT, and blanks after it. */
typedef struct
{
  int status;
  const char *text;
  gsize size;
} Large;

typedef struct
{
  const Large *large;
  guint times; /* after that, the right answer comes */
  gint asked;  /* atomic */
} Deployment;

#define ID "22222222-2222-4222-8222-222222222222"

static gboolean
answer_deployment (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Deployment *deployment = data;
  const Large *large = deployment->large;

  if (strstr (request->target, "/deployments/") == NULL)
    return server_reply (fd, 200, "", "[]");
  if ((guint)g_atomic_int_add (&deployment->asked, 1) >= deployment->times)
    return server_reply (fd, 200, "", "{\"id\": \"" ID "\"}");
  g_autofree char *body = g_strnfill (large->size, ' ');
  memcpy (body, large->text, strlen (large->text));
  return server_reply (fd, large->status, "", body);
}

/* Reads a deployment. Meanwhile the server answers other calls. */
static Answer
read_deployment (Deployment *deployment)
{
  g_autoptr (Server) server = server_new (NULL, answer_deployment, deployment);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 60 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Answer answer = { loop, NULL, 0 };

  pp_api_expect (api);
  pp_api_hurry (api, 0.0001);
  pp_deployment_read (api, ID, on_done, &answer);
  pp_work_pool_get_scheduled_flow_runs (api, "p", NULL, 0, 0, NULL, NULL);
  g_main_loop_run (loop);
  return answer;
}

static const Large large_answers[] = {
  { 502, "<html>", 17 * MIB },    /* a gateway's page */
  { 404, "<html>", 17 * MIB },    /* the same */
  { 302, "<html>", 17 * MIB },    /* the same */
  { 503, "{\"a\": [", 17 * MIB }, /* the same, in JSON */
  { 200, "<html>", 17 * MIB },    /* a login page */
  { 200, "<html>", 7 * MIB },     /* a smaller one */
  { 200, "", 40 * MIB },          /* blanks, as from a small gzip */
  { 200, "{\"a\": [", 17 * MIB }, /* perhaps the API's */
};

static void
test_large_for_a_while (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (large_answers); i++)
    {
      Deployment deployment = { .large = &large_answers[i], .times = 2 };
      Answer answer = read_deployment (&deployment);

      g_assert_no_error (answer.error);
      g_assert_cmpint (deployment.asked, ==, 3);
    }
}

/* The call is repeated for five and a half minutes and then ends with the reason. */
static void
test_always_large (void)
{
  static const struct
  {
    Large large;
    int code;
    const char *words;
  } cases[] = {
    { { 200, "{\"a\": [", 17 * MIB },
      PP_API_ERROR_TOO_MUCH,
      "200 OK: the answer is larger than 16777216 bytes" },
    { { 200, "<html>Sign in", 17 * MIB },
      PP_API_ERROR_STRANGER,
      "the answer is not JSON; it begins \"<html>Sign in" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Deployment deployment = { .large = &cases[i].large, .times = G_MAXUINT };
      g_test_expect_message ("prefect.client", G_LOG_LEVEL_WARNING,
                             "*asking again, because this error may go away*");
      Answer answer = read_deployment (&deployment);

      g_test_assert_expected_messages ();
      g_assert_error (answer.error, PP_API_ERROR, cases[i].code);
      g_assert_nonnull (strstr (answer.error->message, cases[i].words));
      g_assert_cmpint (deployment.asked, ==, 16);
      g_error_free (answer.error);
    }
}

static gsize allocated;

/* Counts sizes as glibc's malloc() rounds them. */
static void *
counting_malloc (size_t size)
{
  allocated += MAX ((size + 8 + 15) / 16 * 16, 32);
  return malloc (size);
}

/* The estimate is never too small. Memory that grows by doubling counts each time it grows. */
static void
test_estimate (void)
{
  static const char *const items[] = { "{}",        "[]",
                                       "0",         "1.5",
                                       "\"\"",      "\"text of a run\"",
                                       "{\"a\":1}", "{\"id\":\"x\",\"b\":{\"c\":[true,null]}}" };

  json_set_alloc_funcs (counting_malloc, free);
  for (gsize i = 0; i < G_N_ELEMENTS (items); i++)
    {
      g_autofree char *text = many (items[i], 20000);

      allocated = 0;
      json_auto_t *json = pp_json_parse (text, strlen (text), 0, NULL);
      g_assert_nonnull (json);
      g_assert_cmpuint (allocated, >, 0);
      g_assert_cmpuint (allocated, <=, pp_json_memory (text, strlen (text)) * 3 / 2);
    }
  json_set_alloc_funcs (malloc, free);
}

static void
add_tests (void)
{
  g_test_add_func ("/bounds/usual-answer", test_usual_answer);
  g_test_add_func ("/bounds/too-large", test_too_large);
  g_test_add_func ("/bounds/too-many-members", test_too_many_members);
  g_test_add_func ("/bounds/too-deep", test_too_deep);
  g_test_add_func ("/bounds/large-for-a-while", test_large_for_a_while);
  g_test_add_func ("/bounds/always-large", test_always_large);
  g_test_add_func ("/bounds/estimate", test_estimate);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
