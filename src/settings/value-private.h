/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a setting: what pydantic makes of it, and its spelling as an environment variable.
 * Pure. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"

G_BEGIN_DECLS

/* Reads RAW as SETTING's type, leniently as pydantic does. FROM_TEXT: RAW is a string of the
 * environment or of .env, in which a collection is written as JSON. HOME: PREFECT_HOME for
 * PREFECT_PROFILES_PATH; may be NULL. Gives: boolean, integer, real, string, array (sorted where it
 * is a set) or object; durations as strings of ISO 8601. JSON null: as if not set. Returns a new
 * value, or NULL with ERROR (PP_SETTINGS_ERROR_INVALID) whose message is only what is wrong and
 * what to do, and holds no secret. */
json_t *pp_setting_value_parse (const PpSetting *setting, const json_t *raw, gboolean from_text,
                                const char *home, GError **error);

/* VALUE (of pp_setting_value_parse()) as Prefect writes it into an environment
 * (prefect/settings/base.py _to_environment_variable_value): True, 30.0, a,b. New string. */
char *pp_setting_value_to_environment (const json_t *value);

/* PATH with a leading ~ or ~user expanded, and written as Python's Path writes it (no doubled or
 * trailing slash, no "."). New string. */
char *pp_setting_path (const char *path, gboolean expand_user);

G_END_DECLS
