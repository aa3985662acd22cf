/* SPDX-License-Identifier: Apache-2.0 */
/* Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

/* Sets in SPEC, whose image is set, what CONFIGURATION asks of the worker itself: when it pulls the
 * image, who reports the run's states, where the output goes, time-outs, retries, auto_remove.
 * FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the key. */
gboolean pp_spec_set_worker_options (PpContainerSpec *spec, const json_t *configuration,
                                     GError **error);
