/* SPDX-License-Identifier: Apache-2.0 */
/* Tests signal handling. Each case runs in its own child process, because the dispositions at the
 * start matter. */
#include "tests/unit/tap.h"

#include "worker/signals-private.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static GString *seen;

static void
on_signal (int number, gpointer user_data)
{
  (void)user_data;
  g_string_append_printf (seen, "%s ", pp_signal_name (number));
}

/* Runs in the child: sends all four signals to itself. With BLOCKED, blocks all signals first. */
static void
send_all (gboolean blocked)
{
  static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP };
  sigset_t all;
  g_autoptr (PpSignals) signals = NULL;

  seen = g_string_new (NULL);
  sigfillset (&all);
  if (blocked)
    sigprocmask (SIG_BLOCK, &all, NULL);
  signals = pp_signals_new (on_signal, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      kill (getpid (), numbers[i]);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

/* Returns the handled signals of a process that starts with NUMBERS (0-terminated) ignored. */
static char *
handled_with (const int *numbers, gboolean blocked)
{
  int ends[2];
  char text[200];

  g_assert_cmpint (pipe (ends), ==, 0);
  pid_t child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      signal (SIGTERM, SIG_DFL);
      signal (SIGINT, SIG_DFL);
      signal (SIGQUIT, SIG_DFL);
      signal (SIGHUP, SIG_DFL);
      for (; *numbers != 0; numbers++)
        signal (*numbers, SIG_IGN);
      send_all (blocked);
      _exit (write (ends[1], seen->str, seen->len) == (ssize_t)seen->len ? 0 : 1);
    }
  int status;
  close (ends[1]);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  ssize_t length = read (ends[0], text, sizeof text);
  close (ends[0]);
  g_assert_cmpint (length, >=, 0);
  return g_strndup (text, (gsize)length);
}

static void
test_all_are_handled (void)
{
  g_autofree char *handled = handled_with ((const int[]){ 0 }, FALSE);
  g_assert_cmpstr (handled, ==, "SIGTERM SIGINT SIGQUIT SIGHUP ");
}

/* A background job of a script: `worker &`. */
static void
test_background_job (void)
{
  g_autofree char *handled = handled_with ((const int[]){ SIGINT, SIGQUIT, 0 }, FALSE);
  g_assert_cmpstr (handled, ==, "SIGTERM SIGHUP ");
}

static void
test_nohup (void)
{
  g_autofree char *handled = handled_with ((const int[]){ SIGHUP, 0 }, FALSE);
  g_assert_cmpstr (handled, ==, "SIGTERM SIGINT SIGQUIT ");
}

static void
test_trap_term (void)
{
  g_autofree char *handled = handled_with ((const int[]){ SIGTERM, 0 }, FALSE);
  g_assert_cmpstr (handled, ==, "SIGINT SIGQUIT SIGHUP ");
}

/* A parent that left signals blocked. */
static void
test_blocked_mask (void)
{
  g_autofree char *handled = handled_with ((const int[]){ 0 }, TRUE);
  g_autofree char *without = handled_with ((const int[]){ SIGINT, SIGHUP, 0 }, TRUE);
  g_assert_cmpstr (handled, ==, "SIGTERM SIGINT SIGQUIT SIGHUP ");
  g_assert_cmpstr (without, ==, "SIGTERM SIGQUIT ");
}

static void
add (void)
{
  g_test_add_func ("/signals/all-are-handled", test_all_are_handled);
  g_test_add_func ("/signals/background-job", test_background_job);
  g_test_add_func ("/signals/nohup", test_nohup);
  g_test_add_func ("/signals/trap-term", test_trap_term);
  g_test_add_func ("/signals/blocked-mask", test_blocked_mask);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
