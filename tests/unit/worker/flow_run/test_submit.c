/* SPDX-License-Identifier: Apache-2.0 */
/* A run's way to its container: its words, and the names that it tries. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"

#include "prefect-podman/http/http.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define RUN "11111111-2222-4333-8444-555555555555"
/* Far more than are tried. */
#define ENOUGH 100

static void
test_sentence (void)
{
  static const struct
  {
    const char *words;
    const char *sentence;
  } cases[] = {
    { "connection refused", "connection refused." },
    { "the engine gave no reason (Podman answered 503)",
      "the engine gave no reason (Podman answered 503)." },
    { "Start it.", "Start it." },
    { "Is it there?", "Is it there?" },
    { "waiting\xe2\x80\xa6", "waiting\xe2\x80\xa6" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *sentence = pp_flow_run_sentence (cases[i].words);

      g_assert_cmpstr (sentence, ==, cases[i].sentence);
    }
}

/* An engine of which each name is another container's, and a Prefect that takes everything; DATA
 * counts the names (atomic). */
static gboolean
answer_in_use (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  if (strstr (request->target, "/api/") != NULL)
    return server_reply (fd, 201, "", "{\"status\": \"ACCEPT\", \"state\": null, \"details\": {}}");
  if (g_str_equal (request->method, "GET"))
    return server_reply (fd, 200, "",
                         "{\"Id\": \"abc\", \"Config\": {\"Labels\": {}}, \"State\": {}}");
  g_atomic_int_inc ((gint *)data);
  return server_reply (fd, 409, "",
                       "{\"message\": \"Conflict. The container name \\\"/n\\\" is already in use "
                       "by container \\\"abc\\\".\"}");
}

static void
on_notify (PpFlowRun *run G_GNUC_UNUSED, gboolean slot_free G_GNUC_UNUSED,
           gpointer user_data G_GNUC_UNUSED)
{
}

/* There is no pause between two names: an engine that has none left, or says so, is not asked for
 * long, and then its words are the run's end. */
static void
test_names_end (void)
{
  gint names = 0;
  Server *server = server_new (NULL, answer_in_use, &names);
  PpHttp *http = pp_http_new ();
  g_autofree char *api_url = server_url (server, "/api");
  g_autofree char *engine_url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (server));
  PpSettings settings = { .api_url = api_url, .api_request_timeout = 60 };
  PpWorkerContext context = { .settings = &settings };
  json_auto_t *configuration = json_pack ("{s:s, s:s}", "image", "busybox:1", "name", "n");
  json_auto_t *json = json_pack ("{s:s, s:s}", "id", RUN, "name", "run");

  context.api = pp_api_new (http, &settings);
  context.states = pp_state_reader_new (context.api);
  context.logs = pp_log_sender_new (context.api, &settings);
  context.events = pp_events_new (context.api, "worker", "podman");
  context.infrastructure = pp_infrastructure_new (http, engine_url, NULL);
  PpFlowRun *run = pp_flow_run_new (&context, json, 0, on_notify, NULL);
  run->spec = pp_container_spec_new (configuration, NULL, NULL);
  g_assert_nonnull (run->spec);
  run->spec->pull_policy = PP_PULL_NEVER;

  /* No end is told before the answer to "Submitting". */
  run->submitting_call = (PpApiCall *)run;
  pp_flow_run_enter_submitting (run);
  while (run->failure == NULL && g_atomic_int_get (&names) < ENOUGH)
    g_main_context_iteration (NULL, TRUE);
  run->submitting_call = NULL;
  /* More than the names that others can foresee. */
  g_assert_cmpint (g_atomic_int_get (&names), >, 20);
  g_assert_cmpint (g_atomic_int_get (&names), <, ENOUGH);
  g_assert_nonnull (run->failure);
  g_assert_nonnull (strstr (run->failure, "is already in use by container"));

  pp_flow_run_free (run);
  pp_infrastructure_free (context.infrastructure);
  pp_events_free (context.events);
  pp_log_sender_free (context.logs);
  pp_state_reader_free (context.states);
  pp_api_free (context.api);
  pp_http_free (http);
  server_free (server);
}

static void
add (void)
{
  g_test_add_func ("/submit/names-end", test_names_end);
  g_test_add_func ("/submit/sentence", test_sentence);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
