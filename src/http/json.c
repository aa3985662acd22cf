/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A text smaller than this is parsed without an estimate of the memory it needs. */
#define CHEAP_BYTES ((gsize)16 * 1024)
/* A NUL as JSON writes it, and its replacement. */
#define NUL "\\u0000"
#define REPLACEMENT "\\ufffd"

static void
replace_nuls (char *text, gsize length)
{
  for (gsize i = 0; i + strlen (NUL) <= length; i++)
    {
      if (text[i] != '\\')
        continue;
      if (memcmp (text + i, NUL, strlen (NUL)) == 0)
        memcpy (text + i, REPLACEMENT, strlen (REPLACEMENT));
      i++; /* skip the escaped character: it begins no escape */
    }
}

/* True if the number WORD, LENGTH bytes, is too large for jansson: an integer beyond 64 bits, or a
 * number beyond a double. */
static gboolean
is_huge (const char *word, gsize length)
{
  g_autofree char *number = g_strndup (word, length);

  errno = 0;
  if (strpbrk (number, ".eE") == NULL)
    g_ascii_strtoll (number, NULL, 10);
  else if (isfinite (g_ascii_strtod (number, NULL)))
    return FALSE;
  return errno == ERANGE;
}

static gboolean
is_of_number (char c)
{
  return g_ascii_isdigit (c) || (c != '\0' && strchr (".eE+-", c) != NULL);
}

/* Puts quotes around the numbers that are too large. Returns a new string. */
static GString *
quote_huge_numbers (const char *text, gsize length)
{
  GString *quoted = g_string_sized_new (length + 16);
  gboolean in_string = FALSE;
  gsize i = 0;

  while (i < length)
    {
      gsize piece = 1;

      if (in_string && text[i] == '\\' && i + 1 < length)
        piece = 2;
      else if (text[i] == '"')
        in_string = !in_string;
      else if (!in_string && (g_ascii_isdigit (text[i]) || text[i] == '-'))
        while (i + piece < length && is_of_number (text[i + piece]))
          piece++;
      if (piece > 2 && !in_string && is_huge (text + i, piece))
        g_string_append_printf (quoted, "\"%.*s\"", (int)piece, text + i);
      else
        g_string_append_len (quoted, text + i, (gssize)piece);
      i += piece;
    }
  return quoted;
}

json_t *
pp_json_parse (const char *text, gsize length, size_t flags, json_error_t *why)
{
  if (g_strstr_len (text, (gssize)length, NUL) == NULL)
    {
      json_t *json = json_loadb (text, length, flags, why);

      if (json != NULL)
        return json;
    }
  GString *tame = quote_huge_numbers (text, length);
  replace_nuls (tame->str, tame->len);
  json_t *json = json_loadb (tame->str, tame->len, flags, why);
  g_string_free (tame, TRUE);
  return json;
}

gboolean
pp_number_from_text (const char *text, double *number)
{
  g_autofree char *stripped = g_strstrip (g_strdup (text));
  char *out = stripped;
  char *end;

  for (const char *p = stripped; *p != '\0'; p++)
    {
      if (*p != '_')
        *out++ = *p;
      else if (p == stripped || !g_ascii_isdigit (p[-1]) || !g_ascii_isdigit (p[1]))
        return FALSE;
    }
  *out = '\0';
  /* Python's float() refuses C's hexadecimal numbers. */
  if (*stripped == '\0' || strpbrk (stripped, "xXpP") != NULL)
    return FALSE;
  *number = g_ascii_strtod (stripped, &end);
  return *end == '\0';
}

gboolean
pp_json_number (const json_t *value, double *number)
{
  if (json_is_number (value))
    *number = json_number_value (value);
  else if (!json_is_string (value) || !pp_number_from_text (json_string_value (value), number))
    return FALSE;
  return isfinite (*number);
}

/* How much memory jansson allocates for each part of a text, rounded up. */
#define OBJECT_BYTES 240
#define ARRAY_BYTES 144
#define ITEM_BYTES 32
#define PAIR_BYTES 112
#define STRING_BYTES 80
#define NUMBER_BYTES 32

/* Returns the length of a string in JSON, without its quotes. TEXT begins after the opening quote.
 * If there is no closing quote, returns LENGTH. */
static gsize
string_length (const char *text, gsize length)
{
  gsize i = 0;

  while (i < length && text[i] != '"')
    i += text[i] == '\\' ? 2 : 1;
  return MIN (i, length);
}

gsize
pp_json_memory (const char *text, gsize length)
{
  gsize bytes = 0, longest = 0, piece;

  for (gsize i = 0; i < length; i += piece)
    {
      piece = 1;
      switch (text[i])
        {
        case '{':
          bytes += OBJECT_BYTES;
          break;
        case '[':
          bytes += ARRAY_BYTES;
          break;
        case ',':
          bytes += ITEM_BYTES;
          break;
        case ':':
          bytes += PAIR_BYTES;
          break;
        case '"':
          piece = string_length (text + i + 1, length - i - 1) + 2;
          longest = MAX (longest, piece);
          bytes += STRING_BYTES + piece;
          break;
        default:
          if (!is_of_number (text[i]))
            break;
          while (i + piece < length && is_of_number (text[i + piece]))
            piece++;
          bytes += NUMBER_BYTES;
          break;
        }
    }
  return bytes + 2 * longest; /* jansson's lexer has a buffer that grows by doubling */
}

gboolean
pp_json_fits (const char *text, gsize length, gsize bound)
{
  return length < CHEAP_BYTES || pp_json_memory (text, length) + length <= bound;
}
