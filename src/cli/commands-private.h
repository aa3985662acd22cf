/* SPDX-License-Identifier: Apache-2.0 */
/* The commands there are, each in the source file of its name. */
#pragma once

#include "cli/command-private.h"

G_BEGIN_DECLS

extern const PpCommand pp_command_worker_start;
extern const PpCommand pp_command_worker_status;
extern const PpCommand pp_command_render;

G_END_DECLS
