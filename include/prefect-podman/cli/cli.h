/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, as main() sees it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs the command that ARGV names (ARGV[0] is the program). Errors are printed. Returns the exit
 * code: 0 done, 1 failed, 2 wrong usage or settings. */
int pp_cli_run (int argc, char **argv);

/* Prints "prefect-podman: WHAT" on standard error, one line, and returns 2, the exit code for wrong
 * usage or settings. */
int pp_command_fail (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Call it before the process ends: writes how many log lines standard error did not take (a full
 * disk, a reader that is behind), if that is still to be said. */
void pp_console_finish (void);

G_END_DECLS
