/* SPDX-License-Identifier: Apache-2.0 */
/* Converts text to ASCII for a container's name. Prefect uses a table for all of Unicode
 * (text-unidecode). Here GLib converts most of the Latin script and punctuation. The tables below
 * add the rest of the Latin script and punctuation, and Greek and Cyrillic, with Prefect's
 * spelling. A letter of any other script becomes '?', which pp_slugify() then replaces by a dash.
 * Prefect transcribes such letters ("北京" becomes "Bei Jing"); this program does not. */
#include "config.h"

#include "template-private.h"

#include <string.h>

/* From U+0391 to U+03C9. NULL: not a letter. */
static const char *const greek[]
    = { "A",  "B",  "G",  "D", "E", "Z", "E",  "Th", "I",  "K",  "L",  "M",  "N",  "Ks", "O",
        "P",  "R",  NULL, "S", "T", "U", "Ph", "Kh", "Ps", "O",  NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, "a",  "b", "g", "d", "e",  "z",  "e",  "th", "i",  "k",  "l",  "m",  "n",
        "x",  "o",  "p",  "r", "s", "s", "t",  "u",  "ph", "kh", "ps", "o" };

/* From U+0400 to U+045F. NULL: a letter with a mark, which normalization decomposes. */
static const char *const cyrillic[]
    = { NULL, NULL,  "Dj", NULL,   "E",  "Dz", "I",  NULL,  "J",  "Lj", "Nj", "Tsh", NULL, NULL,
        NULL, "Dzh", "A",  "B",    "V",  "G",  "D",  "E",   "Zh", "Z",  "I",  NULL,  "K",  "L",
        "M",  "N",   "O",  "P",    "R",  "S",  "T",  "U",   "F",  "Kh", "Ts", "Ch",  "Sh", "Shch",
        "",   "Y",   "'",  "E",    "Iu", "Ia", "a",  "b",   "v",  "g",  "d",  "e",   "zh", "z",
        "i",  NULL,  "k",  "l",    "m",  "n",  "o",  "p",   "r",  "s",  "t",  "u",   "f",  "kh",
        "ts", "ch",  "sh", "shch", "",   "y",  "'",  "e",   "iu", "ia", NULL, NULL,  "dj", NULL,
        "ie", "dz",  "i",  NULL,   "j",  "lj", "nj", "tsh", NULL, NULL, NULL, "dzh" };

static const struct
{
  gunichar character;
  const char *ascii;
} others[] = {
  { 0xa2, "C/" },   { 0xa3, "PS" },  { 0xa5, "Y=" },  { 0xa7, "SS" },   { 0xa9, "(c)" },
  { 0xae, "(r)" },  { 0xb0, "deg" }, { 0xb1, "+-" },  { 0xb6, "P" },    { 0xd0, "D" },
  { 0xd8, "O" },    { 0xde, "Th" },  { 0xf0, "d" },   { 0xf8, "o" },    { 0xfe, "th" },
  { 0x110, "D" },   { 0x111, "d" },  { 0x126, "H" },  { 0x127, "h" },   { 0x131, "i" },
  { 0x138, "k" },   { 0x14a, "ng" }, { 0x14b, "NG" }, { 0x166, "T" },   { 0x167, "t" },
  { 0x18f, "@" },   { 0x192, "f" },  { 0x259, "@" },  { 0x490, "G'" },  { 0x491, "g'" },
  { 0x1e9e, "Ss" }, { 0x200b, " " }, { 0x2022, "*" }, { 0x2030, "%0" }, { 0x203f, "_" },
  { 0x2190, "-" },  { 0x2192, "-" }, { 0x2194, "-" }, { 0x25e6, "*" },
};

static const char *
from_tables (gunichar c)
{
  if (c >= 0x391 && c < 0x391 + G_N_ELEMENTS (greek))
    return greek[c - 0x391];
  if (c >= 0x400 && c < 0x400 + G_N_ELEMENTS (cyrillic))
    return cyrillic[c - 0x400];
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    if (others[i].character == c)
      return others[i].ascii;
  return NULL;
}

static void
append_ascii (GString *out, gunichar c)
{
  if (c < 128)
    {
      g_string_append_c (out, (char)c);
      return;
    }
  const char *ascii = from_tables (c);
  if (ascii != NULL)
    {
      g_string_append (out, ascii);
      return;
    }
  /* Drop accents, which normalization separated from their letters, and invisible characters. */
  if (g_unichar_ismark (c) || g_unichar_type (c) == G_UNICODE_FORMAT)
    return;

  char utf8[7] = { 0 };
  g_unichar_to_utf8 (c, utf8);
  g_autofree char *known = g_str_to_ascii (utf8, "C");
  if (strcmp (known, "?") != 0 || g_unichar_isalpha (c))
    g_string_append (out, known);
}

char *
pp_transliterate (const char *text)
{
  GString *out = g_string_new (NULL);
  g_autofree char *normal = g_utf8_normalize (text, -1, G_NORMALIZE_NFKD);
  for (const char *at = normal; *at != '\0'; at = g_utf8_next_char (at))
    append_ascii (out, g_utf8_get_char (at));
  return g_string_free (out, FALSE);
}
