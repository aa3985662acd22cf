/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the active profile of profiles.toml. */
#pragma once

#include "prefect-podman/settings/sources.h"

G_BEGIN_DECLS

/* Fills *SOURCE with the active profile. PROFILE is the value of --profile, or NULL.
 * PREFECT_PROFILES_PATH in DOTENV, TOML or PYPROJECT may name the file (prefect/settings/sources.py
 * _get_profiles_path). *NAME gets the profile's name, a new string; NULL if there is no
 * profiles.toml and no profile was requested. Returns FALSE with ERROR if the file cannot be read
 * or parsed, or if the profile does not exist. */
gboolean pp_source_profile (PpSource *source, const char *profile, const PpSource *dotenv,
                            const PpSource *toml, const PpSource *pyproject, char **name,
                            GError **error);

/* True in Prefect's test mode, in which profiles are not read. */
gboolean pp_settings_test_mode (void);

G_END_DECLS
