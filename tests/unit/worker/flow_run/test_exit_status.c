/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a container's end means for its flow run. */
#include "tests/unit/tap.h"

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/text/timestamp.h"
#include "infrastructure/containers/container_job-private.h"
#include "infrastructure/kind-private.h"
#include "worker/flow_run/exit_status-private.h"

#include <string.h>

typedef struct
{
  const char *inspect;
  const char *type;
  const char *message_has; /* NULL: no message */
} Case;

static const Case cases[] = {
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": 0}}", "COMPLETED", NULL },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": 3}}", "FAILED",
    "Container exited with status 3. Its last lines:\nlast words" },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 137, \"OOMKilled\": true}, \"HostConfig\": "
    "{\"Memory\": 67108864}}",
    "CRASHED",
    "killed for lack of memory (OOMKilled, exit status 137): the container's memory limit is "
    "67108864 bytes" },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 137, \"OOMKilled\": true}}", "CRASHED",
    "no memory limit" },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 137}}", "CRASHED", "SIGKILL" },
  /* The kernel has killed a process of the container, and the container's program has handled that.
   */
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 0, \"OOMKilled\": true}, \"HostConfig\": "
    "{\"Memory\": 67108864}}",
    "COMPLETED", NULL },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 3, \"OOMKilled\": true}, \"HostConfig\": "
    "{\"Memory\": 67108864}}",
    "FAILED",
    "Container exited with status 3. A process in it was killed for lack of memory (OOMKilled): "
    "the container's memory limit is 67108864 bytes" },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 143, \"OOMKilled\": true}}", "CRASHED",
    "SIGTERM (exit status 143). A process in it was killed for lack of memory" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": -1, \"OOMKilled\": true}}",
    "CRASHED", "exit status was lost: conmon" },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 143, \"Error\": \"stopped by hand\"}}", "CRASHED",
    "stopped by hand" },
  /* Engines report exit status 0 for a container that never ran, or whose end they have lost. */
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"created\", \"ExitCode\": 0, \"FinishedAt\": "
    "\"0001-01-01T00:00:00Z\"}}",
    "CRASHED", "The engine says that the container was never started, although" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"configured\", \"Pid\": 0}}", "CRASHED",
    "Does a proxy in front of the engine answer instead of the engine?" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"created\", \"Error\": \"no runc\"}}", "CRASHED",
    "with success: no runc. Does a proxy" },
  /* Podman was killed while it started this container, which ran. */
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"created\", \"Pid\": 7}}", "CRASHED",
    "or its exit status was lost (conmon crashed" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": 0, \"FinishedAt\": "
    "\"0001-01-01T00:00:00Z\", \"Error\": \"conmon died\"}}",
    "CRASHED", ": conmon died" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": 0, \"FinishedAt\": "
    "\"2026-11-22T09:00:00.1Z\"}}",
    "COMPLETED", NULL },
  /* Podman 5's answer for a container whose conmon was killed. */
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": -1, \"FinishedAt\": "
    "\"2026-11-22T09:00:00.1Z\"}}",
    "CRASHED", "exit status was lost: conmon" },
  { "{\"Id\": \"c\", \"State\": {\"Status\": \"exited\", \"ExitCode\": 0, \"Checkpointed\": true, "
    "\"FinishedAt\": "
    "\"2026-11-22T09:00:00.1Z\"}}",
    "CRASHED", "was checkpointed" },
  /* A signal that the program itself has caused: the run has failed, and nobody ended it. */
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 139}}", "FAILED",
    "Container exited with status 139." },
  { "{\"Id\": \"c\", \"State\": {\"ExitCode\": 134}}", "FAILED",
    "Container exited with status 134." },
};

static const PpInfrastructure engine = { .kind = &pp_engine_api_kind };
static const PpKindWords *words;

static const char *
to_state (const PpJobEnd *end, const char *tail, char **message)
{
  if (!end->never_ended)
    return pp_job_end_to_state (end, words, tail, message);
  *message = pp_infrastructure_explain_no_end (&engine, end);
  return "CRASHED";
}

static void
test_states (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      json_auto_t *inspect = json_loads (cases[i].inspect, 0, NULL);
      g_autoptr (PpJob) job = pp_container_job_from_inspect (inspect);
      g_autofree char *message = NULL;

      g_assert_cmpstr (to_state (&job->status.end, "last words", &message), ==, cases[i].type);
      if (cases[i].message_has == NULL)
        g_assert_null (message);
      else
        g_assert_nonnull (strstr (message, cases[i].message_has));
    }
}

static void
test_memory (void)
{
  PpJobEnd end = { .oom_killed = TRUE, .memory_limit = 1048576 };
  g_autofree char *limited = pp_job_end_explain_memory (&end, words);

  g_assert_nonnull (strstr (limited, "1048576 bytes. Give the run more"));
  end.memory_limit = 0;
  g_autofree char *unlimited = pp_job_end_explain_memory (&end, words);
  g_assert_nonnull (strstr (unlimited, "no memory limit"));
  end.oom_killed = FALSE;
  g_assert_null (pp_job_end_explain_memory (&end, words));
}

/* The host went down at 8 and came up at 9. For a container that ran then, Docker reports status
 * 255 and an end at 9. */
static void
test_boot (void)
{
  static const struct
  {
    const char *started, *finished;
    int status;
    const char *type;
  } boots[] = {
    { "2026-11-22T07:00:00Z", "2026-11-22T09:00:07.5Z", 255, "CRASHED" },
    { "2026-11-22T07:00:00Z", "2026-11-22T07:30:00Z", 255, "FAILED" },
    { "2026-11-22T09:00:08Z", "2026-11-22T09:30:00Z", 255, "FAILED" },
    /* The engine is on another host, which did not go down. */
    { "2026-11-22T07:00:00Z", "2026-11-22T09:30:00Z", 0, "COMPLETED" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (boots); i++)
    {
      json_auto_t *inspect = json_pack (
          "{s:s, s:{s:s, s:i, s:s, s:s}}", "Id", "c", "State", "Status", "exited", "ExitCode",
          boots[i].status, "StartedAt", boots[i].started, "FinishedAt", boots[i].finished);
      g_autoptr (PpJob) job = pp_container_job_from_inspect (inspect);
      PpJobEnd *end = &job->status.end;
      g_autofree char *message = NULL;

      pp_job_end_note_boot (end, &job->status, pp_timestamp_parse ("2026-11-22T09:00:00Z"));
      g_assert_cmpstr (to_state (end, "", &message), ==, boots[i].type);
      g_assert_true ((message != NULL && strstr (message, "the host was restarted") != NULL)
                     == (i == 0));
    }
}

/* If Podman is killed while it starts a container, its conmon may be killed, too. */
static void
test_interrupted_start (void)
{
  for (int interrupted = 0; interrupted < 2; interrupted++)
    {
      PpJobEnd end
          = { .never_ended = TRUE, .status_lost = TRUE, .start_interrupted = interrupted != 0 };
      g_autofree char *message = NULL;

      g_assert_cmpstr (to_state (&end, "", &message), ==, "CRASHED");
      g_assert_nonnull (strstr (message, "exit status was lost: conmon"));
      g_assert_true ((strstr (message, "Podman was killed while it started the container") != NULL)
                     == (interrupted != 0));
      g_assert_true ((strstr (message, "because memory ran out") != NULL) == (interrupted == 0));
    }
}

static void
test_long_tail (void)
{
  g_autofree char *line = g_strnfill (1400, 'z');
  g_autofree char *tail = g_strdup_printf ("first %s\nsecond %s", line, line);
  g_autofree char *message = NULL;
  PpJobEnd end = { .exit_code = 1 };

  to_state (&end, tail, &message);
  g_assert_null (strstr (message, "first"));
  g_assert_nonnull (strstr (message, "lines:\nsecond z"));
  g_autofree char *rest = pp_job_end_without_lines (message);
  g_assert_cmpstr (rest, ==, "Container exited with status 1.");
  g_assert_null (pp_job_end_without_lines (rest));
}

/* The tail is cut before its secrets are masked: no part of a secret is left. */
static void
test_tail_of_one_line (void)
{
  PpJobEnd end = { .exit_code = 1 };

  for (gsize behind = 1480; behind < 1510; behind++)
    {
      g_autofree char *filler = g_strnfill (behind, '.');
      g_autofree char *spaced = g_strconcat (filler, " S3cretS3cret ", filler, NULL);
      g_autofree char *joined = g_strconcat (filler, "/S3cretS3cret/", filler, NULL);
      g_autofree char *message = NULL;
      g_autofree char *other = NULL;

      to_state (&end, spaced, &message);
      to_state (&end, joined, &other);
      g_assert_true (strstr (message, "3cret") == NULL || strstr (message, "\nS3cretS3cret "));
      g_assert_null (strstr (other, "cret"));
    }
}

static void
test_explanations (void)
{
  const char *advice = NULL;

  g_assert_cmpstr (pp_exit_code_explain (127, &advice), ==, "Command not found.");
  g_assert_nonnull (advice);
  g_assert_cmpstr (pp_exit_code_explain (42, &advice), ==,
                   "Process exited with an unexpected status code.");
}

static void
add_tests (void)
{
  words = pp_infrastructure_words (&engine);
  g_test_add_func ("/exit-status/states", test_states);
  g_test_add_func ("/exit-status/memory", test_memory);
  g_test_add_func ("/exit-status/interrupted-start", test_interrupted_start);
  g_test_add_func ("/exit-status/boot", test_boot);
  g_test_add_func ("/exit-status/long-tail", test_long_tail);
  g_test_add_func ("/exit-status/tail-of-one-line", test_tail_of_one_line);
  g_test_add_func ("/exit-status/explanations", test_explanations);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
