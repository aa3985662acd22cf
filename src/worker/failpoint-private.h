/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test may end the worker as kill -9 does: only in builds of configure --enable-failpoints;
 * in all others nothing. Private to src/worker. */
#pragma once

#include "config.h"

#include <glib.h>

G_BEGIN_DECLS

/* Dies here if PREFECT_PODMAN_FAILPOINT says so: "NAME", or "NAME=N" for the Nth time it is passed
 * (PART, if not NULL, belongs to the name: "NAME.PART"). */
#ifdef PP_FAILPOINTS
void pp_failpoint (const char *name, const char *part);
#else
static inline void
pp_failpoint (const char *name G_GNUC_UNUSED, const char *part G_GNUC_UNUSED)
{
}
#endif

G_END_DECLS
