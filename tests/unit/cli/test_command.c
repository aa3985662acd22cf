/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the command table: lookup, similar commands, help, positional arguments. Also compares the
 * options in each command's --help with its man page. */
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

static int
by_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Returns the options in the lines of TEXT that match IS_LINE, sorted, one on each line; new
 * string. */
static char *
list_options (const char *text, const char *is_line)
{
  g_autoptr (GRegex) option = g_regex_new ("(?<![\\w-])--?[a-zA-Z][a-z-]*", 0, 0, NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      g_autoptr (GMatchInfo) match = NULL;

      if (!g_regex_match_simple (is_line, *line, 0, 0))
        continue;
      for (g_regex_match (option, *line, 0, &match); g_match_info_matches (match);
           g_match_info_next (match, NULL))
        g_ptr_array_add (found, g_match_info_fetch (match, 0));
    }
  g_ptr_array_sort (found, by_text);
  g_ptr_array_add (found, NULL);
  return g_strjoinv ("\n", (char **)found->pdata);
}

/* Compares the options in HELP with the man page NAME, where an option is a .TP followed by a line
 * with .B or .BR. */
static void
compare (const char *help, const char *name)
{
  g_autofree char *file = g_strconcat (name, ".1.in", NULL);
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "..", "..", "man", file, NULL);
  g_autofree char *page = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &page, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GRegex) tag = g_regex_new ("^\\.TP\n\\.BR? ", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *tagged = g_regex_replace_literal (tag, page, -1, 0, ".TP ", 0, NULL);
  g_auto (GStrv) parts = g_strsplit (tagged, "\\-", -1);
  g_autofree char *plain = g_strjoinv ("-", parts);
  g_autoptr (GRegex) quoted = g_regex_new ("\\\\f[BIRP]|\"", 0, 0, NULL);
  g_autofree char *bare = g_regex_replace_literal (quoted, plain, -1, 0, "", 0, NULL);
  /* In --help, an option's description begins after the option and two blanks. */
  g_autoptr (GRegex) summary
      = g_regex_new ("^(  \\S+(, \\S+|=\\S+)*)  .*$", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *heads = g_regex_replace (summary, help, -1, 0, "\\1", 0, NULL);
  g_autofree char *in_help = list_options (heads, "^  -");
  g_autofree char *in_page = list_options (bare, "^\\.TP -");

  g_assert_cmpstr (in_help, ==, in_page);
}

static void
test_man_pages (void)
{
  g_autofree char *help = pp_commands_help (pp_commands);

  compare (help, "prefect-podman");
  for (const PpCommand *const *command = pp_commands; *command != NULL; command++)
    {
      g_autofree char *words = g_strjoinv ("-", (char **)(*command)->words);
      g_autofree char *name = g_strconcat ("prefect-podman-", words, NULL);
      g_autofree char *own = pp_command_help (*command);

      compare (own, name);
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
  g_test_add_func ("/command/man-pages", test_man_pages);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
