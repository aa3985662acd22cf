/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which worker a flow run belongs to, and which runs are started. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "
#define REFUSED(code)                                                                              \
  {                                                                                                \
    "PENDING", 0, 1, code, DETAIL ("no")                                                           \
  }

/* The server fails once to return the run, and refuses several reads of its states. It answers
 * other calls. */
#define UNREADABLE                                                                                 \
  { "/flow_runs/filter", 0, 1, 500, DETAIL ("no") },                                               \
      { "GET /api/flow_runs/", 0, 1, 500, DETAIL ("no") },                                         \
  {                                                                                                \
    "/flow_run_states/", 0, 8, 403, DETAIL ("no")                                                  \
  }

static void
take_elsewhere (Fixture *fixture)
{
  add_state (fixture, "PENDING", OTHER);
}

static void
end_elsewhere (Fixture *fixture)
{
  add_state (fixture, "COMPLETED", OTHER);
  fixture->run_count = 1;
}

static void
count_once_more (Fixture *fixture)
{
  fixture->run_count = 1;
}

static void
fill_disk (Fixture *fixture)
{
  g_autofree char *path = g_build_filename (pp_identity_path (fixture->identity), "runs", NULL);

  state_test_remove (path);
}

/* The server refused the run's claim a while ago. */
static void
refuse_before (Fixture *fixture)
{
  pp_refused_claims_add (fixture->context.refused, RUN);
}

/* The state in which each run of these tests is polled. */
#define POLLED_STATE "00000000-0000-4000-8000-000000000000"

static void
check_state_is_claimed (Fixture *fixture)
{
  g_assert_true (pp_claimed_states_has (fixture->context.claimed, POLLED_STATE));
}

static void
check_state_is_claimable (Fixture *fixture)
{
  g_assert_false (pp_claimed_states_has (fixture->context.claimed, POLLED_STATE));
}

static void
check_remembered (Fixture *fixture)
{
  check_state_is_claimable (fixture);
  g_assert_true (pp_refused_claims_has (fixture->context.refused, RUN));
}

static void
check_forgotten (Fixture *fixture)
{
  g_assert_false (pp_refused_claims_has (fixture->context.refused, RUN));
}

static void
check_one_silent_attempt (Fixture *fixture)
{
  check_remembered (fixture);
  g_assert_cmpuint (fixture->answered[0], ==, 1);
  g_assert_cmpstr (fixture->log->str, ==, "");
}

/* The slot becomes free before the run ends or continues. */
static void
wait_for_slot (Fixture *fixture)
{
  g_assert_false (fixture->over);
  g_assert_cmpuint (pp_flow_run_state (fixture->run), ==, PP_FLOW_RUN_CLAIMED);
  if (fixture->slot_free)
    return;
  let_pass (fixture);
  fixture->step--;
}

static void
expect_message (const char *pattern)
{
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE, pattern);
}

static void
cancel_by_hand (Fixture *fixture)
{
  add_state (fixture, "CANCELLED", NULL);
  expect_message ("This worker does not take flow run *: it is Cancelled");
}

static void
run_elsewhere (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
  expect_message ("This worker does not take flow run *: another worker has it now");
}

static void
check_message (Fixture *fixture G_GNUC_UNUSED)
{
  g_test_assert_expected_messages ();
}

/* The poll's answer was old. */
static void
complete_before (Fixture *fixture)
{
  add_state (fixture, "COMPLETED", OTHER);
}

#define NO_DEPLOYMENT                                                                              \
  "{\"status\": \"ABORT\", \"state\": null, \"details\": {\"reason\": \"Deployment not found.\"}}"

static const Case cases[] = {
  { "accepted",
    { .states = "PENDING RUNNING COMPLETED ", .calls = WELL, .check = check_state_is_claimed } },
  { "answer-is-lost",
    { .answers = { { "PENDING", 0, 1, .is_done = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .check = check_state_is_claimed } },
  { "refused",
    { .answers = { REFUSED (422) },
      .states = "",
      .calls = "",
      .log = ": no. The worker tries again",
      .check = check_remembered } },
  { "forbidden",
    { .answers = { REFUSED (403) },
      .states = "",
      .calls = "",
      .log = "Failed to update state of flow run",
      .check = check_remembered } },
  { "unreadable-after-a-failure",
    { .answers = { { "PENDING", 0, 1 }, UNREADABLE },
      .steps = { wait_for_slot },
      .states = "",
      .calls = "",
      .absent = "Failed to update",
      .check = check_forgotten } },
  { "unreadable-after-a-lost-answer",
    { .answers = { { "PENDING", 0, 1, .is_done = TRUE }, UNREADABLE },
      .steps = { wait_for_slot },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "aborted",
    { .answers = { { "PENDING", 0, 1, 0, ABORTED } },
      .states = "",
      .calls = "",
      .log = "Server sent an abort signal: no",
      .check = check_remembered } },
  { "rejected",
    { .answers = { { "PENDING", 0, 1, 0, REJECTED } },
      .states = "",
      .calls = "",
      .log = "Server returned a non-pending state",
      .check = check_forgotten } },
  { "fails-at-this-run",
    { .answers = { { "PENDING", 0, 4, 500, DETAIL ("no") } },
      .states = "",
      .calls = "",
      .log = ": no. The worker tries again",
      .check = check_remembered } },
  { "fails-for-a-moment",
    { .answers = { { "PENDING", 0, 3, 500, DETAIL ("no") } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .absent = "Failed to update",
      .check = check_forgotten } },
  { "busy-for-a-while",
    { .answers = { { "PENDING", 0, 7 } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .absent = "Failed to update",
      .check = check_state_is_claimed } },
  { "busy-at-this-run",
    { .answers = { { "PENDING", 0, 8 } },
      .states = "",
      .calls = "",
      .log = "Failed to update state of flow run",
      .check = check_remembered } },
  { "fails-again",
    { .answers = { { "PENDING", 0, 1, 500, DETAIL ("no") } },
      .prepare = refuse_before,
      .states = "",
      .calls = "",
      .check = check_one_silent_attempt } },
  { "refused-again",
    { .answers = { REFUSED (422) },
      .prepare = refuse_before,
      .states = "",
      .calls = "",
      .check = check_one_silent_attempt } },
  { "aborted-again",
    { .answers = { { "PENDING", 0, 1, 0, ABORTED } },
      .prepare = refuse_before,
      .states = "",
      .calls = "",
      .check = check_one_silent_attempt } },
  { "accepted-at-last",
    { .prepare = refuse_before,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .log = "submitting flow run",
      .check = check_forgotten } },
  { "cancelled-meanwhile",
    { .answers = { { "PENDING", 0, 1, 500, DETAIL ("no") } },
      .steps = { cancel_by_hand },
      .states = "",
      .calls = "",
      .check = check_message } },
  { "running-meanwhile",
    { .answers = { { "PENDING", 0, 1, 500, DETAIL ("no") } },
      .steps = { run_elsewhere },
      .states = "",
      .calls = "",
      .check = check_message } },
  { "taken-by-another",
    { .answers = { { "PENDING", 0, 1 } },
      .steps = { take_elsewhere },
      .states = "",
      .calls = "",
      .check = check_state_is_claimable } },
  { "deleted",
    { .answers = { { "PENDING", 0, 1 } }, .steps = { delete_run }, .states = "", .calls = "" } },
  { "run-by-another-before",
    { .seen_before = 10,
      .prepare = end_elsewhere,
      .states = "PENDING COMPLETED ",
      .calls = "",
      .log = "somebody else has ended it, in state 'Completed'. The worker restores that state" } },
  { "crashed-before-a-late-claim",
    { .answers = { { "PENDING", 0, 1, .seconds = 10, .before = "CRASHED" } },
      .states = "PENDING CRASHED ",
      .calls = "",
      .log = "somebody else has ended it, in state 'Crashed'. The worker restores that state" } },
  { "begun-again-after-a-late-claim",
    { .answers = { { "PENDING", 0, 1, .seconds = 10,
                     .behind = "CRASHED SCHEDULED PENDING/" OTHER " RUNNING/" OTHER } },
      .states = "PENDING ",
      .calls = "",
      .log = "it was scheduled again meanwhile" } },
  /* PENDING has an early time, but was stored after the others (seen with a busy server). */
  { "run-by-another-before-a-claim-with-an-early-time",
    { .answers = { { "PENDING", 0, 1, .seconds = 10,
                     .behind = "PENDING/" OTHER " RUNNING COMPLETED", .is_on_top = TRUE } },
      .states = "PENDING COMPLETED ",
      .calls = "",
      .log = "somebody else has ended it, in state 'Completed'. The worker restores that state" } },
  { "scheduled-before-a-claim-with-an-early-time",
    { .answers = { { "PENDING", 0, 1, .seconds = 10, .behind = "SCHEDULED", .is_on_top = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "late-claim-and-nothing-else",
    { .answers = { { "PENDING", 0, 1, .seconds = 10 } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "not-run-before",
    { .seen_before = 10,
      .prepare = count_once_more,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "seen-long-ago", { .seen_before = 10, .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "deployment-is-gone",
    { .answers = { { "GET /api/deployments/", 0, 9, 404, DETAIL ("Deployment not found") } },
      .states = "PENDING CANCELLED ",
      .calls = "",
      .words = "no longer exists" } },
  { "deployment-is-gone-at-its-retry",
    { .answers = { { "PENDING", 0, 9, 0, NO_DEPLOYMENT },
                   { "GET /api/deployments/", 0, 9, 404, DETAIL ("Deployment not found") } },
      .states = "CANCELLED ",
      .calls = "",
      .words = "no longer exists" } },
  { "deployment-is-gone-and-run-is-over",
    { .prepare = complete_before,
      .answers = { { "PENDING", 0, 9, 0, NO_DEPLOYMENT },
                   { "GET /api/deployments/", 0, 9, 404, DETAIL ("Deployment not found") } },
      .states = "",
      .calls = "" } },
  { "deployment-is-back",
    { .answers = { { "PENDING", 0, 9, 0, NO_DEPLOYMENT } },
      .states = "",
      .calls = "",
      .log = "Server sent an abort signal: Deployment not found." } },
  { "deployment-cannot-be-read",
    { .answers = { { "PENDING", 0, 9, 0, NO_DEPLOYMENT },
                   { "GET /api/deployments/", 0, 99, 403, DETAIL ("no") } },
      .states = "",
      .calls = "",
      .log = "Server sent an abort signal: Deployment not found." } },
  { "wrong-job-variable",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"Sometimes\"}",
      .states = "PENDING CRASHED ",
      .calls = "",
      .words = "image_pull_policy" } },
  { "submitting-is-refused",
    { .variables = PREFECT_JOB,
      .answers = { { "PENDING", 1, 9, 422, DETAIL ("no") } },
      .states = "PENDING COMPLETED ",
      .calls = WELL } },
  { "journal-is-gone", { .prepare = fill_disk, .states = "", .calls = "" } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/claim/", cases, G_N_ELEMENTS (cases));
}
