/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the command line of one command into a PpCommandLine. */
#include "config.h"

#include "cli/command-private.h"

static const PpOption rest_options[] = {
  { G_OPTION_REMAINING, 0, PP_OPTION_TEXTS, G_STRUCT_OFFSET (PpCommandLine, arguments), "" },
  { NULL },
};

PpCommandLine *
pp_command_line_new (const PpCommand *command)
{
  PpCommandLine *line = g_new0 (PpCommandLine, 1);

  line->command = command;
  if (command->options_size > 0)
    line->options = g_malloc0 (command->options_size);
  return line;
}

PpOptionSet *
pp_command_line_options (PpCommandLine *line)
{
  static const PpShare shares[] = { PP_SHARE_STATE_DIR, PP_SHARE_LOG_LEVEL };
  PpOptionSet *set = pp_option_set_new ();

  if (line->options != NULL)
    pp_option_set_add (set, line->command->options, line->options);
  for (gsize i = 0; i < G_N_ELEMENTS (shares); i++)
    if ((line->command->shared & shares[i]) != 0)
      pp_option_set_add (set, pp_shared_options (shares[i]), &line->shared);
  pp_option_set_add (set, rest_options, line);
  return set;
}

void
pp_command_line_free (PpCommandLine *line)
{
  if (line == NULL)
    return;
  if (line->options != NULL)
    pp_options_clear (line->command->options, line->options);
  g_free (line->options);
  pp_options_clear (pp_shared_options (PP_SHARE_STATE_DIR), &line->shared);
  pp_options_clear (pp_shared_options (PP_SHARE_LOG_LEVEL), &line->shared);
  g_strfreev (line->arguments);
  g_free (line);
}

/* Checks the number of positional arguments of LINE against the command's table. */
static gboolean
check_arguments (const PpCommandLine *line, GError **error)
{
  static const PpArgument none[] = { { NULL } };
  const PpArgument *known = line->command->arguments != NULL ? line->command->arguments : none;
  g_autofree char *name = pp_command_name (line->command);
  char **given = line->arguments;

  for (; known->name != NULL; known++)
    {
      if (*given == NULL && known->is_required)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is missing",
                       known->name);
          return FALSE;
        }
      if (known->is_repeatable)
        return TRUE;
      if (*given != NULL)
        given++;
    }
  if (*given == NULL)
    return TRUE;
  if (line->command->arguments == NULL)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 "\"%s\" is not an option: %s takes only options", *given, name);
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "too many arguments for %s: \"%s\"", name, *given);
  return FALSE;
}

PpCommandLine *
pp_command_line_parse (const PpCommand *command, int argc, char **argv, const char *profile,
                       GError **error)
{
  g_autoptr (PpCommandLine) line = pp_command_line_new (command);
  g_autoptr (PpOptionSet) set = pp_command_line_options (line);
  g_autoptr (GOptionContext) context = pp_command_context (command, set);
  g_auto (GStrv) words = pp_option_set_split (set, argc, argv, FALSE);

  line->profile = profile;
  if (!g_option_context_parse_strv (context, &words, error))
    return NULL;
  if (line->arguments == NULL)
    line->arguments = g_new0 (char *, 1);
  line->argument_count = g_strv_length (line->arguments);
  if (!check_arguments (line, error) || !pp_option_set_check (set, error))
    return NULL;
  if (command->check != NULL && !command->check (line, error))
    return NULL;
  return g_steal_pointer (&line);
}

char *
pp_command_help (const PpCommand *command)
{
  g_autoptr (PpCommandLine) line = pp_command_line_new (command);
  g_autoptr (PpOptionSet) set = pp_command_line_options (line);
  g_autoptr (GOptionContext) context = pp_command_context (command, set);

  return g_option_context_get_help (context, TRUE, NULL);
}
