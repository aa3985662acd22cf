/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, as main() sees it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs the command that is named in ARGV (ARGV[0] is the program). Prints errors. Returns the exit
 * code: 0 done, 1 failed, 2 wrong usage or settings. */
int pp_cli_run (int argc, char **argv);

/* Prints "prefect-podman: WHAT" on standard error, one line, and returns 2, the exit code for wrong
 * usage or settings. */
int pp_command_fail (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Writes the number of log lines that standard error did not accept (full disk, slow reader),
 * unless this was already reported. Call this before the process ends. */
void pp_console_finish (void);

G_END_DECLS
