/* SPDX-License-Identifier: Apache-2.0 */
/* Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

/* Takes out of SPEC's create body what container_create_kwargs has put there and a flow run cannot
 * have, with a warning (a restart policy). FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID),
 * which names the key, for what would change the meaning of the job (a log written to a file of the
 * host). */
gboolean pp_spec_limit_kwargs (PpContainerSpec *spec, GError **error);
