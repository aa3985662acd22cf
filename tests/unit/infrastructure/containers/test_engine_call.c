/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which answers count as success of a call. The statuses are those of Podman 4.3 to 5.4 and
 * of Docker. */
#include "config.h"

#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define ID "d4af7146b7fc63d99ef626b9404b9bc7ee7bc8040e6622020e32f77fdeb4a52d"

typedef enum
{
  START,
  STOP,
  KILL,
  UNPAUSE,
  REMOVE,
  REMOVE_UNSTARTED,
  KEEP,
  CONNECT_NETWORK,
  CREATE,
  CHECK_IMAGE,
  PULL,
  PING,
  INSPECT,
  LIST,
} Route;

typedef struct
{
  const char *name;
  Route route;
  int success;      /* the engine's status for success */
  int unchanged;    /* its status if there was nothing to change; 0: it has none */
  const char *body; /* the engine's answer */
} Case;

typedef struct
{
  const Case *case_;
  int status;
  const char *body;
  GMainLoop *loop;
  PpInfrastructure *infrastructure;
  GError *error;
} Fixture;

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const Fixture *fixture = data;

  if (g_str_has_suffix (request->target, "/version"))
    return server_reply (fd, 200, "", "{\"Version\": \"27.0\", \"ApiVersion\": \"1.45\"}");
  if (g_str_has_suffix (request->target, "/info"))
    return server_reply (fd, 200, "", "{}");
  if (fixture->status == 204 || fixture->status == 304)
    return server_write (fd, "HTTP/1.1 ", 9)
           && server_write (fd, fixture->status == 204 ? "204" : "304", 3)
           && server_write (fd, " Whatever\r\n\r\n", 13);
  return server_reply (fd, fixture->status, "", fixture->body);
}

static void
on_done (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (fixture->loop);
}

static void
on_created (const char *id G_GNUC_UNUSED, const GPtrArray *warnings G_GNUC_UNUSED,
            const GError *error, gpointer user_data)
{
  on_done (error, user_data);
}

static void
on_inspected (PpJob *job G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  on_done (error, user_data);
}

static void
on_listed (const GPtrArray *jobs G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  on_done (error, user_data);
}

static void
change (Fixture *fixture)
{
  PpInfrastructure *infrastructure = fixture->infrastructure;
  Route route = fixture->case_->route;

  if (route == START)
    pp_infrastructure_start (infrastructure, ID, on_done, fixture);
  else if (route == STOP || route == KILL)
    pp_infrastructure_stop (infrastructure, ID, route == KILL ? 0 : 7, on_done, fixture);
  else if (route == UNPAUSE)
    pp_infrastructure_unpause (infrastructure, ID, on_done, fixture);
  else if (route == REMOVE)
    pp_infrastructure_remove (infrastructure, ID, on_done, fixture);
  else if (route == REMOVE_UNSTARTED)
    pp_infrastructure_remove_unstarted (infrastructure, ID, on_done, fixture);
  else if (route == KEEP)
    pp_infrastructure_keep (infrastructure, ID, "job", on_done, fixture);
  else
    pp_engine_connect_network (infrastructure, "net", ID, on_done, fixture);
}

static void
ask (Fixture *fixture, const PpContainerSpec *spec)
{
  PpInfrastructure *infrastructure = fixture->infrastructure;
  Route route = fixture->case_->route;

  if (route == CREATE)
    pp_engine_create (infrastructure, spec, "n1", on_created, fixture);
  else if (route == CHECK_IMAGE)
    pp_engine_check_image (infrastructure, spec, on_done, fixture);
  else if (route == PULL)
    pp_engine_pull (infrastructure, "quay.io/a/b:1", NULL, "e30=", NULL, on_done, fixture);
  else if (route == PING)
    pp_infrastructure_ping (infrastructure, on_done, fixture);
  else if (route == INSPECT)
    pp_infrastructure_inspect (infrastructure, ID, on_inspected, fixture);
  else if (route == LIST)
    pp_infrastructure_list (infrastructure, PP_LIST_ALL, NULL, on_listed, fixture);
  else
    change (fixture);
}

/* Returns the error of a call that gets the answer of STATUS and BODY, or NULL; owned. */
static GError *
try (const Case *case_, int status, const char *body)
{
  Fixture fixture
      = { .case_ = case_, .status = status, .body = body, .loop = g_main_loop_new (NULL, FALSE) };
  PpHttp *http = pp_http_new ();
  Server *server = server_new (NULL, answer, &fixture);
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (server));
  json_auto_t *configuration = json_pack ("{s:s}", "image", "quay.io/a/b:1");
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, NULL);

  g_assert_nonnull (spec);
  fixture.infrastructure = pp_infrastructure_new (http, url, NULL);
  pp_infrastructure_connect (fixture.infrastructure, on_done, &fixture);
  g_main_loop_run (fixture.loop);
  g_assert_no_error (fixture.error);
  ask (&fixture, spec);
  g_main_loop_run (fixture.loop);
  g_assert_true ((pp_infrastructure_heard (fixture.infrastructure) == 0)
                 == g_error_matches (fixture.error, PP_INFRASTRUCTURE_ERROR,
                                     PP_INFRASTRUCTURE_ERROR_UNAVAILABLE));
  pp_infrastructure_free (fixture.infrastructure);
  pp_http_free (http);
  server_free (server);
  g_main_loop_unref (fixture.loop);
  return fixture.error;
}

/* Only the engine's own status is success. Any other below 400 is another program's answer: nobody
 * knows if the engine has done what was asked. */
static void
test_status (gconstpointer data)
{
  static const int statuses[] = { 200, 201, 202, 204, 206, 300, 301, 302, 304, 307 };
  const Case *case_ = data;

  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autoptr (GError) error = try (case_, statuses[i], case_->body);

      g_test_message ("%d", statuses[i]);
      if (statuses[i] == case_->success || statuses[i] == case_->unchanged)
        {
          g_assert_no_error (error);
          continue;
        }
      g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
      g_assert_nonnull (strstr (error->message, "is not a container engine: "));
    }
}

static const Case cases[] = {
  { "start", START, 204, 304, "null" },
  { "stop", STOP, 204, 304, "{}" },
  { "kill", KILL, 204, 0, "" },
  { "unpause", UNPAUSE, 204, 0, "[]" },
  { "remove", REMOVE, 204, 0, "null" },
  { "remove-unstarted", REMOVE_UNSTARTED, 204, 0, "null" },
  { "keep", KEEP, 204, 0, "<html></html>" },
  { "connect-network", CONNECT_NETWORK, 200, 0, "\"OK\"" },
  { "create", CREATE, 201, 0, "{\"Id\": \"" ID "\", \"Warnings\": []}" },
  { "check-image", CHECK_IMAGE, 200, 0, "{\"Id\": \"" ID "\"}" },
  { "pull", PULL, 200, 0, "{\"status\": \"Pull complete\"}\n" },
  { "ping", PING, 200, 0, "OK" },
  { "inspect", INSPECT, 200, 0, "{\"Id\": \"" ID "\"}" },
  { "list", LIST, 200, 0, "[]" },
};

typedef struct
{
  Case base;
  gboolean needs_memory; /* JSON of 3 MB that needs hundreds of times more memory; else 20 MB */
  PpInfrastructureError code;
} LargeCase;

/* Returns an answer that is too large; new string. */
static char *
make_large (gboolean needs_memory)
{
  GString *body = g_string_new ("[{}");

  if (!needs_memory)
    {
      g_string_free (body, TRUE);
      return g_strnfill (20 * 1024 * 1024, ' ');
    }
  for (guint i = 0; i < 1024 * 1024; i++)
    g_string_append (body, ",{}");
  g_string_append (body, "]");
  return g_string_free (body, FALSE);
}

/* An engine's answer to a start or a create is small. A larger one is another program's, and the
 * call may be tried again. Only an inspection and a list say that an answer is too large. */
static void
test_too_large (gconstpointer data)
{
  const LargeCase *case_ = data;
  g_autofree char *body = make_large (case_->needs_memory);
  g_autoptr (GError) error = try (&case_->base, case_->base.success, body);

  g_assert_error (error, PP_INFRASTRUCTURE_ERROR, (int)case_->code);
  g_assert_nonnull (strstr (error->message, case_->needs_memory ? "of memory" : "is larger than"));
}

static const LargeCase large_cases[] = {
  { { "start", START, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "stop", STOP, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "remove", REMOVE, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "keep", KEEP, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "connect-network", CONNECT_NETWORK, 200, 0, NULL },
    FALSE,
    PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "create", CREATE, 201, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "create-memory", CREATE, 201, 0, NULL }, TRUE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "check-image", CHECK_IMAGE, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "check-image-memory", CHECK_IMAGE, 200, 0, NULL },
    TRUE,
    PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "ping", PING, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
  { { "inspect", INSPECT, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_TOO_LARGE },
  { { "inspect-memory", INSPECT, 200, 0, NULL }, TRUE, PP_INFRASTRUCTURE_ERROR_TOO_LARGE },
  { { "list", LIST, 200, 0, NULL }, FALSE, PP_INFRASTRUCTURE_ERROR_TOO_LARGE },
};

static void
add_tests (void)
{
  pp_test_add_cases ("/engine-call/too-large", large_cases, test_too_large);
  pp_test_add_cases ("/engine-call/status", cases, test_status);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
