/* SPDX-License-Identifier: Apache-2.0 */
/* Reads settings as leniently as pydantic (pydantic-core's input_python.rs and str parsing).
 * tests/unit/settings/parity compares the results with those of pydantic 2.14. */
#include "config.h"

#include "prefect-podman/settings/settings.h"
#include "value-private.h"

#include "value_parts-private.h"

static json_t *
check_bounds (const PpSetting *setting, json_t *value, double number, const json_t *raw,
              GError **error)
{
  gboolean fits = TRUE;
  g_autofree char *wanted = NULL;

  if (value == NULL || setting->bounds == 0)
    return value;
  fits = fits && (!(setting->bounds & PP_SETTING_MIN) || number >= setting->minimum);
  fits = fits && (!(setting->bounds & PP_SETTING_ABOVE) || number > setting->minimum);
  fits = fits && (!(setting->bounds & PP_SETTING_MAX) || number <= setting->maximum);
  if (fits)
    return value;
  json_decref (value);
  if (setting->bounds & PP_SETTING_MAX)
    wanted = g_strdup_printf ("from %g to %g", setting->minimum, setting->maximum);
  else
    wanted = g_strdup_printf ("%s %g", setting->bounds & PP_SETTING_MIN ? "at least" : "more than",
                              setting->minimum);
  return pp_value_fail (error, wanted, raw);
}

static json_t *
parse_typed (const PpSetting *setting, const json_t *raw, const char *home, GError **error)
{
  gint64 microseconds = 0;
  json_t *value;

  switch (setting->type)
    {
    case PP_SETTING_BOOL:
      return pp_value_parse_bool (raw, error);
    case PP_SETTING_INT:
      value = pp_value_parse_int (raw, error);
      return check_bounds (setting, value, json_number_value (value), raw, error);
    case PP_SETTING_FLOAT:
      value = pp_value_parse_float (raw, error);
      return check_bounds (setting, value, json_number_value (value), raw, error);
    case PP_SETTING_STRING:
    case PP_SETTING_SECRET:
      return pp_value_parse_string (raw, error);
    case PP_SETTING_PATH:
      return pp_value_parse_path (setting, raw, home, error);
    case PP_SETTING_DURATION:
    case PP_SETTING_SECONDS:
      value = pp_value_parse_duration (raw, setting->type == PP_SETTING_SECONDS, &microseconds,
                                       error);
      return check_bounds (setting, value, microseconds / 1e6, raw, error);
    case PP_SETTING_LEVEL:
      return pp_value_parse_choice ("DEBUG|INFO|WARNING|ERROR|CRITICAL", TRUE, raw, error);
    case PP_SETTING_CHOICE:
      return pp_value_parse_choice (setting->choices, FALSE, raw, error);
    case PP_SETTING_STRING_SET:
      return pp_value_parse_set (raw, FALSE, error);
    case PP_SETTING_STATUS_CODES:
      return pp_value_parse_set (raw, TRUE, error);
    case PP_SETTING_HEADERS:
      return pp_value_parse_headers (raw, error);
    case PP_SETTING_DELAYS:
      return pp_value_parse_delays (raw, FALSE, error);
    case PP_SETTING_DELAYS_TEXT:
      return pp_value_parse_delays (raw, TRUE, error);
    case PP_SETTING_VACUUM:
      return pp_value_parse_vacuum (raw, error);
    case PP_SETTING_DURATIONS:
      return pp_value_parse_durations (raw, error);
    case PP_SETTING_ANY:
      return json_deep_copy (raw);
    }
  g_return_val_if_reached (NULL);
}

/* True if a value of TYPE may be written as JSON. *REQUIRED is set if it must be JSON (complex
 * fields of pydantic-settings); otherwise JSON is optional (unions with a collection). */
static gboolean
is_json (PpSettingType type, gboolean *required)
{
  *required = type == PP_SETTING_HEADERS || type == PP_SETTING_DURATIONS;
  return *required || type == PP_SETTING_STRING_SET || type == PP_SETTING_STATUS_CODES
         || type == PP_SETTING_DELAYS || type == PP_SETTING_DELAYS_TEXT
         || type == PP_SETTING_VACUUM;
}

json_t *
pp_setting_value_parse (const PpSetting *setting, const json_t *raw, gboolean from_text,
                        const char *home, GError **error)
{
  gboolean required;
  json_auto_t *decoded = NULL;

  if (is_json (setting->type, &required) && json_is_string (raw) && (from_text || required))
    {
      decoded = json_loads (json_string_value (raw), JSON_DECODE_ANY, NULL);
      if (decoded == NULL && required)
        return pp_value_fail_unseen (error, "JSON, an object such as {\"name\": \"value\"}");
      if (decoded != NULL)
        raw = decoded;
    }
  if (json_is_null (raw))
    return json_null ();
  return parse_typed (setting, raw, home, error);
}
