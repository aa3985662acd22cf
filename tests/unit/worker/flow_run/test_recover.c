/* SPDX-License-Identifier: Apache-2.0 */
/* Tests flow runs that an earlier worker had in flight: the journal entry, the engine and the
 * server are compared. */
#include "config.h"

#include "flow_run_test.h"

#include "prefect-podman/state/journal_position.h"
#include "prefect-podman/text/timestamp.h"

#include <fcntl.h>
#include <sys/stat.h>

#define WELL "create start watch follow inspect remove "

typedef struct
{
  const char *name;
  PpJournalPhase phase;   /* in the journal entry */
  PpJobPhase job;         /* of the engine's job */
  const char *type;       /* of the run's last state on the server; NULL: it was deleted */
  const char *transition; /* the transition id of that state */
  Script script;
  void (*change) (PpJournalEntry *entry);
  gboolean is_unlisted; /* the engine does not list its jobs */
  const char *at_once;  /* the engine calls before the server is asked; NULL: not checked */
} Recovery;

static void
forget (PpJournalEntry *entry)
{
  entry->undescribed = TRUE;
  entry->auto_remove = FALSE;
}

static void
report_inside (PpJournalEntry *entry)
{
  entry->worker_reported = FALSE;
}

static void
report_inside_too_late (PpJournalEntry *entry)
{
  entry->worker_reported = FALSE;
  entry->timed_out = TRUE;
}

static void
report_success_inside (PpJournalEntry *entry)
{
  entry->report_type = (char *)"COMPLETED";
  entry->worker_reported = FALSE;
}

/* The earlier worker has reported that the container could not be created. */
static void
fail_to_submit (PpJournalEntry *entry)
{
  entry->report_type = (char *)"CRASHED";
  entry->container_id = NULL;
}

static void
fail_to_submit_inside (PpJournalEntry *entry)
{
  fail_to_submit (entry);
  entry->worker_reported = FALSE;
}

static void
restart_host (PpJournalEntry *entry)
{
  entry->boot_id = (char *)"another boot";
}

/* The report of a success was not accepted before the worker ended. */
static void
report_success (PpJournalEntry *entry)
{
  entry->report_type = (char *)"COMPLETED";
}

static void
forward (PpJournalEntry *entry)
{
  entry->forward_output = TRUE;
}

static void
forward_second_attempt (PpJournalEntry *entry)
{
  forward (entry);
  entry->seen_run_count = 1;
  entry->attempt = 2;
}

static void
forward_a_retry (PpJournalEntry *entry)
{
  forward (entry);
  entry->seen_run_count = 1;
}

static void
restart_host_at_a_retry (PpJournalEntry *entry)
{
  forward_a_retry (entry);
  restart_host (entry);
}

static void
time_out (PpJournalEntry *entry)
{
  entry->timeout_seconds = 60;
}

static void
take_lease (PpJournalEntry *entry)
{
  entry->lease_id = (char *)OTHER;
}

static void
name_with_secret (PpJournalEntry *entry)
{
  entry->container_name = (char *)"run-topsecret";
  entry->shown_name = (char *)"run-********";
}

static void
know_container (PpJournalEntry *entry)
{
  entry->container_id = (char *)"cafe";
  entry->container_name = (char *)"run";
}

/* Steps and preparations. */

/* The earlier worker renamed the container and requested its removal, since it had not been
 * started. */
static void
rename_container (Fixture *fixture)
{
  fixture->fake->job->ref.name = g_strdup ("unstarted-cafe-1");
}

static void
name_container (Fixture *fixture)
{
  fixture->fake->job->ref.name = g_strdup ("run");
}

static void
wait_for_retry (Fixture *fixture)
{
  fixture->policy = json_pack ("{s:s}", "retry_type", "in_process");
}

static void
write_lines (Fixture *fixture)
{
  fixture->fake->output = "delivered\nnot delivered\n";
}

static void
move_to_other_container (Fixture *fixture)
{
  fixture->pid = "http+docker://localhost:beef";
}

static void
write_position (const Fixture *fixture, const PpPosition *position, gint64 seconds_ago)
{
  const struct timespec written = { .tv_sec = g_get_real_time () / G_USEC_PER_SEC - seconds_ago };
  g_autofree char *path = state_test_path (fixture->identity, "runs", RUN ".position");
  char record[PP_POSITION_BYTES];

  pp_position_format (position, make_entry (PP_JOURNAL_STARTING).container_id, record);
  g_assert_true (g_file_set_contents (path, record, PP_POSITION_BYTES, NULL));
  g_assert_cmpint (utimensat (AT_FDCWD, path, (const struct timespec[]){ written, written }, 0), ==,
                   0);
}

/* The earlier worker has noted, SECONDS ago, that it sends a batch. */
static void
note_batch (const Fixture *fixture, gint64 seconds)
{
  const PpPosition position = { .records = 1, .last_timestamp = 1, .sent_until = 2 };

  write_position (fixture, &position, seconds);
}

/* For these tests, a request may take an hour, and the worker waits a minute longer. */
static void
note_batch_lately (Fixture *fixture)
{
  note_batch (fixture, 3655);
}

static void
note_batch_long_ago (Fixture *fixture)
{
  note_batch (fixture, 2 * 3600);
}

/* Times after the claim. Tests claim their runs at the current time. */
#define OWN_TIME "2100-01-01T00:00:02Z"
#define LINE(logger, time)                                                                         \
  "{\"name\": \"prefect.flow_runs." logger "\", \"timestamp\": \"" time                            \
  "\", \"message\": \"delivered\"}"
#define RECORD_AT(time) LINE ("stdout", time)
#define RECORD "[" RECORD_AT (OWN_TIME) "]"
#define RECORD_OF_OTHER "[" RECORD_AT ("2100-01-01T00:00:03Z") "]"
/* The first two counts of the records on the server find RECORDS. */
#define STORED(records)                                                                            \
  .answers = { { "/logs/filter", 0, 1, 200, records }, { "/logs/filter", 1, 1, 200, records } }
#define BOTH_RECORDS "[" RECORD_AT (OWN_TIME) ", " RECORD_AT ("2100-01-01T00:00:03Z") "]"

static void
write_and_begin_elsewhere (Fixture *fixture)
{
  write_lines (fixture);
  begin_elsewhere (fixture);
}

/* The earlier worker has sent one line. Another worker has begun the run again. */
static void
send_and_begin_elsewhere (Fixture *fixture)
{
  const PpPosition position = { .sent_until = pp_timestamp_parse (OWN_TIME) };

  write_position (fixture, &position, 3600 * 2);
  write_and_begin_elsewhere (fixture);
}

#define LAST_TIME "2100-01-01T00:00:09Z"

/* The earlier worker may have sent lines up to LAST_TIME. */
static void
write_lines_of_retry (Fixture *fixture)
{
  const PpPosition position = { .sent_until = pp_timestamp_parse (LAST_TIME) };

  write_position (fixture, &position, 3600 * 2);
  write_lines (fixture);
}

static void
send_much_and_begin_elsewhere (Fixture *fixture)
{
  write_lines_of_retry (fixture);
  begin_elsewhere (fixture);
}

static void
damage_and_begin_elsewhere (Fixture *fixture)
{
  g_autofree char *path = state_test_path (fixture->identity, "runs", RUN ".position");

  g_assert_true (g_file_set_contents (path, "3 damaged", -1, NULL));
  write_and_begin_elsewhere (fixture);
}

/* Another worker has begun a retry, which has ended. */
static void
retry_elsewhere (Fixture *fixture)
{
  write_and_begin_elsewhere (fixture);
  add_state (fixture, "RUNNING", OTHER);
  add_state (fixture, "COMPLETED", OTHER);
  fixture->run_count = 2;
}

static void
complete_elsewhere (Fixture *fixture)
{
  begin_elsewhere (fixture);
  add_state (fixture, "RUNNING", OTHER);
  add_state (fixture, "COMPLETED", OTHER);
}

#define FOLLOWED "watch follow inspect remove "
#define STOPPED "watch stop follow inspect remove "
#define AWAY(call, times, error)                                                                   \
  .fails = (call), .failures = (times), .code = PP_INFRASTRUCTURE_ERROR_##error

static const Recovery recoveries[] = {
  { "claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "claimed-not-told",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "SCHEDULED",
    NULL,
    { .states = "", .calls = "" } },
  { "claimed-by-another",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    OTHER,
    { .states = "", .calls = "" } },
  /* A user has forced the run's state, so no poll returns the run. */
  { "claimed-and-forced",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = force_pending, .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "claimed-and-forced-with-an-id",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = force_pending_with_id, .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "claimed-and-forced-to-running",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = force_running, .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "claimed-and-begun-elsewhere",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = begin_elsewhere, .states = "", .calls = "" } },
  { "created",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { .states = "RUNNING COMPLETED ", .calls = "inspect remove " WELL } },
  { "running",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "watch follow inspect remove " } },
  { "ended",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { .exit_code = 3, .states = "FAILED ", .calls = "watch follow inspect remove " } },
  { "removed-after-an-outage",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { AWAY (FAKE_REMOVE, 1, FAILED), .prepare = lose_removals, .states = "COMPLETED ",
      .calls = FOLLOWED "remove remove remove remove remove remove remove ",
      .absent = "could not be removed" } },
  { "vanished",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .calls = "remove " } },
  { "vanished-with-a-secret-in-its-name",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .words = "container 'run-********' (cafe) is gone from the engine" },
    .change = name_with_secret },
  { "reporting",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { .exit_code = 3, .states = "FAILED ", .calls = "watch follow inspect remove " } },
  { "reported",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "FAILED",
    NULL,
    { .exit_code = 3, .states = "", .calls = "watch follow inspect remove " } },
  { "deleted-running",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    NULL,
    NULL,
    { .states = "", .calls = "watch stop follow inspect remove " } },
  { "deleted-ended",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    NULL,
    NULL,
    { .states = "", .calls = "remove " } },
  { "deleted-claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    NULL,
    NULL,
    { .states = "", .calls = "" } },
  { "paused",
    PP_JOURNAL_STARTING,
    PP_JOB_HELD,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "watch follow inspect remove " } },
  { "ready",
    PP_JOURNAL_STARTING,
    PP_JOB_READY,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "inspect start watch follow inspect remove " } },
  { "cancelling",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "CANCELLING",
    NULL,
    { .states = "CANCELLED ", .calls = "watch stop follow inspect remove " } },

  /* Its container was not started. */
  { "leftover-is-removed-later",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { AWAY (FAKE_REMOVE, 1, UNAVAILABLE), .states = "RUNNING COMPLETED ",
      .calls = "inspect remove remove " WELL } },
  { "leftover-is-not-removed-at-once",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { .prepare = refuse_removal,
      .states = "RUNNING COMPLETED ",
      .calls = "inspect remove inspect remove " WELL } },
  /* Reads that failed earlier do not count. */
  { "leftover-is-not-removed-at-once-after-failed-reads",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { .answers = { { "POST /api/flow_runs/filter", 0, 6, 422, DETAIL ("no") },
                   { "GET /api/flow_runs/" RUN, 0, 6, 422, DETAIL ("no") },
                   { "GET /api/flow_run_states/", 0, 6, 422, DETAIL ("no") } },
      .prepare = refuse_removal,
      .states = "RUNNING COMPLETED ",
      .calls = "inspect remove inspect remove " WELL } },
  /* The killed worker has proposed RUNNING, and the server is slow to answer. */
  { "running-is-never-answered",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "RUNNING",
    RUNNING_ID,
    { .answers = { { "RUNNING", 0, 100, 503, NULL, TRUE } },
      .states = "COMPLETED ",
      .calls = "inspect remove " WELL } },
  /* The earlier worker requested the removal of the container, but the container was started first.
   * The container is renamed as soon as it is found, and only once. */
  { "leftover-runs",
    PP_JOURNAL_CLAIMED,
    PP_JOB_RUNNING,
    "PENDING",
    CLAIM,
    { .prepare = rename_container, .states = "COMPLETED ", .calls = "keep " FOLLOWED },
    .change = know_container,
    .at_once = "keep " },
  { "leftover-has-ended",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ENDED,
    "PENDING",
    CLAIM,
    { .prepare = rename_container, .states = "COMPLETED ", .calls = "keep " FOLLOWED },
    .change = know_container,
    .at_once = "keep " },
  { "leftover-starts",
    PP_JOURNAL_CLAIMED,
    PP_JOB_READY,
    "PENDING",
    CLAIM,
    { .prepare = rename_container,
      .states = "COMPLETED ",
      .calls = "keep inspect start " FOLLOWED },
    .change = know_container,
    .at_once = "keep " },
  { "leftover-runs-under-its-own-name",
    PP_JOURNAL_CLAIMED,
    PP_JOB_RUNNING,
    "PENDING",
    CLAIM,
    { .prepare = name_container, .states = "COMPLETED ", .calls = FOLLOWED },
    .change = know_container },
  { "leftover-is-not-started",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { .prepare = rename_container,
      .states = "RUNNING COMPLETED ",
      .calls = "inspect remove " WELL },
    .change = know_container },
  { "leftover-is-left",
    PP_JOURNAL_CLAIMED,
    PP_JOB_CREATED,
    "PENDING",
    CLAIM,
    { .prepare = refuse_removals, .states = "RUNNING COMPLETED " } },
  { "start-was-announced",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "ready-but-the-engine-is-away",
    PP_JOURNAL_STARTING,
    PP_JOB_READY,
    "RUNNING",
    RUNNING_ID,
    { AWAY (FAKE_START, 1, UNAVAILABLE), .states = "COMPLETED ",
      .calls = "inspect start inspect start " FOLLOWED } },
  /* The run was ended, or begun again. */
  { "cancelled-running",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "CANCELLED",
    NULL,
    { .keeps_running = TRUE, .states = "", .calls = STOPPED } },
  { "completed-running",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "COMPLETED",
    NULL,
    { .keeps_running = TRUE, .states = "", .calls = STOPPED } },
  { "completed-inside-and-its-hooks-go-on",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "COMPLETED",
    OTHER,
    { .steps = { let_minute_pass, end_job }, .states = "", .calls = FOLLOWED },
    .change = report_inside },
  { "completed-inside-after-its-time-out",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "COMPLETED",
    OTHER,
    { .states = "", .calls = FOLLOWED, .absent = "did not report Running" },
    .change = report_inside_too_late },
  { "completed-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .keeps_running = TRUE,
      .prepare = complete_elsewhere,
      .states = "",
      .calls = STOPPED,
      .check = check_killed },
    .change = report_inside },
  { "crashed-by-hand-and-retried",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "CRASHED",
    NULL,
    { .keeps_running = TRUE,
      .steps = { retry_by_hand, hear },
      .states = "",
      .calls = "watch follow stop inspect remove ",
      .check = check_killed },
    .change = report_inside },
  { "completed-claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "COMPLETED",
    NULL,
    { .states = "", .calls = "" } },
  { "cancelling-claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "CANCELLING",
    NULL,
    { .states = "CANCELLED ", .calls = "", .words = "before it was started" } },
  { "cancelling-started-absent",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "CANCELLING",
    NULL,
    { .states = "CANCELLED ", .calls = "remove ", .words = "is gone, and may have run" } },
  { "cancelling-reporting-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "CANCELLING",
    NULL,
    { .states = "CANCELLED ", .calls = "remove ", .words = "is gone, and may have run" } },
  /* Somebody removed the container and forced the run back to PENDING. Its program has run. */
  { "absent-and-forced",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .prepare = force_pending, .states = "CRASHED ", .calls = "remove " } },
  { "absent-and-forced-with-an-id",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .prepare = force_pending_with_id, .states = "CRASHED ", .calls = "remove " } },
  { "absent-and-forced-and-not-told",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .answers = { { "GET /api/flow_run_states/", 0, 9, 422, DETAIL ("no") } },
      .prepare = force_pending,
      .states = "CRASHED ",
      .calls = "remove " } },
  { "absent-and-forced-before-the-start",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = force_pending, .states = "RUNNING COMPLETED ", .calls = WELL } },
  { "begun-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .keeps_running = TRUE, .prepare = begin_elsewhere, .states = "", .calls = STOPPED } },
  { "begun-elsewhere-claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .prepare = begin_elsewhere, .states = "", .calls = "" } },
  { "scheduled-running",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "SCHEDULED",
    NULL,
    { .keeps_running = TRUE, .states = "", .calls = STOPPED } },
  { "scheduled-reporting",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "SCHEDULED",
    NULL,
    { .exit_code = 3, .states = "", .calls = FOLLOWED } },
  { "scheduled-absent",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "SCHEDULED",
    NULL,
    { .states = "", .calls = "remove " } },
  { "retry-inside",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "SCHEDULED",
    NULL,
    { .prepare = wait_for_retry, .calls = FOLLOWED } },
  { "retry-elsewhere",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "RUNNING",
    OTHER,
    { .exit_code = 3, .states = "", .calls = FOLLOWED } },
  { "retry-elsewhere-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    OTHER,
    { .states = "", .calls = "" } },
  { "reporting-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "FAILED ", .calls = "remove " } },
  { "reporting-success",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = FOLLOWED },
    .change = report_success },
  { "reporting-success-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success },
  { "reporting-success-absent-and-forced",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    OTHER,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success },
  { "reporting-success-absent-and-forced-by-hand",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    NULL,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success },
  { "reporting-failure-absent-and-forced-by-hand",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    NULL,
    { .states = "FAILED ", .calls = "remove " } },
  { "reporting-success-inside-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success_inside },
  { "reporting-success-inside-absent-and-forced",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    OTHER,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success_inside },
  { "reporting-failure-inside-absent",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "RUNNING",
    OTHER,
    { .states = "FAILED ", .calls = "remove " },
    .change = report_inside },
  { "reporting-inside-absent-and-begun-elsewhere",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "RUNNING",
    CLAIM,
    { .prepare = begin_elsewhere, .states = "", .calls = "" },
    .change = report_inside },
  /* The report may still arrive, so the run must not be submitted again. */
  { "reporting-a-failed-submission",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "CRASHED ", .calls = "" },
    .change = fail_to_submit },
  { "reporting-a-failed-submission-inside",
    PP_JOURNAL_REPORTING,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "CRASHED ", .calls = "" },
    .change = fail_to_submit_inside },
  { "reporting-success-created",
    PP_JOURNAL_REPORTING,
    PP_JOB_CREATED,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "remove " },
    .change = report_success },
  { "reporting-success-scheduled",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "SCHEDULED",
    NULL,
    { .states = "", .calls = FOLLOWED },
    .change = report_success },
  { "reporting-success-forced",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "RUNNING",
    OTHER,
    { .states = "COMPLETED ", .calls = FOLLOWED },
    .change = report_success },
  { "paused-on-the-server",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "PAUSED",
    NULL,
    { .states = "COMPLETED ", .calls = FOLLOWED } },
  { "suspended",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "PAUSED",
    NULL,
    { .states = "", .calls = "" } },
  { "host-restarted",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { .exit_code = 3, .states = "FAILED ", .calls = FOLLOWED },
    .change = restart_host },
  { "host-restarted-absent",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .words = "the host was restarted" },
    .change = restart_host },
  { "slot-is-given-back-for-a-retry",
    PP_JOURNAL_REPORTING,
    PP_JOB_ENDED,
    "SCHEDULED",
    NULL,
    { .exit_code = 3, .prepare = wait_for_retry, .states = "(slot) ", .calls = FOLLOWED },
    .change = take_lease },
  { "time-goes-on",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .keeps_running = TRUE,
      .states = "FAILED ",
      .calls = "watch follow inspect stop inspect remove ",
      .words = "exceeded timeout_seconds" },
    .change = time_out },
  { "lease-goes-on",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .keeps_running = TRUE,
      .steps = { let_minute_pass, end_job },
      .states = "COMPLETED ",
      .calls = FOLLOWED },
    .change = take_lease },
  /* The run's state is unknown, so the worker asks for it. */
  { "state-is-not-known",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .answers = { { "POST /api/flow_runs/filter", 0, 1, 422, DETAIL ("no") },
                   { "GET /api/flow_runs/" RUN, 0, 1, 422, DETAIL ("no") },
                   { "GET /api/flow_run_states/", 0, 1, 422, DETAIL ("no") } },
      .states = "COMPLETED ",
      .calls = FOLLOWED } },
  { "unlisted",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "inspect " FOLLOWED },
    .is_unlisted = TRUE },
  { "unlisted-claimed",
    PP_JOURNAL_CLAIMED,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "RUNNING COMPLETED ", .calls = WELL },
    .is_unlisted = TRUE },
  { "unlisted-gone",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .calls = "inspect remove " },
    .is_unlisted = TRUE },
  { "unlisted-unanswered",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { AWAY (FAKE_INSPECT, 1, UNAVAILABLE), .states = "COMPLETED ",
      .calls = "inspect inspect " FOLLOWED },
    .is_unlisted = TRUE },
  { "unlisted-refused",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { AWAY (FAKE_INSPECT, 9, FAILED), .states = "COMPLETED " },
    .is_unlisted = TRUE },
  /* The journal does not describe the container. */
  { "undescribed",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = FOLLOWED },
    .change = forget },
  { "undescribed-deployment-is-gone",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .answers = { { "GET /api/deployments/", 0, 9, 404, DETAIL ("Deployment not found") } },
      .states = "COMPLETED ",
      .calls = "inspect watch follow inspect ",
      .log = "is followed without the time-outs and auto_remove of flow run 'run'" },
    .change = forget },
  { "undescribed-wrong",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .variables = "{\"image\": \"busybox:1\", \"image_pull_policy\": \"Sometimes\"}",
      .states = "COMPLETED ",
      .calls = "inspect watch follow inspect ",
      .log = "is followed without the time-outs and auto_remove of flow run 'run'" },
    .change = forget },
  { "undescribed-cancelling",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "CANCELLING",
    NULL,
    { .keeps_running = TRUE, .states = "CANCELLED ", .calls = STOPPED },
    .change = forget },
  { "undescribed-cancelled",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "CANCELLED",
    NULL,
    { .keeps_running = TRUE, .states = "", .calls = STOPPED },
    .change = forget },
  { "undescribed-deleted",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    NULL,
    NULL,
    { .keeps_running = TRUE, .states = "", .calls = "inspect " STOPPED },
    .change = forget },
  { "undescribed-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    NULL,
    { .prepare = move_to_other_container, .states = "", .calls = "" },
    .change = forget },
  /* The container's output. */
  { "output",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .prepare = write_lines,
      .states = "COMPLETED ",
      .calls = FOLLOWED,
      .log = "delivered\nnot delivered" },
    .change = forward },
  { "output-was-delivered-in-part",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .prepare = write_lines, .states = "COMPLETED ", .calls = FOLLOWED,
      .log = "not delivered", .absent = "\ndelivered" },
    .change = forward },
  /* The server has lines of another attempt, too. */
  { "output-and-begun-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .keeps_running = TRUE, .prepare = write_and_begin_elsewhere, .states = "",
      .log = "delivered\nnot delivered" },
    .change = forward },
  { "output-and-retried-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .keeps_running = TRUE, .prepare = retry_elsewhere, .states = "",
      .log = "delivered\nnot delivered" },
    .change = forward },
  { "output-in-part-and-begun-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (BOTH_RECORDS), .keeps_running = TRUE, .prepare = send_and_begin_elsewhere,
      .states = "", .log = "not delivered", .absent = "\ndelivered" },
    .change = forward },
  { "output-on-its-way-and-begun-elsewhere",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD_OF_OTHER), .keeps_running = TRUE, .prepare = send_and_begin_elsewhere,
      .states = "", .log = "delivered\nnot delivered" },
    .change = forward },
  /* If the position is damaged, all records on the server count. */
  { "output-and-damaged-position",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .keeps_running = TRUE, .prepare = damage_and_begin_elsewhere, .states = "",
      .log = "not delivered", .absent = "\ndelivered" },
    .change = forward },
  { "output-after-a-restart-of-the-host",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .prepare = write_lines, .log = "not delivered", .absent = "\ndelivered" },
    .change = restart_host_at_a_retry },
  { "output-and-lines-of-an-earlier-attempt",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { STORED (RECORD), .prepare = write_lines, .states = "COMPLETED ",
      .log = "delivered\nnot delivered" },
    .change = forward_a_retry },
  { "output-of-a-retry-and-late-lines-of-the-first-attempt",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { STORED ("[" LINE ("stdout", OWN_TIME) ", " LINE ("stderr.2", "2100-01-01T00:00:03Z") "]"),
      .prepare = write_lines_of_retry, .states = "COMPLETED ", .log = "not delivered",
      .absent = "\ndelivered" },
    .change = forward_second_attempt },
  { "output-of-a-retry-and-only-late-lines-of-the-first-attempt",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { STORED (BOTH_RECORDS), .prepare = write_lines_of_retry, .states = "COMPLETED ",
      .log = "delivered\nnot delivered" },
    .change = forward_second_attempt },
  { "output-of-the-first-attempt-and-lines-of-the-retry",
    PP_JOURNAL_STARTING,
    PP_JOB_ENDED,
    "RUNNING",
    RUNNING_ID,
    { STORED ("[" LINE ("stdout.2", OWN_TIME) ", " LINE ("stderr.2", "2100-01-01T00:00:03Z") "]"),
      .keeps_running = TRUE, .prepare = send_much_and_begin_elsewhere, .states = "",
      .log = "delivered\nnot delivered" },
    .change = forward },
  { "output-is-not-known",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .answers = { { "/logs/filter", 0, 9, 422, DETAIL ("no") } },
      .prepare = write_lines,
      .states = "COMPLETED ",
      .calls = FOLLOWED,
      .log = "Could not find out how much output of container " },
    .change = forward },
  { "batch-may-be-on-its-way",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .prepare = note_batch_lately,
      .states = "COMPLETED ",
      .log = "The server may still be storing lines of container " },
    .change = forward },
  { "batch-of-long-ago",
    PP_JOURNAL_STARTING,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .prepare = note_batch_long_ago,
      .states = "COMPLETED ",
      .absent = "The server may still be storing lines of container " },
    .change = forward },
};

static void
test_recovery (Fixture *fixture, gconstpointer data)
{
  const Recovery *recovery = data;
  PpJournalEntry entry = make_entry (recovery->phase);

  if (recovery->change != NULL)
    recovery->change (&entry);
  if (recovery->type != NULL)
    add_state (fixture, recovery->type, recovery->transition);
  else
    delete_run (fixture);
  fixture->is_unlisted = recovery->is_unlisted;
  recover_run (fixture, &entry, recovery->job);
  if (recovery->at_once != NULL)
    g_assert_cmpstr (fixture->fake->calls->str, ==, recovery->at_once);
  finish_run (fixture);
  check_script (fixture);
}

static void
set_up_recovery (Fixture *fixture, gconstpointer data)
{
  set_up (fixture, &((const Recovery *)data)->script);
}

static void
add_tests (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (recoveries); i++)
    {
      g_autofree char *path = g_strconcat ("/recover/", recoveries[i].name, NULL);
      g_test_add (path, Fixture, &recoveries[i], set_up_recovery, test_recovery, tear_down);
    }
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
