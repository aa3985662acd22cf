/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of this work pool whose worker is known to nobody here. */
#pragma once

#include "prefect-podman/infrastructure/job.h"

/* Says how many of JOBS (of PpJob) are of WORK_POOL, of no run in RUNS (its keys are
 * flow run ids) and of an identity that is PP_IDENTITY_UNKNOWN in STATES (names ->
 * PpIdentityState): a warning of those that have not ended, a line of level INFO of the others.
 * STATE_DIR is named as the directory that was looked in. */
void pp_unknown_containers_say (const GPtrArray *jobs, GHashTable *runs, GHashTable *states,
                                const char *work_pool, const char *state_dir);
