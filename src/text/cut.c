/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/text/cut.h"

#include <string.h>

/* Almost no secret is longer. A token with its signature fits, and so does one line of a key
 * file. */
#define MAX_WORD_BYTES 1024

/* Returns how many of MAX bytes to drop if the word at the cut is longer than MAX_WORD_BYTES. */
static gsize
dropped_bytes (gsize max)
{
  return MIN (MAX_WORD_BYTES, max / 2);
}

static gboolean
is_inside_character (char c)
{
  return ((guchar)c & 0xc0) == 0x80;
}

char *
pp_text_cut (const char *text, gsize length, gsize max)
{
  if (length <= max)
    return g_utf8_make_valid (text, (gssize)length);

  gsize lowest = max - MIN (max, MAX_WORD_BYTES);
  gsize end = max;

  while (end > lowest && !g_ascii_isspace (text[end]))
    end--;
  if (!g_ascii_isspace (text[end]))
    end = max - dropped_bytes (max);
  while (end > 0 && (g_ascii_isspace (text[end - 1]) || is_inside_character (text[end])))
    end--;
  g_autofree char *valid = g_utf8_make_valid (text, (gssize)end);
  return g_strconcat (valid, "...", NULL);
}

const char *
pp_text_last_words (const char *text, gsize max)
{
  gsize length = strlen (text);

  if (length <= max)
    return text;

  const char *start = text + length - max;
  gsize cut = 0;

  /* A blank just before START shows that START begins a word. */
  while (cut < MIN (max, MAX_WORD_BYTES) && !g_ascii_isspace (start[(gssize)cut - 1]))
    cut++;
  if (!g_ascii_isspace (start[(gssize)cut - 1]))
    cut = dropped_bytes (max);
  start += cut;
  while (g_ascii_isspace (*start) || is_inside_character (*start))
    start++;
  return start;
}
