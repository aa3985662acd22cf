/* SPDX-License-Identifier: Apache-2.0 */
/* Points at which a test can kill the worker as kill -9 does. They do nothing unless the build was
 * configured with --enable-failpoints. Private to src/worker. */
#pragma once

#include "config.h"

#include <glib.h>

G_BEGIN_DECLS

/* Kills this process if PREFECT_PODMAN_FAILPOINT names this failpoint, or if it is "FAILPOINT=N"
 * and this is the Nth pass. The failpoint is called NAME, or "NAME.PART" if PART is not NULL. */
#ifdef PP_FAILPOINTS
void pp_failpoint (const char *name, const char *part);
#else
static inline void
pp_failpoint (const char *name G_GNUC_UNUSED, const char *part G_GNUC_UNUSED)
{
}
#endif

G_END_DECLS
