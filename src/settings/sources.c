/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the rules of prefect/settings/sources.py. */
#include "config.h"

#include "prefect-podman/files/files.h"
#include "dotenv-private.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/settings/sources.h"
#include "toml-private.h"

#include <string.h>

#define MAX_FILE_BYTES (1024 * 1024)

char *
pp_settings_read_file (const char *path, gsize *length, GError **error)
{
  g_autoptr (GError) local = NULL;
  char *text = pp_foreign_file_read (path, FALSE, MAX_FILE_BYTES, length, &local);

  if (text != NULL || g_error_matches (local, PP_FILE_ERROR, PP_FILE_ERROR_MISSING)
      || g_error_matches (local, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED))
    return text;
  if (g_error_matches (local, PP_FILE_ERROR, PP_FILE_ERROR_TOO_LARGE))
    g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_READ,
                 "%s: larger than %d bytes, too large for a settings file", path, MAX_FILE_BYTES);
  else
    g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_READ,
                 "%s: cannot be read: %s: check the file and its permissions", path,
                 local->message);
  return NULL;
}

void
pp_source_environment (PpSource *source)
{
  *source = (PpSource){ PP_SOURCE_TEXT, g_strdup ("environment"), json_object (), NULL };
  g_auto (GStrv) environment = g_get_environ ();

  for (char **entry = environment; *entry != NULL; entry++)
    {
      const char *equals = strchr (*entry, '=');
      if (equals == NULL || g_ascii_strncasecmp (*entry, "prefect_", 8) != 0)
        continue;
      g_autofree char *upper = g_strndup (*entry, equals - *entry);
      g_autofree char *name = g_ascii_strdown (upper, -1);
      g_autofree char *value = g_utf8_make_valid (equals + 1, -1);
      if (g_utf8_validate (name, -1, NULL))
        json_object_set_new (source->values, name, json_string (value));
    }
}

gboolean
pp_source_dotenv (PpSource *source, const char *path, GError **error)
{
  gsize length = 0;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = pp_settings_read_file (path, &length, &local);
  g_auto (GStrv) environment = g_get_environ ();
  json_auto_t *values = NULL;
  json_auto_t *lines = NULL;
  const char *key;
  json_t *value;

  *source = (PpSource){ PP_SOURCE_TEXT, g_strdup (path), NULL, NULL };
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (text == NULL)
    return TRUE;
  values = pp_dotenv_parse (text, length, path, environment, &lines, error);
  if (values == NULL)
    return FALSE;
  source->values = json_object ();
  source->lines = json_object ();
  json_object_foreach (values, key, value)
  {
    g_autofree char *name = g_utf8_strdown (key, -1);
    if (json_is_null (value))
      continue;
    json_object_set (source->values, name, value);
    json_object_set (source->lines, name, json_object_get (lines, key));
  }
  return TRUE;
}

/* Returns the value at the dotted PATH below OBJECT, borrowed, or NULL. */
static json_t *
table_at (json_t *object, const char *path)
{
  g_auto (GStrv) names = g_strsplit (path, ".", -1);

  for (char **name = names; *name != NULL && object != NULL; name++)
    object = json_object_get (object, *name);
  return object;
}

gboolean
pp_source_toml (PpSource *source, const char *path, const char *table, GError **error)
{
  gsize length = 0;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = pp_settings_read_file (path, &length, &local);
  json_auto_t *lines = NULL;
  json_auto_t *document = NULL;

  *source = (PpSource){ PP_SOURCE_TOML, g_strdup (path), NULL, NULL };
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (text == NULL)
    return TRUE;
  document = pp_toml_parse (text, length, path, &lines, error);
  if (document == NULL)
    return FALSE;
  json_t *values = *table != '\0' ? table_at (document, table) : document;
  if (values == NULL)
    return TRUE;
  source->values = json_incref (values);
  source->lines = json_incref (*table != '\0' ? table_at (lines, table) : lines);
  return TRUE;
}

static int
line_of (const PpSource *source, const char *path, gboolean dotted)
{
  const json_t *line
      = dotted ? table_at (source->lines, path) : json_object_get (source->lines, path);
  return (int)json_integer_value (line);
}

static const json_t *
find_by_name (const PpSource *source, const char *name, gboolean dotted, const char **key,
              int *line)
{
  const json_t *value
      = dotted ? table_at (source->values, name) : json_object_get (source->values, name);

  if (value == NULL)
    return NULL;
  *key = name;
  *line = line_of (source, name, dotted);
  return value;
}

/* Does the same as find_by_name(), for a source whose names are in lower case. *KEY gets NAME
 * itself. */
static const json_t *
find_text (const PpSource *source, const char *name, const char **key, int *line)
{
  g_autofree char *lower = g_ascii_strdown (name, -1);
  const json_t *value = find_by_name (source, lower, FALSE, key, line);

  *key = name;
  return value;
}

const json_t *
pp_source_find (const PpSource *source, const PpSetting *setting, const char **key, int *line)
{
  const json_t *value = NULL;

  if (source->kind == PP_SOURCE_TOML)
    {
      value = find_by_name (source, setting->path, TRUE, key, line);
      if (json_is_object (value) && setting->type != PP_SETTING_HEADERS
          && setting->type != PP_SETTING_DURATIONS)
        value = NULL; /* a table in place of a value: Prefect ignores it */
    }
  if (source->kind == PP_SOURCE_TEXT)
    {
      value = find_text (source, setting->name, key, line);
      if (value == NULL && setting->alias != NULL)
        value = find_text (source, setting->alias, key, line);
      return value;
    }
  /* Profiles have names such as PREFECT_API_URL. This program also accepts them in prefect.toml;
   * Prefect itself does not. */
  if (value == NULL)
    value = find_by_name (source, setting->name, FALSE, key, line);
  if (value == NULL && setting->alias != NULL)
    value = find_by_name (source, setting->alias, FALSE, key, line);
  return value;
}

char *
pp_source_place (const PpSource *source, int line)
{
  if (line == 0)
    return g_strdup (source->label);
  return g_strdup_printf ("%s:%d", source->label, line);
}

/* Returns the lowest line number in LINES. */
static int
first_line (const json_t *lines)
{
  const char *key;
  json_t *below;
  int first = 0;

  if (json_is_integer (lines))
    return (int)json_integer_value (lines);
  json_object_foreach ((json_t *)lines, key, below)
  {
    int line = first_line (below);
    if (line > 0 && (first == 0 || line < first))
      first = line;
  }
  return first;
}

static void
warn_unknown (const PpSource *source, const char *key, const json_t *lines)
{
  g_autofree char *place = pp_source_place (source, first_line (lines));
  g_warning ("%s: %s: Prefect has no such setting; ignored", place, key);
}

/* Checks one table of TOML. PREFIX is the path of the table, followed by a point, or "" for the
 * root. */
static gboolean
check_table (const PpSource *source, const char *prefix, const json_t *table, const json_t *lines,
             GError **error)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)table, key, value)
  {
    g_autofree char *path = g_strconcat (prefix, key, NULL);
    const json_t *line = json_object_get (lines, key);
    if (pp_setting_by_path (path) != NULL
        || (*prefix == '\0' && pp_setting_by_name (key, FALSE) != NULL))
      continue;
    if (!pp_setting_path_is_table (path))
      {
        warn_unknown (source, path, line);
        continue;
      }
    if (!json_is_object (value))
      {
        g_autofree char *place = pp_source_place (source, first_line (line));
        g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                     "%s: %s: must be a table: write [%s] and its settings below", place, path,
                     path);
        return FALSE;
      }
    g_autofree char *below = g_strconcat (path, ".", NULL);
    if (!check_table (source, below, value, line, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
pp_source_check_keys (const PpSource *source, GError **error)
{
  const char *key;
  json_t *value;

  if (source->kind == PP_SOURCE_TOML && source->values != NULL && !json_is_object (source->values))
    {
      g_autofree char *place = pp_source_place (source, first_line (source->lines));
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s: prefect: must be a table: write [tool.prefect]", place);
      return FALSE;
    }
  if (source->kind == PP_SOURCE_TOML)
    return check_table (source, "", source->values, source->lines, error);
  if (source->kind == PP_SOURCE_PROFILE)
    json_object_foreach (source->values, key, value) if (pp_setting_by_name (key, FALSE) == NULL)
        warn_unknown (source, key, json_object_get (source->lines, key));
  return TRUE;
}

void
pp_source_clear (PpSource *source)
{
  g_clear_pointer (&source->label, g_free);
  json_decref (source->values);
  json_decref (source->lines);
  source->values = source->lines = NULL;
}
