/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a container's start: at its time, after the server has accepted RUNNING, and once. */
#include "config.h"

#include "flow_run_test.h"

#include "prefect-podman/template/mask.h"
#include "prefect-podman/template/secrets.h"

#define FOLLOWED "watch follow inspect remove "
#define WELL "create start " FOLLOWED
#define UNANSWERED .fails = FAKE_START, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE

static void
lose_removal (Fixture *fixture)
{
  fixture->fake->fails[FAKE_REMOVE] = 1;
}

static void
lose_start (Fixture *fixture)
{
  fixture->fake->away[FAKE_START] = 1;
}

/* Somebody has removed the image, or it is for another platform. */
static void
lose_image (Fixture *fixture)
{
  fixture->fake->fails[FAKE_CHECK_IMAGE] = 1;
}

static void
make_ready (Fixture *fixture)
{
  fixture->fake->job->status.phase = PP_JOB_READY;
  fixture->fake->job->status.never_started = FALSE;
}

static void
start_late (Fixture *fixture)
{
  PpJobStatus *status = &fixture->fake->job->status;

  status->phase = PP_JOB_RUNNING;
  status->is_running = TRUE;
  status->never_started = FALSE;
}

static void
fail_by_hand (Fixture *fixture)
{
  add_state (fixture, "FAILED", NULL);
}

static void
cancel_by_hand (Fixture *fixture)
{
  add_state (fixture, "CANCELLED", NULL);
}

static void
check_time (Fixture *fixture)
{
  (void)fixture;
  g_assert_cmpint (clock_skipped (), >, 50 * G_USEC_PER_SEC);
}

static PpSecrets *secrets;

static void
keep_secret (Fixture *fixture)
{
  secrets = pp_secrets_new ();
  pp_secrets_add (secrets, "topsecret", PP_SECRETS_MIN_BYTES);
  fixture->context.secrets = secrets;
}

/* The journal's entry, which the next worker reads, has both names. */
static void
check_entry (Fixture *fixture)
{
  g_autofree char *path = state_test_path (fixture->identity, "runs", RUN ".json");
  json_auto_t *entry = json_load_file (path, 0, NULL);

  g_assert_cmpstr (pp_flow_run_shown_name (fixture->run), ==, "box-********");
  g_assert_cmpstr (pp_json_string (entry, "container_name"), ==, "box-topsecret");
  g_assert_cmpstr (pp_json_string (entry, "shown_name"), ==, "box-********");
}

/* A secret of a block whose characters are replaced in a container's name. */
#define BLOCK_SECRET "S3cr3t_Value!x.Y"
#define CHANGED_SECRET "S3cr3t_Value-x.Y"
#define A_LONG_WORD                                                                                \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"       \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"       \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAMED(text)                                                                                \
  .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"name\": \"" text "\"}"
#define BLOCK                                                                                      \
  {                                                                                                \
    "GET /api/block_types/slug/secret/block_documents", 0, 9, 200,                                 \
        "{\"id\": \"b\", \"block_type\": {\"slug\": \"secret\"}, \"data\": {\"value\": "           \
        "\"" BLOCK_SECRET "\"}}",                                                                  \
        FALSE                                                                                      \
  }
#define SECRET_NAME "{{ prefect.blocks.secret.s }}"

static char *
entry_text (Fixture *fixture, const char *key)
{
  g_autofree char *path = state_test_path (fixture->identity, "runs", RUN ".json");
  json_auto_t *entry = json_load_file (path, 0, NULL);

  return g_strdup (pp_json_string (entry, key));
}

/* Only the journal has the container's real name. */
static void
check_names (Fixture *fixture, const char *name, const char *shown)
{
  g_autofree char *real = entry_text (fixture, "container_name");
  g_autofree char *journal = entry_text (fixture, "shown_name");

  g_assert_cmpstr (real, ==, name);
  g_assert_cmpstr (journal, ==, shown);
  g_assert_cmpstr (pp_flow_run_shown_name (fixture->run), ==, shown);
}

static void
check_changed (Fixture *fixture)
{
  check_names (fixture, "Box-" CHANGED_SECRET "-1", "Box-" PP_MASKED "-1");
}

static void
check_alone (Fixture *fixture)
{
  check_names (fixture, CHANGED_SECRET, PP_MASKED);
}

static void
check_cut (Fixture *fixture)
{
  check_names (fixture, A_LONG_WORD "-S3cr3t_V", A_LONG_WORD "-" PP_MASKED);
}

static void
free_secrets (Fixture *fixture)
{
  fixture->context.secrets = NULL;
  g_clear_pointer (&secrets, pp_secrets_free);
}

/* STEP sets the run's state by hand while the container is created. NAME: the worker reports the
 * run. NAME-engine: Prefect inside the container would report it. */
#define NOT_STARTED(step, submitting)                                                              \
  .held = FAKE_CREATE, .holds = 1, .steps = { step, go_on }, .states = "PENDING " submitting,      \
  .calls = "create remove ", .log = "is not started: the server says it is"
#define SET_BY_HAND(name, step)                                                                    \
  { name, { NOT_STARTED (step, "") } },                                                            \
  {                                                                                                \
    name "-engine", { .variables = PREFECT_JOB, NOT_STARTED (step, "PENDING ") }                   \
  }
/* STEP forces the run's state while the container is created. No poll returns the run then. */
#define STARTED(step)                                                                              \
  .held = FAKE_CREATE, .holds = 1, .steps = { step, go_on }, .calls = WELL,                        \
  .absent = "is not started"
#define FORCED(name, step)                                                                         \
  { name, { STARTED (step), .states = "PENDING RUNNING COMPLETED " } },                            \
  {                                                                                                \
    name "-engine", { .variables = PREFECT_JOB, STARTED (step) }                                   \
  }

static const Case cases[] = {
  FORCED ("forced-to-pending", force_pending),
  FORCED ("forced-to-pending-with-an-id", force_pending_with_id),
  FORCED ("forced-to-running", force_running),
  { "begun-elsewhere",
    { .held = FAKE_CREATE,
      .holds = 1,
      .steps = { begin_elsewhere, go_on },
      .states = "PENDING ",
      .calls = "create remove ",
      .log = "is not started: the server says another worker has claimed it" } },
  /* The run is ended by hand soon after the claim. */
  SET_BY_HAND ("completed-by-hand", end_by_hand),
  SET_BY_HAND ("failed-by-hand", fail_by_hand),
  SET_BY_HAND ("crashed-by-hand", crash_by_hand),
  SET_BY_HAND ("cancelled-by-hand", cancel_by_hand),
  { "name-with-a-secret",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", "
                   "\"name\": \"box-topsecret\"}",
      .prepare = keep_secret,
      .steps = { check_entry },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .check = free_secrets } },
  { "name-with-a-changed-secret",
    { NAMED ("Box! " SECRET_NAME), .answers = { BLOCK }, .fails = FAKE_CREATE, .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_NAME_IN_USE, .steps = { check_changed },
      .states = "PENDING RUNNING COMPLETED ", .log = "Container name 'Box-" PP_MASKED "' is in use",
      .absent = CHANGED_SECRET } },
  { "name-that-is-a-secret",
    { NAMED (SECRET_NAME), .answers = { BLOCK }, .steps = { check_alone },
      .states = "PENDING RUNNING COMPLETED ", .absent = CHANGED_SECRET } },
  { "name-with-a-secret-that-is-cut",
    { NAMED (A_LONG_WORD "-" SECRET_NAME), .answers = { BLOCK }, .steps = { check_cut },
      .states = "PENDING RUNNING COMPLETED ", .absent = "S3cr3t" } },
  { "at-its-time",
    { .starts_in = 60,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .check = check_time } },
  /* The server needs longer for RUNNING than the worker waits for an answer. */
  { "running-is-never-answered",
    { .answers = { { "RUNNING", 0, 100, 503, NULL, TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "running-is-not-set",
    { .answers = { { "RUNNING", 0, 3, 503, NULL, FALSE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .log = "is not started yet, because the server has not set it to Running" } },
  /* What happens to the run while RUNNING is on its way. */
  { "crashed-before-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .before = "CRASHED" } },
      .states = "PENDING RUNNING CRASHED ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Crashed'. The worker restores that state" } },
  { "completed-before-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .before = "COMPLETED" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Completed'. The worker restores that state" } },
  { "begun-again-before-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3,
                     .before = "CRASHED SCHEDULED PENDING/" OTHER " RUNNING/" OTHER } },
      .states = "PENDING RUNNING ",
      .calls = "create remove ",
      .log = "it was scheduled again meanwhile" } },
  { "begun-again-after-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3,
                     .behind = "SCHEDULED PENDING/" OTHER " RUNNING/" OTHER } },
      .states = "PENDING RUNNING ",
      .calls = "create remove ",
      .log = "it was scheduled again meanwhile" } },
  { "ended-elsewhere-after-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3,
                     .behind = "CRASHED SCHEDULED PENDING/" OTHER " COMPLETED/" OTHER } },
      .states = "PENDING RUNNING ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Completed'" } },
  { "scheduled-after-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .behind = "CRASHED SCHEDULED" } },
      .states = "PENDING RUNNING ",
      .calls = "create remove ",
      .log = "it was scheduled again meanwhile" } },
  { "crashed-before-a-running-without-an-answer",
    { .answers = { { "RUNNING", 0, 1, .is_done = TRUE, .before = "CRASHED" } },
      .states = "PENDING RUNNING CRASHED ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Crashed'. The worker restores that state" } },
  /* A late request of an earlier attempt was undone. */
  { "failed-and-restored-before-a-late-running",
    { .answers
      = { { "RUNNING", 0, 1, .seconds = 3, .before = "FAILED/" OTHER " PENDING/" RESTORED } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "crashed-before-a-late-submitting",
    { .variables = PREFECT_JOB,
      .answers = { { "PENDING", 1, 1, .seconds = 3, .before = "CRASHED" } },
      .states = "PENDING PENDING CRASHED ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Crashed'. The worker restores that state" } },
  { "cancelled-while-a-late-running-has-no-states",
    { .answers
      = { { "RUNNING", 0, 1, .seconds = 3 }, { "GET /api/flow_run_states/", 0, 9, 200, "[]" } },
      .steps = { cancel_run, let_minute_pass },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create remove " } },
  /* RUNNING has an early time, but was stored after the others. */
  { "completed-before-a-running-with-an-early-time",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .behind = "COMPLETED", .is_on_top = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create remove ",
      .log = "somebody else has ended it, in state 'Completed'. The worker restores that state" } },
  { "scheduled-before-a-running-with-an-early-time",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .behind = "SCHEDULED", .is_on_top = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "scheduled-before-a-late-running",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3, .before = "SCHEDULED" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "late-running-and-nothing-else",
    { .answers = { { "RUNNING", 0, 1, .seconds = 3 } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "removal-is-unanswered",
    { UNANSWERED, .prepare = lose_removal, .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect remove remove " WELL } },
  { "removal-is-refused",
    { UNANSWERED, .steps = { refuse_removal }, .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect remove inspect remove " WELL } },
  { "removal-is-always-refused",
    { UNANSWERED, .steps = { refuse_removals }, .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect remove inspect remove inspect remove inspect remove inspect "
               "remove inspect remove " WELL } },
  { "image-is-gone-when-it-is-made-anew",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", "
                   "\"container_create_kwargs\": {\"platform\": \"linux/arm64\"}}",
      .fails = FAKE_CHECK_IMAGE,
      .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_INVALID,
      .prepare = lose_start,
      .steps = { lose_image },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "check_image pull check_image create start inspect remove "
               "check_image pull check_image " WELL } },
  { "removed-before",
    { .held = FAKE_START,
      .holds = 1,
      .steps = { vanish, go_on },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect remove " WELL,
      .log = "was removed before its start. The worker creates it again" } },
  { "not-found-though-there",
    { .fails = FAKE_START,
      .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_NOT_FOUND,
      .states = "PENDING RUNNING CRASHED ",
      .calls = "create start inspect remove " } },
  { "unanswered-and-ready",
    { UNANSWERED, .steps = { make_ready }, .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect start " FOLLOWED } },
  { "last-try-unanswered-and-ready",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", "
                   "\"infrastructure_retries\": 0}",
      UNANSWERED,
      .steps = { make_ready },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect start " FOLLOWED } },
  { "last-try-unanswered",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", "
                   "\"infrastructure_retries\": 0}",
      UNANSWERED,
      .states = "PENDING RUNNING CRASHED ",
      .calls = "create start inspect remove remove " } },
  { "unanswered-and-started",
    { UNANSWERED, .steps = { start_late }, .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect " FOLLOWED } },
  { "unanswered-and-vanished",
    { UNANSWERED, .steps = { vanish }, .states = "PENDING RUNNING CRASHED ",
      .calls = "create start inspect remove " } },
  { "cancelled-while-it-is-started",
    { .held = FAKE_START,
      .holds = 1,
      .steps = { cancel_run, go_on },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start watch follow stop inspect remove " } },
  { "cancelled-after-it-is-unanswered",
    { UNANSWERED, .steps = { cancel_run }, .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start inspect remove remove " } },
  { "running-is-unanswered",
    { .answers = { { "RUNNING", 0, 2 } }, .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "running-is-refused",
    { .answers = { { "RUNNING", 0, 1, 422, DETAIL ("no") } },
      .states = "PENDING CRASHED ",
      .calls = "create remove ",
      .log = "could not be set to Running and is not started" } },
  { "deleted",
    { .answers = { { "RUNNING", 0, 1 } },
      .steps = { delete_run },
      .states = "PENDING ",
      .calls = "create remove " } },
  { "ended-by-hand",
    { .answers = { { "RUNNING", 0, 1 } },
      .steps = { end_by_hand },
      .states = "PENDING ",
      .calls = "create remove ",
      .log = "is not started: the server says it is Completed" } },
  { "cancelling",
    { .answers = { { "RUNNING", 0, 1 } },
      .steps = { ask_to_cancel },
      .states = "PENDING CANCELLED ",
      .calls = "create remove ",
      .words = "cancelled by the worker before it was started" } },
  { "pid-is-refused",
    { .answers = { { "PATCH ", 0, 9, 422, DETAIL ("no") } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .log = "infrastructure_pid of flow run" } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/start/", cases, G_N_ELEMENTS (cases));
}
