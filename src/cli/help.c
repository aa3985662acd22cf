/* SPDX-License-Identifier: Apache-2.0 */
/* The help texts, generated from the command table. */
#include "config.h"

#include "cli/command-private.h"

#include <string.h>

static gboolean
is_in_group (const PpCommand *command, char *const *group, int words)
{
  for (int i = 0; i < words; i++)
    if (g_strcmp0 (command->words[i], group[i]) != 0)
      return FALSE;
  return TRUE;
}

char *
pp_command_list (const PpCommand *const *table, char *const *group, int words)
{
  GString *text = g_string_new ("Commands:\n");
  int width = 0;

  for (int pass = 0; pass < 2; pass++)
    for (const PpCommand *const *command = table; *command != NULL; command++)
      {
        if (!is_in_group (*command, group, words))
          continue;
        g_autofree char *name = pp_command_name (*command);
        if (pass == 0)
          width = MAX (width, (int)strlen (name));
        else
          g_string_append_printf (text, "  %-*s  %s\n", width, name, (*command)->summary);
      }
  g_string_append (text, "\nFor the options of a command: COMMAND --help\n");
  return g_string_free (text, FALSE);
}

/* Returns ARGUMENT as the usage line shows it: "NAME", "[NAME]", "NAME..." or "[NAME...]"; new
 * string. */
static char *
usage_word (const PpArgument *argument)
{
  return g_strdup_printf ("%s%s%s%s", argument->is_required ? "" : "[", argument->name,
                          argument->is_repeatable ? "..." : "", argument->is_required ? "" : "]");
}

/* Returns the positional arguments for the usage line, or NULL if COMMAND takes none; new string.
 */
static char *
usage_words (const PpCommand *command)
{
  if (command->arguments == NULL)
    return NULL;
  GString *words = g_string_new (NULL);
  for (const PpArgument *argument = command->arguments; argument->name != NULL; argument++)
    {
      g_autofree char *word = usage_word (argument);
      g_string_append_printf (words, "%s%s", words->len > 0 ? " " : "", word);
    }
  return g_string_free (words, FALSE);
}

/* Returns the description of COMMAND and the list of its positional arguments; new string. */
static char *
describe (const PpCommand *command)
{
  GString *text = g_string_new (command->description);
  int width = 0;

  if (command->arguments == NULL)
    return g_string_free (text, FALSE);
  for (const PpArgument *argument = command->arguments; argument->name != NULL; argument++)
    width = MAX (width, (int)strlen (argument->name));
  g_string_append (text, "\n\nArguments:");
  for (const PpArgument *argument = command->arguments; argument->name != NULL; argument++)
    g_string_append_printf (text, "\n  %-*s     %s", width, argument->name, argument->summary);
  return g_string_free (text, FALSE);
}

/* Returns the name of the man page of COMMAND, "prefect-podman-worker-start"; new string. */
static char *
man_page (const PpCommand *command)
{
  g_autofree char *words = g_strjoinv ("-", (char **)command->words);

  return g_strconcat ("prefect-podman-", words, NULL);
}

GOptionContext *
pp_command_context (const PpCommand *command, PpOptionSet *set)
{
  g_autofree char *words = usage_words (command);
  g_autofree char *description = describe (command);
  g_autofree char *page = man_page (command);
  g_autofree char *foot = g_strdup_printf ("%s%sSee also %s(1).\n",
                                           command->exit_codes != NULL ? command->exit_codes : "",
                                           command->exit_codes != NULL ? "\n" : "", page);
  GOptionContext *context = g_option_context_new (words);

  pp_option_set_install (set, context);
  g_option_context_set_summary (context, description);
  g_option_context_set_description (context, foot);
  return context;
}

GOptionContext *
pp_commands_context (const PpCommand *const *table, PpOptionSet *set)
{
  g_autofree char *list = pp_command_list (table, NULL, 0);
  GOptionContext *context = g_option_context_new ("COMMAND");

  pp_option_set_install (set, context);
  /* Options after the command belong to the command. */
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_summary (context, "Serves a Prefect work pool with Podman or Docker.");
  g_option_context_set_description (context, list);
  return context;
}

char *
pp_commands_help (const PpCommand *const *table)
{
  PpGlobalOptions global = { 0 };
  g_autoptr (PpOptionSet) set = pp_option_set_new ();
  pp_option_set_add (set, pp_global_options, &global);
  g_autoptr (GOptionContext) context = pp_commands_context (table, set);

  return g_option_context_get_help (context, TRUE, NULL);
}
