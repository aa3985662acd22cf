/* SPDX-License-Identifier: Apache-2.0 */
/* python-slugify's slugify(), as prefect_docker calls it for a container's name: lowercase=False,
 * max_length=250, regex_pattern="[^a-zA-Z0-9_.-]+". */
#include "config.h"

#include "template-private.h"

#include <string.h>

#define MAX_LENGTH 250

static char *
replace_characters (const char *text, const char *what, const char *with)
{
  g_auto (GStrv) parts = g_strsplit (text, what, -1);
  return g_strjoinv (with, parts);
}

/* Returns the character of the entity &NAME; at TEXT, which begins with "&", or 0 if there is none.
 * *END gets the position after it. */
static gunichar
named_entity (const char *text, const char **end)
{
  const char *name = text + 1;
  gsize length = strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS);
  if (name[length] != ';')
    return 0;
  *end = name + length + 1;
  return pp_html_entity (name, length);
}

static char *
decode_named_entities (const char *text)
{
  GString *decoded = g_string_new (NULL);
  while (*text != '\0')
    {
      const char *end;
      gunichar c = *text == '&' ? named_entity (text, &end) : 0;
      if (c != 0)
        {
          g_string_append_unichar (decoded, c);
          text = end;
        }
      else
        g_string_append_c (decoded, *text++);
    }
  return g_string_free (decoded, FALSE);
}

/* Reads the number of &#NNN; (PREFIX "&#", base 10) or &#xHH; at TEXT. *END gets the position after
 * it. */
static gboolean
numeric_entity (const char *text, const char *prefix, guint base, guint64 *number, const char **end)
{
  const char *digits = text + strlen (prefix);
  gsize length;
  if (!g_str_has_prefix (text, prefix))
    return FALSE;
  length = strspn (digits, base == 10 ? G_CSET_DIGITS : G_CSET_DIGITS "abcdefABCDEF");
  if (length == 0 || digits[length] != ';')
    return FALSE;
  *number = g_ascii_strtoull (digits, NULL, base);
  *end = digits + length + 1;
  return TRUE;
}

/* Decodes all numeric entities. If the number of one of them is not a character, decodes none, as
 * python-slugify does. */
static char *
decode_numeric_entities (const char *text, const char *prefix, guint base)
{
  GString *decoded = g_string_new (NULL);
  for (const char *at = text; *at != '\0';)
    {
      guint64 number;
      const char *end;
      if (!numeric_entity (at, prefix, base, &number, &end))
        {
          g_string_append_c (decoded, *at++);
          continue;
        }
      if (number > 0x10ffff)
        {
          g_string_free (decoded, TRUE);
          return g_strdup (text);
        }
      /* To Python, NUL and half of a surrogate pair are characters. A later step turns them into a
       * dash, and it does the same with '?'. */
      g_string_append_unichar (
          decoded, number != 0 && g_unichar_validate ((gunichar)number) ? (gunichar)number : '?');
      at = end;
    }
  return g_string_free (decoded, FALSE);
}

static char *
decode_entities (const char *text)
{
  g_autofree char *named = decode_named_entities (text);
  g_autofree char *decimal = decode_numeric_entities (named, "&#", 10);
  return decode_numeric_entities (decimal, "&#x", 16);
}

static gboolean
is_digit_at (const char *text)
{
  return g_unichar_isdigit (g_utf8_get_char (text));
}

/* True if the comma at AT is between two digits ("1,000"). */
static gboolean
is_thousands_comma (const char *start, const char *at)
{
  return *at == ',' && at > start && is_digit_at (g_utf8_prev_char (at)) && is_digit_at (at + 1);
}

static gboolean
is_allowed (char c)
{
  return g_ascii_isalnum (c) || c == '_' || c == '.';
}

/* Replaces each run of characters that are not allowed by one dash, but drops the comma in "1,000".
 * Cuts the result to MAX_LENGTH, and removes dashes at both ends. */
static char *
dash_disallowed (const char *text)
{
  GString *slug = g_string_new (NULL);
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      if (is_thousands_comma (text, at))
        continue;
      if (is_allowed (*at))
        g_string_append_c (slug, *at);
      else if (slug->len > 0 && slug->str[slug->len - 1] != '-')
        g_string_append_c (slug, '-');
    }
  if (slug->len > MAX_LENGTH)
    g_string_truncate (slug, MAX_LENGTH);
  if (slug->len > 0 && slug->str[slug->len - 1] == '-')
    g_string_truncate (slug, slug->len - 1);
  return g_string_free (slug, FALSE);
}

char *
pp_slugify (const char *text)
{
  g_autofree char *unquoted = replace_characters (text, "'", "-");
  g_autofree char *ascii = pp_transliterate (unquoted);
  g_autofree char *decoded = decode_entities (ascii);
  g_autofree char *normal = g_utf8_normalize (decoded, -1, G_NORMALIZE_NFKD);
  g_autofree char *without_quotes = replace_characters (normal, "'", "");
  return dash_disallowed (without_quotes);
}
