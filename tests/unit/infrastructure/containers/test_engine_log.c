/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a container's log from the engine: followed, read after the end, damaged, and refused. */
#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/infrastructure/log_place.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

typedef struct
{
  GMainLoop *loop;
  PpHttp *http;
  Server *server;
  PpInfrastructure *infrastructure;
  GString *output;
  PpLogPlace place;
  GError *error;
  char *damage;      /* as the last follow reported it */
  GString *followed; /* the engine's answer for follow=1 */
  GString *finished; /* the engine's answer for follow=0 */
  const char *refusal;
} Fixture;

static void
append_frame (GString *log, int stream, const char *text)
{
  gsize n = strlen (text);
  const char header[8] = { (char)stream, 0, 0, 0, 0, 0, (char)(n >> 8), (char)(n & 0xff) };

  g_string_append_len (log, header, sizeof header);
  g_string_append (log, text);
}

static gboolean
answer (Server *server, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;

  (void)server;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "",
                         "{\"Version\": \"5.4.0\", \"ApiVersion\": \"1.41\", \"Components\": "
                         "[{\"Name\": \"Podman Engine\", \"Version\": \"5.4.0\"}]}");
  if (strstr (request->target, "follow=0") != NULL)
    return server_reply_bytes (fd, 200, "", fixture->finished->str, fixture->finished->len);
  if (strstr (request->target, "follow=1") != NULL && fixture->refusal != NULL)
    return server_reply (fd, 500, "", fixture->refusal);
  if (strstr (request->target, "follow=1") != NULL)
    return server_reply_bytes (fd, 200, "", fixture->followed->str, fixture->followed->len);
  return server_reply (fd, 200, "", "{\"State\": {\"Running\": false, \"Status\": \"exited\"}}");
}

static gboolean
on_output (PpStream stream, const char *data, gsize length, gint64 log_time G_GNUC_UNUSED,
           gboolean begins_late G_GNUC_UNUSED, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append_printf (fixture->output, "%d:", stream);
  g_string_append_len (fixture->output, data, (gssize)length);
  pp_log_place_note (&fixture->place, stream, 0, length);
  return TRUE;
}

static void
on_done (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_clear_error (&fixture->error);
  fixture->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (fixture->loop);
}

static void
on_followed (const PpFollowEnd *end, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_free (fixture->damage);
  fixture->damage = end != NULL ? g_strdup (end->damage) : NULL;
  on_done (error, user_data);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *url = NULL;

  (void)data;
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->output = g_string_new (NULL);
  fixture->followed = g_string_new (NULL);
  fixture->finished = g_string_new (NULL);
  fixture->server = server_new (NULL, answer, fixture);
  url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture->server));
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  g_assert_nonnull (fixture->infrastructure);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void)data;
  g_clear_error (&fixture->error);
  g_free (fixture->damage);
  pp_infrastructure_free (fixture->infrastructure);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_string_free (fixture->output, TRUE);
  g_string_free (fixture->followed, TRUE);
  g_string_free (fixture->finished, TRUE);
  g_main_loop_unref (fixture->loop);
}

static void
follow (Fixture *fixture)
{
  pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, &fixture->place, on_output,
                            on_followed, fixture);
  g_main_loop_run (fixture->loop);
}

static void
read_log (Fixture *fixture)
{
  pp_infrastructure_read_log (fixture->infrastructure, "abc", FALSE, &fixture->place, on_output,
                              on_followed, fixture);
  g_main_loop_run (fixture->loop);
}

/* "journald logs with file events": the log is available after the container's end. */
static void
test_refused (Fixture *fixture, gconstpointer data)
{
  (void)data;
  fixture->refusal
      = "{\"message\": \"using --follow with the journald --log-driver but without the "
        "journald --events-backend (file) is not supported\"}";
  append_frame (fixture->finished, 1, "one\n");
  append_frame (fixture->finished, 2, "two\n");
  follow (fixture);
  g_assert_error (fixture->error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED);
  g_assert_nonnull (strstr (fixture->error->message, "journald --events-backend (file)"));
  read_log (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "1:one\n2:two\n");
  g_assert_null (fixture->damage);
}

/* If a follow breaks, output that was already delivered is skipped. */
static void
test_damaged_follow (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append_frame (fixture->followed, 1, "one\n");
  g_string_append (fixture->followed, "no frame at all\n");
  append_frame (fixture->followed, 1, "three\n");
  append_frame (fixture->finished, 1, "one\n");
  append_frame (fixture->finished, 1, "two\n");
  append_frame (fixture->finished, 1, "three\n");
  /* The engine is connected. Its inspection shows that the container runs. */
  pp_infrastructure_connect (fixture->infrastructure, on_done, fixture);
  g_main_loop_run (fixture->loop);
  follow (fixture);
  read_log (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "1:one\n1:two\n1:three\n");
}

/* Damage in the log of an ended container: everything else is delivered. */
static void
test_damaged_finished (Fixture *fixture, gconstpointer data)
{
  const char *words;

  (void)data;
  append_frame (fixture->finished, 1, "one\n");
  g_string_append (fixture->finished, "no frame at all\n");
  append_frame (fixture->finished, 2, "two\n");
  g_string_append_len (fixture->finished, "\0\0\0\0\0\0\0\0\0\0\0\0\0", 13);
  append_frame (fixture->finished, 1, "three\n");
  g_string_append_len (fixture->finished, "\1\0\0\0\0\0\0\20four", 12);
  read_log (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "1:one\n2:two\n1:three\n1:four");
  words = fixture->damage;
  g_assert_nonnull (words);
  g_assert_nonnull (strstr (words, "the first at byte 12"));
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/engine-log/refused", test_refused },
    { "/engine-log/damaged-follow", test_damaged_follow },
    { "/engine-log/damaged-finished", test_damaged_finished },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
