/* The console: the form of a log line, levels, and that nothing another side says can steer the
 * terminal. Standard error is a pipe here. */
#include "config.h"

#define G_LOG_DOMAIN "prefect.test"

#include "prefect-podman/commands/commands.h"
#include "tap.h"

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

/* What was written since catch_stderr(). */
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

/* g_test makes warnings fatal; here they are what is tested. */
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
  init ("info", FALSE);
  catch_stderr ();
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

  init ("ERROR", FALSE);
  catch_stderr ();
  g_warning ("not shown");
  g_critical ("shown");
  g_autofree char *text = release_stderr ();
  g_assert_nonnull (strstr (text, "| ERROR   | prefect.test - shown"));
  g_assert_null (strstr (text, "not shown"));

  g_assert_false (pp_console_init ("LOUD", FALSE, &error));
  g_assert_nonnull (strstr (error->message, "\"LOUD\" is no log level: use DEBUG"));
}

static void
test_control_characters (void)
{
  init ("DEBUG", FALSE);
  catch_stderr ();
  g_message ("a\033[31mb\r\nc\td\xc2\x9b\xff\xe2\x80\xae\xe2\x80\xa8");
  g_autofree char *text = release_stderr ();

  g_assert_nonnull (strstr (text, "a\\x1b[31mb\\x0d\n    c\td\\x9b\xef\xbf\xbd\\u202e\\u2028\n"));
  g_assert_true (g_utf8_validate (text, -1, NULL));
}

static void
test_colors (void)
{
  init ("INFO", TRUE);
  catch_stderr ();
  g_warning ("x");
  g_autofree char *text = release_stderr ();
  g_assert_true (g_str_has_prefix (text, "\033[K"));
  g_assert_nonnull (strstr (text, "\033[33mWARNING\033[0m | prefect.test - x"));
}

static void
test_error_is_one_line (void)
{
  catch_stderr ();
  g_assert_cmpint (pp_command_fail ("%s", "first\nsecond\033"), ==, 2);
  g_autofree char *text = release_stderr ();
  g_assert_cmpstr (text, ==, "prefect-podman: first second\\x1b\n");
}

/* A full disk: what was lost is counted once there is room, and what comes then is not. */
static void
test_full_disk (void)
{
  init ("INFO", FALSE);
  saved = dup (STDERR_FILENO);
  int full = open ("/dev/full", O_WRONLY);
  g_assert_cmpint (dup2 (full, STDERR_FILENO), ==, STDERR_FILENO);
  close (full);
  g_message ("lost");
  g_message ("lost too");
  dup2 (saved, STDERR_FILENO);
  close (saved);
  catch_stderr ();
  g_message ("seen");
  g_autofree char *text = release_stderr ();
  g_assert_true (g_regex_match_simple (
      "^\\.\\.\\. 2 lines \\(\\d+ bytes\\) are missing here since \\d\\d:\\d\\d:\\d\\d: "
      "No space left on device\n\\S+ \\| INFO    \\| prefect\\.test - seen\n$",
      text, 0, 0));
}

/* A line that was cut by a file size limit ends before the note, also where the note is the last.
 */
static void
test_file_size_limit (void)
{
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  struct rlimit before;
  struct rlimit small = { .rlim_cur = 10 };
  int file = g_file_open_tmp ("pp-console-XXXXXX", &path, NULL);

  init ("INFO", FALSE);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small.rlim_max = before.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  saved = dup (STDERR_FILENO);
  g_assert_cmpint (dup2 (file, STDERR_FILENO), ==, STDERR_FILENO);
  g_message ("is cut");
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  pp_console_finish ();
  dup2 (saved, STDERR_FILENO);
  close (saved);
  close (file);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_unlink (path);
  g_assert_true (g_regex_match_simple (
      "^.{10}\n\\.\\.\\. 1 lines \\(\\d+ bytes\\) are missing here since \\S+: File too large\n$",
      text, 0, 0));
}

static void
test_closed_stderr (void)
{
  init ("INFO", FALSE);
  saved = dup (STDERR_FILENO);
  close (STDERR_FILENO);
  g_message ("nobody hears it");
  g_assert_cmpint (dup2 (saved, STDERR_FILENO), ==, STDERR_FILENO);
  close (saved);
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
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
