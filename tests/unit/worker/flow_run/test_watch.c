/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a running container: its output, its end, and what may be lost of both. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "

static void
lose_conmon (Fixture *fixture)
{
  fixture->fake->status_lost = TRUE;
  fake_tell (fixture->context.infrastructure, PP_WATCH_CONMON_GONE);
}

static void
write_lines (Fixture *fixture)
{
  fixture->fake->output = "hello\nthe last line\n";
}

static void
lose_output (Fixture *fixture)
{
  fixture->fake->end.output_lost = (char *)"its log was cut";
}

static void
damage_output (Fixture *fixture)
{
  fixture->fake->end.damage = (char *)"two lines of it";
}

static void
end_well (Fixture *fixture)
{
  fixture->fake->end.succeeded = TRUE;
}

static void
refuse_log (Fixture *fixture)
{
  fixture->fake->fails[FAKE_FOLLOW] = 2;
  fixture->fake->code = PP_INFRASTRUCTURE_ERROR_FAILED;
}

static void
go_away (Fixture *fixture)
{
  fixture->fake->fails[FAKE_FOLLOW] = 1;
  fixture->fake->code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
}

static void
kill_for_memory (Fixture *fixture)
{
  fixture->fake->job->status.end.oom_killed = TRUE;
}

/* The container does not get the key, because its command does not run Prefect. */
static void
set_key (Fixture *fixture)
{
  fixture->settings.environment = json_pack ("{s:s}", "PREFECT_API_KEY", "pnu_0123456789");
}

static const Case cases[] = {
  { "output",
    { .exit_code = 3,
      .prepare = write_lines,
      .states = "PENDING RUNNING FAILED ",
      .calls = WELL,
      .log = "hello\nthe last line",
      .words = "Its last lines:\nhello\nthe last line" } },
  { "output-that-is-not-forwarded",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"forward_output\": "
                   "\"never\"}",
      .exit_code = 3,
      .prepare = write_lines,
      .states = "PENDING RUNNING FAILED ",
      .log = "exited with status 3. The last lines of its output:\nhello" } },
  { "output-is-lost",
    { .prepare = lose_output,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .log = "is lost: its log was cut." } },
  { "output-is-damaged",
    { .prepare = damage_output,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = WELL,
      .log = "could not be read: two lines of it." } },
  { "end-without-a-question",
    { .prepare = end_well,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow remove " } },
  { "status-lost",
    { .steps = { lose_conmon },
      .states = "PENDING RUNNING CRASHED ",
      .calls = "create start watch follow remove ",
      .log = "conmon of container",
      .words = "its exit status was lost" } },
  { "silent-engine",
    { .fails = FAKE_INSPECT,
      .failures = 80,
      .code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      .states = "PENDING RUNNING COMPLETED ",
      .log = "For 15 minutes, the container engine has given no usable answer" } },
  { "vanished",
    { .steps = { vanish },
      .states = "PENDING RUNNING CRASHED ",
      .calls = WELL,
      .words = "somebody removed it while it was watched" } },
  { "log-that-cannot-be-read",
    { .exit_code = 3,
      .prepare = refuse_log,
      .states = "PENDING RUNNING FAILED ",
      .calls = "create start watch follow inspect follow inspect remove ",
      .log = "its log could not be read even after its end" } },
  { "log-after-the-end-is-unanswered",
    { .prepare = refuse_log,
      .steps = { go_away },
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect follow inspect follow inspect remove " } },
  { "watch-fails",
    { .fails = FAKE_WATCH,
      .failures = 1,
      .code = PP_INFRASTRUCTURE_ERROR_FAILED,
      .states = "PENDING RUNNING COMPLETED ",
      .calls = "create start watch follow inspect watch follow inspect remove " } },
  { "killed-for-memory",
    { .exit_code = 137,
      .steps = { kill_for_memory },
      .states = "PENDING RUNNING CRASHED ",
      .log = "was killed for lack of memory (OOMKilled)" } },
  { "fails-without-a-secret",
    { .exit_code = 1,
      .prepare = set_key,
      .states = "PENDING RUNNING FAILED ",
      .log = "The container did not get PREFECT_API_KEY, because its command does not seem" } },
  { "fails-and-no-secret-is-set",
    { .exit_code = 1, .states = "PENDING RUNNING FAILED ", .absent = "did not get" } },
  { "succeeds-without-a-secret",
    { .prepare = set_key, .states = "PENDING RUNNING COMPLETED ", .absent = "did not get" } },
  { "times-out-without-a-secret",
    { .variables = "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"timeout_seconds\": 60}",
      .keeps_running = TRUE,
      .prepare = set_key,
      .states = "PENDING RUNNING FAILED ",
      .absent = "did not get" } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/watch/", cases, G_N_ELEMENTS (cases));
}
