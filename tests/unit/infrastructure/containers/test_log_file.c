/* SPDX-License-Identifier: Apache-2.0 */
/* Tests reading conmon's log files while conmon writes them and starts new ones. */
#include "infrastructure/containers/log_file-private.h"

#include "tests/unit/tap.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *folder;
  char *path;
  PpLogTail *tail;
  PpLogFile *log;
  GString *output;
  gboolean busy; /* the user of the output refuses it */
  PpLogPlace place;
} Fixture;

static gboolean
on_output (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  Fixture *fixture = user_data;

  if (fixture->busy)
    return FALSE;
  g_string_append_printf (fixture->output, "%d:", stream);
  g_string_append_len (fixture->output, data, (gssize)length);
  pp_log_place_note (&fixture->place, stream, pp_log_file_time (fixture->log), length);
  return TRUE;
}

static void
append (const char *path, const char *text)
{
  FILE *file = fopen (path, "a");

  g_assert_nonnull (file);
  g_assert_cmpint (fputs (text, file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Starts a new file with TEXT as conmon does (reopen_k8s_file): moves it over the old one. */
static void
begin_anew (const Fixture *fixture, const char *text)
{
  g_autofree char *next = g_strconcat (fixture->path, ".tmp", NULL);

  append (next, text);
  g_assert_cmpint (g_rename (next, fixture->path), ==, 0);
}

static void
open_log (Fixture *fixture)
{
  g_autofree char *folder = g_path_get_dirname (fixture->path);
  g_autofree char *root = g_path_get_dirname (folder);
  g_autofree char *name = g_path_get_basename (folder);

  fixture->tail = pp_log_tail_open (root, name, -1, NULL);
  g_assert_nonnull (fixture->tail);
  fixture->log = pp_log_file_new (&fixture->place, pp_log_tail_begins_late (fixture->tail),
                                  on_output, fixture);
}

static void
close_log (Fixture *fixture)
{
  g_clear_pointer (&fixture->tail, pp_log_tail_free);
  g_clear_pointer (&fixture->log, pp_log_file_free);
}

/* Opens the log again, to continue where it was read. */
static void
open_again (Fixture *fixture)
{
  close_log (fixture);
  open_log (fixture);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void)data;
  fixture->folder = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "ctr.log", NULL);
  fixture->output = g_string_new (NULL);
  append (fixture->path, "T stdout F one\n");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *control = g_build_filename (fixture->folder, "ctl", NULL);

  (void)data;
  close_log (fixture);
  g_unlink (control);
  g_assert_cmpint (g_unlink (fixture->path), ==, 0);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
  g_string_free (fixture->output, TRUE);
}

/* Reads what there is. Returns FALSE if the user of the output refuses. */
static gboolean
read_log (Fixture *fixture)
{
  PpLogTailKind kind = PP_LOG_TAIL_DATA;

  while (pp_log_file_deliver (fixture->log))
    {
      g_autoptr (PpLogPiece) piece = NULL;

      if (kind == PP_LOG_TAIL_END)
        return TRUE;
      piece = pp_log_tail_read (fixture->tail);
      kind = piece->kind;
      g_assert_cmpint (kind, !=, PP_LOG_TAIL_ERROR);
      pp_log_file_take (fixture->log, piece);
    }
  return FALSE;
}

static void
assert_read (Fixture *fixture, const char *output)
{
  g_assert_true (read_log (fixture));
  g_assert_cmpstr (fixture->output->str, ==, output);
  g_string_truncate (fixture->output, 0);
}

static void
assert_loss (const Fixture *fixture, const char *words)
{
  g_autofree char *loss = pp_log_file_describe_loss (fixture->log);

  if (words == NULL)
    g_assert_null (loss);
  else
    {
      g_assert_nonnull (loss);
      g_assert_nonnull (strstr (loss, words));
    }
}

static void
test_growing (Fixture *fixture, gconstpointer data)
{
  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  append (fixture->path, "T stderr F two\nT stdout P thr");
  assert_read (fixture, "2:two\n");
  append (fixture->path, "ee\nT stdout F .\n");
  assert_read (fixture, "1:three1:.\n");
  assert_loss (fixture, NULL);
}

static void
test_begun_anew (Fixture *fixture, gconstpointer data)
{
  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  /* The rest of the old file comes before the new file. */
  append (fixture->path, "T stdout F two\n");
  begin_anew (fixture, "T stdout F three\n");
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:two\n1:three\n");
  append (fixture->path, "T stdout F four\n");
  assert_read (fixture, "1:four\n");
  begin_anew (fixture, "T stdout F five\n");
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:five\n");
  assert_loss (fixture, NULL);
}

/* A slow reader of a busy log with many new files: each file was opened when it appeared, and
 * everything is delivered. */
static void
test_begun_anew_often (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) expected = g_string_new ("1:one\n");

  (void)data;
  open_log (fixture);
  fixture->busy = TRUE;
  g_assert_false (read_log (fixture));
  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *line = g_strdup_printf ("T stdout F line %u\n", i);

      begin_anew (fixture, line);
      pp_log_tail_look (fixture->tail, TRUE);
      g_string_append_printf (expected, "1:line %u\n", i);
    }
  fixture->busy = FALSE;
  assert_read (fixture, expected->str);
  assert_loss (fixture, NULL);
}

/* The event is handled late, when the next file exists but was not yet moved into place: each file
 * is read once, in order. */
static void
test_next_file_is_there_already (Fixture *fixture, gconstpointer data)
{
  g_autofree char *next = g_strconcat (fixture->path, ".tmp", NULL);

  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  begin_anew (fixture, "T stdout F two\n");
  append (next, "T stdout F three\n");
  /* The events: the second file was created, then moved into place, then the third was created. */
  pp_log_tail_look (fixture->tail, FALSE);
  pp_log_tail_look (fixture->tail, TRUE);
  pp_log_tail_look (fixture->tail, FALSE);
  assert_read (fixture, "1:two\n");
  pp_log_tail_look (fixture->tail, FALSE);
  assert_read (fixture, "");
  g_assert_cmpint (g_rename (next, fixture->path), ==, 0);
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:three\n");
  assert_loss (fixture, NULL);
}

/* A container that has the storage mounted can make its log a terabyte large with one call. */
static void
test_hole (Fixture *fixture, gconstpointer data)
{
  const PpLogDamage *damage;

  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  g_assert_cmpint (truncate (fixture->path, G_GINT64_CONSTANT (1) << 40), ==, 0);
  assert_read (fixture, "");
  append (fixture->path, "\nT stdout F two\n");
  assert_read (fixture, "1:two\n");
  damage = pp_log_file_damage (fixture->log);
  g_assert_cmpuint (damage->records, ==, 1);
  g_assert_cmpuint (damage->bytes, >, G_GINT64_CONSTANT (1) << 39);
}

/* Files that were never seen, and files given up because too many waited: they are counted as
 * lost. */
static void
test_begun_anew_too_often (Fixture *fixture, gconstpointer data)
{
  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  begin_anew (fixture, "T stdout F missed\n");
  begin_anew (fixture, "T stdout F three\n");
  pp_log_tail_look (fixture->tail, TRUE);
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:three\n");
  assert_loss (fixture, "wrote faster than the worker could read: 1 log file, about 15 bytes");
  for (guint i = 0; i < 100; i++)
    {
      begin_anew (fixture, "T stdout F four\n");
      pp_log_tail_look (fixture->tail, TRUE);
    }
  g_assert_true (read_log (fixture));
  assert_loss (fixture, "37 log files");
}

/* With conmon's --log-rotate the old file is moved away first, and for a moment there is no log. */
static void
test_moved_away (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = g_strconcat (fixture->path, ".1", NULL);

  (void)data;
  open_log (fixture);
  g_assert_cmpint (g_rename (fixture->path, old), ==, 0);
  assert_read (fixture, "1:one\n");
  append (old, "T stdout F two\n");
  begin_anew (fixture, "T stdout F three\n");
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:two\n1:three\n");
  assert_loss (fixture, NULL);
  g_assert_cmpint (g_unlink (old), ==, 0);
}

/* A tool such as logrotate moves the log away and creates an empty one. conmon goes on writing to
 * the file that it has open. */
static void
test_moved_away_and_created (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = g_strconcat (fixture->path, ".1", NULL);
  g_autofree char *older = g_strconcat (fixture->path, ".2", NULL);

  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  g_assert_cmpint (g_rename (fixture->path, old), ==, 0);
  append (fixture->path, "");
  pp_log_tail_look (fixture->tail, FALSE);
  assert_read (fixture, "");
  append (old, "T stdout F two\n");
  assert_read (fixture, "1:two\n");
  /* The same once more. */
  g_assert_cmpint (g_rename (fixture->path, older), ==, 0);
  append (fixture->path, "");
  pp_log_tail_look (fixture->tail, FALSE);
  append (old, "T stdout F still two\n");
  assert_read (fixture, "1:still two\n");
  /* conmon opens the new file. */
  append (fixture->path, "T stdout F three\n");
  assert_read (fixture, "1:three\n");
  assert_loss (fixture, NULL);
  g_assert_cmpint (g_unlink (old), ==, 0);
  g_assert_cmpint (g_unlink (older), ==, 0);
}

/* A log that had a new file before it was opened: the rest is delivered, and the loss is known. */
static void
test_opened_late (Fixture *fixture, gconstpointer data)
{
  g_autofree char *control = g_build_filename (fixture->folder, "ctl", NULL);
  struct stat first, second;

  (void)data;
  g_assert_cmpint (mkfifo (control, 0600), ==, 0);
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  g_assert_false (pp_log_tail_begins_late (fixture->tail));

  /* A file system's clock has ticks: wait until the next file gets a later time. */
  g_assert_cmpint (stat (control, &first), ==, 0);
  do
    {
      begin_anew (fixture, "");
      g_assert_cmpint (stat (fixture->path, &second), ==, 0);
    }
  while (second.st_ctim.tv_sec == first.st_ctim.tv_sec
         && second.st_ctim.tv_nsec == first.st_ctim.tv_nsec);
  begin_anew (fixture, "T stdout F two\n");
  open_again (fixture);
  if (!pp_log_tail_begins_late (fixture->tail))
    {
      g_test_skip ("the file system knows no time of birth");
      return;
    }
  assert_read (fixture, "1:two\n");
  assert_loss (fixture, "replaced while no worker read it");
  /* Nothing is missing since the log was first opened. */
  close_log (fixture);
  fixture->place = (PpLogPlace){ 0 };
  open_log (fixture);
  assert_read (fixture, "1:two\n");
  assert_loss (fixture, NULL);
}

/* Bytes that were read but are no longer in the log: they were in a removed file. */
static void
test_shorter_than_read (Fixture *fixture, gconstpointer data)
{
  (void)data;
  fixture->place.total = 100;
  open_log (fixture);
  assert_read (fixture, "");
  assert_loss (fixture, "replaced while no worker read it");
}

#define TIME(N) "2026-11-28T05:13:48." N "00000000+01:00"
#define AT(N) (G_GINT64_CONSTANT (1795839228000000000) + N * G_GINT64_CONSTANT (100000000))

static void
test_times (Fixture *fixture, gconstpointer data)
{
  (void)data;
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  g_assert_cmpint (pp_log_file_time (fixture->log), ==, 0);
  append (fixture->path, TIME ("1") " stderr P two");
  assert_read (fixture, "");
  append (fixture->path, "\n");
  fixture->busy = TRUE;
  g_assert_false (read_log (fixture));
  g_assert_cmpint (pp_log_file_time (fixture->log), ==, AT (1));
  fixture->busy = FALSE;
  assert_read (fixture, "2:two");
  append (fixture->path, TIME ("2") " stdout F three\n");
  assert_read (fixture, "1:three\n");
  g_assert_cmpint (fixture->place.time, ==, AT (2));
}

/* Continues from a place in a log that has had a new file since. */
static void
test_read_on (Fixture *fixture, gconstpointer data)
{
  (void)data;
  begin_anew (fixture, TIME ("1") " stdout F one\n" TIME ("2") " stdout F two\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n");
  append (fixture->path, TIME ("3") " stdout F three\n");
  open_again (fixture);
  assert_read (fixture, "1:three\n");
  begin_anew (fixture, TIME ("2") " stderr F two\n" TIME ("3") " stdout F three\n" TIME (
                           "3") " stdout F more\n" TIME ("4") " stdout F four\n");
  open_again (fixture);
  assert_read (fixture, "1:more\n1:four\n");
  assert_loss (fixture, NULL);
  begin_anew (fixture, TIME ("5") " stdout F five\n");
  open_again (fixture);
  assert_read (fixture, "1:five\n");
  assert_loss (fixture, "replaced while no worker read it");
}

static void
assert_damage (const Fixture *fixture, guint64 records, guint64 bytes, guint64 first)
{
  const PpLogDamage *damage = pp_log_file_damage (fixture->log);

  g_assert_cmpuint (damage->records, ==, records);
  g_assert_cmpuint (damage->bytes, ==, bytes);
  g_assert_cmpuint (damage->first, ==, first);
}

/* Data that is not a record is skipped up to the next newline and counted. */
static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, "no record of conmon's\nT stdout F two\nT stdout\nT stdin F x\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n");
  append (fixture->path, "T stderr F three\n");
  assert_read (fixture, "2:three\n");
  assert_damage (fixture, 3, 43, 15);
  assert_loss (fixture, NULL);
}

/* A disk that was full for a moment: the next record begins where the newline of the cut one should
 * be. */
static void
test_cut_by_full_disk (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, "2026-11-28T05:1" TIME ("2") " stdout F two\n" TIME ("3") " stdo" TIME (
                             "4") " stderr P four\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n2:four");
  g_assert_cmpint (pp_log_file_time (fixture->log), ==, AT (4));
  assert_damage (fixture, 2, 15 + 40, 15);
}

/* The same inside a record's text. The part that was written is kept. */
static void
test_text_cut_by_full_disk (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, TIME ("2") " stdout F tw" TIME ("3") " stderr F three\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:tw1:\n2:three\n");
  assert_damage (fixture, 1, 0, 15);
  append (fixture->path, TIME ("4") " stdout P fo" TIME ("5") " stdout F ur\n" TIME (
                             "6") " stdout F " TIME ("7") " stdout F se" TIME ("8") " stdout F\n");
  assert_read (fixture, "1:fo1:ur\n1:\n1:se1:\n1:\n");
  assert_damage (fixture, 4, 0, 15);
}

/* A program may print what conmon has written, or what looks like it. */
static void
test_text_like_a_record (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, TIME ("3") " stdout F > " TIME ("2") " stdout F two\n" TIME (
                             "4") " stdout F a stdout F b std stderr P c std\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:> " TIME ("2") " stdout F two\n"
                                                 "1:a stdout F b std stderr P c std\n");
  assert_damage (fixture, 0, 0, 0);
}

/* conmon 2.2.0 ends an unfinished line with a record without a blank after its tag. */
static void
test_end_of_conmon_220 (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, TIME ("1") " stdout P two\n" TIME ("2") " stdout F\n" TIME (
                             "3") " stderr P\n" TIME ("4") " stdout F three\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two1:\n1:three\n");
  assert_damage (fixture, 0, 0, 0);
}

static void
append_zeros (const Fixture *fixture, gsize count)
{
  FILE *file = fopen (fixture->path, "a");

  g_assert_nonnull (file);
  for (gsize i = 0; i < count; i++)
    g_assert_cmpint (fputc ('\0', file), ==, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* After a crash of the host: blocks of zeros, and half a record that is never completed. */
static void
test_zeros (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append_zeros (fixture, 200 * 1024);
  append (fixture->path, TIME ("1") " stdout F two\n");
  append_zeros (fixture, 10);
  append (fixture->path, "\n" TIME ("2") " stdout F three\n");
  append_zeros (fixture, 100 * 1024);
  append (fixture->path, "\n" TIME ("3") " stdout F fo");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n1:three\n");
  assert_damage (fixture, 3, 300 * 1024 + 10 + 2, 15);
  pp_log_file_finish (fixture->log);
  assert_read (fixture, "1:fo");
  assert_damage (fixture, 4, 300 * 1024 + 10 + 2, 15);
  assert_read (fixture, "");
}

/* A record longer than any of conmon's comes in parts, but completely. */
static void
test_over_the_bound (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill ((gsize)300 * 1024, 'x');
  g_autofree char *line = g_strconcat (TIME ("1"), " stdout F ", text, "\nT stdout F two\n", NULL);
  g_autofree char *noise = g_strconcat (text, "\nT stdout F three\n", NULL);
  gsize count = 0;

  (void)data;
  append (fixture->path, line);
  open_log (fixture);
  g_assert_true (read_log (fixture));
  for (const char *c = fixture->output->str; *c != '\0'; c++)
    count += *c == 'x';
  g_assert_cmpuint (count, ==, 300 * 1024);
  g_assert_true (g_str_has_suffix (fixture->output->str, "xx\n1:two\n"));
  g_string_truncate (fixture->output, 0);
  append (fixture->path, noise);
  assert_read (fixture, "1:three\n");
  assert_damage (fixture, 1, 300 * 1024 + 1, 15 + 45 + 300 * 1024 + 1 + 15);
}

static void
test_carriage_returns (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, TIME ("1") " stdout F two\r\n" TIME ("2") " stdout F\r\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\r\n1:\r\n");
  assert_damage (fixture, 0, 0, 0);
}

/* A record with an invalid time keeps its text. */
static void
test_no_time (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path,
          TIME ("1") " stdout F two\n2026-13-45T99:99:99.0Z stdout F three\n- stderr F four\n");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n1:three\n2:four\n");
  g_assert_cmpint (pp_log_file_time (fixture->log), ==, AT (1));
  assert_damage (fixture, 0, 0, 0);
}

/* Like logrotate with copytruncate: conmon continues to write, at the beginning or after a hole. */
static void
test_cut_in_place (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, "T stdout F two\nT stdout F hal");
  open_log (fixture);
  assert_read (fixture, "1:one\n1:two\n");
  g_assert_cmpint (truncate (fixture->path, 0), ==, 0);
  assert_read (fixture, "");
  append (fixture->path, "T stdout F three\n");
  assert_read (fixture, "1:three\n");
  assert_loss (fixture, "truncated while the worker read it");
  assert_damage (fixture, 0, 0, 0);
}

/* A file that ends with half a record, because the disk was full until the next file. */
static void
test_half_before_next (Fixture *fixture, gconstpointer data)
{
  (void)data;
  append (fixture->path, TIME ("1") " stdout F tw");
  open_log (fixture);
  assert_read (fixture, "1:one\n");
  begin_anew (fixture, TIME ("2") " stdout F three\n");
  pp_log_tail_look (fixture->tail, TRUE);
  assert_read (fixture, "1:tw1:three\n");
  assert_damage (fixture, 1, 0, 15);
}

/* Puts a copy of the recording PATH in the place of a log. */
static void
open_recording (Fixture *fixture, const char *path)
{
  g_autofree char *text = NULL;
  gsize length;

  set_up (fixture, NULL);
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  g_assert_true (g_file_set_contents (fixture->path, text, (gssize)length, NULL));
  open_log (fixture);
}

/* Recordings of these conmon versions. The container wrote to both streams, in parts of lines, and
 * without a last newline. */
static void
test_recorded (gconstpointer data)
{
  const char *version = data;
  Fixture fixture = { 0 };
  g_autofree char *name = g_strconcat ("conmon-", version, ".k8s", NULL);
  g_autofree char *path
      = g_test_build_filename (G_TEST_DIST, "infrastructure", "containers", "logs", name, NULL);
  g_autofree char *x = g_strnfill (40, 'x');
  g_autofree char *expected = g_strconcat ("1:one\n2:two\n1:part of a line1: and its end\n1:", x,
                                           "1:\n1:a progress\rbar\r\n1:\n1:unfinished2:so is this",
                                           /* conmon 2.2.0 ends an unfinished line. */
                                           g_str_equal (version, "2.2.0") ? "1:\n2:\n" : "", NULL);

  open_recording (&fixture, path);
  assert_read (&fixture, expected);
  g_assert_cmpint (pp_log_file_time (fixture.log), >, AT (0));
  assert_damage (&fixture, 0, 0, 0);
  tear_down (&fixture, NULL);
}

/* A recording of conmon 2.1.6 on a file system that was full for a moment. A record is cut in its
 * time. Data written while the disk was full is lost. */
static void
test_recorded_full_disk (void)
{
  Fixture fixture = { 0 };
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "infrastructure", "containers",
                                                 "logs", "conmon-2.1.6-full-disk.k8s", NULL);

  open_recording (&fixture, path);
  assert_read (&fixture, "1:line 49 before the disk is full\n1:line 50 before the disk is full\n"
                         "1:line 51 before the disk is full\n1:line 52 before the disk is full\n"
                         "1:line 53 before the disk is full\n1:line 1 after it was full\n"
                         "1:line 2 after it was full\n1:line 3 after it was full\n");
  assert_damage (&fixture, 1, 24, 385);
  tear_down (&fixture, NULL);
}

static void
add_tests (void)
{
  static const char *const versions[] = { "2.0.32", "2.1.6", "2.2.0", "2.2.1" };

  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/log-file/growing", test_growing },
    { "/log-file/begun-anew", test_begun_anew },
    { "/log-file/begun-anew-often", test_begun_anew_often },
    { "/log-file/hole", test_hole },
    { "/log-file/next-file-is-there-already", test_next_file_is_there_already },
    { "/log-file/begun-anew-too-often", test_begun_anew_too_often },
    { "/log-file/moved-away", test_moved_away },
    { "/log-file/moved-away-and-created", test_moved_away_and_created },
    { "/log-file/opened-late", test_opened_late },
    { "/log-file/shorter-than-read", test_shorter_than_read },
    { "/log-file/times", test_times },
    { "/log-file/read-on", test_read_on },
    { "/log-file/damaged", test_damaged },
    { "/log-file/cut-by-full-disk", test_cut_by_full_disk },
    { "/log-file/text-cut-by-full-disk", test_text_cut_by_full_disk },
    { "/log-file/text-like-a-record", test_text_like_a_record },
    { "/log-file/end-of-conmon-2.2.0", test_end_of_conmon_220 },
    { "/log-file/zeros", test_zeros },
    { "/log-file/over-the-bound", test_over_the_bound },
    { "/log-file/carriage-returns", test_carriage_returns },
    { "/log-file/no-time", test_no_time },
    { "/log-file/cut-in-place", test_cut_in_place },
    { "/log-file/half-before-next", test_half_before_next },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autofree char *path = g_strconcat ("/log-file/recorded/", versions[i], NULL);

      g_test_add_data_func (path, versions[i], test_recorded);
    }
  g_test_add_func ("/log-file/recorded/full-disk", test_recorded_full_disk);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
