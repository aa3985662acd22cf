/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as pydantic reads and writes them. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reads TEXT: ISO 8601 ("P1DT2H", "-PT0.5S"), "1:30:00", "2 days, 1:00:00" or "1d". Sets
 * *MICROSECONDS. Returns FALSE if TEXT has none of these forms or is too large. */
gboolean pp_duration_parse (const char *text, gint64 *microseconds);

/* Formats MICROSECONDS as ISO 8601: "P1DT2H3M4.5S", "PT0S". Returns a new string. */
char *pp_duration_to_string (gint64 microseconds);

G_END_DECLS
