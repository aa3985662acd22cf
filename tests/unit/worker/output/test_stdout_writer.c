/* SPDX-License-Identifier: Apache-2.0 */
/* Tests standard output that fails for a while: what is written, what is lost, and what is
 * logged. */
#include "tests/unit/disk.h"
#include "tests/unit/tap.h"

#include "worker/output/stdout_writer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOMAIN "prefect.worker.podman"

typedef struct
{
  char *path;
  int fd; /* the descriptor to write to; its target changes */
  PpStdout *out;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void)data;
  int file = g_file_open_tmp ("pp-stdout-XXXXXX", &fixture->path, NULL);
  g_assert_cmpint (file, >=, 0);
  close (file);
  fixture->fd = open ("/dev/full", O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (fixture->fd, >=, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void)data;
  pp_stdout_free (fixture->out);
  close (fixture->fd);
  g_unlink (fixture->path);
  g_free (fixture->path);
}

static void
begin (Fixture *fixture)
{
  fixture->out = pp_stdout_new (fixture->fd);
}

/* Makes the descriptor refer to the fixture's file from now on. */
static void
use_file (const Fixture *fixture)
{
  int file = open (fixture->path, O_WRONLY | O_APPEND | O_CLOEXEC);

  g_assert_cmpint (dup2 (file, fixture->fd), ==, fixture->fd);
  close (file);
}

static void
say (PpStdout *out, const char *text)
{
  pp_stdout_write (out, text, strlen (text));
}

static void
run_loop (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static char *
content (const Fixture *fixture)
{
  char *text = NULL;

  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  return text;
}

/* Waits until the file ends in END, and returns its content. */
static char *
wait_for_end (const Fixture *fixture, const char *end)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  char *text = content (fixture);

  while (!g_str_has_suffix (text, end))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_main_context_iteration (NULL, TRUE);
      g_free (text);
      text = content (fixture);
    }
  return text;
}

/* Runs the loop until writes fail, or until they no longer fail. */
static void
wait_until_failing (const PpStdout *out, gboolean failing)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (pp_stdout_is_failing (out) != failing)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_main_context_iteration (NULL, TRUE);
    }
}

static void
expect (GLogLevelFlags level, const char *pattern)
{
  g_test_expect_message (DOMAIN, level, pattern);
}

/* A disk that is full for a while: what fits into the queue is not lost. */
static void
test_full_for_a_while (Fixture *fixture, gconstpointer data)
{
  (void)data;
  begin (fixture);
  expect (G_LOG_LEVEL_WARNING, "*cannot be written (No space left on device)*");
  say (fixture->out, "one\n");
  run_loop ();
  say (fixture->out, "two\n");
  run_loop ();
  g_test_assert_expected_messages ();
  g_assert_true (pp_stdout_has_room (fixture->out));

  use_file (fixture);
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  g_autofree char *text = wait_for_end (fixture, "two\n");
  g_assert_cmpstr (text, ==, "one\ntwo\n");
  say (fixture->out, "three\n");
  g_free (wait_for_end (fixture, "three\n"));
  g_test_assert_expected_messages ();
}

/* More output than fits: the loss is counted at its place in the output, and in the log. */
static void
test_more_than_fits (Fixture *fixture, gconstpointer data)
{
  g_autofree char *line = g_strnfill (999, 'x');
  gsize kept;

  (void)data;
  begin (fixture);
  expect (G_LOG_LEVEL_WARNING, "*No space left on device*");
  for (int i = 0; i < 1000; i++)
    {
      g_autofree char *whole = g_strdup_printf ("%03d%.996s\n", i, line);
      say (fixture->out, whole);
      run_loop ();
    }
  kept = pp_stdout_pending (fixture->out);
  g_assert_cmpuint (kept, <=, 300 * 1024);
  g_assert_cmpuint (kept % 1000, ==, 0);
  g_test_assert_expected_messages ();

  use_file (fixture);
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  g_autofree char *lost = g_strdup_printf (
      "Lines of standard output are lost since *:*:* (%u lines, %u bytes): No space left on device",
      1000 - (unsigned)(kept / 1000), 1000 * 1000 - (unsigned)kept);
  expect (G_LOG_LEVEL_WARNING, lost);
  g_free (wait_for_end (fixture, "No space left on device\n"));
  g_test_assert_expected_messages ();
  say (fixture->out, "after\n");
  g_autofree char *text = wait_for_end (fixture, "after\n");
  g_autofree char *note
      = g_strdup_printf (" (%u lines, %u bytes): No space left on device\nafter\n",
                         1000 - (unsigned)(kept / 1000), 1000 * 1000 - (unsigned)kept);
  g_assert_cmpuint (strlen (text), >, kept);
  g_assert_true (g_str_has_prefix (text + kept, "... Lines are missing here since "));
  g_assert_true (g_str_has_suffix (text, note));
}

/* A file size limit (EFBIG) that is raised. */
static void
test_file_size_limit (Fixture *fixture, gconstpointer data)
{
  struct rlimit before;
  struct rlimit small = { .rlim_cur = 10 };

  (void)data;
  use_file (fixture);
  begin (fixture);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small.rlim_max = before.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  expect (G_LOG_LEVEL_WARNING, "*cannot be written (File too large)*");
  say (fixture->out, "seven b\nand more\n");
  wait_until_failing (fixture->out, TRUE);
  g_test_assert_expected_messages ();

  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  wait_until_failing (fixture->out, FALSE);
  g_autofree char *text = wait_for_end (fixture, "more\n");
  g_assert_cmpstr (text, ==, "seven b\nand more\n");
  g_test_assert_expected_messages ();
}

/* A terminal that was hung up (EIO). */
static void
test_terminal_hung_up (Fixture *fixture, gconstpointer data)
{
  int ends[2];

  (void)data;
  g_assert_cmpint (openpty (&ends[0], &ends[1], NULL, NULL, NULL), ==, 0);
  g_assert_cmpint (dup2 (ends[1], fixture->fd), ==, fixture->fd);
  close (ends[1]);
  begin (fixture);
  close (ends[0]);
  expect (G_LOG_LEVEL_WARNING, "*cannot be written (Input/output error)*");
  say (fixture->out, "nobody is there\n");
  run_loop ();
  g_test_assert_expected_messages ();
  /* No busy loop: nothing is ready before the next retry. */
  g_assert_false (g_main_context_iteration (NULL, FALSE));

  use_file (fixture);
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  g_autofree char *text = wait_for_end (fixture, "there\n");
  g_assert_cmpstr (text, ==, "nobody is there\n");
  g_test_assert_expected_messages ();
}

static gboolean
on_tick (gpointer user_data)
{
  say (user_data, "x\n");
  return G_SOURCE_CONTINUE;
}

/* A named pipe whose reader leaves and is replaced: lines in between are counted as lost. */
static void
test_reader_comes_back (Fixture *fixture, gconstpointer data)
{
  int ends[2];
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  (void)data;
  g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
  dup2 (ends[1], fixture->fd);
  close (ends[1]);
  close (ends[0]);
  begin (fixture);
  expect (G_LOG_LEVEL_WARNING, "*is closed (Broken pipe)*");
  say (fixture->out, "lost\n");
  run_loop ();
  say (fixture->out, "lost too\n");
  run_loop ();
  g_assert_cmpuint (pp_stdout_pending (fixture->out), ==, 0);
  g_test_assert_expected_messages ();

  use_file (fixture);
  expect (G_LOG_LEVEL_WARNING,
          "Lines of standard output are lost since * (* line*, * byte*)*Broken pipe");
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  /* A new line triggers a retry, but not more often than the retry interval. */
  guint tick = g_timeout_add (20, on_tick, fixture->out);
  for (g_autofree char *text = content (fixture); *text == '\0'; text = content (fixture))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_main_context_iteration (NULL, TRUE);
      g_free (text);
    }
  g_source_remove (tick);
  say (fixture->out, "seen\n");
  g_autofree char *text = wait_for_end (fixture, "seen\n");
  g_assert_true (g_str_has_prefix (text, "... "));
  g_assert_nonnull (strstr (text, " are missing here since "));
  g_test_assert_expected_messages ();
}

/* The final flush writes queued lines although an earlier write failed. */
static void
test_last_words (Fixture *fixture, gconstpointer data)
{
  (void)data;
  begin (fixture);
  expect (G_LOG_LEVEL_WARNING, "*No space left on device*");
  say (fixture->out, "one\n");
  run_loop ();
  use_file (fixture);
  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  say (fixture->out, "stopped\n");
  g_clear_pointer (&fixture->out, pp_stdout_free);
  g_autofree char *text = content (fixture);
  g_assert_cmpstr (text, ==, "one\nstopped\n");
  g_test_assert_expected_messages ();
}

/* Waits until the next second of the wall clock. Returns its time as in a note about a loss; new
 * string. */
static char *
wait_for_next_second (void)
{
  g_autoptr (GDateTime) then = NULL;
  time_t before = time (NULL);

  while (time (NULL) == before)
    g_usleep (1000);
  then = g_date_time_new_now_local ();
  return g_date_time_format (then, "%H:%M:%S");
}

/* Lines that could never be written are counted at the end. The loss began when they had to wait,
 * which may be days before the end. */
static void
test_lost_at_the_end (Fixture *fixture, gconstpointer data)
{
  g_autofree char *since = wait_for_next_second ();
  g_autofree char *loss = g_strdup_printf ("Lines of standard output could not be written since %s "
                                           "(2 lines, 8 bytes): No space left on device",
                                           since);

  (void)data;
  begin (fixture);
  expect (G_LOG_LEVEL_WARNING, "*No space left on device*");
  say (fixture->out, "one\ntwo\n");
  run_loop ();
  g_free (wait_for_next_second ());
  expect (G_LOG_LEVEL_WARNING, loss);
  g_clear_pointer (&fixture->out, pp_stdout_free);
  g_test_assert_expected_messages ();
}

static void
begin_on_hanging_disk (Fixture *fixture)
{
  use_file (fixture);
  disk_set (TRUE, 0);
  pp_write_thread_use (disk_write);
  begin (fixture);
}

static void
leave_disk (void)
{
  disk_set (FALSE, 0);
  g_assert_true (pp_write_thread_finish ());
  pp_write_thread_use (NULL);
}

static void
on_room (gpointer user_data)
{
  *(gboolean *)user_data = TRUE;
}

/* A file on a disk that hangs, which poll() does not report: the loop continues, producers must
 * wait, and everything is written once the disk answers. */
static void
test_disk_hangs_for_a_while (Fixture *fixture, gconstpointer data)
{
  g_autofree char *line = g_strnfill (999, 'x');
  g_autoptr (GString) all = g_string_new ("first\n");
  gboolean has_room = FALSE;

  (void)data;
  begin_on_hanging_disk (fixture);
  say (fixture->out, "first\n");
  disk_wait_for_write ();
  for (int i = 0; pp_stdout_has_room (fixture->out); i++)
    {
      g_autofree char *whole = g_strdup_printf ("%03d%.996s\n", i, line);
      g_assert_cmpint (i, <, 300);
      g_string_append (all, whole);
      say (fixture->out, whole);
      run_loop ();
    }
  pp_stdout_when_room (fixture->out, on_room, &has_room);
  run_loop ();
  g_assert_false (has_room);
  g_assert_cmpuint (pp_stdout_pending (fixture->out), ==, all->len);

  disk_set (FALSE, 0);
  g_string_append (all, "last\n");
  say (fixture->out, "last\n");
  g_autofree char *text = wait_for_end (fixture, "last\n");
  g_assert_cmpstr (text, ==, all->str);
  while (pp_stdout_pending (fixture->out) > 0 || !has_room)
    g_main_context_iteration (NULL, TRUE);
  leave_disk ();
}

/* The final flush waits a little, reports what it leaves, and does not count that as written. */
static void
test_disk_hangs_at_the_end (Fixture *fixture, gconstpointer data)
{
  gint64 began = g_get_monotonic_time ();

  (void)data;
  begin_on_hanging_disk (fixture);
  say (fixture->out, "one\ntwo\n");
  pp_stdout_flush (fixture->out);
  g_assert_cmpuint (pp_stdout_pending (fixture->out), ==, 8);
  say (fixture->out, "stopped\n");
  expect (G_LOG_LEVEL_WARNING, "Lines of standard output could not be written since * (3 lines, 16 "
                               "bytes): the disk did not answer");
  g_clear_pointer (&fixture->out, pp_stdout_free);
  g_test_assert_expected_messages ();
  g_assert_cmpint (g_get_monotonic_time () - began, <, 20 * G_USEC_PER_SEC);
  pp_write_thread_use (disk_write);
  leave_disk ();
  run_loop ();
}

/* A file on a disk that is full for a while and then hangs. */
static void
test_file_fails_then_hangs (Fixture *fixture, gconstpointer data)
{
  (void)data;
  begin_on_hanging_disk (fixture);
  disk_set (FALSE, ENOSPC);
  expect (G_LOG_LEVEL_WARNING, "*cannot be written (No space left on device)*");
  say (fixture->out, "one\n");
  wait_until_failing (fixture->out, TRUE);
  g_test_assert_expected_messages ();
  disk_set (TRUE, 0);
  /* The thread writes what the loop has queued, although nothing wakes the loop. */
  while (!disk_has_write ())
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  say (fixture->out, "two\n");
  run_loop ();
  g_assert_true (pp_stdout_has_room (fixture->out));

  expect (G_LOG_LEVEL_MESSAGE, "*can be written again*");
  disk_set (FALSE, 0);
  wait_until_failing (fixture->out, FALSE);
  g_autofree char *text = wait_for_end (fixture, "two\n");
  g_assert_cmpstr (text, ==, "one\ntwo\n");
  g_test_assert_expected_messages ();
  leave_disk ();
}

static void
add_tests (void)
{
  struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/stdout/full-for-a-while", test_full_for_a_while },
    { "/stdout/more-than-fits", test_more_than_fits },
    { "/stdout/file-size-limit", test_file_size_limit },
    { "/stdout/terminal-hung-up", test_terminal_hung_up },
    { "/stdout/reader-comes-back", test_reader_comes_back },
    { "/stdout/last-words", test_last_words },
    { "/stdout/lost-at-the-end", test_lost_at_the_end },
    { "/stdout/disk-hangs-for-a-while", test_disk_hangs_for_a_while },
    { "/stdout/disk-hangs-at-the-end", test_disk_hangs_at_the_end },
    { "/stdout/file-fails-then-hangs", test_file_fails_then_hangs },
  };

  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
