/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/text/visible.h"

#include <string.h>

#define LABEL_CHARACTERS 40

gboolean
pp_text_is_control (gunichar c)
{
  /* Fast path for printable ASCII, which is nearly all text. */
  if (c >= 0x20 && c < 0x7f)
    return FALSE;
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return TRUE;
    default:
      return FALSE;
    }
}

static void
append_escaped (GString *to, gunichar c)
{
  if (c <= 0xff)
    g_string_append_printf (to, "\\x%02x", c);
  else if (c <= 0xffff)
    g_string_append_printf (to, "\\u%04x", c);
  else
    g_string_append_printf (to, "\\U%08x", c);
}

static gboolean
is_kept (gunichar c, const char *kept)
{
  return c != 0 && c < 0x80 && strchr (kept, (int)c) != NULL;
}

void
pp_text_append_visible (GString *to, const char *text, gsize length, const char *kept)
{
  /* This also replaces each NUL byte by U+FFFD. */
  g_autofree char *valid = g_utf8_make_valid (text, (gssize)length);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (pp_text_is_control (c) && !is_kept (c, kept))
        append_escaped (to, c);
      else
        g_string_append_len (to, p, g_utf8_next_char (p) - p);
    }
}

char *
pp_text_visible (const char *text, const char *kept)
{
  if (text == NULL)
    return NULL;
  GString *visible = g_string_new (NULL);
  pp_text_append_visible (visible, text, strlen (text), kept);
  return g_string_free (visible, FALSE);
}

/* JSON escapes a character above U+FFFF as a UTF-16 surrogate pair: two \u escapes. */
static void
append_json_escape (GString *to, gunichar c)
{
  if (c <= 0xffff)
    {
      g_string_append_printf (to, "\\u%04x", c);
      return;
    }
  c -= 0x10000;
  g_string_append_printf (to, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

char *
pp_text_visible_json (const char *json)
{
  GString *visible = g_string_new (NULL);

  /* Outside strings, JSON allows no control characters but these. */
  for (const char *p = json; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (pp_text_is_control (c) && !is_kept (c, "\n\t\r"))
        append_json_escape (visible, c);
      else
        g_string_append_len (visible, p, g_utf8_next_char (p) - p);
    }
  return g_string_free (visible, FALSE);
}

static gboolean
needs_quotes (const char *word)
{
  return *word == '\0'
         || strspn (word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                          "-_./:=,@%+")
                != strlen (word);
}

char *
pp_text_shell_quote (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  gboolean has_controls = FALSE;

  for (const char *p = valid; *p != '\0' && !has_controls; p = g_utf8_next_char (p))
    has_controls
        = pp_text_is_control (g_utf8_get_char (p)) && !is_kept (g_utf8_get_char (p), "\n\t");
  if (!has_controls)
    return needs_quotes (text) ? g_shell_quote (text) : g_strdup (text);
  GString *quoted = g_string_new ("$'");
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      /* bash reads \x80 as a byte, not as a character. */
      if (pp_text_is_control (c) && c >= 0x80 && c <= 0xff)
        g_string_append_printf (quoted, "\\u%04x", c);
      else if (pp_text_is_control (c))
        append_escaped (quoted, c);
      else if (c == '\'' || c == '\\')
        g_string_append_printf (quoted, "\\%c", (char)c);
      else
        g_string_append_len (quoted, p, g_utf8_next_char (p) - p);
    }
  g_string_append_c (quoted, '\'');
  return g_string_free (quoted, FALSE);
}

char *
pp_text_label (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name, -1);
  GString *label = g_string_new (NULL);
  guint count = 0;

  for (const char *p = valid; *p != '\0' && count < LABEL_CHARACTERS;
       p = g_utf8_next_char (p), count++)
    {
      gunichar c = g_utf8_get_char (p);
      gboolean is_plain = g_unichar_isalnum (c) || c == '.' || c == '_';

      g_string_append_unichar (label, is_plain ? c : '-');
    }
  return g_string_free (label, FALSE);
}
