/* SPDX-License-Identifier: Apache-2.0 */
/* The error domain PP_STATE_ERROR. */
#include "config.h"

#include "prefect-podman/state/state_dir.h"

G_DEFINE_QUARK (pp - state - error - quark, pp_state_error)
