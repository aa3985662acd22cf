/* SPDX-License-Identifier: Apache-2.0 */
/* The places a setting may come from, read but not yet interpreted. */
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
  char *label;    /* for messages: "environment", or the file */
  json_t *values; /* object; NULL for a source that is not there */
  json_t *lines;  /* object of the same shape -> line number; may be NULL */
} PpSource;

/* Reads the regular file PATH (at most 1 MiB). Returns a new NUL-terminated string; NULL without
 * ERROR when there is no such file, NULL with ERROR (PP_SETTINGS_ERROR_READ) when it cannot be
 * read. */
char *pp_settings_read_file (const char *path, gsize *length, GError **error);

/* Each fills *SOURCE, whose contents are freed by pp_source_clear(). A file that is not there is no
 * error: its values are NULL. TABLE: dotted path of the table to use ("" for the whole file). */
void pp_source_environment (PpSource *source);
gboolean pp_source_dotenv (PpSource *source, const char *path, GError **error);
gboolean pp_source_toml (PpSource *source, const char *path, const char *table, GError **error);

/* The value of SETTING in SOURCE (borrowed), or NULL. *KEY: how the source spells it (borrowed);
 * *LINE: where, 0 for not known. */
const json_t *pp_source_find (const PpSource *source, const PpSetting *setting, const char **key,
                              int *line);

/* Warns of what is no setting in SOURCE. FALSE with ERROR when a value stands where a table
 * must. */
gboolean pp_source_check_keys (const PpSource *source, GError **error);

/* "LABEL:LINE", or "LABEL" when LINE is 0. New string. */
char *pp_source_place (const PpSource *source, int line);

void pp_source_clear (PpSource *source);

G_END_DECLS
