/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of value.c, a type each (value_scalars.c, value_collections.c). Used inside the room
 * only. Each returns a new value, or NULL with ERROR, which names neither file nor key. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"

G_BEGIN_DECLS

/* Sets ERROR to "VALUE: must be WANTED" and returns NULL. RAW may be NULL: not shown. Only values
 * of types that hold no secret are to be given. */
json_t *pp_value_fail (GError **error, const char *wanted, const json_t *raw);
json_t *pp_value_fail_unseen (GError **error, const char *wanted);

json_t *pp_value_parse_bool (const json_t *raw, GError **error);
json_t *pp_value_parse_int (const json_t *raw, GError **error);
json_t *pp_value_parse_float (const json_t *raw, GError **error);
json_t *pp_value_parse_string (const json_t *raw, GError **error);
/* PREFECT_HOME expands "~"; PREFECT_PROFILES_PATH knows $PREFECT_HOME, which is HOME (root.py). */
json_t *pp_value_parse_path (const PpSetting *setting, const json_t *raw, const char *home,
                             GError **error);
/* An ISO 8601 text; *MICROSECONDS gets what it says. */
json_t *pp_value_parse_duration (const json_t *raw, gboolean text_may_be_seconds,
                                 gint64 *microseconds, GError **error);
/* One of CHOICES ("a|b|c"); upper-cased first with ANY_CASE. */
json_t *pp_value_parse_choice (const char *choices, gboolean any_case, const json_t *raw,
                               GError **error);

/* validate_set_T_from_delim_string() of prefect/types. */
json_t *pp_value_parse_set (const json_t *raw, gboolean status_codes, GError **error);
json_t *pp_value_parse_headers (const json_t *raw, GError **error);
json_t *pp_value_parse_durations (const json_t *raw, GError **error);
json_t *pp_value_parse_delays (const json_t *raw, gboolean text_may_be_list, GError **error);
/* _parse_vacuum_enabled() of prefect/settings/models/server/services.py. */
json_t *pp_value_parse_vacuum (const json_t *raw, GError **error);

G_END_DECLS
