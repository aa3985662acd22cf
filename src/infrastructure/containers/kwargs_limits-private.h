/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"

/* Removes from SPEC's create body what a flow run cannot have of container_create_kwargs (a restart
 * policy), with a warning. Returns FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names
 * the key, if that would change the meaning of the job (a log written to a file of the host). */
gboolean pp_spec_limit_kwargs (PpContainerSpec *spec, GError **error);
