/* SPDX-License-Identifier: Apache-2.0 */
/* Tests starting a container with an engine that does not answer. */
#include "prefect-podman/infrastructure/infrastructure.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <poll.h>
#include <string.h>

/* WAIT_MS: how long the server waits until the caller gives up. BREAK_OFF_MS: when it breaks off
 * the start of a container that has not begun; the inspect answer is read before that. */
#define WAIT_MS 120000
#define BREAK_OFF_MS 5000

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
start_with (Fixture *fixture, Handler handler, gpointer data)
{
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->server = server_new (NULL, handler, data);
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture->server));
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  g_assert_nonnull (fixture->infrastructure);
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

/* A container as the engine's inspect answer shows it. */
typedef struct
{
  const char *container;
  gboolean begun;
} Case;

/* Does not answer a start; answers an inspect with the container of the case DATA. If the container
 * has begun, waits until the caller gives up. Otherwise breaks the connection off. */
static gboolean
answer_no_start (Server *server, const Request *request, int fd, gpointer data)
{
  const Case *case_ = data;
  struct pollfd caller = { .fd = fd, .events = POLLIN };

  if (strstr (request->target, "/start") == NULL)
    return server_reply (fd, 200, "", case_->container);
  for (guint i = 0; i < 600 && server_requests (server) < 2; i++)
    g_usleep (100 * 1000);
  poll (&caller, 1, case_->begun ? WAIT_MS : BREAK_OFF_MS);
  return FALSE;
}

/* A start without an answer ends when an inspection shows that the container runs or has run, and
 * not before. */
static void
test_start_without_an_answer (void)
{
  static const Case cases[] = {
    { "{\"State\": {\"Status\": \"running\", \"StartedAt\": \"2026-01-01T00:00:00Z\"}}", TRUE },
    { "{\"State\": {\"Status\": \"exited\", \"StartedAt\": \"2026-01-01T00:00:00Z\"}}", TRUE },
    { "{\"State\": {\"Status\": \"created\", \"StartedAt\": \"0001-01-01T00:00:00Z\"}}", FALSE },
    { "{\"State\": {\"Status\": \"initialized\"}}", FALSE },
  };
  Fixture fixtures[G_N_ELEMENTS (cases)] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      start_with (&fixtures[i], answer_no_start, (gpointer)&cases[i]);
      pp_infrastructure_start (fixtures[i].infrastructure, "abc", on_done, &fixtures[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      if (fixtures[i].done == 0)
        g_main_loop_run (fixtures[i].loop);
      g_assert_cmpuint (fixtures[i].done, ==, 1);
      if (cases[i].begun)
        g_assert_no_error (fixtures[i].error);
      else
        g_assert_error (fixtures[i].error, PP_INFRASTRUCTURE_ERROR,
                        PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
      g_assert_cmpuint (server_requests (fixtures[i].server), ==, 2);
      stop (&fixtures[i]);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/engine/start-without-an-answer", test_start_without_an_answer);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
