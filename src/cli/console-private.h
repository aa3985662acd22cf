/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error. See also pp_console_finish() and pp_command_fail() of cli.h. */
#pragma once

#include "prefect-podman/cli/cli.h"

G_BEGIN_DECLS

/* The console: g_log() messages as `time | LEVEL | logger - text` on standard error, the log domain
 * being the logger's name. LEVEL_NAME: one of Prefect's level names, in any case; FALSE with ERROR
 * (G_OPTION_ERROR_BAD_VALUE) for any other. COLORS: use escape sequences. May be called again to
 * change both. */
gboolean pp_console_init (const char *level_name, gboolean colors, GError **error);

G_END_DECLS
