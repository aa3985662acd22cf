/* SPDX-License-Identifier: Apache-2.0 */
/* Tests journal entries as earlier versions wrote them, unchanged except for the ids: they are
 * read, and their runs continue. */
#include "config.h"

#include "flow_run_test.h"

#define BOOT "75f9ebb0-e8a5-434c-afb4-fc91f248d4bf"

/* The journal's first version. */
#define RUN_OF_0_1                                                                                 \
  " \"flow_run_id\": \"" RUN "\",\n"                                                               \
  " \"flow_run_name\": \"great-gecko\",\n"                                                         \
  " \"deployment_id\": \"" DEPLOYMENT "\",\n"                                                      \
  " \"flow_id\": \"" FLOW "\",\n"                                                                  \
  " \"claim_transition_id\": \"" CLAIM "\",\n"                                                     \
  " \"submitting_transition_id\": \"4df22c36-9762-4e8c-b577-69eec2789e63\",\n"                     \
  " \"running_transition_id\": \"" RUNNING_ID "\",\n"                                              \
  " \"report_transition_id\": \"be683252-a956-4bc4-b241-4325976513af\",\n"
#define HOST_OF_0_1                                                                                \
  " \"engine_name\": \"Podman\",\n"                                                                \
  " \"engine_url\": \"unix:///run/podman/podman.sock\",\n"                                         \
  " \"boot_id\": \"" BOOT "\"\n"                                                                   \
  "}\n"
#define CLAIMED_BY_0_1                                                                             \
  "{\n \"version\": 1,\n \"phase\": \"CLAIMED\",\n" RUN_OF_0_1                                     \
  " \"report_force\": false,\n \"worker_reported\": false,\n \"auto_remove\": false,\n"            \
  " \"tty\": false,\n \"stream_output\": false,\n \"forward_output\": false,\n"                    \
  " \"stop_timeout\": 0,\n \"timeout_seconds\": 0.0,\n \"startup_timeout_seconds\": 0.0,\n"        \
  " \"claimed_at\": 1795961877476624,\n \"started_at\": 0,\n"                                      \
  " \"scheduled_time\": 1795961876272259,\n" HOST_OF_0_1
#define JOB_OF_0_1                                                                                 \
  " \"container_id\": \"02f43fb6b51a68a5c00a87fed555dc01370611d4c088d126237f727b93a0a084\",\n"     \
  " \"container_name\": \"great-gecko\",\n"
#define STARTED_BY_0_1                                                                             \
  "{\n \"version\": 1,\n \"phase\": \"STARTING\",\n" RUN_OF_0_1                                    \
  " \"report_force\": false,\n" JOB_OF_0_1                                                         \
  " \"worker_reported\": true,\n \"auto_remove\": true,\n"                                         \
  " \"tty\": false,\n \"stream_output\": true,\n \"forward_output\": true,\n"                      \
  " \"stop_timeout\": 30,\n \"timeout_seconds\": 0.0,\n \"startup_timeout_seconds\": 0.0,\n"       \
  " \"claimed_at\": 1795961877476624,\n \"started_at\": 1795961877693095,\n"                       \
  " \"scheduled_time\": 1795961876272259,\n" HOST_OF_0_1

/* The last version before 0.2. */
#define JOB_BEFORE_0_2                                                                             \
  JOB_OF_0_1 " \"undescribed\": false,\n \"worker_reported\": true,\n \"auto_remove\": true,\n"    \
             " \"timed_out\": false,\n \"tty\": false,\n \"stream_output\": true,\n"               \
             " \"forward_output\": true,\n \"stop_timeout\": 30,\n \"timeout_seconds\": 0.0,\n"    \
             " \"startup_timeout_seconds\": 0.0,\n \"claimed_at\": 1795961877476624,\n"            \
             " \"started_at\": 1795961877693095,\n \"started_uptime\": 69866734579,\n"             \
             " \"seen_run_count\": 0,\n \"scheduled_time\": 1795961876272259,\n"                   \
             " \"late_until\": 0,\n" HOST_OF_0_1
#define STARTED_BEFORE_0_2                                                                         \
  "{\n \"version\": 1,\n \"phase\": \"STARTING\",\n" RUN_OF_0_1                                    \
  " \"report_force\": false,\n" JOB_BEFORE_0_2
#define REPORTING_BEFORE_0_2                                                                       \
  "{\n \"version\": 1,\n \"phase\": \"REPORTING\",\n" RUN_OF_0_1 " \"report_type\": \"FAILED\",\n" \
  " \"report_message\": \"Container exited with status 3.\",\n \"report_force\": "                 \
  "false,\n" JOB_BEFORE_0_2

typedef struct
{
  const char *name;
  const char *text;
  PpJobPhase job;
  const char *type; /* of the run's state on the server */
  const char *transition;
  Script script;
} Recorded;

static const Recorded entries[] = {
  { "0.1-claimed",
    CLAIMED_BY_0_1,
    PP_JOB_ABSENT,
    "PENDING",
    CLAIM,
    { .states = "RUNNING COMPLETED ", .calls = "create start watch follow inspect remove " } },
  { "0.1-running",
    STARTED_BY_0_1,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "watch follow inspect remove " } },
  { "0.1-gone",
    STARTED_BY_0_1,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .words = "container 'great-gecko' (02f43fb6b51a) is gone" } },
  { "before-0.2-running",
    STARTED_BEFORE_0_2,
    PP_JOB_RUNNING,
    "RUNNING",
    RUNNING_ID,
    { .states = "COMPLETED ", .calls = "watch follow inspect remove " } },
  { "before-0.2-reporting",
    REPORTING_BEFORE_0_2,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "FAILED ", .words = "Container exited with status 3." } },
};

static void
test_recorded (Fixture *fixture, gconstpointer data)
{
  const Recorded *recorded = data;
  g_autofree char *path = state_test_path (fixture->identity, "runs", RUN ".json");

  state_test_write (path, recorded->text);
  g_autoptr (GPtrArray) read = pp_journal_load (fixture->context.journal);
  g_assert_cmpuint (read->len, ==, 1);
  fixture->context.boot_id = BOOT;
  add_state (fixture, recorded->type, recorded->transition);
  recover_run (fixture, g_ptr_array_index (read, 0), recorded->job);
  finish_run (fixture);
  check_script (fixture);
  while (pp_journal_pending (fixture->context.journal) > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
set_up_recorded (Fixture *fixture, gconstpointer data)
{
  set_up (fixture, &((const Recorded *)data)->script);
}

static void
add_tests (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      g_autofree char *path = g_strconcat ("/recorded/", entries[i].name, NULL);
      g_test_add (path, Fixture, &entries[i], set_up_recorded, test_recorded, tear_down);
    }
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
