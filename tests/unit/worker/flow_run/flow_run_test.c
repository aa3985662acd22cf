/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "flow_run_test.h"

#include "prefect-podman/text/timestamp.h"
#include "worker/recovery/late_requests-private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* More jumps than any run of these tests needs. */
#define MAX_JUMPS 1000

/* The server. */

static char *
to_text (json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT);
  char *copy = g_strdup (text);

  free (text);
  return copy;
}

static json_t *
last_state (const Fixture *fixture)
{
  size_t count = json_array_size (fixture->states);

  return json_array_get (fixture->states, fixture->top >= 0 ? (size_t)fixture->top : count - 1);
}

static char *
accept (json_t *state)
{
  json_auto_t *answer
      = json_pack ("{s:s, s:O, s:{}}", "status", "ACCEPT", "state", state, "details");

  return to_text (answer);
}

static const char *
transition_of (const json_t *state)
{
  return pp_json_string (json_object_get (state, "state_details"), "transition_id");
}

static void
append_state (Fixture *fixture, const char *type, const char *transition_id)
{
  g_autofree char *name = g_strdup (type);

  for (char *at = name + 1; *at != '\0'; at++)
    *at = g_ascii_tolower (*at);
  json_array_append_new (
      fixture->states,
      json_pack ("{s:o, s:s, s:s, s:s, s:{s:s*}}", "id",
                 json_sprintf ("00000000-0000-4000-8000-%012zu", json_array_size (fixture->states)),
                 "type", type, "name", name, "timestamp", "2026-11-29T10:00:01Z", "state_details",
                 "transition_id", transition_id));
}

/* What others do with the run while a request is on its way. */
static void
append_states (Fixture *fixture, const char *list)
{
  g_auto (GStrv) words = g_strsplit (list != NULL ? list : "", " ", -1);

  for (char **word = words; *word != NULL; word++)
    {
      char *id = strchr (*word, '/');

      if (id != NULL)
        *id++ = '\0';
      if (**word != '\0')
        append_state (fixture, *word, id);
    }
}

void
add_state (Fixture *fixture, const char *type, const char *transition_id)
{
  g_mutex_lock (&fixture->mutex);
  append_state (fixture, type, transition_id);
  g_mutex_unlock (&fixture->mutex);
}

/* The server recognizes a proposal that it has accepted. */
static char *
take_state (Fixture *fixture, json_t *state)
{
  json_t *last = last_state (fixture);
  const char *type = pp_json_string (state, "type");

  if (transition_of (last) != NULL && g_strcmp0 (transition_of (last), transition_of (state)) == 0)
    return accept (last);
  json_object_set_new (
      state, "id",
      json_sprintf ("00000000-0000-4000-8000-%012zu", json_array_size (fixture->states)));
  json_object_set_new (state, "timestamp", json_string ("2026-11-29T10:00:00Z"));
  if (fixture->lease != NULL)
    json_object_set_new (json_object_get (state, "state_details"),
                         "deployment_concurrency_lease_id", json_string (fixture->lease));
  if (pp_json_string (state, "name") == NULL)
    json_object_set_new (state, "name", json_string (type));
  json_array_append (fixture->states, state);
  fixture->top = -1;
  g_string_append_printf (fixture->told, "%s ", type);
  return accept (state);
}

json_t *
run_now (const Fixture *fixture)
{
  const char *variables = fixture->script->variables;

  json_t *flow_run
      = json_pack ("{s:s, s:s, s:s, s:s, s:{}, s:s*, s:O, s:I, s:o, s:O*, s:s*}", "id", RUN, "name",
                   "run", "deployment_id", DEPLOYMENT, "flow_id", FLOW, "parameters", "state_id",
                   pp_json_string (last_state (fixture), "id"), "state", last_state (fixture),
                   "run_count", fixture->run_count, "job_variables",
                   json_loads (variables != NULL ? variables : PLAIN_JOB, 0, NULL),
                   "empirical_policy", fixture->policy, "infrastructure_pid", fixture->pid);

  json_object_set_new (flow_run, "work_queue_id",
                       fixture->script->queue_is_gone ? json_null () : json_string (QUEUE));
  return flow_run;
}

static void
keep_lines (Fixture *fixture, const json_t *records)
{
  const json_t *record;
  size_t index;

  json_array_foreach (records, index, record)
      g_string_append_printf (fixture->log, "%s\n", pp_json_string (record, "message"));
}

/* Returns the script's answer to a request, or NULL. STATE: the proposed state, or NULL. */
static const Answer *
scripted (Fixture *fixture, const Request *request, const json_t *state)
{
  g_autofree char *what = g_strdup_printf ("%s %s", request->method, request->target);
  const char *type = pp_json_string (state, "type");

  for (guint i = 0; i < G_N_ELEMENTS (fixture->script->answers); i++)
    {
      const Answer *answer = &fixture->script->answers[i];

      if (answer->to == NULL
          || (g_strcmp0 (type, answer->to) != 0 && strstr (what, answer->to) == NULL))
        continue;
      guint number = fixture->answered[i]++;
      if (number >= answer->after && number - answer->after < answer->times)
        return answer;
    }
  return NULL;
}

static char *
say (int *status, int code, const char *body)
{
  *status = code;
  return g_strdup (body);
}

/* Returns the server's own answer; *STATUS is 200. New string. */
static char *
answer_of (Fixture *fixture, const Request *request, json_t *body, int *status)
{
  const char *target = request->target;
  json_auto_t *json = NULL;

  if (fixture->is_deleted && strstr (target, RUN) != NULL)
    return say (status, 404, "{\"detail\": \"Flow run not found\"}");
  if (g_str_has_suffix (target, "/set_state"))
    return take_state (fixture, json_object_get (body, "state"));
  if (strcmp (request->method, "PATCH") == 0 || strstr (target, "/events") != NULL)
    {
      json_t *policy = json_object_get (body, "empirical_policy");

      if (policy != NULL)
        {
          json_decref (fixture->policy);
          fixture->policy = json_incref (policy);
        }
      return say (status, 204, "");
    }
  if (strstr (target, "/leases/") != NULL)
    {
      fixture->renewals++;
      return say (status, 204, "");
    }
  if (strstr (target, "/decrement-with-lease") != NULL)
    {
      g_string_append (fixture->told, "(slot) ");
      return say (status, 204, "");
    }
  if (strstr (target, "/logs/filter") != NULL)
    return say (status, 200, "[]");
  if (strstr (target, "/logs/") != NULL)
    {
      keep_lines (fixture, body);
      return say (status, 201, "");
    }
  if (strstr (target, "/flow_run_states/") != NULL)
    json = fixture->is_deleted ? json_array () : json_incref (fixture->states);
  else if (strstr (target, "/flow_runs/filter") != NULL)
    json = fixture->is_deleted ? json_array () : json_pack ("[o]", run_now (fixture));
  else if (strstr (target, "/deployments/") != NULL)
    json = json_pack ("{s:s, s:s, s:{}, s:s, s:o}", "id", DEPLOYMENT, "name", "d", "job_variables",
                      "flow_id", FLOW, "global_concurrency_limit",
                      fixture->script->limit_is_gone ? json_null () : json_object ());
  else if (strstr (target, "/flows/") != NULL)
    json = json_pack ("{s:s, s:s}", "id", FLOW, "name", "f");
  else
    json = run_now (fixture);
  return to_text (json);
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Fixture *fixture = data;
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  g_autofree char *text = NULL;
  int status = 200;

  g_mutex_lock (&fixture->mutex);
  const Answer *given = scripted (fixture, request, json_object_get (body, "state"));
  if (given != NULL)
    append_states (fixture, given->before);
  if (given == NULL || given->is_done || given->seconds > 0)
    text = answer_of (fixture, request, body, &status);
  if (given != NULL && given->is_on_top)
    fixture->top = (gint64)json_array_size (fixture->states) - 1;
  if (given != NULL)
    append_states (fixture, given->behind);
  if (given != NULL && given->seconds > 0)
    clock_add ((gint64)given->seconds * G_USEC_PER_SEC);
  else if (given != NULL)
    {
      const char *said
          = given->body != NULL ? given->body : "{\"exception_message\": \"Service Unavailable\"}";

      g_free (text);
      text = say (&status,
                  given->status != 0    ? given->status
                  : given->body != NULL ? 200
                                        : 503,
                  said);
    }
  g_mutex_unlock (&fixture->mutex);
  return server_reply (fd, status, "", text);
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
set_up_context (Fixture *fixture)
{
  PpWorkerContext *context = &fixture->context;
  g_autoptr (GError) error = NULL;

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
  fixture->null_device = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  context->claimed = pp_claimed_states_new ();
  context->refused = pp_refused_claims_new (10);
  context->out = pp_stdout_new (fixture->null_device);
  context->journal = pp_journal_new (fixture->identity, &error);
  g_assert_no_error (error);
  fixture->fake = fake_of (context->infrastructure);
  fixture->fake->fails[fixture->script->fails] = fixture->script->failures;
  fixture->fake->code = fixture->script->code;
  fixture->fake->holds[fixture->script->held] = fixture->script->holds;
}

void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->script = data;
  g_mutex_init (&fixture->mutex);
  fixture->told = g_string_new (NULL);
  fixture->log = g_string_new (NULL);
  fixture->states = json_array ();
  fixture->top = -1;
  add_state (fixture, "SCHEDULED", NULL);
  fixture->server = server_new (NULL, answer, fixture);
  fixture->url = server_url (fixture->server, "/api");
  fixture->http = pp_http_new ();
  fixture->settings = (PpSettings){ .api_url = fixture->url,
                                    .api_request_timeout = 3600,
                                    .logging_to_api_enabled = TRUE,
                                    .logging_to_api_batch_interval = 0.05,
                                    .logging_to_api_batch_size = 4000000,
                                    .logging_to_api_max_log_size = 1000000 };
  fixture->environment = json_object ();
  fixture->root = state_test_folder (FALSE);
  fixture->identity = pp_identity_take (fixture->root, &state_test_key, &error);
  g_assert_no_error (error);
  set_up_context (fixture);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* failures cause warnings */
}

void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpWorkerContext *context = &fixture->context;

  pp_flow_run_free (fixture->run);
  pp_journal_free (context->journal);
  pp_stdout_free (context->out);
  close (fixture->null_device);
  pp_log_sender_free (context->logs);
  pp_late_requests_free (context->late);
  pp_state_reader_free (context->states);
  pp_claimed_states_free (context->claimed);
  pp_refused_claims_free (context->refused);
  pp_resolver_free (context->resolver);
  pp_events_free (context->events);
  pp_infrastructure_free (context->infrastructure);
  pp_api_free (context->api);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  json_decref (context->work_pool);
  json_decref (fixture->environment);
  json_decref (fixture->settings.environment);
  json_decref (fixture->policy);
  json_decref (fixture->states);
  pp_identity_free (fixture->identity);
  state_test_remove (fixture->root);
  g_free (fixture->root);
  g_free (fixture->url);
  g_string_free (fixture->told, TRUE);
  g_string_free (fixture->log, TRUE);
  g_mutex_clear (&fixture->mutex);
}

/* Steps. */

void
end_job (Fixture *fixture)
{
  fake_end (fixture->context.infrastructure, fixture->script->exit_code);
}

void
cancel_run (Fixture *fixture)
{
  add_state (fixture, "CANCELLING", NULL);
  pp_flow_run_cancel (fixture->run);
}

void
delete_run (Fixture *fixture)
{
  g_mutex_lock (&fixture->mutex);
  fixture->is_deleted = TRUE;
  g_mutex_unlock (&fixture->mutex);
}

void
let_pass (Fixture *fixture G_GNUC_UNUSED)
{
  g_assert_true (clock_jump ());
}

/* Repeats this step until a minute has passed, or until nothing waits for a timer. */
void
let_minute_pass (Fixture *fixture)
{
  if (fixture->waits_since == 0)
    fixture->waits_since = g_get_monotonic_time ();
  if (g_get_monotonic_time () - fixture->waits_since < 60 * G_USEC_PER_SEC && clock_jump ())
    fixture->step--;
  else
    fixture->waits_since = 0;
}

void
hear (Fixture *fixture)
{
  json_auto_t *flow_run = run_now (fixture);

  pp_flow_run_end_as_told (fixture->run, flow_run, g_get_monotonic_time ());
}

void
go_on (Fixture *fixture)
{
  fake_go_on (fixture->context.infrastructure);
}

void
ask_to_cancel (Fixture *fixture)
{
  add_state (fixture, "CANCELLING", NULL);
}

void
end_by_hand (Fixture *fixture)
{
  add_state (fixture, "COMPLETED", NULL);
}

void
crash_by_hand (Fixture *fixture)
{
  add_state (fixture, "CRASHED", NULL);
}

void
schedule_again (Fixture *fixture, const char *transition_id, json_t *policy)
{
  add_state (fixture, "SCHEDULED", transition_id);
  fixture->policy = policy;
}

void
retry_by_hand (Fixture *fixture)
{
  schedule_again (fixture, NULL, json_pack ("{s:s}", "retry_type", "reschedule"));
}

void
begin_elsewhere (Fixture *fixture)
{
  add_state (fixture, "SCHEDULED", NULL);
  add_state (fixture, "PENDING", OTHER);
}

void
force_pending (Fixture *fixture)
{
  add_state (fixture, "PENDING", NULL);
}

void
force_pending_with_id (Fixture *fixture)
{
  add_state (fixture, "PENDING", OTHER);
}

void
force_running (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
}

void
complete_inside (Fixture *fixture)
{
  add_state (fixture, "COMPLETED", CLAIM);
}

void
vanish (Fixture *fixture)
{
  fake_vanish (fixture->context.infrastructure);
}

void
refuse_removal (Fixture *fixture)
{
  fixture->fake->fails[FAKE_REMOVE] = 1;
  fixture->fake->code = PP_INFRASTRUCTURE_ERROR_FAILED;
}

void
refuse_removals (Fixture *fixture)
{
  refuse_removal (fixture);
  fixture->fake->fails[FAKE_REMOVE] = 6;
}

void
lose_removals (Fixture *fixture)
{
  fixture->fake->away[FAKE_REMOVE] = 6;
}

void
check_killed (Fixture *fixture)
{
  g_assert_cmpuint (fixture->fake->stop_seconds, ==, 0);
}

/* The loop. */

void
new_run (Fixture *fixture)
{
  json_auto_t *flow_run = run_now (fixture);
  const guint starts_in = fixture->script->starts_in;
  g_autofree char *start
      = pp_timestamp_text (g_get_real_time () + (gint64)starts_in * G_USEC_PER_SEC);

  if (starts_in > 0)
    json_object_set_new (flow_run, "next_scheduled_start_time", json_string (start));
  if (fixture->script->prepare != NULL)
    fixture->script->prepare (fixture);
  gint64 asked_at = g_get_monotonic_time () - (gint64)fixture->script->seen_before * G_USEC_PER_SEC;
  fixture->run = pp_flow_run_new (&fixture->context, flow_run, asked_at, on_notify, fixture);
  pp_flow_run_start (fixture->run);
}

static gboolean
job_runs (const Fixture *fixture)
{
  const PpJob *job = fixture->fake != NULL ? fixture->fake->job : NULL;

  return job != NULL && job->status.is_running && job->status.phase != PP_JOB_READY;
}

static void
next_step (Fixture *fixture)
{
  guint count = G_N_ELEMENTS (fixture->script->steps);
  Step step = fixture->step < count ? fixture->script->steps[fixture->step] : NULL;

  fixture->step++;
  if (step != NULL)
    step (fixture);
  else if (job_runs (fixture) && !fixture->script->keeps_running)
    end_job (fixture);
  else if (fixture->step > MAX_JUMPS || !clock_jump ())
    g_error ("The run does not end. Its states: %s; calls: %s; log:\n%s", fixture->told->str,
             fixture->fake != NULL ? fixture->fake->calls->str : "?", fixture->log->str);
}

static void
on_logs_sent (gpointer user_data)
{
  ((Fixture *)user_data)->logs_sent = TRUE;
}

void
finish_run (Fixture *fixture)
{
  gboolean waits_for_logs = FALSE;

  while (!fixture->logs_sent)
    {
      if (fixture->over && !waits_for_logs)
        pp_log_sender_when (fixture->context.logs, NULL, FALSE, on_logs_sent, fixture);
      waits_for_logs = fixture->over;
      gboolean is_busy = pp_api_pending (fixture->context.api) > 0
                         || pp_journal_pending (fixture->context.journal) > 0;

      if (!g_main_context_iteration (NULL, is_busy) && !is_busy)
        next_step (fixture);
    }
}

static gboolean
has_line (const Fixture *fixture, const char *line)
{
  return strstr (fixture->log->str, line) != NULL;
}

void
check_script (Fixture *fixture)
{
  const Script *script = fixture->script;
  const char *words = pp_json_string (last_state (fixture), "message");

  g_assert_true (fixture->slot_free);
  if (script->states != NULL)
    g_assert_cmpstr (fixture->told->str, ==, script->states);
  if (script->calls != NULL)
    g_assert_cmpstr (fixture->fake->calls->str, ==, script->calls);
  if (script->log != NULL && !has_line (fixture, script->log))
    g_error ("The run's log does not have \"%s\", but:\n%s", script->log, fixture->log->str);
  if (script->absent != NULL && has_line (fixture, script->absent))
    g_error ("The run's log has \"%s\":\n%s", script->absent, fixture->log->str);
  if (script->words != NULL && (words == NULL || strstr (words, script->words) == NULL))
    g_error ("The last state does not say \"%s\", but \"%s\"", script->words, words);
  if (script->check != NULL)
    script->check (fixture);
}

void
run_script (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  new_run (fixture);
  finish_run (fixture);
  check_script (fixture);
}

/* Recovery. */

PpJournalEntry
make_entry (PpJournalPhase phase)
{
  const gboolean started = phase != PP_JOURNAL_CLAIMED;

  return (PpJournalEntry){ .flow_run_id = (char *)RUN,
                           .flow_run_name = (char *)"run",
                           .deployment_id = (char *)DEPLOYMENT,
                           .flow_id = (char *)FLOW,
                           .phase = phase,
                           .claim_transition_id = (char *)CLAIM,
                           .running_transition_id = (char *)RUNNING_ID,
                           .report_type = phase == PP_JOURNAL_REPORTING ? (char *)"FAILED" : NULL,
                           .container_id = started ? (char *)"cafe" : NULL,
                           .container_name = started ? (char *)"run" : NULL,
                           .worker_reported = TRUE,
                           .auto_remove = TRUE,
                           .stop_timeout = 1,
                           .claimed_at = g_get_real_time (),
                           .started_at = started ? g_get_real_time () : 0,
                           .boot_id = (char *)"boot" };
}

PpJob *
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

void
recover_run (Fixture *fixture, const PpJournalEntry *entry, PpJobPhase phase)
{
  if (phase != PP_JOB_ABSENT && fixture->fake->job == NULL)
    fixture->fake->job = make_job (entry, phase, fixture->script->exit_code);
  fixture->run = pp_flow_run_new_from_journal (&fixture->context, entry, on_notify, fixture);
  if (fixture->script->prepare != NULL)
    fixture->script->prepare (fixture);
  if (fixture->is_unlisted)
    pp_flow_run_recover_unlisted (fixture->run);
  else
    pp_flow_run_recover (fixture->run, fixture->fake->job, phase);
}

static const char *folder;
static const Case *cases;
static gsize case_count;

static void
add_cases (void)
{
  for (gsize i = 0; i < case_count; i++)
    {
      g_autofree char *path = g_strconcat (folder, cases[i].name, NULL);
      g_test_add (path, Fixture, &cases[i].script, set_up, run_script, tear_down);
    }
}

int
run_cases (int argc, char **argv, const char *path, const Case *list, gsize count)
{
  folder = path;
  cases = list;
  case_count = count;
  state_test_init ();
  return pp_test_main (argc, argv, add_cases);
}
