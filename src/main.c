/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman(1): what must be so before a command runs, and when the process ends. */
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

/* Descriptors that a command opens before it can do anything. */
#define NEEDED_DESCRIPTORS 16

/* A descriptor below 3 that is closed would be given to a socket, and log lines would be written
 * into it. */
static void
open_standard_streams (void)
{
  int fd;

  do
    {
      fd = pp_own_open (AT_FDCWD, "/dev/null", O_RDWR, 0);
      /* Without it, any descriptor that cannot be written. */
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
  /* GLib ends the process without a word where it cannot open a descriptor. */
  int shortage = pp_limits_probe (NEEDED_DESCRIPTORS);

  setlocale (LC_CTYPE, "");
  if (shortage == 0)
    return pp_cli_run (argc, argv);
  g_autofree char *why = pp_limits_describe (shortage);
  return pp_command_fail ("cannot start: %s", why);
}

/* Of any end of the process, GOption's after --help included. */
static void
at_exit (void)
{
  gboolean is_printed = fflush (stdout) == 0 && ferror (stdout) == 0;

  if (!is_printed)
    pp_command_fail ("standard output could not be written: what was printed is not complete");
  pp_console_finish ();
  if (!is_printed)
    _exit (1);
}

int
main (int argc, char **argv)
{
  open_standard_streams ();
  signal (SIGPIPE, SIG_IGN);
  /* Whoever started us may ignore it: the end of a program that we start would be lost then. */
  signal (SIGCHLD, SIG_DFL);
  /* A file size limit is an error of the write then (EFBIG). What a program that is
   * started inherits of both, credential_helper.c sets back. */
  signal (SIGXFSZ, SIG_IGN);
  atexit (at_exit);
  return run (argc, argv);
}
