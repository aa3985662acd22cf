/* SPDX-License-Identifier: Apache-2.0 */
/* Who listens on a TCP port of this host. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "process 4711 (prefect-podman)" for the process that listens on PORT, as far as /proc shows it:
 * other users' processes are seen by root only. NULL where it is not seen. Never its arguments,
 * which may hold secrets. New string. */
char *pp_port_holder (int port);

G_END_DECLS
