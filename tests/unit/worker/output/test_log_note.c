/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the journal's note about log records that may be on their way to the server. */
#include "prefect-podman/http/http.h"
#include "worker/output/log_sender-private.h"

#include "tests/unit/server.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <string.h>

#define RUN "11111111-2222-3333-4444-555555555555"
/* Nothing listens on this port. */
#define REFUSED_URL "http://127.0.0.1:1/api"
#define UNKNOWN_URL "http://no-such-host.invalid/api"

typedef struct
{
  const char *url; /* NULL: the server's */
  int status;      /* the server's answer; 0: it breaks the connection off */
  const char *body;
  gboolean is_csrf_on;
} Case;

typedef struct
{
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  char *url;
  char *root;
  PpIdentity *identity;
  PpJournal *journal;
  PpLogSender *sender;
  gint64 note; /* the last timestamp that the journal got */
  guint notes;
} Fixture;

/* What the server answers; changed between requests. */
static Case now;

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data G_GNUC_UNUSED)
{
  if (strstr (request->target, "/logs/filter") != NULL)
    return server_reply (fd, 200, "", "[]");
  if (now.status == 0)
    {
      server_reset (fd);
      return FALSE;
    }
  return server_reply (fd, now.status, "", now.body);
}

static void
on_sending (const char *flow_run_id, gint64 timestamp, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_cmpstr (flow_run_id, ==, RUN);
  fixture->note = timestamp;
  fixture->notes++;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const Case *first = data;
  g_autoptr (GError) error = NULL;

  now = *first;
  fixture->server = server_new (NULL, answer, NULL);
  fixture->url = first->url != NULL ? g_strdup (first->url) : server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){
    .api_url = fixture->url,
    .api_request_timeout = 60,
    .client_csrf_support_enabled = first->is_csrf_on,
    .logging_to_api_max_log_size = 1000000,
    .logging_to_api_batch_size = 1000000,
    .logging_to_api_batch_interval = 0.01,
  };
  fixture->api = pp_api_new (fixture->http, &fixture->settings);
  pp_api_expect (fixture->api);
  pp_api_hurry (fixture->api, 0.05);
  fixture->root = state_test_folder (FALSE);
  fixture->identity = pp_identity_take (fixture->root, &state_test_key, &error);
  g_assert_no_error (error);
  fixture->journal = pp_journal_new (fixture->identity, &error);
  g_assert_no_error (error);
  fixture->sender = pp_log_sender_new (fixture->api, &fixture->settings);
  pp_log_sender_on_sending (fixture->sender, fixture->journal, on_sending, fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pp_log_sender_free (fixture->sender);
  pp_api_free (fixture->api);
  pp_http_free (fixture->http);
  pp_journal_free (fixture->journal);
  pp_identity_free (fixture->identity);
  state_test_remove (fixture->root);
  server_free (fixture->server);
  g_free (fixture->root);
  g_free (fixture->url);
}

static void
add (Fixture *fixture)
{
  pp_log_sender_add (fixture->sender, RUN, "test", TRUE, PP_LOG_INFO, "line", strlen ("line"));
}

/* Runs the loop until the journal was told COUNT more times. */
static void
wait_notes (Fixture *fixture, guint count)
{
  guint until = fixture->notes + count;

  while (fixture->notes < until)
    g_main_context_iteration (NULL, TRUE);
}

/* If an attempt certainly did not reach the server, or was refused, no records are on their way
 * after it. Before each attempt, they count as on their way. */
static void
test_not_on_its_way (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  add (fixture);
  for (int i = 0; i < 3; i++)
    {
      wait_notes (fixture, 1);
      g_assert_cmpint (fixture->note, >, 0);
      wait_notes (fixture, 1);
      g_assert_cmpint (fixture->note, ==, 0);
    }
}

/* After an attempt without an answer, the records may be on their way, also if later attempts are
 * refused. */
static void
test_on_its_way (Fixture *fixture, gconstpointer data)
{
  const Case *then = (const Case *)data + 1;
  gint64 first;

  add (fixture);
  add (fixture);
  wait_notes (fixture, 1);
  first = fixture->note;
  g_assert_cmpint (first, >, 0);
  while (server_requests (fixture->server) < 2) /* the batch, and a look for it */
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (fixture->note, ==, first);
  now = *then;
  add (fixture);
  for (int i = 0; i < 3; i++)
    {
      wait_notes (fixture, 1);
      /* A refused batch is sent in halves, and not each half has the new record. */
      g_assert_cmpint (fixture->note, >=, first);
      wait_notes (fixture, 1);
      g_assert_cmpint (fixture->note, ==, first);
    }
}

static void
add_tests (void)
{
  static const Case none[] = {
    { REFUSED_URL, 0, NULL },
    { UNKNOWN_URL, 0, NULL },
    { REFUSED_URL, 0, NULL, .is_csrf_on = TRUE },
    { NULL, 503, "{\"exception_message\": \"Service Unavailable\"}" },
    { NULL, 401, "{\"exception_message\": \"no\"}" },
    { NULL, 429, "{\"detail\": \"slow down\"}" },
    { NULL, 500, "<html>500</html>" },
    { NULL, 202, "" },
  };
  static const Case some[][2] = {
    { { NULL, 0, NULL }, { NULL, 503, "{\"exception_message\": \"Service Unavailable\"}" } },
    { { NULL, 0, NULL }, { NULL, 500, "{\"exception_message\": \"Internal Server Error\"}" } },
    { { NULL, 504, "" }, { NULL, 429, "{\"detail\": \"slow down\"}" } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (none); i++)
    {
      g_autofree char *name = g_strdup_printf ("/log-note/not-on-its-way/%" G_GSIZE_FORMAT, i);
      g_test_add (name, Fixture, &none[i], set_up, test_not_on_its_way, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (some); i++)
    {
      g_autofree char *name = g_strdup_printf ("/log-note/on-its-way/%" G_GSIZE_FORMAT, i);
      g_test_add (name, Fixture, some[i], set_up, test_on_its_way, tear_down);
    }
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
