/* SPDX-License-Identifier: Apache-2.0 */
/* The error domain PP_RESOLVE_ERROR. */
#include "config.h"

#include "prefect-podman/resolve/resolve.h"

G_DEFINE_QUARK (pp - resolve - error - quark, pp_resolve_error)
