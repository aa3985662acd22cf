/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of prefect-podman(1). Each takes the arguments after its name (ARGV[0] is the name
 * for messages) and returns the exit code. */
#pragma once

#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

int pp_command_worker_start (int argc, char **argv, const char *profile);
int pp_command_worker_status (int argc, char **argv, const char *profile);
int pp_command_render (int argc, char **argv, const char *profile);

/* What is wrong with "" for --state-dir: most often a variable of a script that is not set. */
#define PP_COMMAND_EMPTY_STATE_DIR                                                                 \
  "--state-dir: is empty: name a directory, or leave the option out"

/* Prints "prefect-podman: WHAT" on standard error, one line, and returns 2, the exit code for wrong
 * usage or settings. */
int pp_command_fail (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Checks what SETTINGS and the environment say about the way to the API: its URL, the certificates
 * to trust, the proxy. FALSE with ERROR that names the setting and says what to do. */
gboolean pp_command_check_api_url (const PpSettings *settings, GError **error);

/* Whether escape sequences are wanted on the open file FD: a terminal that knows them, and no
 * NO_COLOR. */
gboolean pp_console_is_colored (int fd);

/* The console: g_log() messages as `time | LEVEL | logger - text` on standard error, the log domain
 * being the logger's name. LEVEL_NAME: Prefect's level names; returns FALSE with ERROR for an
 * unknown one. COLORS: use escape sequences. May be called again to change both. */
gboolean pp_console_init (const char *level_name, gboolean colors, GError **error);

/* Before the end of the process: says on standard error how many lines it did not take (a full
 * disk, a reader that is behind), where that is still to be said. */
void pp_console_finish (void);

G_END_DECLS
