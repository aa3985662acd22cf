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
  const char *worker; /* a worker's resource id in quotes, or NULL */
  gint good;          /* accepted events; used by both threads */
  gint named;         /* events that name WORKER */
} Taken;

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* Returns how often TEXT has PART. */
static gint
count (const char *text, const char *part)
{
  gint found = 0;

  for (const char *p = text; (p = strstr (p, part)) != NULL; p++)
    found++;
  return found;
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Taken *taken = data;
  gint good = count (request->body->str, "good.event");

  if (strstr (request->body->str, "bad.event") != NULL)
    return server_reply (fd, 422, "", "{\"detail\": \"no\"}");
  if (taken->worker != NULL)
    g_atomic_int_add (&taken->named, count (request->body->str, taken->worker));
  if (g_atomic_int_add (&taken->good, good) + good == 6)
    g_idle_add (quit, taken->loop);
  return server_reply (fd, 204, "", "");
}

/* Calls EMIT, and waits until the server has accepted six good events. The worker was started with
 * WORKER_TYPE, and the type of its pool is POOL_TYPE. */
static void
send_events (Taken *taken, const char *worker_type, const char *pool_type,
             void (*emit) (PpEvents *events))
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (Server) server = server_new (NULL, answer, taken);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 60 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  g_autoptr (PpEvents) events = pp_events_new (api, "w", worker_type);
  json_auto_t *pool = json_pack ("{s:s, s:s, s:s}", "id", "p", "name", "pool", "type", pool_type);

  taken->loop = loop;
  pp_events_set_work_pool (events, pool);
  emit (events);
  pp_events_flush (events);
  g_main_loop_run (loop);
}

static void
emit_with_a_bad_one (PpEvents *events)
{
  for (int i = 0; i < 7; i++)
    pp_events_emit_worker (events, i == 3 ? "bad.event" : "good.event", NULL);
}

static void
test_bad_event (void)
{
  Taken taken = { 0 };

  send_events (&taken, "docker", "podman", emit_with_a_bad_one);
  g_assert_cmpint (taken.good, ==, 6);
}

static void
emit_both_sorts (PpEvents *events)
{
  for (int i = 0; i < 3; i++)
    {
      pp_events_emit_worker (events, "good.event", NULL);
      pp_events_emit_job (events, "good.event", "prefect.docker.container", "cafe", "job", NULL);
    }
}

/* The events of a worker and of its jobs name the type of its pool. */
static void
test_pool_type (void)
{
  Taken docker = { .worker = "\"prefect.worker.docker.w\"" };
  Taken podman = { .worker = "\"prefect.worker.podman.w\"" };
  Taken process = { .worker = "\"prefect.worker.process.w\"" };

  send_events (&docker, "podman", "docker", emit_both_sorts);
  send_events (&podman, "docker", "podman", emit_both_sorts);
  send_events (&process, "docker", "process", emit_both_sorts);
  g_assert_cmpint (docker.named, ==, 6);
  g_assert_cmpint (podman.named, ==, 6);
  g_assert_cmpint (process.named, ==, 6);
}

static void
add_tests (void)
{
  g_test_add_func ("/events/bad-event", test_bad_event);
  g_test_add_func ("/events/pool-type", test_pool_type);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
