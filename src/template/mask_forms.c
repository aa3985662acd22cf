/* SPDX-License-Identifier: Apache-2.0 */
/* How others write a secret: engines and programs quote it, and engines replace its line ends by
 * blanks. */
#include "config.h"

#include "template-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this, other programs write a real number with an exponent. */
#define MAX_WHOLE 1e15

gboolean
pp_is_blank (char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

char *
pp_with_single_blanks (const char *text)
{
  char *single = g_malloc (strlen (text) + 1);
  char *out = single;

  for (; *text != '\0'; text++)
    if (!pp_is_blank (*text))
      *out++ = *text;
    else if (!pp_is_blank (text[1]))
      *out++ = ' ';
  *out = '\0';
  return single;
}

/* True if Go's unicode.IsPrint() accepts C. */
static gboolean
is_printed (gunichar c)
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
append_go_quoted (GString *quoted, gunichar c)
{
  static const char escaped[] = "\"\\\a\b\f\n\r\t\v";
  static const char letters[] = "\"\\abfnrtv";
  const char *special = c != 0 && c < 128 ? strchr (escaped, (int)c) : NULL;

  if (special != NULL)
    g_string_append_printf (quoted, "\\%c", letters[special - escaped]);
  else if (is_printed (c))
    g_string_append_unichar (quoted, c);
  else if (c < 128)
    g_string_append_printf (quoted, "\\x%02x", c);
  else
    g_string_append_printf (quoted, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

/* Returns TEXT (UTF-8) as Go's strconv.Quote() and %q write it, without the quotes around it. New
 * string. */
static char *
go_quoted (const char *text)
{
  GString *quoted = g_string_sized_new (strlen (text));

  for (; *text != '\0'; text = g_utf8_next_char (text))
    append_go_quoted (quoted, g_utf8_get_char (text));
  return g_string_free (quoted, FALSE);
}

typedef enum
{
  JSON_PLAIN = 0,
  JSON_UPPER = 1, /* hexadecimal digits in upper case: jansson */
  JSON_ASCII = 2, /* Python's json.dumps() */
  JSON_HTML = 4   /* Go's json.Marshal() */
} JsonStyle;

static gboolean
is_json_escaped (gunichar c, JsonStyle style)
{
  if (c < 0x20)
    return TRUE;
  if ((style & JSON_HTML) != 0 && (c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029))
    return TRUE;
  return (style & JSON_ASCII) != 0 && c >= 0x7f;
}

static void
append_json_quoted (GString *quoted, gunichar c, JsonStyle style)
{
  static const char escaped[] = "\"\\\b\f\n\r\t";
  static const char letters[] = "\"\\bfnrt";
  const char *format = (style & JSON_UPPER) != 0 ? "\\u%04X" : "\\u%04x";
  const char *special = c != 0 && c < 128 ? strchr (escaped, (int)c) : NULL;

  if (special != NULL)
    g_string_append_printf (quoted, "\\%c", letters[special - escaped]);
  else if (!is_json_escaped (c, style))
    g_string_append_unichar (quoted, c);
  else if (c < 0x10000)
    g_string_append_printf (quoted, format, c);
  else
    {
      g_string_append_printf (quoted, format, 0xd800 + ((c - 0x10000) >> 10));
      g_string_append_printf (quoted, format, 0xdc00 + (c & 0x3ff));
    }
}

/* Returns TEXT as JSON has it in STYLE, without the quotes around it. New string. */
static char *
json_quoted (const char *text, JsonStyle style)
{
  GString *quoted = g_string_sized_new (strlen (text));

  for (; *text != '\0'; text = g_utf8_next_char (text))
    append_json_quoted (quoted, g_utf8_get_char (text), style);
  return g_string_free (quoted, FALSE);
}

/* Returns TEXT as a URL has it; new string. FORMAT is the format of an escaped byte, KEPT has the
 * characters that are not escaped, and BLANK replaces a blank. */
static char *
percent_encoded (const char *text, const char *format, const char *kept, const char *blank)
{
  GString *encoded = g_string_sized_new (strlen (text));

  for (; *text != '\0'; text++)
    if (*text == ' ')
      g_string_append (encoded, blank);
    else if (g_ascii_isalnum (*text) || strchr ("-._~", *text) != NULL
             || strchr (kept, *text) != NULL)
      g_string_append_c (encoded, *text);
    else
      g_string_append_printf (encoded, format, (guchar)*text);
  return g_string_free (encoded, FALSE);
}

static void
add_percent_forms (GPtrArray *forms, const char *secret)
{
  static const char *const formats[] = { "%%%02X", "%%%02x" };
  /* Python's quote() keeps "/", JavaScript's encodeURIComponent() keeps the last ones. */
  static const char *const kept[] = { "", "/", "!'()*" };

  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      for (gsize j = 0; j < G_N_ELEMENTS (kept); j++)
        g_ptr_array_add (forms, percent_encoded (secret, formats[i], kept[j], "%20"));
      /* The encoding of a form: Python's urlencode(), Go's url.QueryEscape(). */
      g_ptr_array_add (forms, percent_encoded (secret, formats[i], "", "+"));
    }
}

static void
add_quoted_forms (GPtrArray *forms, const char *secret)
{
  static const JsonStyle styles[] = { JSON_PLAIN, JSON_ASCII, JSON_ASCII | JSON_UPPER, JSON_HTML };

  for (gsize i = 0; i < G_N_ELEMENTS (styles); i++)
    g_ptr_array_add (forms, json_quoted (secret, styles[i]));
  /* Python chooses the quotes by the other characters of the same string. */
  g_ptr_array_add (forms, pp_python_quoted (secret, '\''));
  g_ptr_array_add (forms, pp_python_quoted (secret, '"'));
}

GPtrArray *
pp_secret_forms (const char *secret, gboolean all)
{
  GPtrArray *forms = g_ptr_array_new_with_free_func (g_free);
  gboolean is_valid = g_utf8_validate (secret, -1, NULL);

  g_ptr_array_add (forms, g_strdup (secret));
  /* No program escapes these characters. */
  if (strspn (secret, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._~") == strlen (secret))
    return forms;
  if (is_valid)
    {
      g_ptr_array_add (forms, json_quoted (secret, JSON_UPPER));
      g_ptr_array_add (forms, go_quoted (secret));
    }
  if (is_valid && all)
    add_quoted_forms (forms, secret);
  if (all)
    add_percent_forms (forms, secret);
  return forms;
}

GPtrArray *
pp_number_forms (const json_t *number)
{
  GPtrArray *forms = g_ptr_array_new_with_free_func (g_free);
  char *python = pp_python_str (number, NULL);
  char *dumped = json_dumps (number, JSON_ENCODE_ANY);
  double value = json_number_value (number);

  g_ptr_array_add (forms, python);
  g_ptr_array_add (forms, g_strdup (dumped));
  free (dumped);
  /* Go and JavaScript write 12345.0 as 12345. */
  if (json_is_real (number) && fabs (value) < MAX_WHOLE && floor (value) == value)
    g_ptr_array_add (forms, g_strdup_printf ("%.0f", value));
  return forms;
}
