/* SPDX-License-Identifier: Apache-2.0 */
/* One flow run from its claim to its end, on a fake infrastructure and a server that plays Prefect
 * for this one run. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"

#include "prefect-podman/json.h"
#include "tests/unit/fake_kind.h"
#include "tests/unit/server.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <string.h>

#define RUN "11111111-1111-4111-8111-111111111111"
#define DEPLOYMENT "22222222-2222-4222-8222-222222222222"
#define CANCELLING_ID "00000000-0000-4000-8000-000000000099"
#define FLOW "33333333-3333-4333-8333-333333333333"
#define REJECTED "{\"status\": \"REJECT\", \"state\": {\"type\": \"COMPLETED\"}, \"details\": {}}"
#define ABORTED "{\"status\": \"ABORT\", \"state\": null, \"details\": {\"reason\": \"no\"}}"
#define WAITS                                                                                      \
  "{\"status\": \"WAIT\", \"state\": null, \"details\": {\"delay_seconds\": 0.1, \"reason\": "     \
  "\"later\"}}"

/* What is asked of one run. */
typedef struct
{
  const char *type;   /* of a state that is proposed: it is answered so, TIMES times */
  const char *answer; /* or NULL: 503 */
  guint times;
  FakeCall fails; /* this call of the engine fails so often, with CODE */
  guint failures;
  PpInfrastructureError code;
  const char *variables; /* job variables; NULL: none but the image */
  gint64 exit_code;
  gboolean hold; /* HELD, a call of the engine, does not end */
  FakeCall held;
  gboolean is_cancelled; /* its user cancels it once the engine was asked for CANCELLED_AT */
  FakeCall cancelled_at;
  const char *states; /* what the server has been told, in order, a blank after each */
  const char *calls;  /* what the engine has been asked for, the same */
} Case;

typedef struct
{
  const Case *chosen;
  Server *server;
  char *url;
  PpHttp *http;
  PpSettings settings;
  PpWorkerContext context;
  char *root;
  PpIdentity *identity;
  json_t *environment;
  GMutex mutex;   /* of the server's thread and the test's */
  json_t *states; /* of the run, oldest first */
  GString *told;  /* types of what was proposed and accepted */
  guint answered; /* as CHOSEN has it */
  PpFlowRun *run;
  gboolean is_cancelled;
  gboolean is_deleted;
  gboolean over;
  gboolean slot_free;
} Fixture;

/* The server. */

static char *
accept (json_t *state)
{
  json_auto_t *answer
      = json_pack ("{s:s, s:O, s:{}}", "status", "ACCEPT", "state", state, "details");
  char *text = json_dumps (answer, JSON_COMPACT);
  char *copy = g_strdup (text);

  free (text);
  return copy;
}

/* The server knows a proposal that it has accepted. */
static gboolean
is_same_transition (const json_t *last, const json_t *state)
{
  const char *id = pp_json_string (json_object_get (last, "state_details"), "transition_id");

  return id != NULL
         && g_strcmp0 (id,
                       pp_json_string (json_object_get (state, "state_details"), "transition_id"))
                == 0;
}

static char *
take_state (Fixture *fixture, const Request *request)
{
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  json_t *state = json_object_get (body, "state");
  const char *type = pp_json_string (state, "type");
  const Case *chosen = fixture->chosen;

  if (chosen->type != NULL && strcmp (chosen->type, type) == 0 && fixture->answered < chosen->times)
    {
      fixture->answered++;
      return chosen->answer != NULL ? g_strdup (chosen->answer) : NULL;
    }
  json_t *last = json_array_get (fixture->states, json_array_size (fixture->states) - 1);
  if (is_same_transition (last, state))
    return accept (last);
  json_object_set_new (
      state, "id",
      json_sprintf ("00000000-0000-4000-8000-%012zu", json_array_size (fixture->states)));
  json_object_set_new (state, "timestamp", json_string ("2026-11-29T10:00:00Z"));
  json_array_append (fixture->states, state);
  g_string_append_printf (fixture->told, "%s ", type);
  return accept (state);
}

static json_t *
run_now (const Fixture *fixture)
{
  json_t *state = json_array_get (fixture->states, json_array_size (fixture->states) - 1);

  return json_pack (
      "{s:s, s:s, s:s, s:s, s:{}, s:O, s:i, s:o}", "id", RUN, "name", "run", "deployment_id",
      DEPLOYMENT, "flow_id", FLOW, "parameters", "state", state, "run_count", 0, "job_variables",
      json_loads (fixture->chosen->variables != NULL ? fixture->chosen->variables : "{}", 0, NULL));
}

/* The answer to REQUEST, new string; NULL: 503. *STATUS is 200. */
static char *
answer_of (Fixture *fixture, const Request *request, int *status)
{
  json_auto_t *json = NULL;

  if (fixture->is_deleted && strstr (request->target, RUN) != NULL)
    {
      *status = 404;
      return g_strdup ("{\"detail\": \"Flow run not found\"}");
    }
  if (fixture->is_deleted && strstr (request->target, "/flow_runs/filter") != NULL)
    return g_strdup ("[]");
  if (g_str_has_suffix (request->target, "/set_state"))
    return take_state (fixture, request);
  if (strstr (request->target, "/flow_run_states/") != NULL)
    json = json_incref (fixture->states);
  else if (strstr (request->target, "/flow_runs/filter") != NULL)
    json = json_pack ("[o]", run_now (fixture));
  else if (strcmp (request->method, "PATCH") == 0 || strstr (request->target, "/events") != NULL)
    {
      *status = 204;
      return g_strdup ("");
    }
  else if (strstr (request->target, "/logs/") != NULL)
    {
      *status = 201;
      return g_strdup ("");
    }
  else if (strstr (request->target, "/deployments/") != NULL)
    json = json_pack ("{s:s, s:s, s:{}, s:s}", "id", DEPLOYMENT, "name", "d", "job_variables",
                      "flow_id", FLOW);
  else if (strstr (request->target, "/flows/") != NULL)
    json = json_pack ("{s:s, s:s}", "id", FLOW, "name", "f");
  else
    json = run_now (fixture);
  char *text = json_dumps (json, JSON_COMPACT);
  char *copy = g_strdup (text);
  free (text);
  return copy;
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;
  int status = 200;

  g_mutex_lock (&fixture->mutex);
  g_autofree char *body = answer_of (fixture, request, &status);
  g_mutex_unlock (&fixture->mutex);
  if (body == NULL)
    return server_reply (fd, 503, "", "{\"exception_message\": \"Service Unavailable\"}");
  return server_reply (fd, status, "", body);
}

/* The run. */

static void
on_notify (PpFlowRun *run G_GNUC_UNUSED, gboolean slot_free, gpointer user_data)
{
  Fixture *fixture = user_data;

  if (slot_free)
    fixture->slot_free = TRUE;
  else
    fixture->over = TRUE;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  PpWorkerContext *context = &fixture->context;
  g_autoptr (GError) error = NULL;

  fixture->chosen = data;
  g_mutex_init (&fixture->mutex);
  fixture->told = g_string_new (NULL);
  fixture->states
      = json_pack ("[{s:s, s:s, s:s, s:{}}]", "id", "00000000-0000-4000-8000-000000000000", "type",
                   "SCHEDULED", "timestamp", "2026-11-29T09:00:00Z", "state_details");
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url,
                                    .api_request_timeout = 60,
                                    .logging_to_api_batch_interval = 0.05,
                                    .logging_to_api_batch_size = 4000000,
                                    .logging_to_api_max_log_size = 1000000 };
  fixture->environment = json_object ();
  fixture->root = state_test_folder (FALSE);
  fixture->identity = pp_identity_take (fixture->root, &state_test_key, &error);
  g_assert_no_error (error);
  context->settings = &fixture->settings;
  context->worker_name = "worker";
  context->type = "docker";
  context->identity_name = pp_identity_name (fixture->identity);
  context->boot_id = "boot";
  context->process_environment = fixture->environment;
  context->work_pool = json_pack ("{s:s, s:s, s:s, s:o}", "id", RUN, "name", "pool", "type",
                                  "docker", "base_job_template", pp_template_default ("docker"));
  context->api = pp_api_new (fixture->http, &fixture->settings);
  pp_api_hurry (context->api, 0.001);
  context->infrastructure = fake_new ();
  context->events = pp_events_new (context->api, context->worker_name, context->type);
  context->resolver = pp_resolver_new (context->api, fixture->environment);
  context->states = pp_state_reader_new (context->api);
  context->logs = pp_log_sender_new (context->api, &fixture->settings);
  context->journal = pp_journal_new (fixture->identity, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpWorkerContext *context = &fixture->context;

  pp_journal_free (context->journal);
  pp_log_sender_free (context->logs);
  pp_state_reader_free (context->states);
  pp_resolver_free (context->resolver);
  pp_events_free (context->events);
  pp_infrastructure_free (context->infrastructure);
  pp_api_free (context->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  json_decref (context->work_pool);
  json_decref (fixture->environment);
  json_decref (fixture->states);
  pp_identity_free (fixture->identity);
  state_test_remove (fixture->root);
  g_free (fixture->root);
  g_free (fixture->url);
  g_string_free (fixture->told, TRUE);
  g_mutex_clear (&fixture->mutex);
}

/* The run is CANCELLING on the server, and its worker has heard so. */
static void
cancel (Fixture *fixture)
{
  g_mutex_lock (&fixture->mutex);
  json_array_append_new (fixture->states,
                         json_pack ("{s:s, s:s, s:s, s:s, s:{}}", "id", CANCELLING_ID, "type",
                                    "CANCELLING", "name", "Cancelling", "timestamp",
                                    "2026-11-29T10:00:01Z", "state_details"));
  g_mutex_unlock (&fixture->mutex);
  fixture->is_cancelled = TRUE;
  pp_flow_run_cancel (fixture->run);
}

/* The program of the job ends as soon as it runs, unless it is to be cancelled. */
static gboolean
on_look (gpointer user_data)
{
  Fixture *fixture = user_data;
  const Case *chosen = fixture->chosen;

  if (!chosen->is_cancelled)
    fake_end (fixture->context.infrastructure, chosen->exit_code);
  else if (!fixture->is_cancelled
           && fake_count (fixture->context.infrastructure, chosen->cancelled_at) > 0)
    cancel (fixture);
  return G_SOURCE_CONTINUE;
}

static void
test_run (Fixture *fixture, gconstpointer data)
{
  const Case *chosen = data;
  Fake *fake = fake_of (fixture->context.infrastructure);
  json_t *flow_run = run_now (fixture);
  guint timer = g_timeout_add (5, on_look, fixture);

  fake->fails[chosen->fails] = chosen->failures;
  fake->code = chosen->code;
  fake->holds[chosen->held] = chosen->hold ? 1 : 0;
  fixture->run
      = pp_flow_run_new (&fixture->context, flow_run, g_get_monotonic_time (), on_notify, fixture);
  json_decref (flow_run);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* what fails is warned of */
  pp_flow_run_start (fixture->run);
  while (!fixture->over)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (timer);
  g_assert_true (fixture->slot_free);
  g_assert_cmpstr (fixture->told->str, ==, chosen->states);
  g_assert_cmpstr (fake->calls->str, ==, chosen->calls);
  pp_flow_run_free (fixture->run);
}

#define IMAGE "\"image\": \"busybox:1\", \"command\": \"true\", \"auto_remove\": true"
#define PLAIN                                                                                      \
  .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", "                             \
               "\"infrastructure_retries\": 1}"
#define WELL "create start watch follow inspect remove "

static const struct
{
  const char *name;
  Case chosen;
} cases[] = {
  { "completed", { PLAIN, .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "failed", { PLAIN, .exit_code = 3, .states = "PENDING RUNNING FAILED ", .calls = WELL } },
  { "killed", { PLAIN, .exit_code = 137, .states = "PENDING RUNNING CRASHED ", .calls = WELL } },
  /* The server's word on the claim. */
  { "claim-rejected",
    { PLAIN, .type = "PENDING", .answer = REJECTED, .times = 1, .states = "", .calls = "" } },
  { "claim-aborted",
    { PLAIN, .type = "PENDING", .answer = ABORTED, .times = 1, .states = "", .calls = "" } },
  { "claim-waits",
    { PLAIN, .type = "PENDING", .answer = WAITS, .times = 2, .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "claim-fails",
    { PLAIN, .type = "PENDING", .times = 2, .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  /* On Running. */
  { "running-rejected",
    { PLAIN, .type = "RUNNING", .answer = REJECTED, .times = 1, .states = "PENDING ",
      .calls = "create remove " } },
  { "running-waits",
    { PLAIN, .type = "RUNNING", .answer = WAITS, .times = 1, .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  /* On the end. */
  { "end-fails",
    { PLAIN, .type = "COMPLETED", .times = 2, .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "end-rejected",
    { PLAIN, .type = "COMPLETED", .answer = REJECTED, .times = 1, .states = "PENDING RUNNING ",
      .calls = WELL } },
  /* The engine. */
  { "pulled",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"Always\"}",
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "pull " WELL } },
  { "create-refused",
    { PLAIN, .fails = FAKE_CREATE, .failures = 9, .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING CRASHED ", .calls = "create " } },
  { "start-refused",
    { PLAIN, .fails = FAKE_START, .failures = 9, .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING RUNNING CRASHED ", .calls = "create start remove " } },
  /* Answers of the engine that are lost. */
  { "create-unanswered",
    { PLAIN, .fails = FAKE_CREATE, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ", .calls = "create " WELL } },
  { "start-unanswered",
    { PLAIN, .fails = FAKE_START, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ", .calls = "create start inspect remove " WELL } },
  { "follow-breaks",
    { PLAIN, .fails = FAKE_FOLLOW, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect follow inspect remove " } },
  { "follow-refused",
    { PLAIN, .fails = FAKE_FOLLOW, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect follow inspect remove " } },
  { "inspect-unanswered",
    { PLAIN, .fails = FAKE_INSPECT, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect inspect remove " } },
  { "network-missing",
    { PLAIN, .fails = FAKE_CREATE, .failures = 9, .code = PP_INFRASTRUCTURE_ERROR_NOT_FOUND,
      .states = "PENDING CRASHED ", .calls = "create check_image " } },
  { "name-in-use",
    { PLAIN, .fails = FAKE_CREATE, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_NAME_IN_USE,
      .states = "PENDING RUNNING COMPLETED ", .calls = "create inspect " WELL } },
  /* Its user. */
  { "cancelled-while-it-is-pulled",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"Always\"}",
      .hold = TRUE,
      .held = FAKE_PULL,
      .is_cancelled = TRUE,
      .cancelled_at = FAKE_PULL,
      .states = "PENDING CANCELLED ",
      .calls = "pull " } },
  { "cancelled-while-it-is-created",
    { PLAIN, .is_cancelled = TRUE, .cancelled_at = FAKE_CREATE, .states = "PENDING CANCELLED ",
      .calls = "create remove " } },
  { "cancelled-while-it-runs",
    { PLAIN, .is_cancelled = TRUE, .cancelled_at = FAKE_FOLLOW,
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start watch follow stop inspect remove " } },
  { "remove-fails-once",
    { PLAIN, .fails = FAKE_REMOVE, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ", .calls = WELL "remove " } },
};

/* Runs that a worker before this one had in its hands. */

#define CLAIM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define RUNNING_ID "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define OTHER "cccccccc-cccc-4ccc-8ccc-cccccccccccc"

typedef struct
{
  const char *name;
  PpJournalPhase phase; /* as it was written down */
  PpJobPhase job;       /* what the engine has */
  gint64 exit_code;
  const char *type;       /* of the run's last state on the server; NULL: it was deleted */
  const char *transition; /* and the id that it was asked for by */
  const char *states;
  const char *calls;
} Recovery;

static const Recovery recoveries[] = {
  { "claimed", PP_JOURNAL_CLAIMED, PP_JOB_ABSENT, 0, "PENDING", CLAIM, "RUNNING COMPLETED ", WELL },
  { "claimed-not-told", PP_JOURNAL_CLAIMED, PP_JOB_ABSENT, 0, "SCHEDULED", NULL, "", "" },
  { "claimed-by-another", PP_JOURNAL_CLAIMED, PP_JOB_ABSENT, 0, "PENDING", OTHER, "", "" },
  { "created", PP_JOURNAL_CLAIMED, PP_JOB_CREATED, 0, "PENDING", CLAIM, "RUNNING COMPLETED ",
    "inspect remove " WELL },
  { "running", PP_JOURNAL_STARTING, PP_JOB_RUNNING, 0, "RUNNING", RUNNING_ID, "COMPLETED ",
    "watch follow inspect remove " },
  { "ended", PP_JOURNAL_STARTING, PP_JOB_ENDED, 3, "RUNNING", RUNNING_ID, "FAILED ",
    "watch follow inspect remove " },
  { "vanished", PP_JOURNAL_STARTING, PP_JOB_ABSENT, 0, "RUNNING", RUNNING_ID, "CRASHED ",
    "remove " },
  { "reporting", PP_JOURNAL_REPORTING, PP_JOB_ENDED, 3, "RUNNING", RUNNING_ID, "FAILED ",
    "watch follow inspect remove " },
  { "reported", PP_JOURNAL_REPORTING, PP_JOB_ENDED, 3, "FAILED", NULL, "",
    "watch follow inspect remove " },
  { "deleted-running", PP_JOURNAL_STARTING, PP_JOB_RUNNING, 0, NULL, NULL, "",
    "watch stop follow inspect remove " },
  { "deleted-ended", PP_JOURNAL_STARTING, PP_JOB_ENDED, 0, NULL, NULL, "", "remove " },
  { "deleted-claimed", PP_JOURNAL_CLAIMED, PP_JOB_ABSENT, 0, NULL, NULL, "", "" },
  { "paused", PP_JOURNAL_STARTING, PP_JOB_HELD, 0, "RUNNING", RUNNING_ID, "COMPLETED ",
    "watch follow inspect remove " },
  { "ready", PP_JOURNAL_STARTING, PP_JOB_READY, 0, "RUNNING", RUNNING_ID, "COMPLETED ",
    "inspect start watch follow inspect remove " },
  { "cancelling", PP_JOURNAL_STARTING, PP_JOB_RUNNING, 0, "CANCELLING", NULL, "CANCELLED ",
    "watch stop follow inspect remove " },
};

/* The one job of ENTRY's run, in PHASE. New. */
static PpJob *
make_job (const PpJournalEntry *entry, PpJobPhase phase, gint64 exit_code)
{
  PpJob *job = pp_job_new ();

  job->ref.id = g_strdup (entry->container_id != NULL ? entry->container_id : "cafe");
  job->ref.flow_run_id = g_strdup (RUN);
  job->ref.claim = g_strdup (CLAIM);
  job->ref.reporter = PP_REPORTER_WORKER;
  job->status.phase = phase;
  job->status.is_running = pp_job_phase_is_alive (phase);
  job->status.never_started = phase == PP_JOB_CREATED;
  job->status.end.exit_code = exit_code;
  return job;
}

static void
test_recovery (Fixture *fixture, gconstpointer data)
{
  const Recovery *recovery = data;
  const gboolean started = recovery->phase != PP_JOURNAL_CLAIMED;
  Fake *fake = fake_of (fixture->context.infrastructure);
  PpJournalEntry entry = { .flow_run_id = (char *)RUN,
                           .flow_run_name = (char *)"run",
                           .deployment_id = (char *)DEPLOYMENT,
                           .flow_id = (char *)FLOW,
                           .phase = recovery->phase,
                           .claim_transition_id = (char *)CLAIM,
                           .running_transition_id = (char *)RUNNING_ID,
                           .container_id = started ? (char *)"cafe" : NULL,
                           .container_name = started ? (char *)"run" : NULL,
                           .worker_reported = TRUE,
                           .auto_remove = TRUE,
                           .stop_timeout = 1,
                           .claimed_at = g_get_real_time (),
                           .started_at = started ? g_get_real_time () : 0,
                           .boot_id = (char *)"boot" };
  guint timer = g_timeout_add (5, on_look, fixture);

  if (recovery->phase == PP_JOURNAL_REPORTING)
    entry.report_type = (char *)"FAILED";
  fixture->told = g_string_truncate (fixture->told, 0);
  fixture->is_deleted = recovery->type == NULL;
  json_array_append_new (fixture->states,
                         json_pack ("{s:s, s:s*, s:s, s:{s:s*}}", "id", CANCELLING_ID, "type",
                                    recovery->type, "timestamp", "2026-11-29T09:00:01Z",
                                    "state_details", "transition_id", recovery->transition));
  if (recovery->job != PP_JOB_ABSENT)
    fake->job = make_job (&entry, recovery->job, recovery->exit_code);
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  fixture->run = pp_flow_run_new_from_journal (&fixture->context, &entry, on_notify, fixture);
  pp_flow_run_take_up (fixture->run, fake->job, recovery->job);
  while (!fixture->over)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (timer);
  g_assert_cmpstr (fixture->told->str, ==, recovery->states);
  g_assert_cmpstr (fake->calls->str, ==, recovery->calls);
  pp_flow_run_free (fixture->run);
}

static void
set_up_recovery (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const Case plain = { PLAIN };

  set_up (fixture, &plain);
}

static void
add_tests (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (recoveries); i++)
    {
      g_autofree char *path = g_strconcat ("/flow-run/recovery/", recoveries[i].name, NULL);
      g_test_add (path, Fixture, &recoveries[i], set_up_recovery, test_recovery, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/flow-run/", cases[i].name, NULL);
      g_test_add (path, Fixture, &cases[i].chosen, set_up, test_run, tear_down);
    }
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
