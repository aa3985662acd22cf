/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"

/* Sets the options of SPEC that CONFIGURATION gives to the worker itself: pull policy, state
 * reporting, output, time-outs, retries, auto_remove. SPEC's image must be set. Returns FALSE with
 * ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the key. */
gboolean pp_spec_set_worker_options (PpContainerSpec *spec, const json_t *configuration,
                                     GError **error);
