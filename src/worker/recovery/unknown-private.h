/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of this work pool with an unknown identity. */
#pragma once

#include "prefect-podman/infrastructure/job.h"

/* Counts the containers in JOBS (of PpJob) that have an unknown identity: they are in WORK_POOL,
 * their run is not in RUNS (keyed by flow run id), and their identity is PP_IDENTITY_UNKNOWN in
 * STATES (names -> PpIdentityState). Logs a warning about containers that have not ended, and an
 * INFO line about the others. Both messages say that STATE_DIR was searched. */
void pp_unknown_containers_say (const GPtrArray *jobs, GHashTable *runs, GHashTable *states,
                                const char *work_pool, const char *state_dir);
