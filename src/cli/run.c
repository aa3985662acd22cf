/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the command that the program's arguments name. */
#include "config.h"

#include "cli/command-private.h"
#include "cli/console-private.h"
#include "prefect-podman/cli/cli.h"

#include <string.h>

int
pp_command_exit_code (const GError *error)
{
  gboolean is_callers = error->domain == G_OPTION_ERROR || error->domain == PP_SETTINGS_ERROR;

  return is_callers ? PP_EXIT_USAGE : PP_EXIT_FAILED;
}

/* Prints the ERROR of COMMAND on one line. Returns the exit code. */
static int
report (const PpCommand *command, const GError *error)
{
  g_autofree char *name = pp_command_name (command);

  if (error->domain == G_OPTION_ERROR)
    pp_command_fail ("%s: %s (see %s --help)", name, error->message, name);
  else if (error->domain == PP_SETTINGS_ERROR)
    pp_command_fail ("%s", error->message);
  else
    pp_command_fail ("%s: %s", name, error->message);
  return pp_command_exit_code (error);
}

static int
run_command (const PpCommand *command, int argc, char **argv, const char *profile)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpCommandLine) line = pp_command_line_parse (command, argc, argv, profile, &error);
  g_autoptr (PpSession) session = NULL;

  if (line == NULL)
    return report (command, error);
  if (command->session != PP_SESSION_NONE)
    {
      session = pp_session_new (command->session, profile, line->shared.log_level, &error);
      if (session == NULL)
        return report (command, error);
    }
  int code = command->run (line, session, &error);
  return error != NULL ? report (command, error) : code;
}

/* Prints the commands of a group, for `worker` and `worker --help`. */
static int
show_group (const PpCommand *const *table, int words, int argc, char **argv)
{
  g_autofree char *group = pp_command_join (argv, words);
  g_autofree char *list = pp_command_list (table, argv, words);

  g_print ("Usage:\n  %s %s COMMAND\n\n%s", g_get_prgname (), group, list);
  return argc > words ? PP_EXIT_DONE : PP_EXIT_USAGE;
}

/* Returns the commands of TABLE as "worker start, render"; new string. */
static char *
list_names (const PpCommand *const *table)
{
  GString *names = g_string_new (NULL);

  for (const PpCommand *const *command = table; *command != NULL; command++)
    {
      g_autofree char *name = pp_command_name (*command);
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", name);
    }
  return g_string_free (names, FALSE);
}

/* Reports an unknown command. The first WORDS words of ARGV name a group (0: no group); the next
 * word is not a command of that group. */
static int
fail_unknown (const PpCommand *const *table, int words, int argc, char **argv)
{
  g_autofree char *group = pp_command_join (argv, words);
  g_autofree char *unknown = pp_command_join (argv, words + 1);
  g_autofree char *nearest = pp_command_nearest (table, argc, argv);
  const char *blank = words > 0 ? " " : "";

  if (nearest != NULL)
    return pp_command_fail ("unknown command \"%s\": did you mean \"%s\"? See %s%s%s --help",
                            unknown, nearest, g_get_prgname (), blank, group);
  g_autofree char *known = list_names (table);
  return pp_command_fail ("unknown command \"%s\": the commands of %s are: %s. See %s%s%s --help",
                          unknown, PACKAGE_NAME, known, g_get_prgname (), blank, group);
}

/* Runs the command that ARGV begins with. */
static int
dispatch (const PpCommand *const *table, int argc, char **argv, const char *profile)
{
  int words = 0;
  const PpCommand *command = pp_command_find (table, argc, argv, &words);

  if (command == NULL)
    {
      words = pp_command_group_words (table, argc, argv);
      gboolean asks_help
          = argc > words
            && (g_str_equal (argv[words], "--help") || g_str_equal (argv[words], "-h"));
      if (words > 0 && (argc == words || asks_help))
        return show_group (table, words, argc, argv);
      return fail_unknown (table, words, argc, argv);
    }
  g_autofree char *name = pp_command_name (command);
  g_autofree char *full_name = g_strdup_printf ("%s %s", g_get_prgname (), name);
  g_set_prgname (full_name); /* for the first line of the command's help */
  return run_command (command, argc - words + 1, argv + words - 1, profile);
}

int
pp_commands_run (const PpCommand *const *table, int argc, char **argv)
{
  PpGlobalOptions global = { 0 };
  g_autofree char *name = g_path_get_basename (argc > 0 ? argv[0] : "prefect-podman");
  g_autoptr (PpOptionSet) set = pp_option_set_new ();
  g_autoptr (GError) error = NULL;
  int code;

  g_set_prgname (name);
  pp_option_set_add (set, pp_global_options, &global);
  g_autoptr (GOptionContext) context = pp_commands_context (table, set);
  g_auto (GStrv) words = pp_option_set_split (set, argc, argv, TRUE);
  if (!g_option_context_parse_strv (context, &words, &error))
    code = pp_command_fail ("%s (see %s --help)", error->message, name);
  else if (global.version)
    {
      g_print ("%s\n", PACKAGE_STRING);
      code = PP_EXIT_DONE;
    }
  else if (words[0] == NULL || words[1] == NULL)
    code = pp_command_fail ("no command given: see %s --help", name);
  else
    code = dispatch (table, (int)g_strv_length (words) - 1, words + 1, global.profile);
  pp_options_clear (pp_global_options, &global);
  return code;
}

int
pp_cli_run (int argc, char **argv)
{
  return pp_commands_run (pp_commands, argc, argv);
}
