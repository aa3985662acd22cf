/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the API. Private to src/prefect. */
#pragma once

#include <glib.h>

/* Returns PREFIX, "/", NAME in percent-encoding, and SUFFIX (may be NULL); new string. */
static inline char *
pp_api_path (const char *prefix, const char *name, const char *suffix)
{
  g_autofree char *encoded = g_uri_escape_string (name, NULL, FALSE);
  return g_strconcat (prefix, "/", encoded, suffix, NULL);
}
