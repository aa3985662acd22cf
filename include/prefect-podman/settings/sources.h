/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of settings, read but not yet interpreted. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"

G_BEGIN_DECLS

typedef enum
{
  PP_SOURCE_TEXT,    /* NAME -> string, names in lower case: the environment, .env */
  PP_SOURCE_TOML,    /* tables by path: prefect.toml, [tool.prefect] */
  PP_SOURCE_PROFILE, /* PREFECT_NAME -> value */
} PpSourceKind;

typedef struct
{
  PpSourceKind kind;
  char *label;    /* name for messages: "environment", or the file */
  json_t *values; /* object; NULL if the source does not exist */
  json_t *lines;  /* object of the same shape -> line number; may be NULL */
} PpSource;

/* Reads the regular file PATH (at most 1 MiB). Returns a new NUL-terminated string. NULL without
 * ERROR if there is no such file, or if it is not a regular file; NULL with ERROR
 * (PP_SETTINGS_ERROR_READ) if it cannot be read. */
char *pp_settings_read_file (const char *path, gsize *length, GError **error);

/* Each function fills *SOURCE; free its contents with pp_source_clear(). A missing file is no
 * error: then the values are NULL. TABLE is the dotted path of the table to use, or "" for the
 * whole file. */
void pp_source_environment (PpSource *source);
gboolean pp_source_dotenv (PpSource *source, const char *path, GError **error);
gboolean pp_source_toml (PpSource *source, const char *path, const char *table, GError **error);

/* Returns the value of SETTING in SOURCE, borrowed, or NULL. *KEY gets the name as the source
 * writes it, borrowed. *LINE gets its line, or 0 if that is not known. */
const json_t *pp_source_find (const PpSource *source, const PpSetting *setting, const char **key,
                              int *line);

/* Warns about keys in SOURCE that are no settings. Returns FALSE with ERROR if a value stands in
 * place of a table. */
gboolean pp_source_check_keys (const PpSource *source, GError **error);

/* Returns "LABEL:LINE", or "LABEL" if LINE is 0. New string. */
char *pp_source_place (const PpSource *source, int line);

void pp_source_clear (PpSource *source);

G_END_DECLS
