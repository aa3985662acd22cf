/* SPDX-License-Identifier: Apache-2.0 */
/* Settings with several values: sets, objects, lists of delays. */
#include "config.h"

#include "value-private.h"

#include "value_parts-private.h"

#include <string.h>

static int
compare_as_text (gconstpointer a, gconstpointer b)
{
  g_autofree char *left = pp_setting_value_to_environment (*(json_t *const *)a);
  g_autofree char *right = pp_setting_value_to_environment (*(json_t *const *)b);
  return strcmp (left, right);
}

/* Takes ARRAY and sorts it as Python sorts by str(). If UNIQUE, keeps each value only once. Returns
 * a new array. */
static json_t *
sorted_array (json_t *array, gboolean unique)
{
  json_auto_t *from = array;
  json_t *to = json_array ();
  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  size_t index;
  json_t *item;

  json_array_foreach (from, index, item) g_ptr_array_add (items, item);
  g_ptr_array_sort (items, compare_as_text);
  for (guint i = 0; i < items->len; i++)
    if (!unique || i == 0 || !json_equal (items->pdata[i], items->pdata[i - 1]))
      json_array_append (to, items->pdata[i]);
  return to;
}

/* True for values that count as false in Python. Prefect reads them as an empty set. */
static gboolean
is_empty_value (const json_t *raw)
{
  return json_is_false (raw) || (json_is_number (raw) && json_number_value (raw) == 0)
         || (json_is_string (raw) && json_string_length (raw) == 0)
         || ((json_is_array (raw) || json_is_object (raw)) && json_array_size (raw) == 0
             && json_object_size (raw) == 0);
}

/* Splits "a, b" into a new array ["a", "b"]. */
static json_t *
split (const char *text)
{
  json_t *array = json_array ();
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  for (char **part = parts; *part != NULL; part++)
    json_array_append_new (array, json_string (g_strstrip (*part)));
  return array;
}

/* Returns RAW as a new integer if it is an HTTP status code, else NULL. */
static json_t *
parse_status_code (const json_t *raw)
{
  json_t *code = pp_value_parse_int (raw, NULL);

  if (code == NULL || (json_integer_value (code) >= 100 && json_integer_value (code) <= 599))
    return code;
  json_decref (code);
  return NULL;
}

json_t *
pp_value_parse_set (const json_t *raw, gboolean status_codes, GError **error)
{
  const char *wanted = status_codes ? "HTTP status codes (100 to 599), separated by commas"
                                    : "strings, separated by commas";
  json_auto_t *items = NULL;
  json_auto_t *set = json_array ();
  size_t index;
  const json_t *item;

  if (is_empty_value (raw))
    return json_array ();
  if (json_is_string (raw))
    items = split (json_string_value (raw));
  else if (json_is_array (raw))
    items = json_incref ((json_t *)raw);
  else
    items = json_pack ("[O]", raw);
  json_array_foreach (items, index, item)
  {
    json_t *value = status_codes            ? parse_status_code (item)
                    : json_is_string (item) ? json_string (json_string_value (item))
                                            : NULL;
    if (value == NULL)
      return pp_value_fail (error, wanted, item);
    json_array_append_new (set, value);
  }
  return sorted_array (g_steal_pointer (&set), TRUE);
}

json_t *
pp_value_parse_headers (const json_t *raw, GError **error)
{
  const char *key;
  json_t *value;

  if (!json_is_object (raw))
    return pp_value_fail_unseen (error,
                                 "a JSON object of strings such as {\"X-Header\": \"value\"}");
  json_object_foreach ((json_t *)raw, key, value) if (!json_is_string (value))
  {
    g_autofree char *wanted
        = g_strdup_printf ("an object of strings (the value of \"%s\" is not a string)", key);
    return pp_value_fail_unseen (error, wanted);
  }
  return json_deep_copy (raw);
}

json_t *
pp_value_parse_durations (const json_t *raw, GError **error)
{
  json_auto_t *durations = json_object ();
  const char *key;
  json_t *value;

  if (!json_is_object (raw))
    return pp_value_fail (error, "a JSON object of durations such as {\"name\": 3600}", raw);
  json_object_foreach ((json_t *)raw, key, value)
  {
    gint64 microseconds = 0;
    json_t *duration = pp_value_parse_duration (value, TRUE, &microseconds, error);
    if (duration == NULL)
      return NULL;
    json_object_set_new (durations, key, duration);
    if (microseconds <= 0)
      return pp_value_fail (error, "an object of durations above 0", value);
  }
  return g_steal_pointer (&durations);
}

/* Returns a new array of reals if all items of ARRAY are numbers; else NULL. */
static json_t *
parse_floats (const json_t *array)
{
  json_auto_t *floats = json_array ();
  size_t index;
  json_t *item;

  json_array_foreach (array, index, item)
  {
    json_t *value = pp_value_parse_float (item, NULL);
    if (value == NULL)
      return NULL;
    json_array_append_new (floats, value);
  }
  return sorted_array (g_steal_pointer (&floats), FALSE);
}

/* Reads "1,2.5" as parse_retry_delay_input() of prefect/types does. Returns JSON null for an empty
 * text, and NULL for a text that is no such list. */
static json_t *
parse_delays_text (const char *text)
{
  json_auto_t *parts = split (text);
  json_auto_t *kept = json_array ();
  size_t index;
  json_t *part;

  json_array_foreach (parts, index, part) if (json_string_length (part) > 0)
      json_array_append (kept, part);
  if (json_array_size (kept) == 0)
    return json_null ();
  if (json_array_size (kept) == 1)
    return pp_value_parse_float (json_array_get (kept, 0), NULL);
  return parse_floats (kept);
}

json_t *
pp_value_parse_delays (const json_t *raw, gboolean text_may_be_list, GError **error)
{
  json_t *value = NULL;

  if (json_is_number (raw))
    value = json_deep_copy (raw);
  else if (json_is_array (raw))
    value = parse_floats (raw);
  else if (json_is_string (raw) && text_may_be_list)
    value = parse_delays_text (json_string_value (raw));
  else if (json_is_string (raw) && (value = pp_value_parse_int (raw, NULL)) == NULL)
    value = pp_value_parse_float (raw, NULL);
  return value != NULL ? value
                       : pp_value_fail (error, "a number of seconds, or an array of numbers", raw);
}

json_t *
pp_value_parse_vacuum (const json_t *raw, GError **error)
{
  if (json_is_array (raw))
    return pp_value_parse_set (raw, FALSE, error);
  if (!json_is_string (raw))
    return pp_value_parse_bool (raw, error);

  g_autofree char *word = g_ascii_strdown (json_string_value (raw), -1);
  g_strstrip (word);
  if (strcmp (word, "true") == 0 || strcmp (word, "1") == 0)
    return json_true ();
  if (strcmp (word, "false") == 0 || strcmp (word, "0") == 0 || *word == '\0')
    return json_false ();
  json_auto_t *parts = split (json_string_value (raw));
  for (size_t i = json_array_size (parts); i-- > 0;)
    if (json_string_length (json_array_get (parts, i)) == 0)
      json_array_remove (parts, i);
  return sorted_array (g_steal_pointer (&parts), TRUE);
}
