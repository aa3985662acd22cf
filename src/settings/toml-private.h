/* SPDX-License-Identifier: Apache-2.0 */
/* Hides toml++ behind one function: TOML text in, JSON out. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Parses LENGTH bytes of TOML. Tables become objects, dates and times become strings. If LINES is
 * not NULL, *LINES gets a new object of the same shape, with the line number (an integer, from 1)
 * of each key as its value; an array has one line number. Returns a new object, or NULL with ERROR
 * (PP_SETTINGS_ERROR_INVALID: "FILE_NAME:LINE: what"). */
json_t *pp_toml_parse (const char *text, gsize length, const char *file_name, json_t **lines,
                       GError **error);

G_END_DECLS
