/* SPDX-License-Identifier: Apache-2.0 */
/* All commands. Each is in the source file of the same name. */
#pragma once

#include "cli/command-private.h"

G_BEGIN_DECLS

extern const PpCommand pp_command_worker_start;
extern const PpCommand pp_command_worker_status;
extern const PpCommand pp_command_render;

G_END_DECLS
