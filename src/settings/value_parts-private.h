/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that value.c calls, one for each type (value_scalars.c, value_collections.c).
 * Private to src/settings. Each returns a new value, or NULL with ERROR, whose message has no file
 * and no key. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"

G_BEGIN_DECLS

/* Sets ERROR to "VALUE: must be WANTED" and returns NULL. The message shows RAW if it is a number,
 * a boolean or a short string, so RAW must not be a secret. RAW may be NULL. */
json_t *pp_value_fail (GError **error, const char *wanted, const json_t *raw);
json_t *pp_value_fail_unseen (GError **error, const char *wanted);

json_t *pp_value_parse_bool (const json_t *raw, GError **error);
json_t *pp_value_parse_int (const json_t *raw, GError **error);
json_t *pp_value_parse_float (const json_t *raw, GError **error);
json_t *pp_value_parse_string (const json_t *raw, GError **error);
/* Expands "~" in PREFECT_HOME only, and $PREFECT_HOME in PREFECT_PROFILES_PATH only (root.py). HOME
 * is the value of $PREFECT_HOME. */
json_t *pp_value_parse_path (const PpSetting *setting, const json_t *raw, const char *home,
                             GError **error);
/* Returns the duration in ISO 8601, and sets *MICROSECONDS to it. */
json_t *pp_value_parse_duration (const json_t *raw, gboolean text_may_be_seconds,
                                 gint64 *microseconds, GError **error);
/* Accepts one of CHOICES ("a|b|c"). If ANY_CASE, converts RAW to upper case first. */
json_t *pp_value_parse_choice (const char *choices, gboolean any_case, const json_t *raw,
                               GError **error);

/* Reads RAW as validate_set_T_from_delim_string() of prefect/types does. */
json_t *pp_value_parse_set (const json_t *raw, gboolean status_codes, GError **error);
json_t *pp_value_parse_headers (const json_t *raw, GError **error);
json_t *pp_value_parse_durations (const json_t *raw, GError **error);
json_t *pp_value_parse_delays (const json_t *raw, gboolean text_may_be_list, GError **error);
/* Reads RAW as _parse_vacuum_enabled() of prefect/settings/models/server/services.py does. */
json_t *pp_value_parse_vacuum (const json_t *raw, GError **error);

G_END_DECLS
