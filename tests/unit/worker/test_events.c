/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that an event which the server refuses does not cause the loss of others, and that events
 * name the type of the work pool. */
#include "prefect-podman/http/http.h"
#include "worker/events-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

typedef struct
{
  GMainLoop *loop;
  gint good;      /* accepted events; used by both threads */
  gint of_podman; /* requests with events of a worker of this type */
} Taken;

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Taken *taken = data;
  gboolean all = FALSE;

  if (strstr (request->body->str, "bad.event") != NULL)
    return server_reply (fd, 422, "", "{\"detail\": \"no\"}");
  if (strstr (request->body->str, "\"prefect.worker.podman.w\"") != NULL)
    g_atomic_int_inc (&taken->of_podman);
  for (const char *p = request->body->str; (p = strstr (p, "good.event")) != NULL; p++)
    all = g_atomic_int_add (&taken->good, 1) + 1 == 6;
  if (all)
    g_idle_add (quit, taken->loop);
  return server_reply (fd, 204, "", "");
}

static void
test_bad_event (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Taken taken = { .loop = loop };
  g_autoptr (Server) server = server_new (NULL, answer, &taken);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 60 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  PpEvents *events = pp_events_new (api, "w", "docker");
  json_auto_t *pool = json_pack ("{s:s, s:s, s:s}", "id", "p", "name", "pool", "type", "podman");

  pp_events_set_work_pool (events, pool);
  for (int i = 0; i < 7; i++)
    pp_events_emit_worker (events, i == 3 ? "bad.event" : "good.event", NULL);
  pp_events_flush (events);
  g_main_loop_run (loop);
  g_assert_cmpint (taken.good, ==, 6);
  g_assert_cmpint (taken.of_podman, >, 0);
  pp_events_free (events);
}

static void
add_tests (void)
{
  g_test_add_func ("/events/bad-event", test_bad_event);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
