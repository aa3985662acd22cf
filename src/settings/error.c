/* SPDX-License-Identifier: Apache-2.0 */
/* The error domain PP_SETTINGS_ERROR. */
#include "config.h"

#include "prefect-podman/settings/settings.h"

G_DEFINE_QUARK (pp - settings - error - quark, pp_settings_error)
