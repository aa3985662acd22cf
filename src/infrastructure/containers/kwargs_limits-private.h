/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"

/* Removes from SPEC's create body the parts of container_create_kwargs that a flow run cannot have
 * (a restart policy), with a warning. Returns FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID),
 * which names the key, if the removal would change the meaning of the job (a log written to a file
 * of the host). */
gboolean pp_spec_limit_kwargs (PpContainerSpec *spec, GError **error);

/* Returns FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the largest part, if
 * SPEC's create body or its labels are too large: answers about the container, and the list of all
 * containers, would then be larger than the worker reads. */
gboolean pp_spec_limit_size (const PpContainerSpec *spec, GError **error);
