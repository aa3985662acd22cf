/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the journal's files: what is written when, what is read again, and what a bad disk does. */
#include "prefect-podman/state/journal.h"
#include "prefect-podman/state/identity_list.h"
#include "prefect-podman/state/journal_late.h"
#include "prefect-podman/state/journal_position.h"
#include "prefect-podman/state/state_dir.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *root;
  PpIdentity *identity;
  PpJournal *journal;
  char *runs;
  GString *order; /* one letter for each callback */
  char *error;    /* of the last put that failed */
  guint calls;
} Fixture;

typedef struct
{
  Fixture *fixture;
  char letter;
} Call;

static void
on_done (const GError *error, gpointer user_data)
{
  g_autofree Call *call = user_data;

  g_string_append_c (call->fixture->order, call->letter);
  call->fixture->calls++;
  if (error == NULL)
    return;
  g_assert_cmpint (error->domain, ==, PP_STATE_ERROR);
  g_free (call->fixture->error);
  call->fixture->error = g_strdup (error->message);
}

static void
open_journal (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fixture->identity = pp_identity_take (fixture->root, &state_test_key, &error);
  g_assert_no_error (error);
  fixture->journal = pp_journal_new (fixture->identity, &error);
  g_assert_no_error (error);
  fixture->runs = state_test_path (fixture->identity, "runs", NULL);
}

static void
close_journal (Fixture *fixture)
{
  g_clear_pointer (&fixture->journal, pp_journal_free);
  g_clear_pointer (&fixture->identity, pp_identity_free);
  g_clear_pointer (&fixture->runs, g_free);
}

static void
set_up (Fixture *fixture, gconstpointer small)
{
  fixture->root = state_test_folder (small != NULL);
  fixture->order = g_string_new (NULL);
  if (fixture->root != NULL)
    open_journal (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer small)
{
  (void)small;
  close_journal (fixture);
  if (fixture->root != NULL)
    state_test_remove (fixture->root);
  g_free (fixture->root);
  g_string_free (fixture->order, TRUE);
  g_free (fixture->error);
}

static PpJournalPut *
put (Fixture *fixture, guint n, PpJournalPhase phase, char letter)
{
  g_autofree char *id = state_test_id (n);
  PpJournalEntry entry
      = { .flow_run_id = id, .phase = phase, .claimed_at = 1, .report_type = (char *)"FAILED" };
  Call *call = g_new0 (Call, 1);

  call->fixture = fixture;
  call->letter = letter;
  return pp_journal_put (fixture->journal, &entry, on_done, call);
}

static void
remove_run (Fixture *fixture, guint n)
{
  g_autofree char *id = state_test_id (n);

  pp_journal_remove (fixture->journal, id);
}

/* Runs the loop until everything is written and all callbacks were called. */
static void
settle (Fixture *fixture)
{
  while (pp_journal_pending (fixture->journal) > 0)
    g_main_context_iteration (NULL, TRUE);
}

static char *
file_of (const Fixture *fixture, guint n, const char *suffix)
{
  g_autofree char *id = state_test_id (n);
  g_autofree char *name = g_strconcat (id, suffix, NULL);

  return g_build_filename (fixture->runs, name, NULL);
}

/* Returns the phase in the run's file, or -1 if there is no file. */
static int
phase_of (const Fixture *fixture, guint n)
{
  g_autofree char *path = file_of (fixture, n, ".json");
  g_autofree char *text = NULL;
  gsize length;

  if (!g_file_get_contents (path, &text, &length, NULL))
    return -1;
  g_autoptr (PpJournalEntry) entry = pp_journal_entry_parse (text, length, NULL);
  g_assert_nonnull (entry);
  return (int)entry->phase;
}

static void
test_put (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = file_of (fixture, 1, ".json");
  struct stat status;

  (void)data;
  put (fixture, 1, PP_JOURNAL_STARTING, 'a');
  /* The callback is not called from inside the call, and nothing blocks. */
  g_assert_cmpuint (fixture->calls, ==, 0);
  settle (fixture);
  g_assert_cmpuint (fixture->calls, ==, 1);
  g_assert_null (fixture->error);
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_STARTING);
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 0777, ==, 0600);
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 1);
  remove_run (fixture, 1);
  settle (fixture);
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 0);
}

static void
test_order (Fixture *fixture, gconstpointer data)
{
  (void)data;
  put (fixture, 1, PP_JOURNAL_CLAIMED, 'a');
  put (fixture, 2, PP_JOURNAL_CLAIMED, 'b');
  put (fixture, 1, PP_JOURNAL_STARTING, 'c');
  put (fixture, 3, PP_JOURNAL_CLAIMED, 'd');
  remove_run (fixture, 3);
  put (fixture, 2, PP_JOURNAL_REPORTING, 'e');
  remove_run (fixture, 4);
  put (fixture, 4, PP_JOURNAL_CLAIMED, 'f');
  settle (fixture);
  g_assert_cmpstr (fixture->order->str, ==, "abcdef");
  g_assert_null (fixture->error);
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_STARTING);
  g_assert_cmpint (phase_of (fixture, 2), ==, PP_JOURNAL_REPORTING);
  g_assert_cmpint (phase_of (fixture, 3), ==, -1);
  g_assert_cmpint (phase_of (fixture, 4), ==, PP_JOURNAL_CLAIMED);
}

static void
on_done_put_again (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_CLAIMED);
  put (fixture, 1, PP_JOURNAL_STARTING, 'b');
  remove_run (fixture, 2);
}

/* Puts that arrive while a group is written, or from its callbacks, are written after the group. */
static void
test_groups (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = state_test_id (1);
  PpJournalEntry entry = { .flow_run_id = id, .claimed_at = 1 };

  (void)data;
  pp_journal_put (fixture->journal, &entry, on_done_put_again, fixture);
  put (fixture, 2, PP_JOURNAL_CLAIMED, 'a');
  while (fixture->calls == 0)
    g_main_context_iteration (NULL, TRUE);
  for (guint n = 10; n < 210; n++)
    put (fixture, n, PP_JOURNAL_CLAIMED, '.');
  settle (fixture);
  g_assert_cmpuint (fixture->calls, ==, 202);
  g_assert_null (fixture->error);
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_STARTING);
  g_assert_cmpint (phase_of (fixture, 2), ==, -1);
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 201);
}

typedef struct
{
  PpJournalPut *other;
} Cancel;

static void
on_done_cancel (const GError *error, gpointer user_data)
{
  Cancel *cancel = user_data;

  g_assert_no_error (error);
  pp_journal_put_cancel (g_steal_pointer (&cancel->other));
}

static void
never (const GError *error, gpointer user_data)
{
  (void)error;
  (void)user_data;
  g_assert_not_reached ();
}

static void
test_cancel (Fixture *fixture, gconstpointer data)
{
  g_autofree char *one = state_test_id (1);
  g_autofree char *two = state_test_id (2);
  PpJournalEntry entry = { .flow_run_id = one, .claimed_at = 1 };

  (void)data;
  pp_journal_put_cancel (pp_journal_put (fixture->journal, &entry, never, NULL));
  settle (fixture);
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_CLAIMED);

  /* One callback cancels another one of its group. A journal that is freed calls no callback. */
  Cancel cancel = { NULL };
  pp_journal_put (fixture->journal, &entry, on_done_cancel, &cancel);
  entry.flow_run_id = two;
  cancel.other = pp_journal_put (fixture->journal, &entry, never, NULL);
  settle (fixture);
  g_assert_null (cancel.other);
  pp_journal_put (fixture->journal, &entry, never, NULL);
  entry.phase = PP_JOURNAL_STARTING;
  pp_journal_put (fixture->journal, &entry, never, NULL);
  g_clear_pointer (&fixture->journal, pp_journal_free);
  g_assert_cmpint (phase_of (fixture, 2), ==, PP_JOURNAL_STARTING);
}

static void
test_load (Fixture *fixture, gconstpointer data)
{
  g_autofree char *lone = file_of (fixture, 9, ".position");
  g_autofree char *damaged = file_of (fixture, 8, ".json");
  g_autofree char *kept = file_of (fixture, 8, ".position");
  g_autofree char *foreign = g_build_filename (fixture->runs, "notes.txt", NULL);

  (void)data;
  for (guint n = 1; n <= 3; n++)
    put (fixture, n, (PpJournalPhase)(n - 1), '.');
  settle (fixture);
  /* Files that a kill leaves between the steps of a put, and beside a removed entry. */
  g_autofree char *left
      = g_strdup_printf ("%s/.tmp-11111111-2222-3333-4444-000000000009", fixture->runs);
  state_test_write (left, "{\"vers");
  state_test_write (lone, "x");
  state_test_write (foreign, "somebody's own");
  /* The position is kept although its entry is damaged. */
  state_test_write (damaged, "{\"vers");
  state_test_write (kept, "x");
  close_journal (fixture);
  open_journal (fixture);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "*8.json: line 1*");
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (entries->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (entries, i);
      g_assert_cmpint (entry->phase, ==, i);
    }
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 5);
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
  /* A leftover temporary file does not prevent a new file. */
  state_test_write (left, "{\"vers");
  put (fixture, 9, PP_JOURNAL_CLAIMED, 'z');
  settle (fixture);
  g_assert_null (fixture->error);
  g_assert_cmpint (phase_of (fixture, 9), ==, PP_JOURNAL_CLAIMED);
}

typedef struct
{
  const char *text; /* NULL: the file is made in another way */
  const char *warning;
} Damage;

static const Damage damages[] = {
  { "", "*.json: line 1*" },
  { "{\"version\": 1,\n\"phase\": CLAIMED}", "*.json: line 2, column*" },
  { "{\"version\": 7}", "*newer prefect-podman*" },
  { "{\"version\": 1, \"phase\": \"CLAIMED\", \"claimed_at\": 1, "
    "\"flow_run_id\": \"11111111-2222-3333-4444-000000000099\"}",
    "*which does not match the file's name*" },
  { NULL, "*is a folder*" },
  { NULL, "*is a symbolic link*" },
  { NULL, "*is too large*" },
  { NULL, "*is not a regular file*" },
};

static void
make_damage (const char *path, guint kind)
{
  if (damages[kind].text != NULL)
    state_test_write (path, damages[kind].text);
  else if (strstr (damages[kind].warning, "folder") != NULL)
    g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  else if (strstr (damages[kind].warning, "symbolic") != NULL)
    g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
  else if (strstr (damages[kind].warning, "regular") != NULL)
    g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  else
    {
      state_test_write (path, "");
      g_assert_cmpint (truncate (path, PP_JOURNAL_ENTRY_MAX_BYTES + 1), ==, 0);
    }
}

static void
load_damages (Fixture *fixture, guint round)
{
  g_autofree char *aside = state_test_path (fixture->identity, "set-aside", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autofree char *path = file_of (fixture, 10 + i, ".json");
      make_damage (path, i);
      g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, damages[i].warning);
    }
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (entries->len, ==, 1);
  g_assert_cmpuint (state_test_count (aside), ==, round * G_N_ELEMENTS (damages));
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 1);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  g_autofree char *strange = g_build_filename (fixture->runs, "no-uuid.json", NULL);

  (void)data;
  put (fixture, 1, PP_JOURNAL_CLAIMED, 'a');
  settle (fixture);
  /* The second time, the names in set-aside are already in use. */
  load_damages (fixture, 1);
  load_damages (fixture, 2);

  state_test_write (strange, "{}");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*no-uuid.json: key \"version\"*set-aside/no-uuid.json.1");
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (entries->len, ==, 1);
}

static void
test_cannot_be_set_aside (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = file_of (fixture, 1, ".json");
  g_autofree char *unreadable = file_of (fixture, 2, ".json");

  (void)data;
  state_test_write (path, "{");
  state_test_write (unreadable, "{");
  g_chmod (unreadable, 0);
  g_chmod (pp_identity_path (fixture->identity), 0500);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*line 1*set-aside: cannot be created: Permission denied");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*cannot be read: Permission denied*stays where it is*");
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (entries->len, ==, 0);
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 2);
  g_chmod (pp_identity_path (fixture->identity), 0700);
}

static void
count_note (const char *id G_GNUC_UNUSED, PpJournalEntry *entry, gpointer user_data)
{
  guint *notes = user_data;

  (*notes)++;
  pp_journal_entry_free (entry);
}

/* A damaged note is removed. A note that cannot be read for now is kept for the next start. */
static void
test_late_notes (Fixture *fixture, gconstpointer data)
{
  const char *const names[] = { "well", "damaged", "unreadable" };
  g_autofree char *late = state_test_path (fixture->identity, "late", NULL);
  guint notes = 0;

  (void)data;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *id = state_test_id (i);
      g_autofree char *path = g_strdup_printf ("%s/%s.json", late, id);
      g_autofree char *text
          = g_strdup_printf ("{\"version\": 1, \"phase\": \"CLAIMED\", \"claimed_at\": 1, "
                             "\"flow_run_id\": \"%s\"}",
                             id);
      state_test_write (path, g_str_equal (names[i], "damaged") ? "{" : text);
      if (g_str_equal (names[i], "unreadable"))
        g_chmod (path, 0);
    }
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*line 1*removes this note*");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*cannot be read: Permission denied*stays where it is*");
  pp_journal_load_late (fixture->journal, count_note, &notes);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (notes, ==, 1);
  g_assert_cmpuint (state_test_count (late), ==, 2);

  /* The next start reads it. */
  g_autofree char *id = state_test_id (2);
  g_autofree char *path = g_strdup_printf ("%s/%s.json", late, id);
  g_chmod (path, 0600);
  pp_journal_load_late (fixture->journal, count_note, &notes);
  g_assert_cmpuint (notes, ==, 3);
}

static void
expect_failure (const char *words)
{
  g_autofree char *pattern = g_strconcat (
      "The worker takes no new runs until it can write to the state directory: *", words, NULL);

  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, pattern);
}

/* After the obstacle is gone, a probe finds that the journal works again. */
static void
probe_until_well (Fixture *fixture)
{
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE,
                         "*can write to the state directory again*");
  pp_journal_probe (fixture->journal);
  settle (fixture);
  g_test_assert_expected_messages ();
  g_assert_null (pp_journal_failure (fixture->journal));
}

static void
test_read_only (Fixture *fixture, gconstpointer data)
{
  (void)data;
  put (fixture, 1, PP_JOURNAL_CLAIMED, 'a');
  settle (fixture);
  g_chmod (fixture->runs, 0500);
  expect_failure ("Permission denied");
  put (fixture, 1, PP_JOURNAL_STARTING, 'b');
  put (fixture, 2, PP_JOURNAL_CLAIMED, 'c');
  settle (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (fixture->calls, ==, 3);
  g_assert_nonnull (strstr (fixture->error, "000002.json: cannot be written: Permission denied"));
  g_assert_nonnull (strstr (pp_journal_failure (fixture->journal), fixture->runs));
  /* The failure is logged once. */
  remove_run (fixture, 1);
  pp_journal_probe (fixture->journal);
  settle (fixture);
  g_assert_nonnull (pp_journal_failure (fixture->journal));
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_CLAIMED);
  g_chmod (fixture->runs, 0700);
  probe_until_well (fixture);
}

static void
test_file_limit (Fixture *fixture, gconstpointer data)
{
  struct rlimit before, none;

  (void)data;
  getrlimit (RLIMIT_FSIZE, &before);
  none = before;
  none.rlim_cur = 10;
  setrlimit (RLIMIT_FSIZE, &none);
  expect_failure ("File too large");
  put (fixture, 1, PP_JOURNAL_CLAIMED, 'a');
  settle (fixture);
  g_test_assert_expected_messages ();
  setrlimit (RLIMIT_FSIZE, &before);
  g_assert_nonnull (strstr (fixture->error, "File too large"));
  /* No half-written file stays. */
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 0);
  probe_until_well (fixture);
}

/* Fills the small file system; returns the file. */
static char *
fill (const Fixture *fixture)
{
  char *path = g_build_filename (fixture->root, "filler", NULL);
  FILE *file = g_fopen (path, "w");
  static const char block[4096];

  setvbuf (file, NULL, _IONBF, 0);
  while (fwrite (block, sizeof block, 1, file) == 1)
    ;
  fclose (file);
  return path;
}

static void
test_disk_full (Fixture *fixture, gconstpointer data)
{
  (void)data;
  if (fixture->root == NULL)
    {
      g_test_skip ("no file system can be mounted here");
      return;
    }
  put (fixture, 1, PP_JOURNAL_CLAIMED, 'a');
  settle (fixture);
  g_autofree char *filler = fill (fixture);
  expect_failure ("free space on the *disk: *No space left on device");
  put (fixture, 1, PP_JOURNAL_STARTING, 'b');
  settle (fixture);
  g_test_assert_expected_messages ();
  g_assert_nonnull (strstr (fixture->error, "No space left on device"));
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_CLAIMED);

  /* After a restart, the runs in flight continue, and no new runs are taken. */
  close_journal (fixture);
  expect_failure ("free space on the *disk: *No space left on device");
  open_journal (fixture);
  g_test_assert_expected_messages ();
  g_assert_nonnull (pp_journal_failure (fixture->journal));
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_assert_cmpuint (entries->len, ==, 1);

  /* There is room again. */
  g_unlink (filler);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_MESSAGE,
                         "*can write to the state directory again*");
  put (fixture, 1, PP_JOURNAL_REPORTING, 'c');
  settle (fixture);
  g_test_assert_expected_messages ();
  g_assert_cmpint (phase_of (fixture, 1), ==, PP_JOURNAL_REPORTING);
}

/* Existing entries are read although nothing can be written. */
static void
test_read_only_at_start (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  (void)data;
  put (fixture, 1, PP_JOURNAL_STARTING, 'a');
  settle (fixture);
  g_clear_pointer (&fixture->journal, pp_journal_free);
  g_chmod (fixture->runs, 0500);
  expect_failure ("Permission denied");
  fixture->journal = pp_journal_new (fixture->identity, &error);
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_assert_nonnull (strstr (pp_journal_failure (fixture->journal), "Permission denied"));
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_assert_cmpuint (entries->len, ==, 1);
  g_chmod (fixture->runs, 0700);
  probe_until_well (fixture);
}

static void
test_unusable_at_start (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  (void)data;
  g_clear_pointer (&fixture->journal, pp_journal_free);
  g_chmod (fixture->runs, 0);
  g_assert_null (pp_journal_new (fixture->identity, &error));
  g_assert_error (error, PP_STATE_ERROR, PP_STATE_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "Permission denied"));
  g_chmod (fixture->runs, 0700);
}

static void
test_foreign_id (Fixture *fixture, gconstpointer data)
{
  PpJournalEntry entry = { .flow_run_id = (char *)"../../../../tmp/evil", .claimed_at = 1 };
  Call *call = g_new0 (Call, 1);

  (void)data;
  call->fixture = fixture;
  pp_journal_put (fixture->journal, &entry, on_done, call);
  pp_journal_remove (fixture->journal, "../identity");
  settle (fixture);
  g_assert_nonnull (strstr (fixture->error, "not a UUID"));
  g_assert_null (pp_journal_failure (fixture->journal));
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 0);
}

static void
test_position (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = state_test_id (1);
  g_autofree char *path = file_of (fixture, 1, ".position");
  const char *container = "0123456789abcdef0123";
  PpPosition position = state_test_position (fixture->journal, id, container);

  (void)data;
  g_autoptr (PpPositionFile) file = pp_position_open (fixture->journal, id, container);
  g_assert_cmpuint (position.records + position.stdout_bytes + (guint64)position.log_time, ==, 0);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  for (guint i = 1; i <= 1000; i++)
    pp_position_update (file, &(PpPosition){ .records = i,
                                             .last_timestamp = 10 * i,
                                             .stdout_bytes = 100 * i,
                                             .log_bytes = 1000 * i });
  settle (fixture);

  /* After a kill, the next worker reads the position. For another container it does not count. */
  position = state_test_position (fixture->journal, id, container);
  g_assert_cmpuint (position.records, ==, 1000);
  g_assert_cmpint (position.last_timestamp, ==, 10000);
  g_assert_cmpuint (position.stdout_bytes, ==, 100000);
  g_assert_cmpuint (position.log_bytes, ==, 1000000);
  position = state_test_position (fixture->journal, id, "fedcba9876543210");
  g_assert_cmpuint (position.records, ==, 0);

  state_test_write (path, "2 00000000000000000012");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "*.position: damaged*");
  position = state_test_position (fixture->journal, id, container);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (position.records, ==, 0);

  /* The worker was killed after it had made the file and before it wrote it. That is no damage. */
  state_test_write (path, "");
  position = state_test_position (fixture->journal, id, container);
  g_assert_cmpuint (position.records, ==, 0);

  /* The position is removed with the entry. */
  put (fixture, 1, PP_JOURNAL_STARTING, 'a');
  remove_run (fixture, 1);
  settle (fixture);
  g_assert_cmpuint (state_test_count (fixture->runs), ==, 0);
}

/* The position is removed after the entry, so an entry that is still there has its position. */
static void
test_position_of_entry_that_stays (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *entry = file_of (fixture, 1, ".json");
  g_autofree char *path = file_of (fixture, 1, ".position");

  state_test_write (path, "x");
  g_assert_cmpint (g_mkdir (entry, 0700), ==, 0);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "*cannot be removed*");
  remove_run (fixture, 1);
  settle (fixture);
  g_test_assert_expected_messages ();
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
ignore_done (const GError *error, gpointer user_data G_GNUC_UNUSED)
{
  g_assert_no_error (error);
}

/* Once the container's output is followed, the position shows that the container has started, even
 * without any output. A position of another container, or a damaged one, shows nothing. */
static void
test_position_begins (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const containers[]
      = { "0123456789abcdef", "0123456789abcdef", "fedcba987654", "0123456789abcdef", NULL };
  g_autofree char *damaged = file_of (fixture, 3, ".position");

  for (guint n = 0; n < G_N_ELEMENTS (containers); n++)
    {
      g_autofree char *id = state_test_id (n);
      const PpJournalEntry entry = { .flow_run_id = id,
                                     .phase = PP_JOURNAL_STARTING,
                                     .claimed_at = 1,
                                     .started_at = 1,
                                     .container_id = (char *)containers[n] };
      g_autoptr (PpPositionFile) file = pp_position_open (fixture->journal, id, "0123456789abcdef");

      pp_journal_put (fixture->journal, &entry, ignore_done, NULL);
      if (n > 0)
        pp_position_begin (file, &(PpPosition){ 0 });
      settle (fixture);
    }
  state_test_write (damaged, "x");
  g_autoptr (GPtrArray) entries = pp_journal_load (fixture->journal);
  g_autoptr (GPtrArray) infos = pp_identity_list (fixture->root, NULL);
  const PpIdentityInfo *info = g_ptr_array_index (infos, 0);
  g_assert_cmpuint (entries->len, ==, G_N_ELEMENTS (containers));
  for (guint n = 0; n < G_N_ELEMENTS (containers); n++)
    {
      const PpJournalEntry *loaded = g_ptr_array_index (entries, n);
      const PpJournalEntry *listed = g_ptr_array_index (info->entries, n);

      g_assert_cmpint (loaded->is_followed, ==, g_str_has_suffix (loaded->flow_run_id, "1"));
      g_assert_cmpint (listed->is_followed, ==, g_str_has_suffix (listed->flow_run_id, "1"));
    }
}

static void
test_position_cannot_be_written (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = state_test_id (1);

  (void)data;
  g_autoptr (PpPositionFile) file = pp_position_open (fixture->journal, id, "0123456789ab");
  g_chmod (fixture->runs, 0500);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*.position: cannot be written: Permission denied*");
  pp_position_update (file, &(PpPosition){ .records = 1 });
  settle (fixture);
  pp_position_update (file, &(PpPosition){ .records = 2 });
  settle (fixture);
  g_test_assert_expected_messages ();
  g_chmod (fixture->runs, 0700);

  /* The same position again. No file has it yet, so it is written now. */
  pp_position_update (file, &(PpPosition){ .records = 2 });
  settle (fixture);
  PpPosition position = state_test_position (fixture->journal, id, "0123456789ab");
  g_assert_cmpuint (position.records, ==, 2);
}

/* A disk that hangs. */

typedef struct
{
  GMutex mutex;
  GCond cond;
  gboolean hangs;
  gboolean freed;
} Disk;

static void
wait_for_disk (gpointer data)
{
  Disk *disk = data;

  g_mutex_lock (&disk->mutex);
  while (disk->hangs)
    g_cond_wait (&disk->cond, &disk->mutex);
  g_mutex_unlock (&disk->mutex);
}

static void
note_freed (gpointer data)
{
  ((Disk *)data)->freed = TRUE;
}

static gboolean
on_turn (gpointer turned)
{
  *(gboolean *)turned = TRUE;
  return G_SOURCE_REMOVE;
}

/* The loop continues while a question to the state directory gets no answer. Afterwards everything
 * is done in the order in which it was requested. */
static void
test_work_that_hangs (Fixture *fixture, gconstpointer data)
{
  Disk disk = { .hangs = TRUE };
  Call *call = g_new0 (Call, 1);
  gboolean turned = FALSE;

  (void)data;
  call->fixture = fixture;
  call->letter = 'w';
  put (fixture, 1, PP_JOURNAL_CLAIMED, '1');
  pp_journal_work (fixture->journal, wait_for_disk, &disk, note_freed, on_done, call);
  put (fixture, 2, PP_JOURNAL_CLAIMED, '2');
  g_timeout_add (50, on_turn, &turned);
  while (!turned)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (fixture->order->str, ==, "");
  g_assert_cmpuint (pp_journal_pending (fixture->journal), ==, 3);
  g_assert_false (disk.freed);

  g_mutex_lock (&disk.mutex);
  disk.hangs = FALSE;
  g_cond_signal (&disk.cond);
  g_mutex_unlock (&disk.mutex);
  settle (fixture);
  g_assert_cmpstr (fixture->order->str, ==, "1w2");
  g_assert_true (disk.freed);
}

static void
on_position (const PpPosition *position, gpointer user_data)
{
  *(guint64 *)user_data = position->records;
}

/* The journal's thread reads a run's position. The loop continues, no update overwrites a position
 * that is not read yet, and a position file that is closed meanwhile gets no callback. */
static void
test_position_of_a_disk_that_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = state_test_id (1);
  Disk disk = { .hangs = TRUE };
  gboolean turned = FALSE;
  guint64 records = G_MAXUINT64;
  guint64 closed = G_MAXUINT64;

  (void)data;
  PpPositionFile *before = pp_position_open (fixture->journal, id, "0123456789ab");
  pp_position_update (before, &(PpPosition){ .records = 7 });
  settle (fixture);
  pp_position_close (before);
  pp_journal_work (fixture->journal, wait_for_disk, &disk, NULL, NULL, NULL);
  g_autoptr (PpPositionFile) file = pp_position_open (fixture->journal, id, "0123456789ab");
  PpPositionFile *other = pp_position_open (fixture->journal, id, "0123456789ab");
  pp_position_read (file, on_position, &records);
  pp_position_read (other, on_position, &closed);
  pp_position_update (file, &(PpPosition){ .records = 1 });
  g_timeout_add (50, on_turn, &turned);
  while (!turned)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (records, ==, G_MAXUINT64);
  pp_position_close (other);

  g_mutex_lock (&disk.mutex);
  disk.hangs = FALSE;
  g_cond_signal (&disk.cond);
  g_mutex_unlock (&disk.mutex);
  settle (fixture);
  g_assert_cmpuint (records, ==, 7);
  g_assert_cmpuint (closed, ==, G_MAXUINT64);
  pp_position_update (file, &(PpPosition){ .records = 8 });
  settle (fixture);
  PpPosition position = state_test_position (fixture->journal, id, "0123456789ab");
  g_assert_cmpuint (position.records, ==, 8);
}

/* The caller is gone before the answer comes. */
static void
test_work_that_is_cancelled (Fixture *fixture, gconstpointer data)
{
  Disk disk = { .hangs = FALSE };

  (void)data;
  pp_journal_put_cancel (
      pp_journal_work (fixture->journal, wait_for_disk, &disk, note_freed, on_done, NULL));
  settle (fixture);
  g_assert_true (disk.freed);
  disk.freed = FALSE;
  pp_journal_work (fixture->journal, wait_for_disk, &disk, note_freed, NULL, NULL);
  close_journal (fixture);
  g_assert_true (disk.freed);
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    gboolean small;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/journal/put", FALSE, test_put },
    { "/journal/work-that-hangs", FALSE, test_work_that_hangs },
    { "/journal/work-that-is-cancelled", FALSE, test_work_that_is_cancelled },
    { "/journal/position-of-a-disk-that-hangs", FALSE, test_position_of_a_disk_that_hangs },
    { "/journal/order", FALSE, test_order },
    { "/journal/groups", FALSE, test_groups },
    { "/journal/cancel", FALSE, test_cancel },
    { "/journal/load", FALSE, test_load },
    { "/journal/damaged", FALSE, test_damaged },
    { "/journal/late-notes", FALSE, test_late_notes },
    { "/journal/cannot-be-set-aside", FALSE, test_cannot_be_set_aside },
    { "/journal/read-only", FALSE, test_read_only },
    { "/journal/file-limit", FALSE, test_file_limit },
    { "/journal/disk-full", TRUE, test_disk_full },
    { "/journal/read-only-at-start", FALSE, test_read_only_at_start },
    { "/journal/unusable-at-start", FALSE, test_unusable_at_start },
    { "/journal/foreign-id", FALSE, test_foreign_id },
    { "/journal/position", FALSE, test_position },
    { "/journal/position-of-entry-that-stays", FALSE, test_position_of_entry_that_stays },
    { "/journal/position-begins", FALSE, test_position_begins },
    { "/journal/position-cannot-be-written", FALSE, test_position_cannot_be_written },
  };

  signal (SIGXFSZ, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, tests[i].small ? "" : NULL, set_up, tests[i].test,
                tear_down);
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
