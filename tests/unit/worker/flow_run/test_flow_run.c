/* SPDX-License-Identifier: Apache-2.0 */
/* Tests one flow run from its claim to its end. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "
#define FAILS(call, times, error)                                                                  \
  .fails = (call), .failures = (times), .code = PP_INFRASTRUCTURE_ERROR_##error

/* The worker tries 30 names in all, without pauses. */
static void
check_names (Fixture *fixture)
{
  g_assert_cmpuint (fake_count (fixture->context.infrastructure, FAKE_CREATE), ==, 30);
}

static const Case cases[] = {
  { "completed", { .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "failed", { .exit_code = 3, .states = "PENDING RUNNING FAILED ", .calls = WELL } },
  { "killed", { .exit_code = 137, .states = "PENDING RUNNING CRASHED ", .calls = WELL } },
  /* The server's answer to the claim. */
  { "claim-rejected",
    { .answers = { { "PENDING", 0, 1, 0, REJECTED } }, .states = "", .calls = "" } },
  { "claim-aborted",
    { .answers = { { "PENDING", 0, 1, 0, ABORTED } }, .states = "", .calls = "" } },
  { "claim-waits",
    { .answers = { { "PENDING", 0, 2, 0, WAITS } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "claim-fails",
    { .answers = { { "PENDING", 0, 2 } }, .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "claim-accepted-without-a-state",
    { .answers = { { "PENDING", 0, 2, 0, "{\"status\": \"ACCEPT\"}" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "claim-rejected-for-an-unknown-state",
    { .answers
      = { { "PENDING", 0, 1, 0,
            "{\"status\": \"REJECT\", \"state\": {\"type\": \"BOGUS\"}, \"details\": {}}" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "claim-answer-cannot-be-read",
    { .answers = { { "PENDING", 0, 2, 0, TOO_MUCH } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "claim-answer-cannot-be-read-and-is-done",
    { .answers = { { "PENDING", 0, 1, 0, TOO_MUCH, .is_done = TRUE } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  /* The reads that describe the container. */
  { "deployment-cannot-be-read-for-a-while",
    { .answers = { { "GET /api/deployments/", 0, 3, 0, TOO_MUCH } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "flow-cannot-be-read-for-a-while",
    { .answers = { { "GET /api/flows/", 0, 3, 0, TOO_MUCH } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "deployment-cannot-be-read",
    { .answers = { { "GET /api/deployments/", 0, 99, 0, TOO_MUCH } },
      .states = "PENDING CRASHED ",
      .calls = "",
      .words = "the answer is nested deeper than 2048 levels" } },
  /* The server's answer to Running. */
  { "running-aborted-because-it-is-over",
    { .answers
      = { { "RUNNING", 0, 1, 0,
            "{\"status\": \"ABORT\", \"state\": {\"type\": \"CRASHED\"}, \"details\": {}}" } },
      .states = "PENDING ",
      .calls = "create remove " } },
  { "running-cannot-be-stored",
    { .answers = { { "RUNNING", 0, 2, 0, ABORTED } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "running-answer-cannot-be-read",
    { .answers = { { "RUNNING", 0, 2, 0, TOO_MUCH } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "running-accepted-as-pending",
    { .answers
      = { { "RUNNING", 0, 2, 0,
            "{\"status\": \"ACCEPT\", \"state\": {\"type\": \"PENDING\"}, \"details\": {}}" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "running-aborted-without-details",
    { .answers = { { "RUNNING", 0, 1, 0, "{\"status\": \"ABORT\"}" } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "running-rejected",
    { .answers = { { "RUNNING", 0, 1, 0, REJECTED } },
      .states = "PENDING ",
      .calls = "create remove " } },
  { "running-waits",
    { .answers = { { "RUNNING", 0, 1, 0, WAITS } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  /* The server's answer to the end. */
  { "end-fails",
    { .answers = { { "COMPLETED", 0, 2 } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "end-rejected",
    { .answers = { { "COMPLETED", 0, 1, 0, REJECTED } },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  /* Answers of the engine. */
  { "pulled",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"Always\"}",
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "pull " WELL } },
  { "create-refused",
    { FAILS (FAKE_CREATE, 9, FAILED), .states = "PENDING CRASHED ", .calls = "create " } },
  { "start-refused",
    { FAILS (FAKE_START, 9, FAILED), .states = "PENDING RUNNING CRASHED ",
      .calls = "create start remove " } },
  /* Lost answers of the engine. */
  { "create-unanswered",
    { FAILS (FAKE_CREATE, 1, UNAVAILABLE), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create " WELL } },
  { "start-unanswered",
    { FAILS (FAKE_START, 1, UNAVAILABLE), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start inspect remove " WELL } },
  { "follow-breaks",
    { FAILS (FAKE_FOLLOW, 1, UNAVAILABLE), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect follow inspect remove " } },
  { "follow-refused",
    { FAILS (FAKE_FOLLOW, 1, FAILED), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect follow inspect remove " } },
  { "inspect-unanswered",
    { FAILS (FAKE_INSPECT, 1, UNAVAILABLE), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect inspect remove " } },
  { "network-missing",
    { FAILS (FAKE_CREATE, 9, NOT_FOUND), .states = "PENDING CRASHED ",
      .calls = "create check_image " } },
  { "all-names-in-use",
    { FAILS (FAKE_CREATE, 100, NAME_IN_USE), .states = "PENDING CRASHED ", .check = check_names } },
  { "name-in-use",
    { FAILS (FAKE_CREATE, 1, NAME_IN_USE), .states = "PENDING RUNNING COMPLETED ",
      .calls = "create inspect " WELL } },
  /* What the run's user does. */
  { "cancelled-while-it-is-pulled",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"Always\"}",
      .held = FAKE_PULL,
      .holds = 1,
      .steps = { cancel_run },
      .states = "PENDING CANCELLED ",
      .calls = "pull " } },
  { "cancelled-while-it-is-created",
    { .held = FAKE_CREATE,
      .holds = 1,
      .steps = { cancel_run, go_on },
      .states = "PENDING CANCELLED ",
      .calls = "create remove " } },
  { "cancelled-while-it-runs",
    { .steps = { cancel_run },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start watch follow stop inspect remove " } },
  { "remove-fails-once",
    { FAILS (FAKE_REMOVE, 1, UNAVAILABLE), .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL "remove " } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/flow-run/", cases, G_N_ELEMENTS (cases));
}
