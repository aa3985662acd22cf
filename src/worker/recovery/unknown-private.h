/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of this work pool with an unknown identity. */
#pragma once

#include "prefect-podman/infrastructure/job.h"

/* Counts those of JOBS (of PpJob) that are in WORK_POOL, whose run is not in RUNS (keyed by flow
 * run id), and whose identity is PP_IDENTITY_UNKNOWN in STATES (names -> PpIdentityState). Logs a
 * warning about those that have not ended, and an INFO line about the others. Both name STATE_DIR
 * as the directory that was searched. */
void pp_unknown_containers_say (const GPtrArray *jobs, GHashTable *runs, GHashTable *states,
                                const char *work_pool, const char *state_dir);
