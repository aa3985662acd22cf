/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/commands-private.h"

const PpCommand *const pp_commands[] = {
  &pp_command_worker_start,
  &pp_command_worker_status,
  &pp_command_render,
  NULL,
};
