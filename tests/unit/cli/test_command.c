/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the command table: lookup, similar commands, help, positional arguments. */
#include "config.h"

#include "cli/commands-private.h"
#include "prefect-podman/cli/cli.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  char *text;
  PpFlag flag;
} Options;

static const PpOption options[] = {
  { "text", 't', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, text), "A text", "TEXT" },
  { "flag", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (Options, flag), "A flag" },
  { NULL },
};

static const PpArgument arguments[] = {
  { "NAME", "The name", TRUE, FALSE },
  { "KEY", "The keys", FALSE, TRUE },
  { NULL },
};

static const PpCommand one = { .words = { "one" }, .summary = "does one", .description = "One." };
static const PpCommand set = { .words = { "pool", "limit", "set" },
                               .summary = "sets it",
                               .description = "Sets it.",
                               .arguments = arguments,
                               .options = options,
                               .options_size = sizeof (Options) };
static const PpCommand clear
    = { .words = { "pool", "limit", "clear" }, .summary = "clears it", .description = "Clears." };
static const PpCommand *const table[] = { &one, &set, &clear, NULL };

/* Splits LINE at blanks and calls pp_command_find(). */
static const PpCommand *
find (const char *line, int *words)
{
  g_auto (GStrv) argv = g_strsplit (line, " ", -1);

  return pp_command_find (table, (int)g_strv_length (argv), argv, words);
}

static void
test_find (void)
{
  int words;

  g_assert_true (find ("one two", &words) == &one);
  g_assert_cmpint (words, ==, 1);
  g_assert_true (find ("pool limit set NAME --text x", &words) == &set);
  g_assert_cmpint (words, ==, 3);
  g_assert_null (find ("pool limit", &words));
  g_assert_null (find ("pool limit se", &words));
  g_assert_null (find ("pool --text limit set", &words));
}

static void
test_nearest (void)
{
  static const struct
  {
    const char *line;
    const char *nearest;
  } rows[] = {
    { "oen", "one" },
    { "pol limit set", "pool limit set" },
    { "pool limti clear", "pool limit clear" },
    { "pool limit claer NAME", "pool limit clear" },
    { "poll", "pool" },
    { "poll limti set", "pool limit set" },
    { "clear", "pool limit clear" },
    { "something else", NULL },
    { "--one", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (GStrv) argv = g_strsplit (rows[i].line, " ", -1);
      g_autofree char *nearest = pp_command_nearest (table, (int)g_strv_length (argv), argv);

      g_assert_cmpstr (nearest, ==, rows[i].nearest);
    }
}

static void
test_help (void)
{
  g_autofree char *all = pp_commands_help (table);
  g_autofree char *own = pp_command_help (&set);
  char *group[] = { (char *)"pool", NULL };
  g_autofree char *list = pp_command_list (table, group, 1);

  g_assert_nonnull (strstr (all, "-p, --profile=NAME"));
  g_assert_nonnull (strstr (all, "\n  one               does one\n"));
  g_assert_nonnull (strstr (all, "\n  pool limit clear  clears it\n"));
  g_assert_null (strstr (list, "does one"));
  g_assert_nonnull (strstr (list, "pool limit set    sets it"));
  g_assert_nonnull (strstr (own, "NAME [KEY...]"));
  g_assert_nonnull (strstr (own, "\n  KEY      The keys\n"));
  g_assert_nonnull (strstr (own, "-t, --text=TEXT"));
  g_assert_nonnull (strstr (own, "prefect-podman-pool-limit-set(1)"));
}

static PpCommandLine *
parse (const PpCommand *command, const char *line, GError **error)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  g_autofree char **argv = g_memdup (words, (guint)sizeof (char *) * (g_strv_length (words) + 1));

  return pp_command_line_parse (command, (int)g_strv_length (words), argv, NULL, error);
}

static void
test_arguments (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpCommandLine) line = parse (&set, "set a -t x b --no-flag -- --c", &error);

  g_assert_no_error (error);
  const Options *given = line->options;
  g_assert_cmpstr (given->text, ==, "x");
  g_assert_cmpint (given->flag, ==, PP_FLAG_OFF);
  g_assert_cmpuint (line->argument_count, ==, 3);
  g_assert_cmpstr (line->arguments[0], ==, "a");
  g_assert_cmpstr (line->arguments[2], ==, "--c");

  g_assert_null (parse (&set, "set --flag", &error));
  g_assert_cmpstr (error->message, ==, "NAME is missing");
  g_assert_cmpint (pp_command_exit_code (error), ==, PP_EXIT_USAGE);
  g_clear_error (&error);
  g_assert_null (parse (&clear, "clear x", &error));
  g_assert_cmpstr (error->message, ==,
                   "\"x\" is not an option: pool limit clear takes only options");
  g_clear_error (&error);
  g_assert_null (parse (&set, "set a --flag=maybe", &error));
  g_assert_cmpstr (error->message, ==, "--flag: use true or false, not \"maybe\"");
}

/* Flags before a word, and values attached to a short option. Python's click accepts all these
 * forms. */
static void
test_forms (void)
{
  static const struct
  {
    const char *line;
    PpFlag flag;
    const char *text;
    const char *arguments;
  } rows[] = {
    { "set --flag a", PP_FLAG_ON, NULL, "a" },
    { "set --no-flag a b", PP_FLAG_OFF, NULL, "a,b" },
    { "set --flag true a", PP_FLAG_ON, NULL, "a" },
    { "set --flag False a", PP_FLAG_OFF, NULL, "a" },
    { "set --no-flag 1 a", PP_FLAG_OFF, NULL, "a" },
    { "set --no-flag=false a", PP_FLAG_ON, NULL, "a" },
    { "set a --flag", PP_FLAG_ON, NULL, "a" },
    { "set a --flag -- --no-flag", PP_FLAG_ON, NULL, "a,--no-flag" },
    { "set -tNAME a", PP_FLAG_NOT_GIVEN, "NAME", "a" },
    { "set -t4 --flag a", PP_FLAG_ON, "4", "a" },
    { "set -tx/y a", PP_FLAG_NOT_GIVEN, "x/y", "a" },
    { "set -t=x a", PP_FLAG_NOT_GIVEN, "=x", "a" },
    { "set -t -tx a", PP_FLAG_NOT_GIVEN, "-tx", "a" },
    { "set -t --flag a", PP_FLAG_NOT_GIVEN, "--flag", "a" },
    { "set --text -tx a", PP_FLAG_NOT_GIVEN, "-tx", "a" },
    { "set --text=-tx - a", PP_FLAG_NOT_GIVEN, "-tx", "-,a" },
    { "set a -- -tx", PP_FLAG_NOT_GIVEN, NULL, "a,-tx" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PpCommandLine) line = parse (&set, rows[i].line, &error);

      g_test_message ("%s", rows[i].line);
      g_assert_no_error (error);
      const Options *given = line->options;
      g_autofree char *joined = g_strjoinv (",", line->arguments);
      g_assert_cmpint (given->flag, ==, rows[i].flag);
      g_assert_cmpstr (given->text, ==, rows[i].text);
      g_assert_cmpstr (joined, ==, rows[i].arguments);
    }
}

static void
test_wrong_forms (void)
{
  static const char *const lines[] = { "set a -x", "set a -xt4", "set a -t", "set a --text" };

  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (parse (&set, lines[i], &error));
      g_assert_true (error->domain == G_OPTION_ERROR);
    }
}

static int
run_shows (const PpCommandLine *line, PpSession *session G_GNUC_UNUSED,
           GError **error G_GNUC_UNUSED)
{
  g_autofree char *joined = g_strjoinv (",", line->arguments);

  g_print ("profile %s, arguments %s\n", line->profile, joined);
  return PP_EXIT_DONE;
}

static const PpCommand show = { .words = { "show" },
                                .summary = "shows it",
                                .description = "Shows.",
                                .arguments = arguments,
                                .run = run_shows };
static const PpCommand *const shows[] = { &show, NULL };

/* Runs the program with the arguments in LINE. Returns the exit code. */
static int
run_line (const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  g_autofree char **argv = g_memdup (words, (guint)sizeof (char *) * (g_strv_length (words) + 1));

  return pp_commands_run (shows, (int)g_strv_length (words), argv);
}

static void
test_global_subprocess (void)
{
  exit (run_line (g_getenv ("PP_TEST_LINE")));
}

/* Options before the command. */
static void
test_global (void)
{
  static const struct
  {
    const char *line;
    const char *output;
    const char *message;
  } rows[] = {
    { "prefect --no-prompt show a", "profile (null), arguments a\n" },
    { "prefect --prompt show a", "profile (null), arguments a\n" },
    { "prefect --prompt false show a", "profile (null), arguments a\n" },
    { "prefect -pNAME --no-prompt show a", "profile NAME, arguments a\n" },
    { "prefect -p=x show a", "profile =x, arguments a\n" },
    { "prefect -p show show a", "profile show, arguments a\n" },
    { "prefect --profile NAME --prompt=1 show a", "profile NAME, arguments a\n" },
    { "prefect show -- -pNAME", "profile (null), arguments -pNAME\n" },
    { "prefect -v show", PACKAGE_STRING "\n" },
    { "prefect -vpNAME show", PACKAGE_STRING "\n" },
    { "prefect --prompt", NULL, "*no command given*" },
    { "prefect --prompt=maybe show a", NULL, "*use true or false, not \"maybe\"*" },
    { "prefect work-pool ls", NULL,
      "*unknown command \"work-pool\": the commands of prefect-podman are: show. See prefect "
      "--help*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_test_message ("%s", rows[i].line);
      g_setenv ("PP_TEST_LINE", rows[i].line, TRUE);
      g_test_trap_subprocess ("/command/global/subprocess", 0, 0);
      if (rows[i].output != NULL)
        {
          g_autofree char *pattern = g_strdup_printf ("*%s*", rows[i].output);

          g_test_trap_assert_passed ();
          g_test_trap_assert_stdout (pattern);
        }
      else
        {
          g_test_trap_assert_failed ();
          g_test_trap_assert_stderr (rows[i].message);
        }
    }
}

/* Empty values, as from an unset variable in a script, and names that no URL can have. */
static void
test_empty (void)
{
  static const struct
  {
    const PpCommand *command;
    const char *line;
    const char *message;
  } rows[] = {
    { &pp_command_worker_start, "start --pool x --engine-url ",
      "--engine-url: the value is empty: give the engine's URL, or leave the option out" },
    { &pp_command_worker_start, "start --pool x --state-dir ",
      "--state-dir: the value is empty: name a directory, or leave the option out" },
    { &pp_command_worker_status, "status --state-dir ",
      "--state-dir: the value is empty: name a directory, or leave the option out" },
    { &pp_command_worker_start, "start --pool ", "--pool: the name is empty" },
    { &pp_command_worker_start, "start --pool x --work-queue ", "--work-queue: the name is empty" },
    { &pp_command_worker_start, "start --pool .",
      "--pool '.': this name means something else in the URLs of the Prefect API; choose another "
      "name" },
    { &pp_command_worker_start, "start --pool x --work-queue ..",
      "--work-queue '..': this name means something else in the URLs of the Prefect API; choose "
      "another name" },
    { &pp_command_worker_start, "start --pool one\ntwo",
      "--pool: the name has a control character (such as a newline) in it" },
    { &pp_command_worker_start, "start --pool x --name a\033b",
      "--name: a worker's name cannot have a control character (such as a newline) in it" },
    { &pp_command_worker_start, "start --limit 1",
      "--pool NAME is missing: say which work pool to serve" },
    { &pp_command_worker_start, "start --pool x --limit ",
      "--limit: the value is empty: give a number, or leave the option out" },
    { &pp_command_worker_start, "start --pool x --prefetch-seconds ",
      "--prefetch-seconds: the value is empty: give a number of seconds, or leave the option out" },
    { &pp_command_worker_start, "start --pool x --base-job-template ",
      "--base-job-template: the value is empty: name a file, or leave the option out" },
    { &pp_command_render, "render --file ",
      "--file: the value is empty: name a file, or leave the option out" },
    { &pp_command_render, "render id --save ",
      "--save: the value is empty: name a file, or leave the option out" },
    { &pp_command_worker_start, "start --pool x --name ", NULL }, /* as in Prefect */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PpCommandLine) line = parse (rows[i].command, rows[i].line, &error);

      g_assert_true ((line == NULL) == (rows[i].message != NULL));
      g_assert_cmpstr (error != NULL ? error->message : NULL, ==, rows[i].message);
    }
}

static void
add (void)
{
  g_test_add_func ("/command/find", test_find);
  g_test_add_func ("/command/nearest", test_nearest);
  g_test_add_func ("/command/help", test_help);
  g_test_add_func ("/command/arguments", test_arguments);
  g_test_add_func ("/command/forms", test_forms);
  g_test_add_func ("/command/wrong_forms", test_wrong_forms);
  g_test_add_func ("/command/global", test_global);
  g_test_add_func ("/command/global/subprocess", test_global_subprocess);
  g_test_add_func ("/command/empty", test_empty);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
