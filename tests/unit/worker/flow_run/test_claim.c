/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a flow run is, and what is to be run. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "
#define REFUSED(code)                                                                              \
  {                                                                                                \
    "PENDING", 0, 1, code, DETAIL ("no")                                                           \
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

static void
expect_message (const char *pattern)
{
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE, pattern);
}

static void
cancel_by_hand (Fixture *fixture)
{
  add_state (fixture, "CANCELLED", NULL);
  expect_message ("*is left alone: it is Cancelled");
}

static void
run_elsewhere (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
  expect_message ("*is left alone: it is in other hands meanwhile");
}

static void
check_message (Fixture *fixture G_GNUC_UNUSED)
{
  g_test_assert_expected_messages ();
}

static const Case cases[] = {
  { "answer-is-lost",
    { .answers = { { "PENDING", 0, 1, .is_done = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "refused",
    { .answers = { REFUSED (422) },
      .states = "",
      .calls = "",
      .log = "Failed to update state of flow run" } },
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
      .calls = "" } },
  { "deleted",
    { .answers = { { "PENDING", 0, 1 } }, .steps = { delete_run }, .states = "", .calls = "" } },
  { "run-by-another-before",
    { .seen_before = 10,
      .prepare = end_elsewhere,
      .states = "PENDING COMPLETED ",
      .calls = "",
      .log = "not by this worker, in state 'Completed', which is put back" } },
  { "crashed-before-a-late-claim",
    { .answers = { { "PENDING", 0, 1, .seconds = 10, .before = "CRASHED" } },
      .states = "PENDING CRASHED ",
      .calls = "",
      .log = "in state 'Crashed', which is put back" } },
  { "begun-again-after-a-late-claim",
    { .answers = { { "PENDING", 0, 1, .seconds = 10,
                     .behind = "CRASHED SCHEDULED PENDING/" OTHER " RUNNING/" OTHER } },
      .states = "PENDING ",
      .calls = "",
      .log = "another worker has begun it meanwhile" } },
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
