/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the grammar of python-dotenv 1.2 (dotenv/parser.py, dotenv/variables.py). */
#include "config.h"

#include "dotenv-private.h"
#include "prefect-podman/settings/settings.h"

#include <string.h>

typedef struct
{
  const char *at;
  const char *end;
} Reader;

static gboolean
is_space (gunichar c)
{
  return g_unichar_isspace (c) || c == 0x0b || (c >= 0x1c && c <= 0x1f) || c == 0x85;
}

/* Skips white space. If ALSO_NEWLINES, skips line ends too. */
static void
skip_space (Reader *reader, gboolean also_newlines)
{
  while (reader->at < reader->end)
    {
      gunichar c = g_utf8_get_char (reader->at);
      if (!is_space (c) || (c == '\n' && !also_newlines))
        return;
      reader->at = g_utf8_next_char (reader->at);
    }
}

static gboolean
at_char (const Reader *reader, char c)
{
  return reader->at < reader->end && *reader->at == c;
}

static void
skip_line (Reader *reader)
{
  const char *newline = memchr (reader->at, '\n', reader->end - reader->at);
  reader->at = newline != NULL ? newline + 1 : reader->end;
}

static void
skip_export (Reader *reader)
{
  const char *start = reader->at;

  if (reader->end - reader->at < 7 || strncmp (reader->at, "export", 6) != 0)
    return;
  reader->at += 6;
  skip_space (reader, FALSE);
  if (reader->at == start + 6)
    reader->at = start;
}

/* Returns the key as a new string, or NULL if it is malformed. */
static char *
read_key (Reader *reader)
{
  const char *start = reader->at;

  if (at_char (reader, '\''))
    {
      const char *close = memchr (start + 1, '\'', reader->end - start - 1);
      if (close == NULL || close == start + 1)
        return NULL;
      reader->at = close + 1;
      return g_strndup (start + 1, close - start - 1);
    }
  while (reader->at < reader->end && *reader->at != '=' && *reader->at != '#'
         && !is_space (g_utf8_get_char (reader->at)))
    reader->at = g_utf8_next_char (reader->at);
  return reader->at > start ? g_strndup (start, reader->at - start) : NULL;
}

/* Returns the character that \C means inside quotes of the kind QUOTE, or 0 if the backslash
 * stays. */
static char
unescape (char quote, char c)
{
  static const char names[] = "\\'\"abfnrtv";
  static const char meant[] = "\\'\"\a\b\f\n\r\t\v";
  const char *found = c != '\0' ? strchr (names, c) : NULL;

  if (found == NULL || (quote == '\'' && c != '\\' && c != '\''))
    return 0;
  return meant[found - names];
}

/* Returns the value between quotes as a new string, or NULL if the closing quote is missing. */
static char *
read_quoted (Reader *reader)
{
  char quote = *reader->at;
  g_autoptr (GString) value = g_string_new (NULL);

  for (const char *p = reader->at + 1; p < reader->end; p++)
    {
      if (*p == quote)
        {
          reader->at = p + 1;
          return g_string_free (g_steal_pointer (&value), FALSE);
        }
      if (*p != '\\' || p + 1 == reader->end)
        {
          g_string_append_c (value, *p);
          continue;
        }
      p++;
      char c = unescape (quote, *p);
      if (c == 0)
        g_string_append_c (value, '\\');
      g_string_append_c (value, c != 0 ? c : *p);
    }
  return NULL;
}

/* Returns the rest of the line without trailing white space. A comment after white space is cut
 * off. */
static char *
read_unquoted (Reader *reader)
{
  const char *start = reader->at;
  const char *newline = memchr (start, '\n', reader->end - start);
  const char *line_end = newline != NULL ? newline : reader->end;
  const char *kept = start; /* after the last character other than white space */
  gboolean space = FALSE;

  reader->at = line_end;
  for (const char *p = start; p < line_end; p = g_utf8_next_char (p))
    {
      if (*p == '#' && space)
        break;
      space = is_space (g_utf8_get_char (p));
      if (!space)
        kept = g_utf8_next_char (p);
    }
  return g_strndup (start, kept - start);
}

/* Reads what follows the key. *VALUE gets a new string, or stays NULL for a key without "=".
 * Returns FALSE if the value is malformed. */
static gboolean
read_value (Reader *reader, char **value)
{
  skip_space (reader, FALSE);
  if (!at_char (reader, '='))
    return TRUE;
  reader->at++;

  const char *behind = reader->at;
  skip_space (reader, FALSE);
  if (reader->at == reader->end || *reader->at == '\n'
      || (*reader->at == '#' && reader->at > behind))
    *value = g_strdup ("");
  else if (*reader->at == '\'' || *reader->at == '"')
    *value = read_quoted (reader);
  else
    *value = read_unquoted (reader);
  return *value != NULL;
}

/* Skips white space, a comment and the end of the line. Returns FALSE if there is anything else. */
static gboolean
read_end_of_line (Reader *reader)
{
  skip_space (reader, FALSE);
  if (at_char (reader, '#'))
    {
      skip_line (reader);
      return TRUE;
    }
  if (reader->at == reader->end)
    return TRUE;
  if (*reader->at != '\n')
    return FALSE;
  reader->at++;
  return TRUE;
}

/* Reads one binding from its key on, or a comment. *KEY and *VALUE get new strings; *KEY stays NULL
 * for a comment. Returns FALSE if the line is malformed. */
static gboolean
read_binding (Reader *reader, char **key, char **value)
{
  skip_export (reader);
  if (at_char (reader, '#'))
    return read_end_of_line (reader);
  *key = read_key (reader);
  return *key != NULL && read_value (reader, value) && read_end_of_line (reader);
}

static const char *
look_up (const json_t *values, char **environment, const char *name)
{
  const json_t *value = json_object_get (values, name);

  if (value != NULL)
    return json_is_string (value) ? json_string_value (value) : "";
  return environment != NULL ? g_environ_getenv (environment, name) : NULL;
}

/* Expands one "${NAME}" or "${NAME:-default}" at P and appends its value. Returns the position
 * after the closing brace, or NULL if there is no variable at P. */
static const char *
expand_variable (GString *out, const char *p, const json_t *values, char **environment)
{
  if (p[0] != '$' || p[1] != '{')
    return NULL;
  const char *name_end = p + 2 + strcspn (p + 2, "}:");
  const char *close = name_end;
  g_autofree char *fallback = NULL;

  if (name_end[0] == ':' && name_end[1] == '-')
    {
      close = name_end + 2 + strcspn (name_end + 2, "}");
      fallback = g_strndup (name_end + 2, close - name_end - 2);
    }
  if (*close != '}')
    return NULL;
  g_autofree char *name = g_strndup (p + 2, name_end - p - 2);
  const char *found = look_up (values, environment, name);
  if (found != NULL || fallback != NULL)
    g_string_append (out, found != NULL ? found : fallback);
  return close + 1;
}

static char *
interpolate (const char *value, const json_t *values, char **environment)
{
  GString *out = g_string_new (NULL);

  for (const char *p = value; *p != '\0';)
    {
      const char *next = expand_variable (out, p, values, environment);
      if (next == NULL)
        {
          g_string_append_c (out, *p);
          next = p + 1;
        }
      p = next;
    }
  return g_string_free (out, FALSE);
}

/* Converts line ends as Python's text mode does, and removes a byte order mark. */
static char *
normalize (const char *text, gsize length)
{
  if (length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    {
      text += 3;
      length -= 3;
    }
  GString *out = g_string_sized_new (length);
  for (gsize i = 0; i < length; i++)
    {
      if (text[i] != '\r')
        g_string_append_c (out, text[i]);
      else if (i + 1 == length || text[i + 1] != '\n')
        g_string_append_c (out, '\n');
    }
  return g_string_free (out, FALSE);
}

static guint
count_lines (const char *from, const char *to)
{
  guint count = 0;

  for (const char *p = from; p < to; p++)
    count += *p == '\n';
  return count;
}

json_t *
pp_dotenv_parse (const char *text, gsize length, const char *file_name, char **environment,
                 json_t **lines, GError **error)
{
  if (!g_utf8_validate (text, length, NULL))
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s:1: not UTF-8 text, or it has NUL bytes: save the file as UTF-8", file_name);
      return NULL;
    }
  g_autofree char *normal = normalize (text, length);
  Reader reader = { normal, normal + strlen (normal) };
  json_auto_t *values = json_object ();
  json_auto_t *where = json_object ();
  const char *counted = normal;
  guint line = 1;

  for (;;)
    {
      g_autofree char *key = NULL;
      g_autofree char *value = NULL;

      skip_space (&reader, TRUE);
      if (reader.at == reader.end)
        break;
      line += count_lines (counted, reader.at);
      counted = reader.at;
      if (!read_binding (&reader, &key, &value))
        {
          g_warning ("%s:%u: not a NAME=value line; ignored", file_name, line);
          skip_line (&reader);
          continue;
        }
      if (key == NULL)
        continue;
      g_autofree char *expanded = value != NULL ? interpolate (value, values, environment) : NULL;
      json_object_set_new (values, key, expanded != NULL ? json_string (expanded) : json_null ());
      json_object_set_new (where, key, json_integer (line));
    }
  if (lines != NULL)
    *lines = g_steal_pointer (&where);
  return g_steal_pointer (&values);
}
