/* SPDX-License-Identifier: Apache-2.0 */
/* The error domain PP_INFRASTRUCTURE_ERROR. */
#include "config.h"

#include "prefect-podman/infrastructure/infrastructure.h"

G_DEFINE_QUARK (pp - infrastructure - error - quark, pp_infrastructure_error)
