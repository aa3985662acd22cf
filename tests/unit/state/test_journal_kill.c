/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that an entry which was reported as durable is there after a kill -9 at any time. */
#include "prefect-podman/state/journal_position.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS 8u
#define KILLS 25
#define LATEST_MS 40

/* The worker that is killed: this program again, with the state directory as its argument. It puts
 * each run into the next phase, again and again, and prints what is durable. */

typedef struct
{
  PpJournal *journal;
  char *ids[RUNS];
  guint phases[RUNS];
  PpPositionFile *positions[RUNS];
} Worker;

typedef struct
{
  Worker *worker;
  guint n;
} Run;

static void next (Run *run);

static void
on_put (const GError *error, gpointer user_data)
{
  Run *run = user_data;
  guint phase = run->worker->phases[run->n];

  g_assert_no_error (error);
  printf ("%u %u\n", run->n, phase);
  fflush (stdout);
  pp_position_update (run->worker->positions[run->n],
                      &(PpPosition){ .records = phase + 1, .stdout_bytes = phase + 1 });
  run->worker->phases[run->n]++;
  next (run);
}

/* Puts the run into its next phase. After REPORTING the run is removed and begins again. */
static void
next (Run *run)
{
  Worker *worker = run->worker;
  PpJournalEntry entry = {
    .flow_run_id = worker->ids[run->n],
    .phase = (PpJournalPhase)(worker->phases[run->n] % 3),
    .report_type = (char *)"FAILED",
    .claimed_at = worker->phases[run->n] + 1,
  };

  if (entry.phase == PP_JOURNAL_CLAIMED)
    pp_journal_remove (worker->journal, entry.flow_run_id);
  pp_journal_put (worker->journal, &entry, on_put, run);
}

static void
be_worker (const char *state_dir)
{
  PpIdentity *identity = pp_identity_take (state_dir, &state_test_key, NULL);
  Worker worker = { .journal = pp_journal_new (identity, NULL) };
  Run runs[RUNS];

  for (guint n = 0; n < RUNS; n++)
    {
      runs[n] = (Run){ &worker, n };
      worker.ids[n] = state_test_id (n);
      worker.positions[n] = pp_position_open (worker.journal, worker.ids[n], "0123456789ab");
      next (&runs[n]);
    }
  while (TRUE)
    g_main_context_iteration (NULL, TRUE);
}

/* Starts the worker and kills it. SAID is what it printed last for each run: phase + 1, 0 for
 * nothing. */
static void
run_and_kill (const char *state_dir, guint milliseconds, guint said[RUNS])
{
  char *argv[] = { (char *)"/proc/self/exe", (char *)"--state-dir", (char *)state_dir, NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int output;
  guint n, phase;

  memset (said, 0, RUNS * sizeof said[0]);
  g_assert_true (g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                           &pid, NULL, &output, NULL, &error));
  FILE *stream = fdopen (output, "r");
  /* Waits for the first line, so that the worker is at work. */
  g_assert_cmpint (fscanf (stream, "%u %u", &n, &phase), ==, 2);
  said[n] = phase + 1;
  g_usleep (milliseconds * 1000UL);
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  while (fscanf (stream, "%u %u\n", &n, &phase) == 2)
    said[n] = phase + 1;
  fclose (stream);
}

static void
check_entries (const char *state_dir, const guint said[RUNS])
{
  g_autoptr (PpIdentity) identity = pp_identity_take (state_dir, &state_test_key, NULL);
  g_autoptr (PpJournal) journal = pp_journal_new (identity, NULL);
  g_autoptr (GPtrArray) entries = pp_journal_load (journal);
  gint64 found[RUNS] = { 0 };

  /* The identity is the same, because its lock ended with the process. Nothing is damaged: that
   * would cause a warning, and warnings are fatal here. */
  g_assert_cmpuint (pp_identity_slot (identity), ==, 0);
  for (guint i = 0; i < entries->len; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (entries, i);
      guint n = (guint)g_ascii_strtoull (entry->flow_run_id + 24, NULL, 10);
      PpPosition position = state_test_position (journal, entry->flow_run_id, "0123456789ab");

      g_assert_cmpuint (n, <, RUNS);
      found[n] = entry->claimed_at;
      g_assert_cmpuint (position.records, ==, position.stdout_bytes);
    }
  for (guint n = 0; n < RUNS; n++)
    {
      /* An entry may be newer than the last line: it was done, but not printed yet. It may be
       * missing only if a removal came next. */
      if (found[n] == 0)
        g_assert_cmpuint (said[n] % 3, ==, 0);
      else
        g_assert_cmpint (found[n], >=, said[n]);
    }
}

static void
test_kill (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  guint said[RUNS];

  for (guint i = 0; i < KILLS; i++)
    {
      run_and_kill (root, (guint)g_test_rand_int_range (0, LATEST_MS), said);
      check_entries (root, said);
    }
  state_test_remove (root);
}

static void
add_tests (void)
{
  g_test_add_func ("/journal/kill", test_kill);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--state-dir") == 0)
    be_worker (argv[2]);
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
