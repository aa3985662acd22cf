/* SPDX-License-Identifier: Apache-2.0 */
/* Python's str(), repr(), bool() and int() of JSON values. Prefect inserts values into strings with
 * str.replace(..., str(value)). */
#include "config.h"

#include "template-private.h"

#include <math.h>
#include <string.h>

gboolean
pp_python_isspace (gunichar c)
{
  if (c < 128)
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
  return c == 0x85 || g_unichar_type (c) == G_UNICODE_SPACE_SEPARATOR || c == 0x2028 || c == 0x2029;
}

char *
pp_python_strip (const char *text)
{
  while (*text != '\0' && pp_python_isspace (g_utf8_get_char (text)))
    text = g_utf8_next_char (text);
  const char *end = text + strlen (text);
  while (end > text)
    {
      const char *last = g_utf8_prev_char (end);
      if (!pp_python_isspace (g_utf8_get_char (last)))
        break;
      end = last;
    }
  return g_strndup (text, end - text);
}

gboolean
pp_python_int (const char *text, gint64 *value)
{
  gboolean negative = *text == '-';
  if (*text == '-' || *text == '+')
    text++;

  gint64 magnitude = 0;
  gboolean after_digit = FALSE;
  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      int digit = g_unichar_digit_value (g_utf8_get_char (text));
      /* One underscore between two digits is allowed. */
      if (digit < 0 && !(*text == '_' && after_digit))
        return FALSE;
      after_digit = digit >= 0;
      if (digit >= 0)
        magnitude = magnitude > (G_MAXINT64 - 9) / 10 ? G_MAXINT64 / 10 : magnitude * 10 + digit;
    }
  *value = negative ? -magnitude : magnitude;
  return after_digit;
}

/* Adds one to the last digit of "d.ddde+dd". Returns FALSE if the first digit would overflow. */
static gboolean
increment_last_digit (char *number)
{
  for (char *digit = strchr (number, 'e') - 1; digit >= number; digit--)
    {
      if (!g_ascii_isdigit (*digit))
        continue;
      if (*digit != '9')
        {
          (*digit)++;
          return TRUE;
        }
      *digit = '0';
    }
  return FALSE;
}

/* Writes VALUE (finite, not 0) as "d.ddde+dd", with the fewest digits that read back as VALUE. If
 * VALUE is a power of two, its lower neighbour is nearer than its upper neighbour. If VALUE is
 * then rounded to some number of digits, the result may read back as the lower neighbour. The
 * result with its last digit increased by one may read back as VALUE. So this function tries both.
 */
static void
shortest_digits (double value, char *buffer, int size)
{
  for (int precision = 0; precision < 17; precision++)
    {
      char format[8];
      g_snprintf (format, sizeof format, "%%.%de", precision);
      g_ascii_formatd (buffer, size, format, value);
      if (g_ascii_strtod (buffer, NULL) == value)
        return;
      if (precision < 16 && increment_last_digit (buffer) && g_ascii_strtod (buffer, NULL) == value)
        return;
    }
}

/* Appends VALUE as float.__repr__ writes it: without an exponent from 1e-4 to below 1e16, else with
 * one. */
static void
append_real (GString *out, double value)
{
  if (value == 0.0)
    {
      g_string_append (out, signbit (value) ? "-0.0" : "0.0");
      return;
    }

  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  shortest_digits (value, buffer, sizeof buffer);
  char *exponent_sign = strchr (buffer, 'e');
  int exponent = (int)g_ascii_strtoll (exponent_sign + 1, NULL, 10);
  if (exponent < -4 || exponent >= 16)
    {
      g_string_append (out, buffer);
      return;
    }

  int digits = (int)(exponent_sign - buffer) - (buffer[0] == '-');
  int precision = MAX (digits - (digits > 1 ? 2 : 1) - exponent, 1);
  char format[8];
  g_snprintf (format, sizeof format, "%%.%df", precision);
  g_string_append (out, g_ascii_formatd (buffer, sizeof buffer, format, value));
}

/* Python's str.isprintable() for one character. */
static gboolean
is_printable (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return FALSE;
    case G_UNICODE_SPACE_SEPARATOR:
      return c == ' ';
    default:
      return TRUE;
    }
}

static void
append_escaped (GString *out, gunichar c, char quote)
{
  if (c == (gunichar)quote || c == '\\')
    g_string_append_printf (out, "\\%c", (char)c);
  else if (c == '\n')
    g_string_append (out, "\\n");
  else if (c == '\r')
    g_string_append (out, "\\r");
  else if (c == '\t')
    g_string_append (out, "\\t");
  else if (is_printable (c))
    g_string_append_unichar (out, c);
  else if (c <= 0xff)
    g_string_append_printf (out, "\\x%02x", c);
  else if (c <= 0xffff)
    g_string_append_printf (out, "\\u%04x", c);
  else
    g_string_append_printf (out, "\\U%08x", c);
}

char *
pp_python_quoted (const char *text, char quote)
{
  GString *quoted = g_string_sized_new (strlen (text));

  for (; *text != '\0'; text = g_utf8_next_char (text))
    append_escaped (quoted, g_utf8_get_char (text), quote);
  return g_string_free (quoted, FALSE);
}

/* Appends TEXT as str.__repr__ writes it. */
static void
append_quoted (GString *out, const char *text)
{
  char quote = strchr (text, '\'') != NULL && strchr (text, '"') == NULL ? '"' : '\'';
  g_autofree char *quoted = pp_python_quoted (text, quote);

  g_string_append_printf (out, "%c%s%c", quote, quoted, quote);
}

static gboolean append_repr (GString *out, const json_t *value, guint depth, GError **error);

static gboolean
append_object (GString *out, const json_t *object, guint depth, GError **error)
{
  const char *separator = "";
  const char *key;
  json_t *member;

  g_string_append_c (out, '{');
  json_object_foreach ((json_t *)object, key, member)
  {
    g_string_append (out, separator);
    append_quoted (out, key);
    g_string_append (out, ": ");
    if (!append_repr (out, member, depth + 1, error))
      return FALSE;
    separator = ", ";
  }
  g_string_append_c (out, '}');
  return TRUE;
}

static gboolean
append_array (GString *out, const json_t *array, guint depth, GError **error)
{
  size_t i;
  json_t *member;

  g_string_append_c (out, '[');
  json_array_foreach (array, i, member)
  {
    if (i > 0)
      g_string_append (out, ", ");
    if (!append_repr (out, member, depth + 1, error))
      return FALSE;
  }
  g_string_append_c (out, ']');
  return TRUE;
}

static gboolean
append_repr (GString *out, const json_t *value, guint depth, GError **error)
{
  if (!pp_template_check_depth (depth, error))
    return FALSE;
  if (out->len > PP_TEMPLATE_MAX_RENDERED)
    return pp_template_invalid (error, "a value rendered into a text is longer than %d bytes",
                                PP_TEMPLATE_MAX_RENDERED);
  switch (json_typeof (value))
    {
    case JSON_OBJECT:
      return append_object (out, value, depth, error);
    case JSON_ARRAY:
      return append_array (out, value, depth, error);
    case JSON_STRING:
      append_quoted (out, json_string_value (value));
      return TRUE;
    case JSON_INTEGER:
      g_string_append_printf (out, "%" JSON_INTEGER_FORMAT, json_integer_value (value));
      return TRUE;
    case JSON_REAL:
      append_real (out, json_real_value (value));
      return TRUE;
    case JSON_TRUE:
      g_string_append (out, "True");
      return TRUE;
    case JSON_FALSE:
      g_string_append (out, "False");
      return TRUE;
    default:
      g_string_append (out, "None");
      return TRUE;
    }
}

char *
pp_python_str (const json_t *value, GError **error)
{
  if (json_is_string (value))
    return g_strdup (json_string_value (value));
  GString *out = g_string_new (NULL);
  gboolean fine = append_repr (out, value, 0, error);
  return g_string_free (out, !fine);
}
