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

/* Returns TEXT (UTF-8) as jansson writes it with FLAGS of json_dumps(), without the quotes around
 * it. New string. */
static char *
json_quoted (const char *text, size_t flags)
{
  json_auto_t *value = json_string (text);
  char *dumped = json_dumps (value, JSON_ENCODE_ANY | flags);
  char *quoted = dumped != NULL ? g_strndup (dumped + 1, strlen (dumped) - 2) : g_strdup (text);

  free (dumped);
  return quoted;
}

/* Makes the hexadecimal digits of each \uXXXX in QUOTED lower-case, as Python and Go write them.
 * Returns QUOTED. */
static char *
lower_digits (char *quoted)
{
  for (char *p = quoted; *p != '\0'; p++)
    if (*p == '\\' && *++p == 'u')
      for (int i = 0; i < 4; i++)
        {
          p++;
          *p = g_ascii_tolower (*p);
        }
  return quoted;
}

/* Returns TEXT with each FROM replaced by TO; new string. Takes ownership of TEXT. */
static char *
replace (char *text, const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (text, from, -1);

  g_free (text);
  return g_strjoinv (to, parts);
}

/* Returns TEXT as Go's json.Marshal() writes it, without the quotes around it. New string. */
static char *
go_json_quoted (const char *text)
{
  static const char *const escapes[][2] = { { "<", "\\u003c" },
                                            { ">", "\\u003e" },
                                            { "&", "\\u0026" },
                                            { "\xe2\x80\xa8", "\\u2028" },
                                            { "\xe2\x80\xa9", "\\u2029" } };
  char *quoted = lower_digits (json_quoted (text, 0));

  for (gsize i = 0; i < G_N_ELEMENTS (escapes); i++)
    quoted = replace (quoted, escapes[i][0], escapes[i][1]);
  return quoted;
}

/* Returns TEXT as JSON in ASCII, without the quotes around it. Python's json.dumps() also escapes
 * DEL; jansson does not. New string. */
static char *
ascii_json_quoted (const char *text)
{
  return replace (json_quoted (text, JSON_ENSURE_ASCII), "\x7f", "\\u007F");
}

/* Returns TEXT in percent-encoding, as in a URL; new string. FORMAT is the printf format of an
 * escaped byte. KEPT lists further characters that are not escaped. BLANK replaces a blank. */
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
  /* Python's quote() does not escape "/". JavaScript's encodeURIComponent() does not escape the
   * characters of the last string. */
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
  g_ptr_array_add (forms, lower_digits (json_quoted (secret, 0)));
  g_ptr_array_add (forms, lower_digits (ascii_json_quoted (secret)));
  g_ptr_array_add (forms, ascii_json_quoted (secret));
  g_ptr_array_add (forms, go_json_quoted (secret));
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
      g_ptr_array_add (forms, json_quoted (secret, 0));
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
