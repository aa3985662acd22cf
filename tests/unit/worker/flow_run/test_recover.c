/* SPDX-License-Identifier: Apache-2.0 */
/* Flow runs that a worker before this one had in its hands: what it wrote down, what the engine has
 * and what the server says are held against each other. */
#include "config.h"

#include "flow_run_test.h"

#define WELL "create start watch follow inspect remove "

typedef struct
{
  const char *name;
  PpJournalPhase phase;   /* as it was written down */
  PpJobPhase job;         /* what the engine has */
  const char *type;       /* of the run's last state on the server; NULL: it was deleted */
  const char *transition; /* and the id that it was asked for by */
  Script script;
} Recovery;

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
  { "vanished",
    PP_JOURNAL_STARTING,
    PP_JOB_ABSENT,
    "RUNNING",
    RUNNING_ID,
    { .states = "CRASHED ", .calls = "remove " } },
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
};

static void
test_recovery (Fixture *fixture, gconstpointer data)
{
  const Recovery *recovery = data;
  const PpJournalEntry entry = make_entry (recovery->phase);

  if (recovery->type != NULL)
    add_state (fixture, recovery->type, recovery->transition);
  else
    delete_run (fixture);
  recover_run (fixture, &entry, recovery->job);
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
