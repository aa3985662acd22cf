/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the console: the format of log lines, levels, and that messages of other programs cannot
 * control the terminal. Standard error is a pipe or a file. */
#include "config.h"

#define G_LOG_DOMAIN "prefect.test"

#include "cli/console-private.h"
#include "worker/output/stdout_writer-private.h"

#include "tests/unit/disk.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int saved = -1;
static int pipe_end = -1;

static void
catch_stderr (void)
{
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  saved = dup (STDERR_FILENO);
  g_assert_cmpint (dup2 (ends[1], STDERR_FILENO), ==, STDERR_FILENO);
  close (ends[1]);
  pipe_end = ends[0];
}

/* Returns what was written since catch_stderr(). */
static char *
release_stderr (void)
{
  char buffer[4096];

  dup2 (saved, STDERR_FILENO);
  close (saved);
  ssize_t length = read (pipe_end, buffer, sizeof buffer);
  close (pipe_end);
  g_assert_cmpint (length, >=, 0);
  return g_strndup (buffer, (gsize)length);
}

/* g_test makes warnings fatal, but this file tests warnings. */
static void
init (const char *level, gboolean colors)
{
  g_autoptr (GError) error = NULL;

  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_assert_true (pp_console_init (level, colors, &error));
  g_assert_no_error (error);
}

static void
test_line (void)
{
  catch_stderr ();
  init ("info", FALSE);
  g_debug ("not shown");
  g_info ("first");
  g_warning ("second");
  g_autofree char *text = release_stderr ();

  g_assert_true (g_regex_match_simple (
      "^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} \\| INFO    \\| prefect\\.test - first\n"
      "\\d\\d:\\d\\d:\\d\\d\\.\\d{3} \\| WARNING \\| prefect\\.test - second\n$",
      text, 0, 0));
}

static void
test_levels (void)
{
  g_autoptr (GError) error = NULL;

  catch_stderr ();
  init ("ERROR", FALSE);
  g_warning ("not shown");
  g_critical ("shown");
  g_autofree char *text = release_stderr ();
  g_assert_nonnull (strstr (text, "| ERROR   | prefect.test - shown"));
  g_assert_null (strstr (text, "not shown"));

  g_assert_false (pp_console_init ("LOUD", FALSE, &error));
  g_assert_nonnull (strstr (error->message, "\"LOUD\" is not a log level: use DEBUG"));
}

static void
test_control_characters (void)
{
  catch_stderr ();
  init ("DEBUG", FALSE);
  g_message ("a\033[31mb\r\nc\td\xc2\x9b\xff\xe2\x80\xae\xe2\x80\xa8");
  g_autofree char *text = release_stderr ();

  g_assert_nonnull (strstr (text, "a\\x1b[31mb\\x0d\n    c\td\\x9b\xef\xbf\xbd\\u202e\\u2028\n"));
  g_assert_true (g_utf8_validate (text, -1, NULL));
}

static void
test_colors (void)
{
  catch_stderr ();
  init ("INFO", TRUE);
  g_warning ("x");
  g_autofree char *text = release_stderr ();
  g_assert_true (g_str_has_prefix (text, "\033[K"));
  g_assert_nonnull (strstr (text, "\033[33mWARNING\033[0m | prefect.test - x"));
}

static void
test_error_is_one_line (void)
{
  catch_stderr ();
  init ("INFO", FALSE);
  g_assert_cmpint (pp_command_fail ("%s", "first\nsecond\033"), ==, 2);
  g_autofree char *text = release_stderr ();
  g_assert_cmpstr (text, ==, "prefect-podman: first second\\x1b\n");
}

/* A full disk: lost lines are counted once there is room. Later lines are written and not
 * counted. */
static void
test_full_disk (void)
{
  saved = dup (STDERR_FILENO);
  int full = open ("/dev/full", O_WRONLY);
  g_assert_cmpint (dup2 (full, STDERR_FILENO), ==, STDERR_FILENO);
  close (full);
  init ("INFO", FALSE);
  g_message ("lost");
  g_message ("lost too");
  dup2 (saved, STDERR_FILENO);
  close (saved);
  catch_stderr ();
  g_message ("seen");
  g_autofree char *text = release_stderr ();
  g_assert_true (g_regex_match_simple (
      "^\\.\\.\\. Lines are missing here since \\d\\d:\\d\\d:\\d\\d \\(2 lines, \\d+ bytes\\): No "
      "space left on device\n\\S+ \\| INFO    \\| prefect\\.test - seen\n$",
      text, 0, 0));
}

/* If a file size limit cuts a line, the line is ended before the note, even if the note is the last
 * output. */
static void
test_file_size_limit (void)
{
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  struct rlimit before;
  struct rlimit small = { .rlim_cur = 10 };
  int file = g_file_open_tmp ("pp-console-XXXXXX", &path, NULL);

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small.rlim_max = before.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  saved = dup (STDERR_FILENO);
  g_assert_cmpint (dup2 (file, STDERR_FILENO), ==, STDERR_FILENO);
  init ("INFO", FALSE);
  g_message ("is cut");
  pp_console_finish ();
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  pp_console_finish ();
  dup2 (saved, STDERR_FILENO);
  close (saved);
  close (file);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_unlink (path);
  g_assert_true (g_regex_match_simple ("^.{10}\n\\.\\.\\. Lines are missing here since \\S+ \\(1 "
                                       "line, \\d+ bytes\\): File too large\n$",
                                       text, 0, 0));
}

static void
test_closed_stderr (void)
{
  saved = dup (STDERR_FILENO);
  close (STDERR_FILENO);
  init ("INFO", FALSE);
  g_message ("nobody hears it");
  g_assert_cmpint (dup2 (saved, STDERR_FILENO), ==, STDERR_FILENO);
  close (saved);
  pp_console_finish ();
}

/* Redirects standard error to a file, opened for appending, on a disk that hangs. Returns its path,
 * a new string. */
static char *
use_file (void)
{
  char *path = NULL;
  int file = g_file_open_tmp ("pp-console-XXXXXX", &path, NULL);

  close (file);
  file = open (path, O_WRONLY | O_APPEND | O_CLOEXEC);
  saved = dup (STDERR_FILENO);
  g_assert_cmpint (dup2 (file, STDERR_FILENO), ==, STDERR_FILENO);
  close (file);
  init ("INFO", FALSE);
  disk_set (TRUE, 0);
  pp_write_thread_use (disk_write);
  return path;
}

/* Returns the file's text after the disk has answered, and removes the file. */
static char *
release_file (const char *path)
{
  char *text = NULL;

  disk_set (FALSE, 0);
  pp_write_thread_use (disk_write);
  pp_console_finish ();
  pp_write_thread_use (NULL);
  dup2 (saved, STDERR_FILENO);
  close (saved);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_unlink (path);
  return text;
}

/* A file on a disk that hangs: logging does not block. Lines that fit are written in order in the
 * end, and the others are counted. */
static void
test_disk_hangs (void)
{
  g_autofree char *path = use_file ();
  g_autofree char *filler = g_strnfill (1000, 'x');
  gint64 began = g_get_monotonic_time ();
  int kept = 0;

  for (int i = 0; i < 1000; i++)
    g_message ("%03d %s", i, filler);
  pp_console_finish ();
  g_assert_cmpint (g_get_monotonic_time () - began, <, 20 * G_USEC_PER_SEC);
  disk_set (FALSE, 0);
  pp_write_thread_use (disk_write);
  g_assert_true (pp_write_thread_finish ());
  g_message ("seen");
  g_autofree char *text = release_file (path);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (; strstr (lines[kept], filler) != NULL; kept++)
    {
      g_autofree char *message = g_strdup_printf ("prefect.test - %03d x", kept);
      g_assert_nonnull (strstr (lines[kept], message));
    }
  g_assert_cmpint (kept, >, 240);
  g_assert_cmpint (kept, <, 260);
  g_assert_true (g_str_has_prefix (lines[kept], "... "));
  const char *count = strchr (lines[kept], '(');
  g_assert_nonnull (count);
  g_assert_cmpuint (g_ascii_strtoull (count + 1, NULL, 10) + (guint)kept, ==, 1000);
  g_assert_true (g_str_has_suffix (lines[kept], ": the disk did not answer"));
  g_assert_true (g_str_has_suffix (lines[kept + 1], " - seen"));
  g_assert_cmpstr (lines[kept + 2], ==, "");
}

/* Container output and log lines in one file stay in order. */
static void
test_one_file_for_both (void)
{
  g_autofree char *path = use_file ();
  g_autoptr (PpStdout) out = pp_stdout_new (STDERR_FILENO);

  g_message ("first");
  disk_wait_for_write ();
  pp_stdout_write (out, "second\n", strlen ("second\n"));
  g_message ("third");
  disk_set (FALSE, 0);
  g_clear_pointer (&out, pp_stdout_free);
  g_autofree char *text = release_file (path);
  g_assert_true (g_regex_match_simple ("^[^\n]* - first\nsecond\n[^\n]* - third\n$", text, 0, 0));
}

static ssize_t
slow_write (int fd, const void *data, size_t length)
{
  g_usleep (200 * 1000);
  return write (fd, data, length);
}

/* A fatal line is written before the process aborts. */
static void
test_fatal_line (void)
{
  g_autofree char *text = NULL;
  const char *path = g_getenv ("PP_TEST_FILE");

  if (g_test_subprocess ())
    {
      int file = open (path, O_WRONLY | O_APPEND | O_CLOEXEC);
      dup2 (file, STDERR_FILENO);
      init ("INFO", FALSE);
      pp_write_thread_use (slow_write);
      g_error ("the reason");
    }
  g_autofree char *made = NULL;
  close (g_file_open_tmp ("pp-console-XXXXXX", &made, NULL));
  g_setenv ("PP_TEST_FILE", made, TRUE);
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_assert_true (g_file_get_contents (made, &text, NULL, NULL));
  g_unlink (made);
  g_assert_nonnull (strstr (text, "| CRITICAL | prefect.test - the reason\n"));
}

static void
add (void)
{
  g_test_add_func ("/console/line", test_line);
  g_test_add_func ("/console/levels", test_levels);
  g_test_add_func ("/console/control-characters", test_control_characters);
  g_test_add_func ("/console/colors", test_colors);
  g_test_add_func ("/console/error-is-one-line", test_error_is_one_line);
  g_test_add_func ("/console/full-disk", test_full_disk);
  g_test_add_func ("/console/file-size-limit", test_file_size_limit);
  g_test_add_func ("/console/closed-stderr", test_closed_stderr);
  g_test_add_func ("/console/disk-hangs", test_disk_hangs);
  g_test_add_func ("/console/one-file-for-both", test_one_file_for_both);
  g_test_add_func ("/console/fatal-line", test_fatal_line);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
