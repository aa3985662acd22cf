/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman(1): the global options, and which command is meant. */
#include "config.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/cli/cli.h"
#include "prefect-podman/http/limits.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Descriptors that a command opens before it can do anything. */
#define NEEDED_DESCRIPTORS 16

typedef struct
{
  const char *words[2]; /* "worker", "start"; the second may be NULL */
  const char *summary;
  int (*run) (int argc, char **argv, const char *profile);
} Command;

static const Command commands[] = {
  { { "worker", "start" }, "serve a work pool", pp_command_worker_start },
  { { "worker", "status" }, "show this host's workers and their runs", pp_command_worker_status },
  { { "render", NULL }, "show what would be sent to the engine for a flow run", pp_command_render },
};

/* A descriptor below 3 that is closed would be given to a socket, and log lines would be written
 * into it. */
static void
open_standard_streams (void)
{
  int fd;

  do
    {
      fd = pp_own_open (AT_FDCWD, "/dev/null", O_RDWR, 0);
      /* Without it, any descriptor that cannot be written. */
      if (fd < 0)
        fd = pp_own_open (AT_FDCWD, "/", O_PATH, 0);
    }
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close (fd);
}

/* What follows the options in a help text: the commands whose first word is GROUP (NULL: all). */
static char *
commands_help (const char *group)
{
  GString *text = g_string_new ("Commands:\n");

  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      const Command *command = &commands[i];
      if (group != NULL && strcmp (command->words[0], group) != 0)
        continue;
      g_autofree char *words = g_strjoin (" ", command->words[0], command->words[1], NULL);
      g_string_append_printf (text, "  %-16s %s\n", words, command->summary);
    }
  g_string_append (text, "\nA command's own options: COMMAND --help\n");
  return g_string_free (text, FALSE);
}

static gboolean
is_group (const char *word)
{
  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    if (commands[i].words[1] != NULL && strcmp (commands[i].words[0], word) == 0)
      return TRUE;
  return FALSE;
}

static const Command *
find_command (int argc, char **argv)
{
  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      const char *second = commands[i].words[1];
      if (strcmp (commands[i].words[0], argv[0]) == 0
          && (second == NULL || (argc > 1 && strcmp (second, argv[1]) == 0)))
        return &commands[i];
    }
  return NULL;
}

/* `worker`, `worker --help`, `worker something`. */
static int
run_group (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--help") != 0 && strcmp (argv[1], "-h") != 0)
    return pp_command_fail ("unknown command \"%s %s\": see %s %s --help", argv[0], argv[1],
                            g_get_prgname (), argv[0]);
  g_autofree char *help = commands_help (argv[0]);
  g_print ("Usage:\n  %s %s COMMAND\n\n%s", g_get_prgname (), argv[0], help);
  return argc > 1 ? 0 : 2;
}

/* ARGV begins with the command's first word. */
static int
run_command (int argc, char **argv, const char *profile)
{
  const Command *command = find_command (argc, argv);

  if (command == NULL && is_group (argv[0]))
    return run_group (argc, argv);
  if (command == NULL)
    return pp_command_fail ("unknown command \"%s\": see %s --help", argv[0], g_get_prgname ());

  int skipped = command->words[1] != NULL ? 1 : 0;
  g_autofree char *words = g_strjoin (" ", command->words[0], command->words[1], NULL);
  g_autofree char *full_name = g_strdup_printf ("%s %s", g_get_prgname (), words);
  g_set_prgname (full_name); /* the head of the command's help */
  return command->run (argc - skipped, argv + skipped, profile);
}

static int
run (int argc, char **argv)
{
  g_autofree char *profile = NULL;
  gboolean version = FALSE;
  gboolean prompt = FALSE;
  const GOptionEntry entries[] = {
    { "profile", 'p', 0, G_OPTION_ARG_FILENAME, &profile,
      "The profile of profiles.toml to take settings from", "NAME" },
    { "version", 'v', 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL },
    { "prompt", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &prompt, NULL, NULL },
    { "no-prompt", 0, G_OPTION_FLAG_HIDDEN | G_OPTION_FLAG_REVERSE, G_OPTION_ARG_NONE, &prompt,
      NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("COMMAND");
  g_autofree char *description = commands_help (NULL);
  g_autofree char *name = g_path_get_basename (argc > 0 ? argv[0] : "prefect-podman");
  g_autoptr (GError) error = NULL;

  /* GLib ends the process without a word where it cannot open a descriptor. */
  int shortage = pp_limits_probe (NEEDED_DESCRIPTORS);

  setlocale (LC_CTYPE, "");
  g_set_prgname (name);
  if (shortage != 0)
    {
      g_autofree char *why = pp_limits_describe (shortage);
      return pp_command_fail ("cannot start: %s", why);
    }
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_summary (context, "Serves a Prefect work pool with Podman or Docker.");
  g_option_context_set_description (context, description);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return pp_command_fail ("%s (see %s --help)", error->message, name);
  if (version)
    {
      g_print ("%s\n", PACKAGE_STRING);
      return 0;
    }
  if (argc <= 1)
    return pp_command_fail ("no command given: see %s --help", name);
  return run_command (argc - 1, argv + 1, profile);
}

/* Of any end of the process, GOption's after --help included. */
static void
at_exit (void)
{
  gboolean is_printed = fflush (stdout) == 0 && ferror (stdout) == 0;

  if (!is_printed)
    pp_command_fail ("standard output could not be written: what was printed is not complete");
  pp_console_finish ();
  if (!is_printed)
    _exit (1);
}

int
main (int argc, char **argv)
{
  open_standard_streams ();
  signal (SIGPIPE, SIG_IGN);
  /* A file size limit is an error of the write then (EFBIG). No program is started that would
   * inherit either. */
  signal (SIGXFSZ, SIG_IGN);
  atexit (at_exit);
  return run (argc, argv);
}
