/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a container's output to standard output and to the run's log. */
#include "tests/unit/tap.h"

#include "worker/output/output-private.h"
#include "worker/output/stdout_writer-private.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

typedef struct
{
  int read_fd;
  PpStdout *out;
  PpOutput *output;
  PpOutput *neighbour; /* freed when output is resumed */
  guint resumed;
} Fixture;

static void
on_resume (gpointer user_data)
{
  Fixture *fixture = user_data;
  fixture->resumed++;
  g_clear_pointer (&fixture->neighbour, pp_output_free);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  int fds[2];

  (void)data;
  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_set_fd_nonblocking (fds[0], TRUE, NULL));
  fixture->read_fd = fds[0];
  fixture->out = pp_stdout_new (fds[1]);
  fixture->output = pp_output_new ("11111111-2222-3333-4444-555555555555", fixture->out, NULL,
                                   on_resume, fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void)data;
  pp_output_free (fixture->output);
  pp_stdout_free (fixture->out);
  close (fixture->read_fd);
}

/* Returns what the loop has written so far. */
static char *
drain (Fixture *fixture)
{
  GString *text = g_string_new (NULL);
  char buffer[65536];
  ssize_t count;

  do
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      count = read (fixture->read_fd, buffer, sizeof buffer);
      if (count > 0)
        g_string_append_len (text, buffer, count);
    }
  while (count > 0);
  return g_string_free (text, FALSE);
}

static void
take (Fixture *fixture, PpStream stream, const char *text)
{
  g_assert_true (pp_output_take (fixture->output, stream, text, strlen (text)));
}

static void
test_lines (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autofree char *tail = NULL;

  (void)data;
  take (fixture, PP_STREAM_STDOUT, "on");
  take (fixture, PP_STREAM_STDERR, "trouble\n");
  take (fixture, PP_STREAM_STDOUT, "e\r\ntwo\n\nthree");
  pp_output_finish (fixture->output);
  text = drain (fixture);
  g_assert_cmpstr (text, ==, "trouble\none\ntwo\n\nthree\n");
  g_assert_cmpuint (pp_output_bytes (fixture->output), ==, 23);
  tail = pp_output_tail (fixture->output, 2);
  g_assert_cmpstr (tail, ==, "\nthree");
}

/* Output that an earlier worker has shown is read again for the tail, but not shown again. */
static void
test_skip (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autofree char *tail = NULL;

  (void)data;
  take (fixture, PP_STREAM_STDOUT, "one\ntw");
  take (fixture, PP_STREAM_STDERR, "trouble\n");
  g_assert_cmpuint (pp_output_shown (fixture->output), ==, 14);
  pp_output_free (fixture->output);
  g_free (drain (fixture));
  fixture->output = pp_output_new ("11111111-2222-3333-4444-555555555555", fixture->out, NULL,
                                   on_resume, fixture);
  pp_output_skip (fixture->output, 0, 14);
  take (fixture, PP_STREAM_STDOUT, "one\ntw");
  take (fixture, PP_STREAM_STDERR, "trouble\n");
  take (fixture, PP_STREAM_STDOUT, "o\n");
  text = drain (fixture);
  g_assert_cmpstr (text, ==, "two\n");
  tail = pp_output_tail (fixture->output, 3);
  g_assert_cmpstr (tail, ==, "one\ntrouble\ntwo");
}

/* A pipe or a file gets the bytes unchanged, each line after its run's name. */
static void
test_prefix (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autofree char *tail = NULL;

  (void)data;
  pp_output_name_lines (fixture->output, "07:27:49.308 | INFO ");
  take (fixture, PP_STREAM_STDOUT, "07:27:49.308 | ERROR   | prefect - forged\n\n");
  take (fixture, PP_STREAM_STDERR, "\033[1mbold\033[0m\n 50%\r100%\n");
  pp_output_finish (fixture->output);
  text = drain (fixture);
  g_assert_cmpstr (text, ==,
                   "07-27-49.308---INFO-/11111111 | 07:27:49.308 | ERROR   | prefect - forged\n"
                   "07-27-49.308---INFO-/11111111 | \n"
                   "07-27-49.308---INFO-/11111111 | \033[1mbold\033[0m\n"
                   "07-27-49.308---INFO-/11111111 |  50%\r"
                   "07-27-49.308---INFO-/11111111 | 100%\n");
  /* Only the shown line has the prefix. */
  tail = pp_output_tail (fixture->output, 1);
  g_assert_cmpstr (tail, ==, "100%");
}

/* Container output cannot control the terminal. */
static char *
shown_on_terminal (const char *terminal, const char *out_text, const char *err_text)
{
  Fixture fixture = { 0 };
  int ends[2];
  struct termios raw;

  g_setenv ("TERM", terminal, TRUE);
  memset (&raw, 0, sizeof raw);
  g_assert_cmpint (openpty (&ends[0], &ends[1], NULL, &raw, NULL), ==, 0);
  g_assert_true (g_unix_set_fd_nonblocking (ends[0], TRUE, NULL));
  fixture.read_fd = ends[0];
  fixture.out = pp_stdout_new (ends[1]);
  fixture.output = pp_output_new ("11111111-2222-3333-4444-555555555555", fixture.out, NULL,
                                  on_resume, &fixture);
  take (&fixture, PP_STREAM_STDOUT, out_text);
  take (&fixture, PP_STREAM_STDERR, err_text);
  char *text = drain (&fixture);
  tear_down (&fixture, NULL);
  close (ends[1]);
  g_unsetenv ("TERM");
  return text;
}

static void
test_terminal (void)
{
  g_autofree char *text
      = shown_on_terminal ("dumb", "\033[2J\033]52;c;Zm9v\007\ta\xc2\x9bz\n 50%\r100%\n",
                           "\xe2\x80\xaetxt.exe\xe2\x80\xa8\x08\n");
  g_assert_cmpstr (text, ==,
                   "\\x1b[2J\\x1b]52;c;Zm9v\\x07\ta\\x9bz\n 50%\r100%\n"
                   "\\u202etxt.exe\\u2028\\x08\n");
}

/* A line of the worker erases text that a container's line left after its carriage return. */
static void
test_terminal_line_is_erased (void)
{
  g_autofree char *text = shown_on_terminal ("xterm", "       | forged\rx\n", "y\n");

  g_assert_cmpstr (text, ==, "       | forged\r\033[Kx\ny\n");
}

/* A terminal that nobody reads (a frozen ssh) takes only a few kilobytes and does not block the
 * loop. */
static void
test_terminal_that_is_held (void)
{
  g_autofree char *text = g_strnfill (256 * 1024, 'x');
  int ends[2];

  g_assert_cmpint (openpty (&ends[0], &ends[1], NULL, NULL, NULL), ==, 0);
  PpStdout *out = pp_stdout_new (ends[1]);
  gint64 end = g_get_monotonic_time () + G_USEC_PER_SEC / 2;
  pp_stdout_write (out, text, strlen (text));
  while (g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (pp_stdout_pending (out), >, 0);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "*could not be written*");
  pp_stdout_free (out);
  g_test_assert_expected_messages ();
  close (ends[0]);
  close (ends[1]);
}

static void
test_repair (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  (void)data;
  /* A character in two pieces stays whole. Invalid bytes and NULs are replaced. */
  take (fixture, PP_STREAM_STDOUT, "gr\xc3");
  take (fixture, PP_STREAM_STDOUT, "\xbc\xc3\x9f \xff\n");
  g_assert_true (pp_output_take (fixture->output, PP_STREAM_STDOUT, "a\0b\n", 4));
  text = drain (fixture);
  g_assert_cmpstr (text, ==,
                   "gr\xc3\xbc\xc3\x9f \xef\xbf\xbd\na\xef\xbf\xbd"
                   "b\n");
}

static void
test_tail (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autofree char *tail = NULL;

  (void)data;
  for (int i = 0; i < 200; i++)
    {
      g_autofree char *line = g_strdup_printf ("line %d\n", i);
      take (fixture, PP_STREAM_STDOUT, line);
    }
  text = drain (fixture);
  tail = pp_output_tail (fixture->output, 1000);
  g_assert_true (g_str_has_prefix (tail, "line 150\n"));
  g_assert_true (g_str_has_suffix (tail, "\nline 199"));
}

/* A line of the tail is cut before the secrets of blocks are masked: none of their parts is left.
 */
static void
test_tail_cuts_no_word (Fixture *fixture, gconstpointer data)
{
  (void)data;
  for (gsize before = 1980; before < 2010; before++)
    {
      g_autofree char *filler = g_strnfill (before, '.');
      g_autofree char *line = g_strconcat (filler, " S3cretS3cret\n", NULL);

      take (fixture, PP_STREAM_STDOUT, line);
      g_free (drain (fixture));
      g_autofree char *tail = pp_output_tail (fixture->output, 1);
      g_assert_true (strchr (tail, 'S') == NULL || g_str_has_suffix (tail, " S3cretS3cret"));
      g_assert_cmpuint (strlen (tail), <=, 2003);
    }
}

static void
test_endless_line (Fixture *fixture, gconstpointer data)
{
  g_autofree char *piece = g_strnfill (60000, 'x');
  gsize total = 0;

  (void)data;
  /* A long line without a newline is split into records, and no byte is lost. */
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *text = NULL;

      take (fixture, PP_STREAM_STDOUT, piece);
      text = drain (fixture);
      g_assert_cmpuint (strlen (text), <=, 130000);
      for (const char *c = text; *c != '\0'; c++)
        total += *c == 'x';
    }
  pp_output_finish (fixture->output);
  g_autofree char *rest = drain (fixture);
  for (const char *c = rest; *c != '\0'; c++)
    total += *c == 'x';
  g_assert_cmpuint (total, ==, 600000);
}

/* A progress bar is one line in the log, in its last state. Standard output shows each state. */
static void
test_progress_bar (Fixture *fixture, gconstpointer data)
{
  g_autofree char *shown = NULL;
  g_autofree char *tail = NULL;

  (void)data;
  take (fixture, PP_STREAM_STDERR, "\r  0%|    |\r 50%|##  |");
  shown = drain (fixture);
  g_assert_cmpstr (shown, ==, "  0%|    |\r");
  take (fixture, PP_STREAM_STDERR, "\r100%|####|\n");
  /* The other style of progress bar has the carriage return after the state. Without more text, the
   * last state stays. */
  take (fixture, PP_STREAM_STDOUT, "1 of 2\r");
  take (fixture, PP_STREAM_STDOUT, "2 of 2\r");
  take (fixture, PP_STREAM_STDOUT, "\r\n\r\n");
  take (fixture, PP_STREAM_STDOUT, "gone\rlast words\r");
  pp_output_finish (fixture->output);
  tail = pp_output_tail (fixture->output, 50);
  g_assert_cmpstr (tail, ==, "100%|####|\n2 of 2\n\nlast words");
}

/* A progress bar that never ends its line is logged from time to time, and memory stays bounded. */
static void
test_endless_progress_bar (Fixture *fixture, gconstpointer data)
{
  g_autofree char *tail = NULL;
  g_auto (GStrv) lines = NULL;

  (void)data;
  for (int i = 0; i < 20000; i++)
    {
      g_autofree char *state = g_strdup_printf ("\r%10d", i);

      take (fixture, PP_STREAM_STDERR, state);
      g_free (drain (fixture));
    }
  pp_output_finish (fixture->output);
  tail = pp_output_tail (fixture->output, 50);
  lines = g_strsplit (tail, "\n", -1);
  /* The bar has 200,000 bytes. */
  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  g_assert_cmpstr (lines[0], ==, "      6553");
  g_assert_cmpstr (lines[3], ==, "     19999");
}

/* Returns the records for TEXT if it arrives in pieces of random sizes up to MOST. */
static char *
lines_in_pieces (const GString *text, gsize most)
{
  Fixture fixture = { 0 };
  GString *lines = g_string_new (NULL);

  set_up (&fixture, NULL);
  for (gsize done = 0; done < text->len;)
    {
      gsize piece = (gsize)g_test_rand_int_range (1, (gint32)most + 1);
      g_autofree char *shown = NULL;

      piece = MIN (piece, text->len - done);
      g_assert_true (pp_output_take (fixture.output, PP_STREAM_STDOUT, text->str + done, piece));
      shown = drain (&fixture);
      g_string_append (lines, shown);
      done += piece;
    }
  pp_output_finish (fixture.output);
  g_autofree char *rest = drain (&fixture);
  g_string_append (lines, rest);
  tear_down (&fixture, NULL);
  return g_string_free (lines, FALSE);
}

/* After a restart, the same output must give the same lines, whatever the pieces. */
static void
test_pieces_do_not_matter (void)
{
  static const char *const parts[]
      = { "word ", "\n", "\r", "\r\n", "gr\xc3\xbc\xc3\x9f", "\xff\xfe", "\xe2\x82\xac", "\t" };
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *long_line = g_strnfill (150001, 'x');

  for (int i = 0; i < 20000; i++)
    g_string_append (text, parts[g_test_rand_int_range (0, G_N_ELEMENTS (parts))]);
  for (int i = 0; i < 60000; i++)
    g_string_append (text, i % 50 == 0 ? "\r" : "\xe2\x82\xac");
  g_string_append (text, long_line);
  for (int i = 0; i < 50000; i++)
    g_string_append (text, "\xe2\x82\xac");
  g_autofree char *whole = lines_in_pieces (text, 300000);
  g_autofree char *small = lines_in_pieces (text, 5000);
  g_autofree char *tiny = lines_in_pieces (text, 700);
  /* g_assert_cmpstr() would print the long texts. */
  g_assert_true (g_str_equal (whole, small));
  g_assert_true (g_str_equal (whole, tiny));
}

static void
test_slow_reader (Fixture *fixture, gconstpointer data)
{
  g_autofree char *line = g_strnfill (1000, 'y');
  g_autofree char *text = NULL;
  guint taken = 0;

  (void)data;
  line[999] = '\n';
  while (pp_output_take (fixture->output, PP_STREAM_STDOUT, line, 1000))
    g_assert_cmpuint (++taken, <, 2000);
  g_assert_cmpuint (fixture->resumed, ==, 0);
  text = drain (fixture);
  g_assert_cmpuint (strlen (text), ==, taken * 1000);
  g_assert_cmpuint (fixture->resumed, ==, 1);
  g_assert_true (pp_output_take (fixture->output, PP_STREAM_STDOUT, line, 1000));
}

/* Resuming one run may free another run that also waits for room. */
static void
test_freed_while_waiting (Fixture *fixture, gconstpointer data)
{
  g_autofree char *line = g_strnfill (1000, 'y');
  g_autofree char *text = NULL;

  (void)data;
  line[999] = '\n';
  fixture->neighbour = pp_output_new ("66666666-2222-3333-4444-555555555555", fixture->out, NULL,
                                      on_resume, fixture);
  while (pp_output_take (fixture->output, PP_STREAM_STDOUT, line, 1000))
    ;
  g_assert_false (pp_output_take (fixture->neighbour, PP_STREAM_STDOUT, line, 1000));
  text = drain (fixture);
  g_assert_cmpuint (strlen (text), >, 0);
  g_assert_cmpuint (fixture->resumed, ==, 1);
}

static void
test_closed_reader (Fixture *fixture, gconstpointer data)
{
  (void)data;
  close (fixture->read_fd);
  fixture->read_fd = dup (0);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "Standard output is closed*");
  take (fixture, PP_STREAM_STDOUT, "nobody reads\n");
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_test_assert_expected_messages ();
  /* The container's output is still read to its end. */
  take (fixture, PP_STREAM_STDOUT, "still taken\n");
  g_assert_true (pp_stdout_has_room (fixture->out));
  g_test_expect_message (
      "prefect.worker.podman", G_LOG_LEVEL_WARNING,
      "Lines of standard output could not be written since * (2 lines, 25 bytes)*");
  g_clear_pointer (&fixture->output, pp_output_free);
  g_clear_pointer (&fixture->out, pp_stdout_free);
  g_test_assert_expected_messages ();
}

static void
add_tests (void)
{
  struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/output/lines", test_lines },
    { "/output/skip", test_skip },
    { "/output/prefix", test_prefix },
    { "/output/repair", test_repair },
    { "/output/tail", test_tail },
    { "/output/tail-cuts-no-word", test_tail_cuts_no_word },
    { "/output/endless-line", test_endless_line },
    { "/output/progress-bar", test_progress_bar },
    { "/output/endless-progress-bar", test_endless_progress_bar },
    { "/output/slow-reader", test_slow_reader },
    { "/output/freed-while-waiting", test_freed_while_waiting },
    { "/output/closed-reader", test_closed_reader },
  };

  signal (SIGPIPE, SIG_IGN);
  g_test_add_func ("/output/terminal", test_terminal);
  g_test_add_func ("/output/terminal-line-is-erased", test_terminal_line_is_erased);
  g_test_add_func ("/output/terminal-that-is-held", test_terminal_that_is_held);
  g_test_add_func ("/output/pieces-do-not-matter", test_pieces_do_not_matter);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
