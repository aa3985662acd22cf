/* SPDX-License-Identifier: Apache-2.0 */
/* Converts one value of a setting as pydantic does, and writes it as an environment variable.
 * Pure. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"

G_BEGIN_DECLS

/* Reads RAW as a value of SETTING's type, as leniently as pydantic does. If FROM_TEXT, RAW is a
 * string from the environment or from .env, where a collection is written as JSON. HOME is
 * PREFECT_HOME, for PREFECT_PROFILES_PATH; may be NULL.
 *
 * Returns a new value: boolean, integer, real, string, array (sorted if it is a set) or object. A
 * duration is a string in ISO 8601. JSON null means that the setting counts as unset. Returns NULL
 * with ERROR (PP_SETTINGS_ERROR_INVALID); the message says only what is wrong and what to do, and
 * has no secret. */
json_t *pp_setting_value_parse (const PpSetting *setting, const json_t *raw, gboolean from_text,
                                const char *home, GError **error);

/* Formats VALUE (from pp_setting_value_parse()) as Prefect writes it into an environment
 * (prefect/settings/base.py _to_environment_variable_value): True, 30.0, a,b. Returns a new
 * string. */
char *pp_setting_value_to_environment (const json_t *value);

/* Returns PATH as Python's Path writes it: no doubled or trailing slash, no ".". EXPAND_USER also
 * expands a leading ~ or ~user. New string. */
char *pp_setting_path (const char *path, gboolean expand_user);

G_END_DECLS
