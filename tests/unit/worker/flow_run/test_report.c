/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is reported about a run's end, and who reports it. */
#include "config.h"

#include "flow_run_test.h"

#include "worker/recovery/late_requests-private.h"

#define WELL "create start watch follow inspect remove "
#define PREFECT .variables = PREFECT_JOB

static void
run_prefect (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
  fixture->run_count = 1;
}

static void
fail_inside (Fixture *fixture)
{
  add_state (fixture, "FAILED", OTHER);
}

static void
retry_inside (Fixture *fixture)
{
  schedule_again (fixture, NULL,
                  json_pack ("{s:s, s:i}", "retry_type", "in_process", "retries", 2));
}

/* A poll will pick up the retry. The rest of the run's policy is unchanged. */
static void
check_retry (Fixture *fixture)
{
  g_assert_cmpstr (pp_json_string (fixture->policy, "retry_type"), ==, "reschedule");
  g_assert_cmpint (json_integer_value (json_object_get (fixture->policy, "retries")), ==, 2);
}

static void
check_no_message (Fixture *fixture)
{
  const json_t *last = json_array_get (fixture->states, json_array_size (fixture->states) - 1);

  g_assert_cmpstr (pp_json_string (last, "type"), ==, "FAILED");
  g_assert_null (pp_json_string (last, "message"));
}

static void
check_settled (Fixture *fixture)
{
  g_assert_cmpuint (fixture->context.unsettled, ==, 0);
}

/* The worker reports FAILED. The first answer is ANSWER, which decides nothing. */
#define STRANGE(name, answer)                                                                      \
  {                                                                                                \
    (name),                                                                                        \
    {                                                                                              \
      .answers = { { "FAILED", 0, 1, 0, (answer) } }, .exit_code = 3,                              \
      .states = "PENDING RUNNING FAILED ", .calls = WELL                                           \
    }                                                                                              \
  }

static void
check_removed (Fixture *fixture)
{
  g_assert_null (fixture->fake->job);
}

/* Changes between the last read before the report and the report. */

static PpLateHands
in_nobodys_hands (const char *flow_run_id G_GNUC_UNUSED, const char *transition_id G_GNUC_UNUSED,
                  gpointer user_data G_GNUC_UNUSED)
{
  return PP_LATE_IN_NO_HANDS;
}

static void
take_notes (Fixture *fixture)
{
  PpWorkerContext *context = &fixture->context;
  const PpLateFuncs funcs = { .hands = in_nobodys_hands };

  context->late
      = pp_late_requests_new (context->api, context->states, context->journal, 1, 1, &funcs);
}

/* Reads what the run's note asks for, until the note is settled. Returns the type of the run's
 * state; borrowed. */
static const char *
settle_note (Fixture *fixture)
{
  while (pp_late_requests_count (fixture->context.late) > 0)
    {
      if (pp_api_pending (fixture->context.api) == 0)
        pp_late_requests_look (fixture->context.late);
      g_main_context_iteration (NULL, FALSE);
    }
  size_t last = json_array_size (fixture->states) - 1;

  return pp_json_string (json_array_get (fixture->states, last), "type");
}

static void
check_cancelled (Fixture *fixture)
{
  g_assert_cmpstr (settle_note (fixture), ==, "CANCELLED");
}

static void
check_scheduled (Fixture *fixture)
{
  g_assert_cmpstr (settle_note (fixture), ==, "SCHEDULED");
}

static void
check_completed (Fixture *fixture)
{
  g_assert_cmpstr (settle_note (fixture), ==, "COMPLETED");
}

static void
check_no_note (Fixture *fixture)
{
  g_assert_cmpuint (pp_late_requests_count (fixture->context.late), ==, 0);
}

/* The engine is away when the container is to be removed, and then refuses the removal once. */
#define REMOVED_AFTER_AN_OUTAGE                                                                    \
  .fails = FAKE_REMOVE, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_FAILED,                     \
  .prepare = lose_removals, .absent = "could not be removed", .check = check_removed

static const Case cases[] = {
  /* Prefect inside the container reports. */
  { "prefect-completes",
    { PREFECT, .steps = { run_prefect, complete_inside }, .states = "PENDING PENDING ",
      .calls = WELL } },
  { "prefect-fails-before-it-runs",
    { PREFECT, .exit_code = 1, .steps = { fail_inside }, .states = "PENDING PENDING ",
      .calls = WELL, .log = "exited with status 1; it left no output" } },
  { "prefect-says-nothing",
    { PREFECT, .states = "PENDING PENDING COMPLETED ", .calls = WELL,
      .words = "but Prefect inside it never reported a state" } },
  { "prefect-does-not-say-the-end",
    { PREFECT, .steps = { run_prefect }, .states = "PENDING PENDING CRASHED ", .calls = WELL,
      .words = "never reported the end of the run" } },
  { "prefect-is-killed",
    { PREFECT, .exit_code = 137, .steps = { run_prefect }, .states = "PENDING PENDING CRASHED ",
      .calls = WELL, .words = "non-zero status code 137",
      .log = "Give the run more memory (mem_limit)" } },
  { "prefect-is-killed-before-it-runs",
    { PREFECT, .exit_code = 1, .states = "PENDING PENDING CRASHED ", .calls = WELL,
      .log = "exited with status 1; it left no output" } },
  { "prefect-vanishes",
    { PREFECT, .steps = { run_prefect, vanish }, .states = "PENDING PENDING CRASHED ",
      .words = "somebody removed it while it was watched" } },
  { "prefect-ends-while-cancelled",
    { PREFECT, .steps = { run_prefect, ask_to_cancel }, .states = "PENDING PENDING CANCELLED ",
      .calls = WELL, .words = "ended while the run was being cancelled" } },
  { "prefect-waits-for-a-retry",
    { PREFECT, .steps = { run_prefect, retry_inside }, .states = "PENDING PENDING ", .calls = WELL,
      .check = check_retry } },
  { "prefect-run-is-begun-elsewhere",
    { PREFECT, .exit_code = 1, .steps = { run_prefect, begin_elsewhere },
      .states = "PENDING PENDING ", .calls = WELL } },
  { "prefect-end-is-unanswered",
    { PREFECT, .answers = { { "COMPLETED", 0, 2 } }, .states = "PENDING PENDING COMPLETED ",
      .calls = WELL } },
  /* The worker reports. */
  { "aborted-because-it-has-ended",
    { .answers = { { "COMPLETED", 0, 1, 0,
                     "{\"status\": \"ABORT\", \"state\": {\"type\": \"CRASHED\"}, \"details\": "
                     "{\"reason\": \"Run is already in terminal state CRASHED.\"}}" } },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "rejected-for-a-cancellation",
    { .answers = { { "COMPLETED", 0, 1, 0,
                     "{\"status\": \"REJECT\", \"state\": {\"type\": \"CANCELLING\", \"name\": "
                     "\"Cancelling\"}, \"details\": {}}" } },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = WELL } },
  { "deleted", { .steps = { delete_run }, .states = "PENDING RUNNING ", .calls = WELL } },
  { "unanswered-for-long",
    { .answers = { { "COMPLETED", 0, 6 } },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .check = check_settled } },
  { "unanswered-and-deleted",
    { .answers = { { "FAILED", 0, 1 } },
      .exit_code = 3,
      .steps = { end_job, delete_run },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "unanswered-and-ended-by-hand",
    { .answers = { { "FAILED", 0, 1 } },
      .exit_code = 3,
      .steps = { end_job, end_by_hand },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "unanswered-and-begun-elsewhere",
    { .answers = { { "FAILED", 0, 1 } },
      .exit_code = 3,
      .steps = { end_job, begin_elsewhere },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "unanswered-and-to-be-retried",
    { .answers = { { "FAILED", 0, 1 } },
      .exit_code = 3,
      .steps = { end_job, retry_inside },
      .states = "PENDING RUNNING ",
      .calls = WELL,
      .check = check_retry } },
  { "to-be-retried-from-a-deleted-queue",
    { .answers = { { "FAILED", 0, 1 } },
      .queue_is_gone = TRUE,
      .exit_code = 3,
      .steps = { end_job, retry_inside },
      .states = "PENDING RUNNING ",
      .calls = WELL,
      .check = check_retry,
      .log = "its work queue was deleted on the server, so no worker will pick the run up" } },
  { "to-be-retried-from-its-queue",
    { .answers = { { "FAILED", 0, 1 } },
      .exit_code = 3,
      .steps = { end_job, retry_inside },
      .states = "PENDING RUNNING ",
      .calls = WELL,
      .absent = "work queue was deleted",
      .log = "will be picked up by a poll for its retry" } },
  /* The worker does not read the run between a change by hand and the end of its container. */
  { "retried-by-hand",
    { .steps = { retry_by_hand, end_job }, .states = "PENDING RUNNING ", .calls = WELL } },
  { "retried-by-hand-and-fails",
    { .exit_code = 3,
      .steps = { retry_by_hand, end_job },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "retried-by-force",
    { .steps = { crash_by_hand, retry_by_hand, end_job },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "ended-by-hand",
    { .exit_code = 3,
      .steps = { end_by_hand, end_job },
      .states = "PENDING RUNNING ",
      .calls = WELL } },
  { "begun-elsewhere",
    { .steps = { begin_elsewhere, end_job }, .states = "PENDING RUNNING ", .calls = WELL } },
  { "retried-by-hand-before-its-start-fails",
    { .fails = FAKE_START,
      .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .held = FAKE_CREATE,
      .holds = 1,
      .steps = { retry_by_hand, go_on },
      .states = "PENDING " } },
  { "answer-is-lost",
    { .answers = { { "FAILED", 0, 1, .is_done = TRUE } },
      .exit_code = 3,
      .states = "PENDING RUNNING FAILED ",
      .calls = WELL } },
  /* The server is slow to take the end. Meanwhile the run is changed by hand. */
  { "cancelled-before-a-slow-end",
    { .answers = { { "COMPLETED", 0, 1, .seconds = 1, .before = "CANCELLED" } },
      .prepare = take_notes,
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_cancelled } },
  { "retried-before-a-slow-end",
    { .answers = { { "FAILED", 0, 1, .seconds = 1, .before = "SCHEDULED" } },
      .exit_code = 3,
      .prepare = take_notes,
      .states = "PENDING RUNNING FAILED ",
      .check = check_scheduled } },
  { "cancelled-before-a-slow-end-of-prefect",
    { PREFECT, .answers = { { "CRASHED", 0, 1, .seconds = 1, .before = "CANCELLED" } },
      .exit_code = 1, .steps = { run_prefect }, .prepare = take_notes,
      .states = "PENDING PENDING CRASHED ", .check = check_cancelled } },
  { "nothing-before-a-slow-end",
    { .answers = { { "COMPLETED", 0, 1, .seconds = 1 } },
      .prepare = take_notes,
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_completed } },
  { "end-is-quick",
    { .prepare = take_notes, .states = "PENDING RUNNING COMPLETED ", .check = check_no_note } },
  /* Answers that Prefect does not give: after each, the worker tries again. */
  STRANGE ("accepted-without-a-state", "{\"status\": \"ACCEPT\"}"),
  STRANGE ("accepted-as-running",
           "{\"status\": \"ACCEPT\", \"state\": {\"type\": \"RUNNING\"}, \"details\": {}}"),
  STRANGE ("accepted-as-scheduled",
           "{\"status\": \"ACCEPT\", \"state\": {\"type\": \"SCHEDULED\"}, \"details\": {}}"),
  STRANGE ("accepted-as-completed", "{\"status\": \"ACCEPT\", \"state\": {\"type\": \"COMPLETED\", "
                                    "\"state_details\": {}}, \"details\": {}}"),
  STRANGE ("accepted-for-another",
           "{\"status\": \"ACCEPT\", \"state\": {\"type\": \"FAILED\", \"state_details\": "
           "{\"transition_id\": \"" OTHER "\"}}, \"details\": {}}"),
  STRANGE ("delayed-for-ever",
           "{\"status\": \"WAIT\", \"state\": null, \"details\": {\"delay_seconds\": 1e300}}"),
  STRANGE ("delayed-into-the-past",
           "{\"status\": \"WAIT\", \"state\": null, \"details\": {\"delay_seconds\": -5}}"),
  STRANGE ("rejected-for-an-unknown-state",
           "{\"status\": \"REJECT\", \"state\": {\"type\": \"BOGUS\"}, \"details\": {}}"),
  STRANGE ("rejected-without-a-state", "{\"status\": \"REJECT\", \"details\": {}}"),
  STRANGE ("aborted-without-details", "{\"status\": \"ABORT\"}"),
  STRANGE ("answer-cannot-be-read", TOO_MUCH),
  /* Answers that leave the run as it is. */
  STRANGE ("aborted-without-an-end", ABORTED),
  STRANGE ("aborted-and-still-running",
           "{\"status\": \"ABORT\", \"state\": {\"type\": \"RUNNING\"}, \"details\": {}}"),
  STRANGE ("rejected-and-still-running",
           "{\"status\": \"REJECT\", \"state\": {\"type\": \"RUNNING\"}, \"details\": {}}"),
  STRANGE ("delayed", WAITS),
  { "prefect-end-is-aborted",
    { PREFECT, .answers = { { "COMPLETED", 0, 1, 0, ABORTED } },
      .states = "PENDING PENDING COMPLETED ", .calls = WELL } },
  { "message-cannot-be-stored",
    { .answers = { { "FAILED", 0, 6, 0, ABORTED } },
      .exit_code = 3,
      .states = "PENDING RUNNING FAILED ",
      .calls = WELL,
      .check = check_no_message } },
  { "message-is-invalid",
    { .answers = { { "FAILED", 0, 1, 422, DETAIL ("message") } },
      .exit_code = 3,
      .states = "PENDING RUNNING FAILED ",
      .calls = WELL,
      .check = check_no_message } },
  { "message-is-refused",
    { .answers = { { "FAILED", 0, 7, 500, DETAIL ("no") } },
      .exit_code = 3,
      .states = "PENDING RUNNING FAILED ",
      .calls = WELL,
      .check = check_no_message } },
  /* What is left after the end. */
  { "container-stays",
    { .variables = "{\"image\": \"busybox:1\", \"command\": \"true\", \"image_pull_policy\": "
                   "\"IfNotPresent\"}",
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect " } },
  { "container-is-not-removed",
    { .fails = FAKE_REMOVE,
      .failures = 9,
      .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL "remove remove remove remove remove ",
      .log = "could not be removed" } },
  { "container-is-removed-after-an-outage",
    { REMOVED_AFTER_AN_OUTAGE, .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL "remove remove remove remove remove remove remove " } },
  { "container-of-a-cancelled-run-is-removed-after-an-outage",
    { REMOVED_AFTER_AN_OUTAGE, .keeps_running = TRUE, .steps = { cancel_run },
      .states = "PENDING RUNNING CANCELLED " } },
  { "container-of-a-deleted-run-is-removed-after-an-outage",
    { REMOVED_AFTER_AN_OUTAGE, .steps = { delete_run }, .states = "PENDING RUNNING " } },
  { "container-that-prefect-reports-is-removed-after-an-outage",
    { REMOVED_AFTER_AN_OUTAGE, PREFECT, .steps = { run_prefect, complete_inside },
      .states = "PENDING PENDING " } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/report/", cases, G_N_ELEMENTS (cases));
}
