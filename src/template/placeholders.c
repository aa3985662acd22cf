/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and replaces {{ placeholders }}: find_placeholders and apply_values of
 * prefect/utilities/templating, get_from_dict of prefect/utilities/collections. */
#include "config.h"

#include "template-private.h"

#include <string.h>

json_t *
pp_json_share (const json_t *json)
{
  return json_incref ((json_t *)json);
}

json_t *
pp_json_shallow_copy (const json_t *json)
{
  return json_copy ((json_t *)json);
}

static void
placeholder_free (gpointer data)
{
  PpPlaceholder *placeholder = data;
  g_free (placeholder->full_match);
  g_free (placeholder->name);
  g_free (placeholder);
}

/* True if C matches [\w.\-[\]$] in Python's re. For str, \w is every letter, every number and the
 * underscore. */
static gboolean
is_name_character (gunichar c)
{
  return g_unichar_isalnum (c) || (c < 128 && c != 0 && strchr ("_.-[]$", (int)c) != NULL);
}

static const char *
skip_while (const char *at, gboolean (*matches) (gunichar c))
{
  while (*at != '\0' && matches (g_utf8_get_char (at)))
    at = g_utf8_next_char (at);
  return at;
}

static PpPlaceholderType
placeholder_type (const char *name)
{
  if (g_str_has_prefix (name, PP_BLOCK_PREFIX))
    return PP_PLACEHOLDER_BLOCK;
  if (g_str_has_prefix (name, PP_VARIABLE_PREFIX))
    return PP_PLACEHOLDER_VARIABLE;
  if (name[0] == '$')
    return PP_PLACEHOLDER_ENV;
  return PP_PLACEHOLDER_STANDARD;
}

/* Parses the placeholder that begins at OPENING ("{{"); new, or NULL. Backtracking is not needed,
 * because the characters of a name are neither spaces nor braces. */
static PpPlaceholder *
parse_placeholder (const char *opening)
{
  const char *name = skip_while (opening + 2, pp_python_isspace);
  const char *name_end = skip_while (name, is_name_character);
  const char *closing = skip_while (name_end, pp_python_isspace);
  if (name == name_end || !g_str_has_prefix (closing, "}}"))
    return NULL;

  PpPlaceholder *placeholder = g_new0 (PpPlaceholder, 1);
  placeholder->full_match = g_strndup (opening, closing + 2 - opening);
  placeholder->name = g_strndup (name, name_end - name);
  placeholder->type = placeholder_type (placeholder->name);
  return placeholder;
}

GPtrArray *
pp_placeholders_find (const char *text)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (placeholder_free);
  g_autoptr (GHashTable) seen = NULL;

  for (const char *at = strstr (text, "{{"); at != NULL; at = strstr (at, "{{"))
    {
      PpPlaceholder *placeholder = parse_placeholder (at);
      if (placeholder == NULL)
        {
          at++;
          continue;
        }
      at += strlen (placeholder->full_match);
      if (seen == NULL)
        seen = g_hash_table_new (g_str_hash, g_str_equal);
      if (g_hash_table_contains (seen, placeholder->full_match))
        {
          placeholder_free (placeholder);
          continue;
        }
      g_hash_table_add (seen, placeholder->full_match);
      g_ptr_array_add (found, placeholder);
    }
  return found;
}

const PpPlaceholder *
pp_placeholders_whole (const GPtrArray *placeholders, const char *text, PpPlaceholderType type)
{
  if (placeholders->len != 1)
    return NULL;
  const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, 0);
  if (placeholder->type != type || strcmp (placeholder->full_match, text) != 0)
    return NULL;
  return placeholder;
}

char **
pp_path_split (const char *path)
{
  GString *keys = g_string_sized_new (strlen (path));
  for (const char *at = path; *at != '\0'; at++)
    if (*at == '[')
      g_string_append_c (keys, '.');
    else if (*at != ']')
      g_string_append_c (keys, *at);
  g_autofree char *dotted = g_string_free (keys, FALSE);
  /* In Python, "".split(".") is [""]; in GLib, it is empty. */
  if (dotted[0] == '\0')
    return g_strdupv ((char *[]){ "", NULL });
  return g_strsplit (dotted, ".", -1);
}

/* Returns SEQUENCE[INDEX] as Python does, a new reference, or NULL if there is no such item. A
 * negative INDEX counts from the end. An item of a string is a string. */
static json_t *
get_index (const json_t *sequence, gint64 index)
{
  gint64 length;
  if (json_is_array (sequence))
    length = (gint64)json_array_size (sequence);
  else if (json_is_string (sequence))
    length = g_utf8_strlen (json_string_value (sequence), -1);
  else
    return NULL;

  if (index < 0)
    index += length;
  if (index < 0 || index >= length)
    return NULL;
  if (json_is_array (sequence))
    return json_incref (json_array_get (sequence, (size_t)index));

  const char *character = g_utf8_offset_to_pointer (json_string_value (sequence), index);
  return json_stringn (character, g_utf8_next_char (character) - character);
}

json_t *
pp_path_get (const json_t *value, const char *path)
{
  g_auto (GStrv) keys = pp_path_split (path);
  json_auto_t *current = pp_json_share (value);

  for (char **key = keys; *key != NULL; key++)
    {
      /* A key that reads as a number is always an index, never a key of an object. */
      gint64 index;
      json_t *next = pp_python_int (*key, &index) ? get_index (current, index)
                                                  : json_incref (json_object_get (current, *key));
      if (next == NULL)
        return NULL;
      json_decref (current);
      current = next;
    }
  return g_steal_pointer (&current);
}

gboolean
pp_rendering_replace (PpRendering *rendering, const char *what, const char *with, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (rendering->text, what, -1);
  gsize count = MAX (g_strv_length (parts), 1) - 1;
  if (strlen (rendering->text) + count * strlen (with) > PP_TEMPLATE_MAX_RENDERED)
    return pp_template_invalid (error, "%.100s: the rendered text is longer than %d bytes", what,
                                PP_TEMPLATE_MAX_RENDERED);
  if (++rendering->replaced > PP_TEMPLATE_MAX_PLACEHOLDERS)
    return pp_template_invalid (error, "%.100s: more than %d placeholders in one text", what,
                                PP_TEMPLATE_MAX_PLACEHOLDERS);
  g_free (rendering->text);
  rendering->text = g_strjoinv (with, parts);
  return TRUE;
}

typedef struct
{
  const json_t *values;
  const json_t *environment;
  gsize *spent;
} ApplyContext;

/* Finds the text that replaces PLACEHOLDER inside a longer string. *TEXT gets NULL if the
 * placeholder is to stay as it is. */
static gboolean
embedded_text (const ApplyContext *context, const PpPlaceholder *placeholder, char **text,
               GError **error)
{
  json_auto_t *value = NULL;
  *text = NULL;

  if (placeholder->type == PP_PLACEHOLDER_STANDARD)
    value = pp_path_get (context->values, placeholder->name);
  else if (placeholder->type == PP_PLACEHOLDER_ENV && context->environment != NULL)
    {
      const char *name = placeholder->name + strspn (placeholder->name, "$");
      value = json_incref (json_object_get (context->environment, name));
    }
  else
    return TRUE;

  *text = value == NULL ? g_strdup ("") : pp_python_str (value, error);
  return *text != NULL;
}

static gboolean
apply_to_string (const ApplyContext *context, const json_t *template, json_t **out, GError **error)
{
  const char *text = json_string_value (template);
  g_autoptr (GPtrArray) placeholders = pp_placeholders_find (text);
  if (placeholders->len == 0)
    {
      *out = pp_json_share (template);
      return TRUE;
    }

  const PpPlaceholder *whole = pp_placeholders_whole (placeholders, text, PP_PLACEHOLDER_STANDARD);
  if (whole != NULL)
    {
      *out = pp_path_get (context->values, whole->name);
      return TRUE;
    }

  g_auto (PpRendering) rendering = { g_strdup (text), 0 };
  for (guint i = 0; i < placeholders->len; i++)
    {
      const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, i);
      g_autofree char *with = NULL;
      if (!embedded_text (context, placeholder, &with, error))
        return FALSE;
      if (with != NULL && !pp_rendering_replace (&rendering, placeholder->full_match, with, error))
        return FALSE;
    }
  json_auto_t *rendered = json_string (rendering.text);
  if (!pp_template_spend (context->spent, rendered, error))
    return FALSE;
  *out = g_steal_pointer (&rendered);
  return TRUE;
}

static gboolean
apply (const ApplyContext *context, const json_t *template, guint depth, json_t **out,
       GError **error)
{
  *out = NULL;
  if (!pp_template_check_depth (depth, error))
    return FALSE;
  if (json_is_string (template))
    return apply_to_string (context, template, out, error);

  if (json_is_object (template))
    {
      json_auto_t *object = json_object ();
      const char *key;
      json_t *member;
      json_object_foreach ((json_t *)template, key, member)
      {
        json_t *value;
        if (!apply (context, member, depth + 1, &value, error))
          return FALSE;
        if (value != NULL)
          json_object_set_new (object, key, value);
      }
      *out = g_steal_pointer (&object);
      return TRUE;
    }

  if (json_is_array (template))
    {
      json_auto_t *array = json_array ();
      size_t i;
      json_t *member;
      json_array_foreach (template, i, member)
      {
        json_t *value;
        if (!apply (context, member, depth + 1, &value, error))
          return FALSE;
        if (value != NULL)
          json_array_append_new (array, value);
      }
      *out = g_steal_pointer (&array);
      return TRUE;
    }

  *out = pp_json_share (template);
  return TRUE;
}

gboolean
pp_apply_values (const json_t *template, const json_t *values, const json_t *environment,
                 json_t **out, GError **error)
{
  gsize spent = 0;
  const ApplyContext context = { values, environment, &spent };
  return apply (&context, template, 0, out, error);
}
