/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "values-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The state of pp_shlex_split(). */
typedef struct
{
  GPtrArray *words;
  GString *word;
  gboolean in_word; /* a word has begun; it may be empty */
  char quote;       /* the open quote, or 0 */
} Shlex;

static void
end_word (Shlex *shlex)
{
  if (shlex->in_word)
    g_ptr_array_add (shlex->words, g_strndup (shlex->word->str, shlex->word->len));
  g_string_truncate (shlex->word, 0);
  shlex->in_word = FALSE;
}

/* Takes the character after a backslash. */
static void
take_escaped (Shlex *shlex, char c)
{
  shlex->in_word = TRUE;
  if (shlex->quote == '"' && c != '"' && c != '\\')
    g_string_append_c (shlex->word, '\\');
  g_string_append_c (shlex->word, c);
}

static void
take_plain (Shlex *shlex, char c)
{
  if (shlex->quote != '\0' && c == shlex->quote)
    shlex->quote = '\0';
  else if (shlex->quote != '\0')
    g_string_append_c (shlex->word, c);
  else if (c == '\'' || c == '"')
    {
      shlex->in_word = TRUE;
      shlex->quote = c;
    }
  else if (strchr (" \t\r\n", c) != NULL)
    end_word (shlex);
  else
    {
      shlex->in_word = TRUE;
      g_string_append_c (shlex->word, c);
    }
}

char **
pp_shlex_split (const char *text, GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) word = g_string_new (NULL);
  Shlex shlex = { .words = words, .word = word };

  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p != '\\' || shlex.quote == '\'')
        {
          take_plain (&shlex, *p);
          continue;
        }
      if (*++p == '\0')
        {
          g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                       "'%s' ends with a backslash that has no character after it", text);
          return NULL;
        }
      take_escaped (&shlex, *p);
    }
  if (shlex.quote != '\0')
    {
      g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                   "the closing %c is missing in '%s'", shlex.quote, text);
      return NULL;
    }
  end_word (&shlex);
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

gboolean
pp_parse_bytes (const char *text, json_int_t *bytes, GError **error)
{
  gsize length = strlen (text);
  double digits;
  double unit = 1;

  if (length == 0)
    {
      *bytes = 0;
      return TRUE;
    }
  /* "mb" means "m". */
  if (length >= 2 && g_ascii_isalpha (text[length - 2])
      && (text[length - 1] == 'b' || text[length - 1] == 'B'))
    length--;

  g_autofree char *number = g_strndup (text, length);
  char suffix = g_ascii_tolower (number[length - 1]);
  if (!g_ascii_isdigit (suffix))
    {
      static const char units[] = "bkmg";
      const char *found = strchr (units, suffix);
      if (found == NULL)
        {
          g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                       "'%s' is not an amount of memory. Write a number of bytes, or a number with "
                       "b, k, m or g after it",
                       text);
          return FALSE;
        }
      unit = exp2 (10 * (double)(found - units));
      number[length - 1] = '\0';
    }
  if (!pp_number_from_text (number, &digits) || !isfinite (digits)
      || fabs (digits * unit) >= 9223372036854775808.0)
    {
      g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                   "'%s' is not an amount of memory: the number is wrong or too large", text);
      return FALSE;
    }
  *bytes = (json_int_t)(digits * unit);
  return TRUE;
}

char *
pp_volume_container_path (const char *volume)
{
  const char *colon = strchr (volume, ':');

  if (colon == NULL)
    return g_strdup (volume);
  if (g_str_equal (colon + 1, "ro") || g_str_equal (colon + 1, "rw"))
    return g_strndup (volume, (gsize)(colon - volume));

  const char *options = strchr (colon + 1, ':');
  if (options == NULL)
    return g_strdup (colon + 1);
  return g_strndup (colon + 1, (gsize)(options - colon - 1));
}

/* Makes PATH absolute and removes ".", ".." and double slashes. Does not resolve links
 * (os.path.abspath). */
static char *
normalize_path (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  for (guint i = 0; parts[i] != NULL; i++)
    {
      if (parts[i][0] == '\0' || g_str_equal (parts[i], "."))
        continue;
      if (!g_str_equal (parts[i], ".."))
        g_ptr_array_add (kept, parts[i]);
      else if (kept->len > 0)
        g_ptr_array_set_size (kept, (int)kept->len - 1);
    }
  g_ptr_array_add (kept, NULL);
  g_autofree char *joined = g_strjoinv ("/", (char **)kept->pdata);
  return g_strconcat ("/", joined, NULL);
}

char *
pp_volume_resolve (const char *volume, const char *directory)
{
  const char *colon = strchr (volume, ':');

  if (colon == NULL)
    return g_strdup (volume);
  g_autofree char *source = g_strndup (volume, (gsize)(colon - volume));
  if (!g_str_equal (source, ".") && !g_str_equal (source, "..") && !g_str_has_prefix (source, "./")
      && !g_str_has_prefix (source, "../"))
    return g_strdup (volume);

  g_autofree char *joined = g_strconcat (directory, "/", source, NULL);
  g_autofree char *absolute = normalize_path (joined);
  return g_strconcat (absolute, colon, NULL);
}

gboolean
pp_is_cdi_device (const char *name)
{
  return g_regex_match_simple (
      "^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$", name,
      G_REGEX_DOLLAR_ENDONLY, 0);
}

void
pp_image_split (const char *image, char **name, char **tag)
{
  const char *slash = strchr (image, '/');
  const char *path = slash != NULL ? slash + 1 : image;
  const char *mark = strrchr (path, '@');

  if (mark == NULL)
    mark = strchr (path, ':');
  *name = mark != NULL ? g_strndup (image, (gsize)(mark - image)) : g_strdup (image);
  *tag = mark != NULL && mark[1] != '\0' ? g_strdup (mark + 1) : NULL;
}

gboolean
pp_version_at_least (const char *version, guint major, guint minor)
{
  char *end = NULL;
  guint64 has_major = g_ascii_strtoull (version, &end, 10);
  guint64 has_minor = *end == '.' ? g_ascii_strtoull (end + 1, NULL, 10) : 0;

  return has_major > major || (has_major == major && has_minor >= minor);
}
