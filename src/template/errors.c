/* SPDX-License-Identifier: Apache-2.0 */
/* Errors for what a job template or job variables cannot have, and the bounds on depth and size. */
#include "config.h"

#include "template-private.h"

#include "prefect-podman/text/cut.h"

#include <string.h>

/* If a value is not in the fixed list of its key, a message shows at most this many bytes of it. */
#define MAX_SHOWN_BYTES 40

G_DEFINE_QUARK (pp - template - error - quark, pp_template_error)

gboolean
pp_template_invalid (GError **error, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, PP_TEMPLATE_ERROR, PP_TEMPLATE_ERROR_INVALID, message);
  return FALSE;
}

gboolean
pp_template_check_depth (guint depth, GError **error)
{
  if (depth <= PP_TEMPLATE_MAX_DEPTH)
    return TRUE;
  return pp_template_invalid (
      error, "job variables or the job configuration are nested deeper than %d levels",
      PP_TEMPLATE_MAX_DEPTH);
}

gboolean
pp_template_spend (gsize *spent, const json_t *value, GError **error)
{
  const char *key;
  json_t *member;

  *spent += sizeof (json_t) + 3 * sizeof (gpointer) + json_string_length (value);
  json_object_foreach ((json_t *)value, key, member) { *spent += strlen (key); }
  if (*spent <= PP_TEMPLATE_MAX_SIZE)
    return TRUE;
  return pp_template_invalid (error, "the rendered job configuration is larger than %d MiB",
                              PP_TEMPLATE_MAX_SIZE / 1024 / 1024);
}

gboolean
pp_template_spend_all (gsize *spent, const json_t *value, guint depth, GError **error)
{
  const char *key;
  size_t i;
  json_t *member;

  if (!pp_template_check_depth (depth, error) || !pp_template_spend (spent, value, error))
    return FALSE;
  json_object_foreach ((json_t *)value, key, member)
  {
    if (!pp_template_spend_all (spent, member, depth + 1, error))
      return FALSE;
  }
  json_array_foreach (value, i, member)
  {
    if (!pp_template_spend_all (spent, member, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

const char *
pp_json_type_name (const json_t *value)
{
  if (value == NULL)
    return "missing";
  switch (json_typeof (value))
    {
    case JSON_OBJECT:
      return "an object";
    case JSON_ARRAY:
      return "a list";
    case JSON_STRING:
      return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
      return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
      return "a boolean";
    default:
      return "null";
    }
}

gboolean
pp_check_refuse (const char *key, const json_t *value, const char *needed, GError **error)
{
  return pp_template_invalid (error, "%s: %s is needed, not %s", key, needed,
                              pp_json_type_name (value));
}

char *
pp_check_shown (const json_t *value)
{
  const char *text = json_is_string (value) ? json_string_value (value) : pp_json_type_name (value);

  return pp_text_cut (text, strlen (text), MAX_SHOWN_BYTES);
}

gboolean
pp_check_strings (const char *key, const json_t *value, GError **error)
{
  size_t i;
  json_t *member;

  if (!json_is_array (value))
    return pp_check_refuse (key, value, "a list of strings", error);
  json_array_foreach (value, i, member)
  {
    if (!json_is_string (member))
      return pp_template_invalid (error, "%s[%" G_GSIZE_FORMAT "]: a string is needed, not %s", key,
                                  i, pp_json_type_name (member));
  }
  return TRUE;
}
