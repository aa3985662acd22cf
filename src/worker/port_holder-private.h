/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the process that listens on a TCP port of this host. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns "process 4711 (prefect-podman)" for the process that listens on PORT, a new string.
 * Returns NULL if /proc does not show it: only root sees other users' processes. The process's
 * arguments are left out because they may hold secrets. */
char *pp_port_holder (int port);

G_END_DECLS
