/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the engine's calls with a server that answers like an engine. */
#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  GMainLoop *loop;
  PpHttp *http;
  Server *server;
  PpInfrastructure *infrastructure;
  GError *error;
  guint done;
} Fixture;

static void
on_done (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->done++;
  if (error != NULL)
    fixture->error = g_error_copy (error);
  g_main_loop_quit (fixture->loop);
}

static void
start_with (Fixture *fixture, Handler handler, const char *user, gpointer data)
{
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->server = server_new (NULL, handler, data);
  g_autofree char *url
      = g_strdup_printf ("tcp://%s127.0.0.1:%d", user, server_port (fixture->server));
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  g_assert_nonnull (fixture->infrastructure);
}

static void
start (Fixture *fixture, Handler handler, const char *user)
{
  start_with (fixture, handler, user, NULL);
}

static void
wait_done (Fixture *fixture)
{
  g_main_loop_run (fixture->loop);
  g_assert_cmpuint (fixture->done, ==, 1);
  fixture->done = 0;
}

static void
stop (Fixture *fixture)
{
  g_clear_error (&fixture->error);
  pp_infrastructure_free (fixture->infrastructure);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_main_loop_unref (fixture->loop);
}

static gboolean
answer_as_docker (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)data;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "", "{\"Version\": \"27.0\", \"ApiVersion\": \"1.45\"}");
  if (strstr (request->target, "/info") != NULL)
    return server_reply (fd, 200, "", "{}");
  if (strstr (request->target, "/kill") != NULL)
    return server_reply (fd, 409, "", "{\"message\": \"container abc is not running\"}");
  return server_reply (fd, 500, "", "{\"message\": \"out of order\"}");
}

/* A password in the URL is sent but never shown: not in the banner, infrastructure_pid or an
 * error. */
static void
test_password (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_as_docker, "me:secret@");
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  const PpEngineInfo *info = pp_engine_info (fixture.infrastructure);
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture.server));
  g_autofree char *base_url = server_url (fixture.server, "");
  g_assert_cmpstr (info->url, ==, url);
  g_assert_cmpstr (info->base_url, ==, base_url);
  const char *sent
      = g_hash_table_lookup (server_request (fixture.server, 0)->headers, "authorization");
  g_assert_cmpstr (sent, ==, "Basic bWU6c2VjcmV0");

  pp_infrastructure_start (fixture.infrastructure, "abc", on_done, &fixture);
  wait_done (&fixture);
  g_assert_nonnull (strstr (fixture.error->message, "out of order"));
  g_assert_null (strstr (fixture.error->message, "secret"));
  g_clear_error (&fixture.error);

  server_free (g_steal_pointer (&fixture.server));
  pp_infrastructure_start (fixture.infrastructure, "abc", on_done, &fixture);
  wait_done (&fixture);
  g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  g_assert_null (strstr (fixture.error->message, "secret"));
  fixture.server = server_new (NULL, answer_as_docker, NULL);
  stop (&fixture);
}

/* Another program at the engine's address that gives the same JSON answer to everything. */
static gboolean
answer_the_same (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)request;
  return server_reply (fd, 200, "", data);
}

static void
on_created (const char *id, const GPtrArray *warnings, const GError *error, gpointer user_data)
{
  g_assert_nonnull (warnings);
  g_assert_true ((id == NULL) == (error != NULL));
  on_done (error, user_data);
}

static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  g_assert_true ((job == NULL) == (error != NULL));
  on_done (error, user_data);
}

static void
on_listed (const GPtrArray *jobs, const GError *error, gpointer user_data)
{
  g_assert_true ((jobs == NULL) == (error != NULL));
  on_done (error, user_data);
}

static void
test_no_id (void)
{
  static const char *const answers[]
      = { "{}", "[]", "[{}]", "{\"Id\": null}", "{\"Id\": 5}", "{\"Id\": \"\"}", "{\"ok\": true}" };
  json_auto_t *configuration = json_pack ("{s:s, s:{}}", "image", "busybox:1", "env");
  PpContainerSpec *spec = pp_container_spec_new (configuration, NULL, NULL);

  g_assert_nonnull (spec);
  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++)
    for (guint call = 0; call < 3; call++)
      {
        Fixture fixture = { 0 };

        start_with (&fixture, answer_the_same, "", (gpointer)answers[i]);
        if (call == 0)
          pp_engine_create (fixture.infrastructure, spec, "n", on_created, &fixture);
        else if (call == 1)
          pp_infrastructure_inspect (fixture.infrastructure, "n", on_inspected, &fixture);
        else
          pp_infrastructure_list (fixture.infrastructure, PP_LIST_ALL, NULL, on_listed, &fixture);
        wait_done (&fixture);
        /* The one array among the answers is a valid list of containers. */
        if (call == 2 && i == 1)
          g_assert_no_error (fixture.error);
        else
          {
            g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR,
                            PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
            g_assert_nonnull (strstr (fixture.error->message, "is not a container engine: "));
          }
        stop (&fixture);
      }
  pp_container_spec_free (spec);
}

/* A gateway in front of the engine, while the engine is away. */
static gboolean
answer_as_gateway (Server *server, const Request *request, int fd, gpointer data)
{
  const char *const *answers = data;

  (void)server;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "", "{\"Version\": \"27.0\", \"ApiVersion\": \"1.45\"}");
  if (strstr (request->target, "/info") != NULL)
    return server_reply (fd, 200, "", "{}");
  return server_reply (fd, atoi (answers[0]), "", answers[1]);
}

/* Only an answer from the engine itself means that an object is missing or a request is
 * impossible. */
static void
test_words_of_a_gateway (void)
{
  static const struct
  {
    const char *answer[2];
    PpInfrastructureError code;
  } cases[] = {
    { { "404", "404 page not found\n" }, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
    { { "404", "<html>Not Found</html>" }, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
    { { "404", "{\"message\": \"page not found\"}" }, PP_INFRASTRUCTURE_ERROR_FAILED },
    { { "403", "<html>Forbidden</html>" }, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
    { { "200", "<html>Log in</html>" }, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
    { { "404", "{\"message\": \"No such container: abc\"}" }, PP_INFRASTRUCTURE_ERROR_NOT_FOUND },
    { { "404", "{\"cause\": \"image not known\", \"message\": \"x: image not known\"}" },
      PP_INFRASTRUCTURE_ERROR_NOT_FOUND },
    { { "500", "{\"message\": \"out of order\"}" }, PP_INFRASTRUCTURE_ERROR_FAILED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture fixture = { 0 };

      start_with (&fixture, answer_as_gateway, "", (gpointer)cases[i].answer);
      pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
      wait_done (&fixture);
      g_assert_no_error (fixture.error);
      pp_infrastructure_inspect (fixture.infrastructure, "abc", on_inspected, &fixture);
      wait_done (&fixture);
      g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, (int)cases[i].code);
      g_assert_null (strstr (fixture.error->message, "engine's address?"));
      stop (&fixture);
    }
}

static gboolean
answer_as_stranger (Server *server, const Request *request, int fd, gpointer data)
{
  const char *const *answers = data;

  (void)server;
  (void)request;
  return server_reply (fd, atoi (answers[0]), "", answers[1]);
}

/* At the start, a wrong URL is more likely than other causes. */
static void
test_another_server (void)
{
  static const char *const answers[][2]
      = { { "404", "404 page not found\n" },        { "404", "" },
          { "403", "<html>Forbidden</html>" },      { "502", "<html>Bad Gateway</html>" },
          { "404", "{\"detail\": \"Not Found\"}" }, { "200", "<html>Welcome</html>" } };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      Fixture fixture = { 0 };

      start_with (&fixture, answer_as_stranger, "", (gpointer)answers[i]);
      pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
      wait_done (&fixture);
      g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
      g_assert_nonnull (strstr (fixture.error->message, "is this the container engine's address?"));
      stop (&fixture);
    }
}

/* Podman's /info fails because of one broken container. The engine is used anyway. */
static gboolean
answer_without_info (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)data;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "",
                         "{\"Version\": \"5.4.0\", \"ApiVersion\": \"1.41\", \"Components\": "
                         "[{\"Name\": \"Podman Engine\", \"Version\": \"5.4.0\"}]}");
  return server_reply (fd, 500, "",
                       "{\"cause\": \"container not known\", \"message\": \"getting container "
                       "from store: container not known\", \"response\": 500}");
}

static void
test_no_info (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_without_info, "");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*container not known*podman ps -a --external*");
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  wait_done (&fixture);
  g_test_assert_expected_messages ();
  g_assert_no_error (fixture.error);
  g_assert_cmpstr (pp_engine_info (fixture.infrastructure)->version, ==, "5.4.0");
  stop (&fixture);
}

static gboolean
answer_as_old_podman (Server *server G_GNUC_UNUSED, const Request *request, int fd,
                      gpointer data G_GNUC_UNUSED)
{
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "",
                         "{\"Version\": \"4.3.1\", \"ApiVersion\": \"1.41\", \"Components\": "
                         "[{\"Name\": \"Podman Engine\", \"Version\": \"4.3.1\"}]}");
  if (strstr (request->target, "/info") != NULL)
    return server_reply (fd, 200, "", "{}");
  g_usleep (300 * 1000);
  return server_reply (fd, 200, "", "{\"IPAM\": {\"Config\": [{\"Gateway\": \"10.88.0.1\"}]}}");
}

/* The engine is asked twice what it is, at the same time. A sanitizer finds what leaks. */
static void
test_connected_twice (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_as_old_podman, "");
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  while (fixture.done < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (fixture.error);
  g_assert_cmpstr (pp_engine_info (fixture.infrastructure)->gateway, ==, "10.88.0.1");
  stop (&fixture);
}

/* A container with a NUL in a label. Another program may have created it, or a flow run's name may
 * have a NUL. */
static gboolean
answer_with_nul (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)data;
  if (strstr (request->target, "/containers/json") != NULL)
    return server_reply (fd, 200, "", "[{\"Id\": \"abc\", \"Labels\": {\"a\": \"x\\u0000y\"}}]");
  return server_reply (fd, 200, "",
                       "{\"Id\": \"abc\", \"Name\": \"/n\", \"State\": {\"Status\": \"running\"}, "
                       "\"Config\": {\"Labels\": {\"a\": \"x\\u0000y\"}}}");
}

/* A NUL in one container's label does not invalidate the engine's answer. */
static void
test_nul_in_a_label (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_with_nul, "");
  pp_infrastructure_list (fixture.infrastructure, PP_LIST_ALL, NULL, on_listed, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  pp_infrastructure_inspect (fixture.infrastructure, "abc", on_inspected, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  stop (&fixture);
}

/* Answers late. A 32-bit overflow would make the time-out shorter than this delay. */
static gboolean
answer_late (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)request;
  (void)data;
  g_usleep (200 * 1000);
  return server_reply (fd, 204, "", "");
}

/* A huge stop_timeout does not overflow: the call waits for the engine's answer. */
static void
test_huge_stop_timeout (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_late, "");
  /* Together with the two minutes for an answer, this exceeds 32 bits of milliseconds by 40 ms. */
  pp_infrastructure_stop (fixture.infrastructure, "abc", 42949553, on_done, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  stop (&fixture);
}

static gboolean
answer_pull (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)request;
  (void)data;
  return server_reply (fd, 200, "", "{\"status\": \"Pull complete\"}\n");
}

/* The pull asks for the container's platform. */
static void
test_pull_has_the_platform (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_pull, "");
  pp_engine_pull (fixture.infrastructure, "quay.io/a/b:1", "linux/arm64", NULL, NULL, on_done,
                  &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  pp_engine_pull (fixture.infrastructure, "quay.io/a/b:1", NULL, NULL, NULL, on_done, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  g_assert_true (g_str_has_suffix (server_request (fixture.server, 0)->target,
                                   "?fromImage=quay.io%2Fa%2Fb&tag=1&platform=linux%2Farm64"));
  g_assert_true (g_str_has_suffix (server_request (fixture.server, 1)->target,
                                   "?fromImage=quay.io%2Fa%2Fb&tag=1"));
  stop (&fixture);
}

static gboolean
answer_without_cdi (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)data;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "", "{\"Version\": \"20.10\", \"ApiVersion\": \"1.41\"}");
  if (strstr (request->target, "/info") != NULL)
    return server_reply (
        fd, 200, "",
        "{\"DefaultRuntime\": \"runc\", \"OSType\": \"linux\", \"SecurityOptions\":"
        " [\"name=apparmor\", \"name=seccomp,profile=default\"]}");
  return server_reply (fd, 500, "",
                       "{\"message\": \"setting up CDI devices: unresolvable CDI devices "
                       "nvidia.com/gpu=all\"}");
}

/* The engine reports a missing device but gives no advice. */
static void
test_missing_cdi_device (void)
{
  Fixture fixture = { 0 };

  start (&fixture, answer_without_cdi, "");
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  const PpEngineInfo *info = pp_engine_info (fixture.infrastructure);
  g_assert_cmpstr (info->default_runtime, ==, "runc");
  g_assert_true (info->has_apparmor);
  g_assert_false (info->rootless);
  g_assert_false (info->runs_windows);

  pp_infrastructure_start (fixture.infrastructure, "abc", on_done, &fixture);
  wait_done (&fixture);
  g_assert_nonnull (strstr (fixture.error->message, "unresolvable CDI devices nvidia.com/gpu=all"));
  g_assert_nonnull (strstr (fixture.error->message, "nvidia-ctk cdi generate"));
  stop (&fixture);
}

/* Podman with a version that the test changes: "4.3.1", then "5.4.2". */
static gboolean
answer_as_podman (Server *server, const Request *request, int fd, gpointer data)
{
  const gint *upgraded = data;
  const char *version = g_atomic_int_get (upgraded) ? "5.4.2" : "4.3.1";
  g_autofree char *head = g_strdup_printf ("Server: Libpod/%s (linux)\r\n", version);
  g_autofree char *body
      = g_strdup_printf ("{\"Version\": \"%s\", \"ApiVersion\": \"1.41\", \"Components\": "
                         "[{\"Name\": \"Podman Engine\"}]}",
                         version);

  (void)server;
  return server_reply (fd, 200, head, strstr (request->target, "/version") != NULL ? body : "{}");
}

static guint
count_requests (const Fixture *fixture, const char *path)
{
  guint count = 0;

  for (guint i = 0; i < server_requests (fixture->server); i++)
    count += strstr (server_request (fixture->server, i)->target, path) != NULL;
  return count;
}

static void
start_podman (Fixture *fixture, gint *upgraded)
{
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->server = server_new (NULL, answer_as_podman, upgraded);
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture->server));
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  pp_infrastructure_connect (fixture->infrastructure, on_done, fixture);
  wait_done (fixture);
  g_assert_cmpstr (pp_engine_info (fixture->infrastructure)->version, ==, "4.3.1");
}

static const char *
last_target (const Fixture *fixture)
{
  return server_request (fixture->server, server_requests (fixture->server) - 1)->target;
}

/* A stop with no time for the stop signal sends SIGKILL alone on both engines. It succeeds if the
 * container has ended. */
static void
test_kill (void)
{
  Fixture docker = { 0 }, podman = { 0 };
  gint upgraded = FALSE;

  start (&docker, answer_as_docker, "");
  pp_infrastructure_connect (docker.infrastructure, on_done, &docker);
  wait_done (&docker);
  pp_infrastructure_stop (docker.infrastructure, "abc", 0, on_done, &docker);
  wait_done (&docker);
  g_assert_true (g_str_has_suffix (last_target (&docker), "/containers/abc/kill"));
  g_assert_no_error (docker.error);
  pp_infrastructure_stop (docker.infrastructure, "abc", 7, on_done, &docker);
  wait_done (&docker);
  g_assert_true (g_str_has_suffix (last_target (&docker), "/containers/abc/stop?t=7"));
  stop (&docker);
  start_podman (&podman, &upgraded);
  pp_infrastructure_stop (podman.infrastructure, "abc", 0, on_done, &podman);
  wait_done (&podman);
  g_assert_true (g_str_has_suffix (last_target (&podman), "/containers/abc/stop?t=0"));
  stop (&podman);
}

static void
expect_news (void)
{
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE,
                         "The container engine is Podman 5.4.2 now, and was Podman 4.3.1");
}

/* After an absence the engine is another one. The new version is known when the ping ends, before
 * runs are taken. */
static void
test_version_after_a_silence (void)
{
  Fixture fixture = { 0 };
  gint upgraded = FALSE;

  start_podman (&fixture, &upgraded);
  int port = server_port (fixture.server);
  server_free (g_steal_pointer (&fixture.server));
  pp_infrastructure_ping (fixture.infrastructure, on_done, &fixture);
  wait_done (&fixture);
  g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  g_clear_error (&fixture.error);
  upgraded = TRUE;
  fixture.server = server_new_on_port (port, answer_as_podman, &upgraded);
  expect_news ();
  pp_infrastructure_ping (fixture.infrastructure, on_done, &fixture);
  wait_done (&fixture);
  g_assert_no_error (fixture.error);
  g_test_assert_expected_messages ();
  g_assert_cmpstr (pp_engine_info (fixture.infrastructure)->version, ==, "5.4.2");
  stop (&fixture);
}

/* The engine was restarted between two successful calls: any answer shows it. */
static void
test_version_after_a_restart (void)
{
  Fixture fixture = { 0 };
  gint upgraded = FALSE;

  start_podman (&fixture, &upgraded);
  g_atomic_int_set (&upgraded, TRUE);
  expect_news ();
  pp_infrastructure_inspect (fixture.infrastructure, "abc", on_inspected, &fixture);
  wait_done (&fixture);
  while (g_str_equal (pp_engine_info (fixture.infrastructure)->version, "4.3.1"))
    g_main_context_iteration (NULL, TRUE);
  g_test_assert_expected_messages ();
  stop (&fixture);
}

/* The version is requested once, not again for the same engine. */
static void
test_version_is_not_asked_again (void)
{
  Fixture fixture = { 0 };
  gint upgraded = FALSE;

  start_podman (&fixture, &upgraded);
  for (guint i = 0; i < 3; i++)
    {
      pp_infrastructure_ping (fixture.infrastructure, on_done, &fixture);
      wait_done (&fixture);
    }
  g_assert_cmpuint (count_requests (&fixture, "/version"), ==, 1);
  stop (&fixture);
}

/* Errors show a container's name completely, but only the first characters of an id. */
static void
test_container_in_an_error (void)
{
  static const char id[] = "7b6726c788a364d4381f22961d16bdd8391c53b05009d381c25c904408dbcf12";
  Fixture fixture = { 0 };

  start (&fixture, answer_as_docker, "");
  pp_infrastructure_inspect (fixture.infrastructure, "a-long-name-of-a-run", on_inspected,
                             &fixture);
  wait_done (&fixture);
  g_assert_nonnull (strstr (fixture.error->message, "container 'a-long-name-of-a-run'"));
  g_clear_error (&fixture.error);
  pp_infrastructure_inspect (fixture.infrastructure, id, on_inspected, &fixture);
  wait_done (&fixture);
  g_assert_nonnull (strstr (fixture.error->message, "container 7b6726c788a3:"));
  stop (&fixture);
}

/* Answers requests about a container with status 500 and Podman's message from containers/podman
 * issues 20809 and 25886. */
static gboolean
answer_locked (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  (void)request;
  (void)data;
  return server_reply (fd, 500, "",
                       "{\"cause\": \"database is locked\", \"message\": \"committing transaction: "
                       "database is locked\", \"response\": 500}");
}

static void
check_passing (Fixture *fixture)
{
  wait_done (fixture);
  g_assert_error (fixture->error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  g_assert_nonnull (strstr (fixture->error->message, "database is locked"));
  g_clear_error (&fixture->error);
  /* The engine is busy, not away. */
  g_assert_cmpint (pp_infrastructure_heard (fixture->infrastructure), >, 0);
}

/* A briefly locked database fails no run: the error is temporary for every request. */
static void
test_locked_database_passes (void)
{
  json_auto_t *configuration = json_pack ("{s:s}", "image", "quay.io/a/b:1");
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, NULL);
  Fixture fixture = { 0 };

  g_assert_nonnull (spec);
  start (&fixture, answer_locked, "");
  pp_engine_create (fixture.infrastructure, spec, "name", on_created, &fixture);
  check_passing (&fixture);
  pp_infrastructure_start (fixture.infrastructure, "abc", on_done, &fixture);
  check_passing (&fixture);
  pp_infrastructure_inspect (fixture.infrastructure, "abc", on_inspected, &fixture);
  check_passing (&fixture);
  pp_infrastructure_stop (fixture.infrastructure, "abc", 1, on_done, &fixture);
  check_passing (&fixture);
  pp_infrastructure_remove (fixture.infrastructure, "abc", on_done, &fixture);
  check_passing (&fixture);
  pp_infrastructure_list (fixture.infrastructure, PP_LIST_ALL, NULL, on_listed, &fixture);
  check_passing (&fixture);
  pp_engine_pull (fixture.infrastructure, "quay.io/a/b:1", NULL, NULL, NULL, on_done, &fixture);
  check_passing (&fixture);
  stop (&fixture);
}

/* What a job's author chooses goes into a URL or a header. The run fails, and nothing is asked
 * again. */
static void
test_request_is_too_long (void)
{
  g_autofree char *filler = g_strnfill (1200 * 1024, 'x');
  g_autofree char *image = g_strconcat ("127.0.0.1:1/", filler, ":1", NULL);
  const char *credentials[] = { NULL, filler };

  for (guint i = 0; i < G_N_ELEMENTS (credentials); i++)
    {
      Fixture fixture = { 0 };

      start (&fixture, answer_locked, "");
      pp_engine_pull (fixture.infrastructure, i == 0 ? image : "quay.io/a/b:1", NULL,
                      credentials[i], NULL, on_done, &fixture);
      wait_done (&fixture);
      g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED);
      g_assert_nonnull (strstr (fixture.error->message, "the request is not sent"));
      g_assert_cmpuint (strlen (fixture.error->message), <, 8192);
      stop (&fixture);
    }
}

/* An answer whose JSON needs hundreds of times more memory than its text, as from a host that keeps
 * all containers. */
static gboolean
answer_too_much (Server *server, const Request *request, int fd, gpointer data)
{
  GString *body = g_string_new ("[{}");

  (void)server;
  (void)request;
  for (guint i = 0; i < GPOINTER_TO_UINT (data); i++)
    g_string_append (body, ",{}");
  g_string_append (body, "]");
  gboolean kept = server_reply (fd, 200, "", body->str);
  g_string_free (body, TRUE);
  return kept;
}

/* One answer larger than 16 MiB, and a smaller one that would need too much memory. */
static void
test_too_large (void)
{
  const guint counts[] = { 6 * 1024 * 1024, 1024 * 1024 };

  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      Fixture fixture = { 0 };

      start_with (&fixture, answer_too_much, "", GUINT_TO_POINTER (counts[i]));
      pp_infrastructure_list (fixture.infrastructure, PP_LIST_ALL, NULL, on_listed, &fixture);
      wait_done (&fixture);
      g_assert_error (fixture.error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_TOO_LARGE);
      stop (&fixture);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/engine/too-large", test_too_large);
  g_test_add_func ("/engine/no-id", test_no_id);
  g_test_add_func ("/engine/version-after-a-silence", test_version_after_a_silence);
  g_test_add_func ("/engine/version-after-a-restart", test_version_after_a_restart);
  g_test_add_func ("/engine/version-is-not-asked-again", test_version_is_not_asked_again);
  g_test_add_func ("/engine/container-in-an-error", test_container_in_an_error);
  g_test_add_func ("/engine/connected-twice", test_connected_twice);
  g_test_add_func ("/engine/words-of-a-gateway", test_words_of_a_gateway);
  g_test_add_func ("/engine/another-server", test_another_server);
  g_test_add_func ("/engine/no-info", test_no_info);
  g_test_add_func ("/engine/password", test_password);
  g_test_add_func ("/engine/nul-in-a-label", test_nul_in_a_label);
  g_test_add_func ("/engine/huge-stop-timeout", test_huge_stop_timeout);
  g_test_add_func ("/engine/kill", test_kill);
  g_test_add_func ("/engine/pull-has-the-platform", test_pull_has_the_platform);
  g_test_add_func ("/engine/missing-cdi-device", test_missing_cdi_device);
  g_test_add_func ("/engine/locked-database-passes", test_locked_database_passes);
  g_test_add_func ("/engine/request-is-too-long", test_request_is_too_long);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
