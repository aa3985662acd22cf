/* SPDX-License-Identifier: Apache-2.0 */
/* The active profile of profiles.toml. */
#pragma once

#include "prefect-podman/settings/sources.h"

G_BEGIN_DECLS

/* Fills *SOURCE with the active profile. PROFILE: --profile, or NULL. DOTENV, TOML and PYPROJECT
 * may name the file by PREFECT_PROFILES_PATH (prefect/settings/sources.py _get_profiles_path).
 * *NAME: the profile's name (new string), NULL when there is no profiles.toml and none was asked
 * for. FALSE with ERROR for a file that cannot be read or parsed, or a profile that does not exist.
 */
gboolean pp_source_profile (PpSource *source, const char *profile, const PpSource *dotenv,
                            const PpSource *toml, const PpSource *pyproject, char **name,
                            GError **error);

/* Whether Prefect's test mode is on: profiles are not read then. */
gboolean pp_settings_test_mode (void);

G_END_DECLS
