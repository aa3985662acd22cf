/* SPDX-License-Identifier: Apache-2.0 */
/* How a secret looks in the words of others: engines quote it, and make blanks of line ends. */
#include "config.h"

#include "template-private.h"

#include <stdlib.h>
#include <string.h>

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

/* Go's unicode.IsPrint(). */
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

char *
pp_go_quoted (const char *text)
{
  GString *quoted = g_string_sized_new (strlen (text));

  for (; *text != '\0'; text = g_utf8_next_char (text))
    append_go_quoted (quoted, g_utf8_get_char (text));
  return g_string_free (quoted, FALSE);
}

char *
pp_json_quoted (const char *text)
{
  json_auto_t *value = json_string (text);
  char *dumped = json_dumps (value, JSON_ENCODE_ANY);
  char *quoted = dumped != NULL ? g_strndup (dumped + 1, strlen (dumped) - 2) : NULL;

  free (dumped);
  return quoted;
}
