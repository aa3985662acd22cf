/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what the worker does when a running run was ended, deleted, or begun again elsewhere. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "
#define STOPPED "create start watch follow stop inspect remove "

static void
look (Fixture *fixture)
{
  pp_flow_run_look (fixture->run);
}

/* The next read is sent at once, and does not wait for other reads to join its list. */
static void
let_time_pass (Fixture *fixture G_GNUC_UNUSED)
{
  clock_add (2 * G_USEC_PER_SEC);
}

static void
run_elsewhere (Fixture *fixture)
{
  begin_elsewhere (fixture);
  add_state (fixture, "RUNNING", CLAIM);
}

static void
run_inside (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
}

static void
retry_inside (Fixture *fixture)
{
  schedule_again (fixture, NULL, json_pack ("{s:s}", "retry_type", "in_process"));
}

/* Prefect inside waits for its retry. A late request had overwritten that state, and a worker has
 * restored it. */
static void
restore_retry_inside (Fixture *fixture)
{
  schedule_again (fixture, RESTORED, json_pack ("{s:s}", "retry_type", "in_process"));
}

/* An old server does not store how a run is retried. */
static void
begin_again_at_old_server (Fixture *fixture)
{
  schedule_again (fixture, NULL, json_pack ("{s:n}", "retries"));
}

/* Somebody resumes the run after Prefect inside has suspended it. */
static void
resume_outside (Fixture *fixture)
{
  schedule_again (fixture, NULL, json_pack ("{s:n, s:b}", "retry_type", "resuming", TRUE));
}

/* A client of Prefect, inside the container or not, schedules the run. */
static void
schedule_by_client (Fixture *fixture)
{
  schedule_again (fixture, OTHER, json_pack ("{s:n}", "retry_type"));
}

/* The answer was on its way while the run was claimed again. */
static void
hear_of_attempt_before (Fixture *fixture)
{
  json_auto_t *flow_run
      = json_pack ("{s:{s:s, s:s}, s:{s:s}}", "state", "type", "SCHEDULED", "name", "AwaitingRetry",
                   "empirical_policy", "retry_type", "reschedule");

  pp_flow_run_end_as_told (fixture->run, flow_run, g_get_monotonic_time () - 60 * G_USEC_PER_SEC);
}

/* The server renames the state if no poll takes the run in time. */
static void
rename_to_late (Fixture *fixture)
{
  add_state (fixture, "SCHEDULED", NULL);
  g_mutex_lock (&fixture->mutex);
  json_object_set_new (json_array_get (fixture->states, json_array_size (fixture->states) - 1),
                       "name", json_string ("Late"));
  g_mutex_unlock (&fixture->mutex);
}

/* As `prefect flow-run retry` does. */
static void
retry_by_client (Fixture *fixture)
{
  schedule_again (fixture, OTHER, json_pack ("{s:s}", "retry_type", "in_process"));
}

static void
let_grace_pass (Fixture *fixture G_GNUC_UNUSED)
{
  clock_add (31 * G_USEC_PER_SEC);
}

/* Prefect inside the other container sets this state at an old server. */
static void
run_inside_other (Fixture *fixture)
{
  add_state (fixture, "RUNNING", NULL);
}

static void
check_stopped_kindly (Fixture *fixture)
{
  g_assert_cmpuint (fixture->fake->stop_seconds, ==, 30);
}

/* Polls must not skip the run. */
static void
check_rescheduled (Fixture *fixture)
{
  g_assert_cmpstr (pp_json_string (fixture->policy, "retry_type"), ==, "reschedule");
}

static void
check_names (Fixture *fixture)
{
  const PpFlowRun *run = fixture->run;

  g_assert_cmpstr (pp_flow_run_id (run), ==, RUN);
  g_assert_cmpstr (pp_flow_run_name (run), ==, "run");
  g_assert_cmpstr (pp_flow_run_container_id (run), ==, "cafe");
  g_assert_nonnull (pp_flow_run_shown_name (run));
  g_assert_cmpint (pp_flow_run_state (run), ==, PP_FLOW_RUN_STARTED);
  g_assert_cmpstr (pp_flow_run_phase_word (run), ==, "RUNNING");
  g_assert_true (pp_flow_run_may_be_ended (run));
}

static const Case cases[] = {
  { "nothing",
    { .steps = { check_names, look, hear },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL } },
  { "deleted",
    { .keeps_running = TRUE,
      .steps = { delete_run, look },
      .states = "PENDING RUNNING ",
      .calls = STOPPED } },
  { "begun-elsewhere",
    { .keeps_running = TRUE,
      .steps = { begin_elsewhere, look },
      .states = "PENDING RUNNING ",
      .calls = STOPPED } },
  { "running-elsewhere",
    { .keeps_running = TRUE,
      .steps = { run_elsewhere, look },
      .states = "PENDING RUNNING ",
      .calls = STOPPED } },
  { "running-elsewhere-after-inside",
    { .keeps_running = TRUE,
      .steps = { run_inside, look, look, run_elsewhere, look },
      .states = "PENDING RUNNING ",
      .calls = STOPPED } },
  { "running-elsewhere-after-an-unread-look",
    { .keeps_running = TRUE,
      .answers = { { "/flow_run_states/", 0, 1, 422, DETAIL ("no") } },
      .steps = { let_time_pass, run_elsewhere, look, look },
      .states = "PENDING RUNNING ",
      .calls = STOPPED } },
  { "running-inside",
    { .steps = { run_inside, look }, .states = "PENDING RUNNING COMPLETED ", .calls = WELL } },
  { "cancelling",
    { .keeps_running = TRUE,
      .steps = { ask_to_cancel, hear },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = STOPPED,
      .words = "its container was stopped" } },
  { "ended-by-hand",
    { .keeps_running = TRUE,
      .steps = { end_by_hand, hear },
      .states = "PENDING RUNNING ",
      .calls = STOPPED,
      .log = "was ended on the server, not by this worker" } },
  { "ended-inside",
    { .steps = { run_inside, complete_inside, hear, hear },
      .calls = WELL,
      .absent = "on the server, not by this worker" } },
  { "ended-by-another",
    { .keeps_running = TRUE,
      .steps = { complete_inside, hear },
      .states = "PENDING RUNNING ",
      .calls = STOPPED,
      .log = "was ended on the server, not by this worker" } },
  { "to-be-begun-again",
    { .keeps_running = TRUE,
      .steps = { retry_by_hand, hear },
      .states = "PENDING RUNNING ",
      .calls = STOPPED,
      .log = "was scheduled again on the server, not by this worker",
      .check = check_stopped_kindly } },
  { "retry-inside",
    { .steps = { retry_inside, hear },
      .calls = WELL,
      .absent = "on the server, not by this worker" } },
  { "reported-inside-and-ended-by-hand",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, crash_by_hand, hear, hear },
      .calls = WELL,
      .absent = "attempt" } },
  { "reported-inside-and-retried-by-hand",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, crash_by_hand, hear, retry_by_hand, hear },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .log = "was scheduled for another attempt",
      .check = check_killed } },
  { "reported-inside-and-resumed",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, resume_outside, hear, hear, let_grace_pass, hear },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .log = "was scheduled for another attempt",
      .check = check_killed } },
  { "reported-inside-and-resumed-just-before-its-end",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, resume_outside, hear, hear },
      .states = "PENDING PENDING ",
      .calls = WELL,
      .absent = "attempt" } },
  { "reported-inside-and-scheduled-by-a-client",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, schedule_by_client, hear, let_grace_pass, hear },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .check = check_killed } },
  { "reported-inside-and-scheduled-by-itself",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, schedule_by_client, hear, hear },
      .states = "PENDING PENDING ",
      .calls = WELL,
      .absent = "attempt" } },
  { "reported-inside-and-running-while-it-is-killed",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { run_inside, retry_by_hand, hear, run_inside, go_on },
      .states = "PENDING PENDING CRASHED ",
      .calls = STOPPED } },
  { "reported-inside-and-cancelled-elsewhere-while-it-is-killed",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { run_inside, retry_by_hand, hear, begin_elsewhere, ask_to_cancel, go_on },
      .states = "PENDING PENDING ",
      .calls = STOPPED } },
  { "reported-inside-and-told-of-an-earlier-attempt",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, hear_of_attempt_before },
      .calls = WELL,
      .absent = "attempt" } },
  { "told-of-an-earlier-attempt",
    { .steps = { hear_of_attempt_before },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .absent = "on the server, not by this worker" } },
  { "reported-inside-and-retried-by-force-after-a-retry-inside",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, crash_by_hand, retry_inside, hear },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .log = "was scheduled for another attempt",
      .check = check_rescheduled } },
  { "reported-inside-and-retried-by-a-client-after-a-retry-inside",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, crash_by_hand, retry_by_client, hear, let_grace_pass, hear },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .check = check_rescheduled } },
  { "reported-inside-and-retried-by-a-client-and-ends-by-itself",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, crash_by_hand, retry_by_client, hear, hear },
      .states = "PENDING PENDING ",
      .calls = WELL,
      .absent = "attempt",
      .check = check_rescheduled } },
  { "reported-inside-and-running-while-it-is-killed-for-a-retry-by-force",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { run_inside, crash_by_hand, retry_inside, hear, run_inside, go_on },
      .states = "PENDING PENDING CRASHED ",
      .calls = STOPPED } },
  { "reported-inside-and-late-after-it-scheduled-itself",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, schedule_by_client, hear, rename_to_late, hear },
      .states = "PENDING PENDING ",
      .calls = WELL,
      .absent = "attempt" } },
  { "retried-by-force-after-a-retry-inside",
    { .keeps_running = TRUE,
      .steps = { crash_by_hand, retry_inside, hear },
      .states = "PENDING RUNNING ",
      .calls = STOPPED,
      .log = "was scheduled again on the server, not by this worker",
      .check = check_rescheduled } },
  { "reported-inside-and-restored-after-a-retry-inside",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, crash_by_hand, restore_retry_inside, hear },
      .calls = WELL,
      .absent = "attempt" } },
  { "restored-after-a-retry-inside",
    { .steps = { crash_by_hand, restore_retry_inside, hear },
      .states = "PENDING RUNNING ",
      .calls = WELL,
      .absent = "on the server, not by this worker" } },
  { "reported-inside-and-retried-inside",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, retry_inside, hear },
      .calls = WELL,
      .absent = "attempt" } },
  { "reported-inside-and-scheduled-at-an-old-server",
    { .variables = PREFECT_JOB,
      .steps = { run_inside, begin_again_at_old_server, hear },
      .calls = WELL,
      .absent = "attempt" } },
  { "reported-inside-and-begun-elsewhere",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside, look, begin_elsewhere, look },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .check = check_killed } },
  { "reported-inside-by-an-old-client-and-running-elsewhere",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_inside_other, look, begin_elsewhere, run_inside_other, look },
      .states = "PENDING PENDING ",
      .calls = STOPPED,
      .check = check_killed } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/told/", cases, G_N_ELEMENTS (cases));
}
