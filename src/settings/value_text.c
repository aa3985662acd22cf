/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a setting's value as text, as Prefect's own settings write it into an environment. */
#include "config.h"

#include "value-private.h"

#include <stdlib.h>
#include <string.h>

/* Returns the shortest text that reads back as VALUE, like Python's repr(): "30.0", "1e-05",
 * "1e+16". */
static char *
float_to_text (double value)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  for (int digits = 1; digits <= 17; digits++)
    {
      char format[8];
      g_snprintf (format, sizeof format, "%%.%de", digits - 1);
      g_ascii_formatd (buffer, sizeof buffer, format, value);
      if (g_ascii_strtod (buffer, NULL) == value)
        break;
    }
  /* buffer has the form d[.ddd]e[+-]dd. Python writes exponents from -4 to 15 without "e". */
  int exponent = atoi (strchr (buffer, 'e') + 1);
  if (exponent < -4 || exponent > 15)
    return g_strdup (buffer);
  int mantissa = (int)(strchr (buffer, 'e') - buffer) - (buffer[0] == '-');
  int after_point = MAX (1, (mantissa > 1 ? mantissa - 2 : 0) - exponent);
  char format[16];
  g_snprintf (format, sizeof format, "%%.%df", after_point);
  char *text = g_malloc (G_ASCII_DTOSTR_BUF_SIZE);
  return g_ascii_formatd (text, G_ASCII_DTOSTR_BUF_SIZE, format, value);
}

/* Returns OBJECT as Python's json.dumps() writes it, with the hexadecimal digits of \uXXXX in lower
 * case; new string. */
static char *
object_to_text (const json_t *object)
{
  char *text = json_dumps (object, JSON_ENSURE_ASCII);

  for (char *p = text; (p = strchr (p, '\\')) != NULL; p += 2)
    if (p[1] == 'u')
      for (int i = 2; i < 6; i++)
        p[i] = g_ascii_tolower (p[i]);
  return text;
}

char *
pp_setting_value_to_environment (const json_t *value)
{
  switch (json_typeof (value))
    {
    case JSON_TRUE:
      return g_strdup ("True");
    case JSON_FALSE:
      return g_strdup ("False");
    case JSON_INTEGER:
      return g_strdup_printf ("%" JSON_INTEGER_FORMAT, json_integer_value (value));
    case JSON_REAL:
      return float_to_text (json_real_value (value));
    case JSON_STRING:
      return g_strdup (json_string_value (value));
    case JSON_OBJECT:
      return object_to_text (value);
    case JSON_NULL:
      return g_strdup ("None");
    case JSON_ARRAY:
      break;
    }
  GString *joined = g_string_new (NULL);
  size_t index;
  json_t *item;
  json_array_foreach (value, index, item)
  {
    g_autofree char *text = pp_setting_value_to_environment (item);
    g_string_append_printf (joined, "%s%s", index > 0 ? "," : "", text);
  }
  return g_string_free (joined, FALSE);
}
