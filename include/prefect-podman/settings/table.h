/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of Prefect: their names and types. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The type of a value (the field's annotation in prefect/settings/models). */
typedef enum
{
  PP_SETTING_BOOL,
  PP_SETTING_INT,
  PP_SETTING_FLOAT,
  PP_SETTING_STRING,
  PP_SETTING_SECRET, /* a string that must not be shown */
  PP_SETTING_PATH,
  PP_SETTING_DURATION, /* ISO 8601, "1 day, 2:03:04", or a number of seconds, which must not be a
                          string */
  PP_SETTING_SECONDS,  /* a duration, or a number of seconds in a string */
  PP_SETTING_LEVEL,    /* a log level in any case */
  PP_SETTING_CHOICE,   /* one of the words of `choices` */
  PP_SETTING_STRING_SET,
  PP_SETTING_STATUS_CODES, /* a set of HTTP status codes */
  PP_SETTING_HEADERS,      /* an object of strings; values are secrets */
  PP_SETTING_DELAYS,       /* a number, or an array of numbers */
  PP_SETTING_DELAYS_TEXT,  /* a number, an array of numbers, or numbers separated by commas */
  PP_SETTING_VACUUM,       /* a boolean, or a set of strings */
  PP_SETTING_DURATIONS,    /* an object of durations */
  PP_SETTING_ANY,
} PpSettingType;

typedef enum
{
  PP_SETTING_MIN = 1 << 0,   /* at least `minimum` */
  PP_SETTING_ABOVE = 1 << 1, /* more than `minimum` */
  PP_SETTING_MAX = 1 << 2,   /* at most `maximum` */
} PpSettingBounds;

typedef struct
{
  const char *name;  /* canonical: "PREFECT_CLIENT_METRICS_ENABLED" */
  const char *alias; /* the older name, or NULL */
  const char *path;  /* path in prefect.toml: "client.metrics.enabled" */
  PpSettingType type;
  const char *choices; /* for PP_SETTING_CHOICE: "a|b|c" */
  PpSettingBounds bounds;
  double minimum, maximum; /* used if `bounds` says so; seconds for durations */
} PpSetting;

/* All settings. A row with a NULL name ends the table. */
extern const PpSetting pp_settings_table[];

/* Returns the row of a PREFECT_* NAME, canonical or alias, or NULL. If ANY_CASE, ignores the
 * difference between upper and lower case. */
const PpSetting *pp_setting_by_name (const char *name, gboolean any_case);

/* Returns the row of a dotted PATH, or NULL. */
const PpSetting *pp_setting_by_path (const char *path);

/* True if PATH is a table of settings ("api", "server.database"; "" is the root). */
gboolean pp_setting_path_is_table (const char *path);

G_END_DECLS
