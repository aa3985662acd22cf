/* SPDX-License-Identifier: Apache-2.0 */
/* Tests containers that are stopped before their own end: by a time-out, by a user, and by an
 * engine that does not carry out a stop. */
#include "config.h"

#include "flow_run_test.h"

#define JOB_OF_A_MINUTE                                                                            \
  "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"timeout_seconds\": 60, "                 \
  "\"stop_timeout\": 7}"
#define SLOW_START                                                                                 \
  "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"state_reporting\": \"engine\", "         \
  "\"startup_timeout_seconds\": 30}"
#define LOOKED "create start watch follow inspect "
#define TIMED_OUT .variables = JOB_OF_A_MINUTE, .keeps_running = TRUE

static void
refuse_once (Fixture *fixture)
{
  fixture->fake->code = PP_INFRASTRUCTURE_ERROR_FAILED;
  fixture->fake->fails[FAKE_STOP] = 1;
  fixture->fake->fails[FAKE_UNPAUSE] = 1;
}

static void
refuse_twice (Fixture *fixture)
{
  fixture->fake->code = PP_INFRASTRUCTURE_ERROR_FAILED;
  fixture->fake->fails[FAKE_STOP] = 2;
  fixture->fake->fails[FAKE_UNPAUSE] = 2;
}

static void
run_prefect (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
}

static void
lose_program (Fixture *fixture)
{
  fake_tell (fixture->context.infrastructure, PP_WATCH_PROGRAM_GONE);
}

static const Case cases[] = {
  { "time-out",
    { TIMED_OUT, .states = "PENDING RUNNING FAILED ", .calls = LOOKED "stop inspect remove ",
      .log = "has run for 60 s (timeout_seconds)",
      .words = "timed out: it exceeded timeout_seconds, 60 s" } },
  { "own-end-before-time-out",
    { .variables = JOB_OF_A_MINUTE,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = LOOKED "remove " } },
  { "engine-is-away-at-time-out",
    { TIMED_OUT, .fails = FAKE_INSPECT, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING FAILED ", .calls = LOOKED "inspect stop inspect remove " } },
  { "engine-does-not-stop",
    { TIMED_OUT, .held = FAKE_STOP, .holds = 1, .states = "PENDING RUNNING FAILED ",
      .calls = LOOKED "stop stop inspect remove ", .log = "in time. The worker now kills it" } },
  { "engine-does-not-kill",
    { TIMED_OUT, .held = FAKE_STOP, .holds = 2, .states = "PENDING RUNNING FAILED ",
      .calls = LOOKED "stop stop remove inspect remove ",
      .log = "in time. The worker now removes it by force, even if auto_remove is off" } },
  { "stop-refused",
    { TIMED_OUT, .fails = FAKE_STOP, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING RUNNING FAILED ", .calls = LOOKED "stop unpause stop inspect remove ",
      .log = "could not be stopped; the worker asks the engine again every 15 s" } },
  { "stop-and-unpause-refused",
    { TIMED_OUT, .prepare = refuse_once, .states = "PENDING RUNNING FAILED ",
      .calls = LOOKED "stop unpause stop inspect remove " } },
  { "stop-refused-again",
    { TIMED_OUT, .prepare = refuse_twice, .states = "PENDING RUNNING FAILED ",
      .calls = LOOKED "stop unpause stop unpause stop inspect remove ",
      .log = "in time. The worker now kills it" } },
  { "stop-unanswered",
    { TIMED_OUT, .fails = FAKE_STOP, .failures = 1, .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING FAILED ", .calls = LOOKED "stop stop inspect remove " } },
  { "gone-before-stop",
    { .keeps_running = TRUE,
      .fails = FAKE_STOP,
      .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_NOT_FOUND,
      .steps = { cancel_run, end_job },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start watch follow stop inspect remove " } },
  { "own-end-after-a-refused-stop",
    { .keeps_running = TRUE,
      .prepare = refuse_once,
      .steps = { cancel_run, end_job },
      .states = "PENDING RUNNING CANCELLED ",
      .words = "its container ended by itself; the container engine had refused to stop it" } },
  { "stopped-after-a-refused-stop",
    { .keeps_running = TRUE,
      .prepare = refuse_once,
      .steps = { cancel_run },
      .states = "PENDING RUNNING CANCELLED ",
      .words = "its container was stopped" } },
  /* The state is forced while the container is being stopped. */
  { "forced-to-running",
    { .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { cancel_run, force_running, go_on },
      .exit_code = 137,
      .states = "PENDING RUNNING CRASHED ",
      .words = "stopped the container because the run was being cancelled",
      .absent = "out-of-memory" } },
  { "forced-to-running-engine",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { run_prefect, cancel_run, force_pending, go_on },
      .exit_code = 143,
      .states = "PENDING PENDING CRASHED ",
      .words = "stopped the container because the run was being cancelled" } },
  { "forced-to-running-and-removed",
    { .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { cancel_run, force_running, vanish },
      .states = "PENDING RUNNING CRASHED ",
      .words = "stopped the container because the run was being cancelled" } },
  { "end-that-the-engine-does-not-tell",
    { .keeps_running = TRUE,
      .held = FAKE_STOP,
      .holds = 1,
      .steps = { lose_program, cancel_run },
      .states = "PENDING RUNNING CANCELLED ",
      .calls = "create start watch follow stop remove ",
      .log = "has ended, but the engine does not report the end" } },
  { "slow-start",
    { .variables = SLOW_START,
      .keeps_running = TRUE,
      .states = "PENDING PENDING CRASHED ",
      .calls = LOOKED "stop inspect remove ",
      .log = "is still Pending after 30 s",
      .words = "did not report Running within startup_timeout_seconds, 30 s" } },
  { "start-in-time",
    { .variables = SLOW_START,
      .keeps_running = TRUE,
      .steps = { run_prefect, let_minute_pass, end_job },
      .states = "PENDING PENDING CRASHED ",
      .calls = LOOKED "remove ",
      .absent = "is still Pending" } },
  { "cancelled-with-prefect-inside",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .steps = { run_prefect, cancel_run },
      .states = "PENDING PENDING CANCELLED ",
      .calls = "create start watch follow stop inspect remove ",
      .log = "is stopped unless Prefect inside ends it first" } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/stop/", cases, G_N_ELEMENTS (cases));
}
