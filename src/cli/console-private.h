/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error. cli.h has pp_console_finish() and pp_command_fail(). */
#pragma once

#include "prefect-podman/cli/cli.h"

G_BEGIN_DECLS

/* Writes g_log() messages to standard error as `time | LEVEL | logger - text`. The logger's name is
 * the log domain. LEVEL_NAME is one of Prefect's level names, in upper or lower case. For any other
 * name, returns FALSE with ERROR (G_OPTION_ERROR_BAD_VALUE). COLORS turns escape sequences on. May
 * be called again to change both. */
gboolean pp_console_init (const char *level_name, gboolean colors, GError **error);

G_END_DECLS
