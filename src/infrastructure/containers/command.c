/* SPDX-License-Identifier: Apache-2.0 */
/* Detects if a command runs Prefect. This decides who reports the run's state. */
#include "config.h"

#include "values-private.h"

#include <string.h>

/* Words that may precede the program's name. */
static const char *const wrappers[]
    = { "exec", "env",   "nohup", "time", "nice", "sudo", "then", "do",      "else",
        "if",   "while", "!",     "{",    "tini", "--",   "run",  "timeout", NULL };

static gboolean
is_prefect (const char *word)
{
  g_autofree char *base = g_path_get_basename (word);
  return g_str_equal (base, "prefect");
}

static gboolean
is_prefect_module (const char *word)
{
  return g_str_equal (word, "prefect") || g_str_has_prefix (word, "prefect.");
}

/* True if WORDS, one simple command of a shell line, runs Prefect. */
static gboolean
simple_command_runs_prefect (GPtrArray *words)
{
  gboolean at_program = TRUE;

  for (guint i = 0; i < words->len; i++)
    {
      const char *word = g_ptr_array_index (words, i);
      const char *next = i + 1 < words->len ? g_ptr_array_index (words, i + 1) : NULL;

      if (g_str_equal (word, "-m") && next != NULL && is_prefect_module (next))
        return TRUE;
      if (is_prefect (word) && (at_program || g_strcmp0 (next, "flow-run") == 0))
        return TRUE;
      at_program = g_strv_contains (wrappers, word)
                   || (at_program && g_regex_match_simple ("^[A-Za-z_][A-Za-z0-9_]*=", word, 0, 0));
    }
  return FALSE;
}

/* True if LINE, a shell line, runs Prefect. Splits LINE at command separators outside quotes. Also
 * checks each quoted word, up to DEPTH levels, because it may be a shell line itself. */
static gboolean
shell_line_runs_prefect (const char *line, guint depth)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) word = g_string_new (NULL);
  char quote = '\0';

  for (const char *p = line;; p++)
    {
      if (*p != '\0' && quote != '\0')
        {
          if (*p == quote)
            quote = '\0';
          else
            g_string_append_c (word, *p);
          continue;
        }
      if (*p == '\'' || *p == '"')
        {
          quote = *p;
          continue;
        }
      if (*p != '\0' && strchr (" \t\r\n;&|()`", *p) == NULL)
        {
          g_string_append_c (word, *p);
          continue;
        }
      if (word->len > 0)
        {
          if (depth > 0 && strchr (word->str, ' ') != NULL
              && shell_line_runs_prefect (word->str, depth - 1))
            return TRUE;
          g_ptr_array_add (words, g_strndup (word->str, word->len));
          g_string_truncate (word, 0);
        }
      if (*p == ' ' || *p == '\t')
        continue;
      if (simple_command_runs_prefect (words))
        return TRUE;
      g_ptr_array_set_size (words, 0);
      if (*p == '\0')
        return FALSE;
    }
}

gboolean
pp_command_runs_prefect (const char *const *argv)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();

  for (guint i = 0; argv[i] != NULL; i++)
    {
      g_ptr_array_add (words, (gpointer)argv[i]);
      if (strpbrk (argv[i], " \t\n;&|") != NULL && shell_line_runs_prefect (argv[i], 3))
        return TRUE;
    }
  return simple_command_runs_prefect (words);
}
