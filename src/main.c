/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman(1): prepares the process for a command, runs the command, and reports at the end
 * if output was lost. */
#include "config.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/cli/cli.h"
#include "prefect-podman/http/limits.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The number of file descriptors that every command needs at its start. */
#define NEEDED_DESCRIPTORS 16

/* Opens each standard stream that is closed. Otherwise a socket could get descriptor 0, 1 or 2, and
 * log lines would be written to that socket. */
static void
open_standard_streams (void)
{
  int fd;

  do
    {
      fd = pp_own_open (AT_FDCWD, "/dev/null", O_RDWR, 0);
      /* Without /dev/null, open something that nobody can write to. */
      if (fd < 0)
        fd = pp_own_open (AT_FDCWD, "/", O_PATH, 0);
    }
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close (fd);
}

static int
run (int argc, char **argv)
{
  /* GLib aborts the process if it cannot open a descriptor. Check this first, so that the user gets
   * an error message that says what to do. */
  int shortage = pp_limits_probe (NEEDED_DESCRIPTORS);

  setlocale (LC_CTYPE, "");
  if (shortage == 0)
    return pp_cli_run (argc, argv);
  g_autofree char *why = pp_limits_describe (shortage);
  return pp_command_fail ("cannot start: %s", why);
}

/* Runs at every exit of the process, also when GOption exits after --help. */
static void
at_exit (void)
{
  gboolean is_printed = fflush (stdout) == 0 && ferror (stdout) == 0;

  if (!is_printed)
    pp_command_fail ("cannot write to standard output, so the output is incomplete");
  pp_console_finish ();
  if (!is_printed)
    _exit (1);
}

int
main (int argc, char **argv)
{
  open_standard_streams ();
  signal (SIGPIPE, SIG_IGN);
  /* Our parent process may have set SIGCHLD to be ignored. Then we would not get the exit status of
   * a program that we start. */
  signal (SIGCHLD, SIG_DFL);
  /* With SIGXFSZ ignored, a write beyond the file size limit fails with EFBIG and does not end the
   * process. Programs that we start would inherit that SIGPIPE and SIGXFSZ are ignored, so
   * credential_helper.c sets both back to the default. */
  signal (SIGXFSZ, SIG_IGN);
  atexit (at_exit);
  return run (argc, argv);
}
