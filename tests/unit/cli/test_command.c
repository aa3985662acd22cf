/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the command table: lookup, similar commands, help, positional arguments. */
#include "cli/commands-private.h"
#include "prefect-podman/cli/cli.h"
#include "tests/unit/tap.h"

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
  g_assert_cmpstr (error->message, ==, "\"x\" is no option: pool limit clear takes options only");
  g_clear_error (&error);
  g_assert_null (parse (&set, "set a --flag=maybe", &error));
  g_assert_cmpstr (error->message, ==, "--flag: \"maybe\" is neither true nor false");
}

/* Empty values, as from an unset variable in a script. */
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
      "--engine-url: is empty: give the engine's URL, or leave the option out" },
    { &pp_command_worker_start, "start --pool x --state-dir ",
      "--state-dir: is empty: name a directory, or leave the option out" },
    { &pp_command_worker_status, "status --state-dir ",
      "--state-dir: is empty: name a directory, or leave the option out" },
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
  g_test_add_func ("/command/empty", test_empty);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
