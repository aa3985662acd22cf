/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/text/timestamp.h"

/* The end of the year 9999. Neither Prefect nor an engine can write a later date. */
#define LAST_TIMESTAMP (G_GINT64_CONSTANT (253402300799) * G_USEC_PER_SEC)

char *
pp_timestamp_text (gint64 unix_microseconds)
{
  unix_microseconds = CLAMP (unix_microseconds, 0, LAST_TIMESTAMP);
  gint64 seconds = unix_microseconds / G_USEC_PER_SEC;
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);
  g_autofree char *text = g_date_time_format (time, "%Y-%m-%dT%H:%M:%S");
  return g_strdup_printf ("%s.%06dZ", text, (int)(unix_microseconds % G_USEC_PER_SEC));
}

gint64
pp_timestamp_parse (const char *timestamp)
{
  if (timestamp == NULL)
    return -1;
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (timestamp, utc);
  if (time == NULL)
    return -1;
  return g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time);
}
