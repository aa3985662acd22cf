/* SPDX-License-Identifier: Apache-2.0 */
/* Tests reading the engine's answers about containers. */
#include "infrastructure/containers/container_job-private.h"

#include "prefect-podman/json.h"
#include "tests/unit/tap.h"

#define RUN "11111111-1111-4111-8111-111111111111"
#define CLAIM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define CLAIM_UPPER "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
#define LABELS                                                                                     \
  "\"Labels\": {\"io.prefect-podman.identity\": \"pool.host.01234567.0\","                         \
  " \"io.prefect-podman.claim\": \"" CLAIM                                                         \
  "\", \"io.prefect-podman.state-reporting\": \"worker\","                                         \
  " \"io.prefect.flow-run-id\": \"" RUN "\", \"io.prefect.work-pool-name\": \"pool\"}"

/* Returns the job for the inspect answer TEXT. */
static PpJob *
inspected (const char *text)
{
  json_auto_t *json = json_loads (text, 0, NULL);

  g_assert_nonnull (json);
  return pp_container_job_from_inspect (json);
}

/* Returns the job for a list that has only the entry TEXT. */
static PpJob *
listed (const char *text)
{
  g_autofree char *list = g_strdup_printf ("[%s]", text);
  json_auto_t *json = json_loads (list, 0, NULL);
  g_autoptr (GPtrArray) jobs = pp_container_jobs_from_list (json);

  g_assert_cmpuint (jobs->len, ==, 1);
  return pp_job_ref (g_ptr_array_index (jobs, 0));
}

static void
assert_owner (const PpJob *job)
{
  g_assert_cmpstr (job->ref.id, ==, "c1");
  g_assert_cmpstr (job->ref.name, ==, "box");
  g_assert_cmpstr (job->ref.identity, ==, "pool.host.01234567.0");
  g_assert_cmpstr (job->ref.flow_run_id, ==, RUN);
  g_assert_cmpstr (job->ref.work_pool, ==, "pool");
  g_assert_cmpint (job->ref.reporter, ==, PP_REPORTER_WORKER);
  g_assert_true (pp_job_is_of_claim (job, CLAIM));
  g_assert_true (pp_job_is_of_claim (job, CLAIM_UPPER));
  g_assert_false (pp_job_is_of_claim (job, RUN));
  g_assert_false (pp_job_is_of_claim (job, NULL));
}

/* An inspect answer and the lists of both engines give the same owner. Podman's list has an empty
 * Config, too. */
static void
test_owner (void)
{
  g_autoptr (PpJob) whole
      = inspected ("{\"Id\": \"c1\", \"Name\": \"/box\", \"Config\": {" LABELS "}}");
  g_autoptr (PpJob) docker = listed ("{\"Id\": \"c1\", \"Names\": [\"/box\"], " LABELS "}");
  g_autoptr (PpJob) podman
      = listed ("{\"Id\": \"c1\", \"Names\": [\"box\"], \"Config\": {}, " LABELS "}");

  assert_owner (whole);
  assert_owner (docker);
  assert_owner (podman);
}

/* A container without a valid claim label is one of version 0.1. */
static void
test_no_claim (void)
{
  static const char *const labels[]
      = { "null", "{}", "{\"io.prefect-podman.claim\": \"\"}",
          "{\"io.prefect-podman.claim\": \"x\"}", "{\"io.prefect-podman.claim\": 5}" };

  for (gsize i = 0; i < G_N_ELEMENTS (labels); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"Id\": \"c1\", \"Labels\": %s}", labels[i]);
      g_autoptr (PpJob) job = listed (text);

      g_assert_null (job->ref.claim);
      g_assert_cmpint (job->ref.reporter, ==, PP_REPORTER_UNKNOWN);
    }
}

/* A container that another one links to has more names, and the first may not be its own. */
static void
test_listed_name (void)
{
  static const char *const lists[]
      = { "[\"/mine\"]", "[\"mine\"]", "[\"/other/alias\", \"/mine\", \"/mine2/x\"]" };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"Id\": \"c1\", \"Names\": %s}", lists[i]);
      g_autoptr (PpJob) job = listed (text);

      g_assert_cmpstr (job->ref.name, ==, "mine");
    }
  g_autoptr (PpJob) none = listed ("{\"Id\": \"c1\", \"Names\": [\"/other/alias\"]}");
  g_assert_null (none->ref.name);
}

static void
test_phases (void)
{
  static const struct
  {
    const char *word;
    PpJobPhase phase;
    gboolean alive;
    gboolean started;
  } words[] = {
    { "created", PP_JOB_CREATED, FALSE, FALSE },  { "configured", PP_JOB_CREATED, FALSE, FALSE },
    { "initialized", PP_JOB_READY, TRUE, FALSE }, { "running", PP_JOB_RUNNING, TRUE, TRUE },
    { "paused", PP_JOB_HELD, TRUE, TRUE },        { "stopping", PP_JOB_HELD, TRUE, TRUE },
    { "restarting", PP_JOB_HELD, TRUE, TRUE },    { "exited", PP_JOB_ENDED, FALSE, TRUE },
    { "stopped", PP_JOB_ENDED, FALSE, TRUE },     { "dead", PP_JOB_ENDED, FALSE, TRUE },
    { "removing", PP_JOB_ENDED, FALSE, TRUE },    { "levitating", PP_JOB_UNKNOWN, FALSE, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autofree char *entry
          = g_strdup_printf ("{\"Id\": \"c1\", \"State\": \"%s\"}", words[i].word);
      g_autofree char *whole
          = g_strdup_printf ("{\"Id\": \"c1\", \"State\": {\"Status\": \"%s\"}}", words[i].word);
      g_autoptr (PpJob) of_list = listed (entry);
      g_autoptr (PpJob) of_inspect = inspected (whole);

      g_assert_cmpint (of_list->status.phase, ==, words[i].phase);
      g_assert_cmpint (of_inspect->status.phase, ==, words[i].phase);
      g_assert_cmpint (of_inspect->status.is_running, ==, words[i].alive);
      g_assert_cmpint (pp_job_phase_is_alive (words[i].phase), ==, words[i].alive);
      g_assert_cmpint (pp_job_phase_is_started (words[i].phase), ==, words[i].started);
    }
}

/* A Podman that was killed while it started a container still reports "created" after the container
 * has ended. */
static void
test_never_started (void)
{
  static const struct
  {
    const char *state;
    gboolean never;
  } cases[] = {
    { "\"Status\": \"created\", \"Pid\": 0, \"StartedAt\": \"0001-01-01T00:00:00Z\"", TRUE },
    { "\"Status\": \"initialized\", \"StartedAt\": \"\"", TRUE },
    { "\"Status\": \"configured\"", TRUE },
    { "\"Status\": \"created\", \"Pid\": 7", FALSE },
    { "\"Status\": \"created\", \"StartedAt\": \"2026-11-22T09:00:00.5Z\"", FALSE },
    { "\"Status\": \"exited\", \"StartedAt\": \"0001-01-01T00:00:00Z\"", FALSE },
    { "\"Running\": true", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"Id\": \"c1\", \"State\": {%s}}", cases[i].state);
      g_autoptr (PpJob) job = inspected (text);

      g_test_message ("%s", cases[i].state);
      g_assert_cmpint (job->status.never_started, ==, cases[i].never);
    }
}

static void
test_times (void)
{
  g_autoptr (PpJob) job = inspected (
      "{\"Id\": \"c1\", \"Created\": \"2026-11-22T09:00:00Z\", \"Config\": {\"Tty\": true},"
      " \"State\": {\"Status\": \"exited\", \"ExitCode\": 255, \"StartedAt\": "
      "\"2026-11-22T09:00:01Z\", \"FinishedAt\": \"0001-01-01T00:00:00Z\"}}");
  g_autoptr (PpJob) entry = listed ("{\"Id\": \"c1\", \"Created\": 1700000000}");

  g_assert_cmpint (job->status.started_at - job->status.created_at, ==, G_USEC_PER_SEC);
  g_assert_cmpint (job->status.ended_at, ==, 0);
  g_assert_true (job->status.has_tty);
  g_assert_true (job->status.end_is_guessed);
  g_assert_true (job->status.end.never_ended);
  g_assert_cmpint (entry->status.created_at, ==, 1700000000 * (gint64)G_USEC_PER_SEC);
}

/* Running jobs come first, then the job that was created later, then the one that was started. */
static void
test_better_candidate (void)
{
  g_autoptr (PpJob) running = listed ("{\"Id\": \"a\", \"State\": \"running\", \"Created\": 1}");
  g_autoptr (PpJob) exited = listed ("{\"Id\": \"b\", \"State\": \"exited\", \"Created\": 2}");
  g_autoptr (PpJob) older = listed ("{\"Id\": \"c\", \"State\": \"exited\", \"Created\": 1}");
  g_autoptr (PpJob) created = listed ("{\"Id\": \"d\", \"State\": \"created\", \"Created\": 2}");

  g_assert_true (pp_job_is_better_candidate (running, exited));
  g_assert_false (pp_job_is_better_candidate (exited, running));
  g_assert_true (pp_job_is_better_candidate (exited, older));
  g_assert_true (pp_job_is_better_candidate (exited, created));
  g_assert_false (pp_job_is_better_candidate (created, exited));
}

static void
add_tests (void)
{
  g_test_add_func ("/container-job/owner", test_owner);
  g_test_add_func ("/container-job/no-claim", test_no_claim);
  g_test_add_func ("/container-job/listed-name", test_listed_name);
  g_test_add_func ("/container-job/phases", test_phases);
  g_test_add_func ("/container-job/never-started", test_never_started);
  g_test_add_func ("/container-job/times", test_times);
  g_test_add_func ("/container-job/better-candidate", test_better_candidate);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
