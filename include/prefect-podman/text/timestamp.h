/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Prefect's API and container engines write and read them. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "2026-11-22T06:04:00.123456Z" for a UNIX time in microseconds; new string. */
char *pp_timestamp_text (gint64 unix_microseconds);

/* UNIX time in microseconds of an ISO 8601 TIMESTAMP (Z or +hh:mm; without an offset UTC), or -1
 * for anything else, NULL included. */
gint64 pp_timestamp_parse (const char *timestamp);

G_END_DECLS
