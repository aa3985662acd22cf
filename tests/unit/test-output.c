/* A container's output on its way to standard output and to the run's log. */
#include "tap.h"

#include "prefect-podman/worker/output.h"
#include "prefect-podman/worker/stdout_writer.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  int read_fd;
  PpStdout *out;
  PpOutput *output;
  guint resumed;
} Fixture;

static void
on_resume (gpointer user_data)
{
  Fixture *fixture = user_data;
  fixture->resumed++;
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

/* What the loop has written until now. */
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

static void
test_repair (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  (void)data;
  /* A character in two pieces stays whole, a byte that is none and a NUL are replaced. */
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

static void
test_endless_line (Fixture *fixture, gconstpointer data)
{
  g_autofree char *piece = g_strnfill (60000, 'x');
  gsize total = 0;

  (void)data;
  /* Without a newline it is cut rather than piled up, and no byte is lost. */
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

static void
test_closed_reader (Fixture *fixture, gconstpointer data)
{
  (void)data;
  close (fixture->read_fd);
  fixture->read_fd = dup (0);
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "Standard output is gone*");
  take (fixture, PP_STREAM_STDOUT, "nobody reads\n");
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_test_assert_expected_messages ();
  /* The container's output is still read to its end. */
  take (fixture, PP_STREAM_STDOUT, "still taken\n");
  g_assert_true (pp_stdout_has_room (fixture->out));
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
    { "/output/repair", test_repair },
    { "/output/tail", test_tail },
    { "/output/endless-line", test_endless_line },
    { "/output/slow-reader", test_slow_reader },
    { "/output/closed-reader", test_closed_reader },
  };

  signal (SIGPIPE, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
