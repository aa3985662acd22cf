/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the command that a command line names. */
#include "config.h"

#include "cli/command-private.h"

#include <string.h>

/* A suggestion may differ from the typed name by one letter, plus one for each 4 letters of the
 * name. */
#define LETTERS_PER_MISTAKE 4

static int
count_words (const PpCommand *command)
{
  return (int)g_strv_length ((char **)command->words);
}

/* Returns the number of words before the first option in ARGV. */
static int
count_typed (int argc, char **argv)
{
  int count = 0;

  while (count < MIN (argc, PP_COMMAND_WORDS) && argv[count][0] != '-')
    count++;
  return count;
}

/* Returns the number of words at the start of ARGV that equal COMMAND's first words. */
static int
count_common (const PpCommand *command, int argc, char **argv)
{
  int count = 0;

  while (count < argc && command->words[count] != NULL
         && strcmp (command->words[count], argv[count]) == 0)
    count++;
  return count;
}

const PpCommand *
pp_command_find (const PpCommand *const *table, int argc, char **argv, int *words)
{
  for (const PpCommand *const *command = table; *command != NULL; command++)
    {
      *words = count_words (*command);
      if (count_common (*command, argc, argv) == *words)
        return *command;
    }
  *words = 0;
  return NULL;
}

int
pp_command_group_words (const PpCommand *const *table, int argc, char **argv)
{
  int most = 0;

  for (const PpCommand *const *command = table; *command != NULL; command++)
    {
      int common = count_common (*command, argc, argv);

      if (common < count_words (*command))
        most = MAX (most, common);
    }
  return most;
}

char *
pp_command_join (char *const *words, int count)
{
  GString *joined = g_string_new (NULL);

  for (int i = 0; i < count; i++)
    g_string_append_printf (joined, "%s%s", i > 0 ? " " : "", words[i]);
  return g_string_free (joined, FALSE);
}

char *
pp_command_name (const PpCommand *command)
{
  return pp_command_join ((char *const *)command->words, count_words (command));
}

/* Returns the number of edits that change B to A. An edit replaces, inserts or deletes a byte, or
 * swaps it with the next one ("optimal string alignment" distance). */
static guint
distance (const char *a, const char *b)
{
  gsize rows = strlen (a) + 1;
  gsize columns = strlen (b) + 1;
  guint *table = g_new0 (guint, rows * columns);
  guint changes;

  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      {
        guint *cell = &table[i * columns + j];

        if (i == 0 || j == 0)
          {
            *cell = (guint)(i + j);
            continue;
          }
        guint changed = cell[-(gssize)columns - 1] + (a[i - 1] != b[j - 1]);
        *cell = MIN (changed, MIN (cell[-1], cell[-(gssize)columns]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          *cell = MIN (*cell, cell[-2 * (gssize)columns - 2] + 1);
      }
  changes = table[rows * columns - 1];
  g_free (table);
  return changes;
}

/* A command or group that the user may have meant. */
typedef struct
{
  const PpCommand *command;
  int words;
  guint distance;
} Candidate;

/* Compares the first WORDS words of COMMAND, without the first SKIPPED of them, with the same
 * number of typed words. If COMMAND has more words, its first WORDS words name a group. Sets BEST
 * to this candidate if its distance is smaller than that of BEST, or if the distances are equal and
 * this candidate has more words. */
static void
compare (Candidate *best, const PpCommand *command, int skipped, int words, char **argv, int typed)
{
  char *const *all = (char *const *)command->words;
  g_autofree char *known = pp_command_join (all + skipped, words - skipped);
  g_autofree char *given = pp_command_join (argv, MIN (typed, words - skipped));
  guint apart = distance (known, given);
  gboolean is_known = skipped == 0 && apart == 0;

  if (is_known || apart > 1 + strlen (known) / LETTERS_PER_MISTAKE)
    return;
  if (best->command == NULL || apart < best->distance
      || (apart == best->distance && words > best->words))
    *best = (Candidate){ command, words, apart };
}

char *
pp_command_nearest (const PpCommand *const *table, int argc, char **argv)
{
  Candidate best = { NULL, 0, 0 };
  int typed = count_typed (argc, argv);

  if (typed == 0)
    return NULL;
  for (const PpCommand *const *command = table; *command != NULL; command++)
    {
      int count = count_words (*command);

      /* Skip first words, in order to suggest `worker start` for `start`. */
      for (int skipped = 0; skipped < count; skipped++)
        compare (&best, *command, skipped, count, argv, typed);
    }
  gboolean is_command = best.command != NULL;
  for (const PpCommand *const *command = table; *command != NULL && !is_command; command++)
    for (int words = 1; words < count_words (*command); words++)
      compare (&best, *command, 0, words, argv, typed);
  if (best.command == NULL)
    return NULL;
  return pp_command_join ((char *const *)best.command->words, best.words);
}
