/* SPDX-License-Identifier: Apache-2.0 */
/* Reads .env files as python-dotenv does. Pure. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Parses LENGTH bytes of a .env file: `export`, quotes, escapes, comments, and values over several
 * lines. Expands ${NAME} and ${NAME:-default} from earlier values of the file, then from
 * ENVIRONMENT (NULL-terminated "NAME=value" strings; may be NULL). If LINES is not NULL, *LINES
 * gets a new object name -> line number. Skips what it cannot parse, with a g_warning() that names
 * the line. Returns a new object name -> string, with null for a name without "="; or NULL with
 * ERROR if the text is not UTF-8 (PP_SETTINGS_ERROR_INVALID). */
json_t *pp_dotenv_parse (const char *text, gsize length, const char *file_name, char **environment,
                         json_t **lines, GError **error);

G_END_DECLS
