/* SPDX-License-Identifier: Apache-2.0 */
/* .env as python-dotenv reads it. Pure. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Parses LENGTH bytes of a .env file: `export`, quotes, escapes, comments, values over several
 * lines, and ${NAME} or ${NAME:-default} from the file's own earlier values, then from ENVIRONMENT
 * (NULL-terminated "NAME=value" strings; may be NULL). LINES, when not NULL, gets a new object
 * name -> line number. What cannot be parsed is passed over with a g_warning() that says where.
 * Returns a new object name -> string, or null for a name without "=", or NULL with ERROR
 * (PP_SETTINGS_ERROR_INVALID: not UTF-8). */
json_t *pp_dotenv_parse (const char *text, gsize length, const char *file_name, char **environment,
                         json_t **lines, GError **error);

G_END_DECLS
