/* SPDX-License-Identifier: Apache-2.0 */
/* Timestamps as Prefect's API and the container engines write and read them. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Formats a UNIX time in microseconds as "2026-11-22T06:04:00.123456Z". Returns a new string. */
char *pp_timestamp_text (gint64 unix_microseconds);

/* Parses an ISO 8601 TIMESTAMP with "Z" or "+hh:mm"; without an offset it is UTC. Returns the UNIX
 * time in microseconds, or -1 if TIMESTAMP is NULL or is not in this format. */
gint64 pp_timestamp_parse (const char *timestamp);

G_END_DECLS
