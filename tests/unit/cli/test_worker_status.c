/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the output of `worker status` for people and scripts. */
#include "prefect-podman/cli/cli.h"
#include "prefect-podman/json.h"
#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal_entry.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>

#define SECONDS G_USEC_PER_SEC

static void
write_entry (const PpIdentity *identity, const PpJournalEntry *entry)
{
  g_autofree char *name = g_strconcat (entry->flow_run_id, ".json", NULL);
  g_autofree char *folder = state_test_path (identity, "runs", NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *text = pp_journal_entry_to_text (entry);

  g_mkdir (folder, 0700);
  state_test_write (path, text);
}

/* Writes that the container of ENTRY is followed. */
static void
write_position (const PpIdentity *identity, const PpJournalEntry *entry)
{
  char record[PP_POSITION_BYTES + 1] = "";
  g_autofree char *name = g_strconcat ("runs/", entry->flow_run_id, ".position", NULL);
  g_autofree char *path = state_test_path (identity, name, NULL);

  pp_position_format (&(PpPosition){ 0 }, entry->container_id, record);
  state_test_write (path, record);
}

/* Creates a killed worker without runs, a running one and a killed one, in the order of their
 * names. The running worker has a damaged file and a run in each phase, one of them before its
 * scheduled time, and one whose container was about to be started and never was. */
static PpIdentity *
make_workers (const char *state_dir)
{
  g_autoptr (PpIdentity) idle = pp_identity_take (state_dir, &state_test_key, NULL);
  PpIdentity *living = pp_identity_take (state_dir, &state_test_key, NULL);
  g_autoptr (PpIdentity) killed = pp_identity_take (state_dir, &state_test_key, NULL);
  gint64 now = g_get_real_time ();

  g_assert_true (pp_identity_write (idle, "worker-0", FALSE, FALSE, NULL));
  g_assert_true (pp_identity_write (living, "worker-a", FALSE, FALSE, NULL));
  g_assert_true (pp_identity_write (killed, "worker-b", FALSE, FALSE, NULL));
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *id = state_test_id (i);
      PpJournalEntry entry = {
        .flow_run_id = id,
        .flow_run_name = (char *)"evil\033[2Jna\xe2\x80\xa8\xe2\x80\xae\xc2\x9bme",
        .phase = i < 4    ? (PpJournalPhase)MIN (i, 2)
                 : i == 4 ? PP_JOURNAL_CLAIMED
                          : PP_JOURNAL_STARTING,
        .claimed_at = now - (gint64)(10 - i) * 3600 * SECONDS - 61 * SECONDS,
        .started_at = i == 1 || i == 5 ? now : 0,
        .scheduled_time = i == 4 ? now + 150 * SECONDS : now - SECONDS,
        .container_id = i > 0 ? (char *)"0123456789abcdef" : NULL,
        .container_name = i > 0 ? (char *)"topsecret" : NULL,
        .shown_name = i > 0 ? (char *)"box" : NULL,
        .report_type = (char *)"FAILED",
      };
      write_entry (i != 3 ? living : killed, &entry);
      if (i == 1)
        write_position (living, &entry);
    }
  g_autofree char *damaged
      = state_test_path (living, "runs", "11111111-2222-3333-4444-999999999999.json");
  state_test_write (damaged, "{");
  return living;
}

static int
run_status (const char *state_dir, const char *flag)
{
  char *argv[] = { (char *)"prefect-podman",
                   (char *)"worker",
                   (char *)"status",
                   (char *)"--state-dir",
                   (char *)state_dir,
                   (char *)flag,
                   NULL };

  return pp_cli_run (flag != NULL ? 6 : 5, argv);
}

static void
test_text (void)
{
  if (g_test_subprocess ())
    {
      g_autofree char *root = state_test_folder (FALSE);
      g_autoptr (PpIdentity) living = make_workers (root);
      int code = run_status (root, NULL);

      state_test_remove (root);
      g_assert_nonnull (living);
      g_assert_cmpint (code, ==, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout (
      "*worker-a: running for 0 s, pid * on host.example\n"
      "  pool pool, API http://localhost:4200/api, engine unix:*\n"
      "  FLOW RUN *WAITS FOR\n"
      "*000000  evil??2Jna???me *10 h 1 min *CLAIMED *its claim, its image*\n"
      "*000001 *9 h 1 min *RUNNING * box *its container's end and its report\n"
      "*000002 *REPORTING * box *its end to be reported*\n"
      "*000004 *CLAIMED * box *its scheduled time, in 2 min\n"
      "*000005 *5 h 1 min *STARTING * box *its container's start\n"
      "  ! *9.json: line 1, column 1*\n"
      "*worker-b: not running (was pid *\n"
      "*000003 *a worker that recovers it\n"
      "*worker-0: not running (was pid *");
  g_test_trap_assert_stdout_unmatched ("*\033*");
  g_test_trap_assert_stdout_unmatched ("*\xe2\x80\xa8*");
}

static void
test_json (void)
{
  if (g_test_subprocess ())
    {
      g_autofree char *root = state_test_folder (FALSE);
      g_autoptr (PpIdentity) living = make_workers (root);
      int code = run_status (root, "--json");

      state_test_remove (root);
      g_assert_nonnull (living);
      g_assert_cmpint (code, ==, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*\"workers\": ?*\"name\": \"worker-a\"*\"alive\": true*"
                             "\"phase\": \"RUNNING\"*\"container_name\": \"box\"*"
                             "\"problems\": ?*column 1*\"alive\": false*");
  g_test_trap_assert_stdout ("*\"evil?u001??2Jna?u2028?u202e?u009bme\"*");
}

static void
test_nothing_there (void)
{
  if (g_test_subprocess ())
    {
      g_autofree char *root = state_test_folder (FALSE);

      g_assert_cmpint (run_status ("/nonexistent", NULL), ==, 1);
      g_assert_cmpint (run_status ("/etc", NULL), ==, 1);
      g_assert_cmpint (run_status (root, "--what"), ==, 2);
      g_assert_cmpint (run_status (root, NULL), ==, 0);
      state_test_remove (root);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*/nonexistent: * No such file or directory\n"
                             "*/etc is not a state directory of prefect-podman*--what*--help*");
  g_test_trap_assert_stdout ("*No worker has stored anything in*");
}

static void
add_tests (void)
{
  g_test_add_func ("/commands/status/text", test_text);
  g_test_add_func ("/commands/status/json", test_json);
  g_test_add_func ("/commands/status/nothing-there", test_nothing_there);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
