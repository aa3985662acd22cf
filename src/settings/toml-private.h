/* SPDX-License-Identifier: Apache-2.0 */
/* toml++ behind one function: TOML text in, JSON out. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Parses LENGTH bytes of TOML. Tables become objects, dates and times strings. LINES, when not
 * NULL, gets a new object of the same shape in which every value is the line number (integer, from
 * 1) of its key; arrays count as one value. Returns a new object, or NULL with ERROR
 * (PP_SETTINGS_ERROR_INVALID: "FILE_NAME:LINE: what"). */
json_t *pp_toml_parse (const char *text, gsize length, const char *file_name, json_t **lines,
                       GError **error);

G_END_DECLS
