/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the pages with the program: the options in each command's --help with its man page,
 * README and docs/, the settings with the settings table, the job variables with the template of a
 * podman pool. */
#include "config.h"

#include "cli/commands-private.h"
#include "prefect-podman/cli/cli.h"
#include "prefect-podman/json.h"
#include "prefect-podman/settings/table.h"
#include "tests/unit/tap.h"

#include <string.h>

/* An option, long or short. */
#define OPTION "(?<![\\w-])--?[a-zA-Z][a-z-]*"

static int
by_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Returns the content of the source folder's file PATH; new string. */
static char *
read_file (const char *path)
{
  g_autofree char *full = g_test_build_filename (G_TEST_DIST, "..", "..", path, NULL);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (full, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

/* Replaces what PATTERN matches in TEXT, which is freed. Returns a new string. */
static char *
replace (char *text, const char *pattern, const char *by)
{
  g_autofree char *old = text;
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_MULTILINE, 0, NULL);

  return g_regex_replace (regex, old, -1, 0, by, 0, NULL);
}

/* Returns README and all pages of docs/ for users, one after the other; new string. */
static char *
read_docs (void)
{
  g_autofree char *folder = g_test_build_filename (G_TEST_DIST, "..", "..", "docs", NULL);
  g_autoptr (GDir) docs = g_dir_open (folder, 0, NULL);
  g_autofree char *readme = read_file ("README.md");
  GString *text = g_string_new (readme);
  const char *name;

  g_assert_nonnull (docs);
  while ((name = g_dir_read_name (docs)) != NULL)
    if (g_str_has_suffix (name, ".md"))
      {
        g_autofree char *path = g_build_filename ("docs", name, NULL);
        g_autofree char *page = read_file (path);

        g_string_append (text, page);
      }
  return replace (g_string_free (text, FALSE), "--\\[no-\\]([a-z-]+)", "--\\1, --no-\\1");
}

/* Returns the text of the man page PATH without roff's escapes; new string. */
static char *
read_man_page (const char *path)
{
  g_autofree char *page = read_file (path);
  char *text = replace (g_steal_pointer (&page), "\\\\-", "-");

  return replace (text, "\\\\f[BIRP]|\"", "");
}

/* Returns all that PATTERN matches in the lines of TEXT that IS_LINE matches (NULL: all lines),
 * sorted and each once; new array of strings, which ends in NULL. */
static GPtrArray *
find_all (const char *text, const char *is_line, const char *pattern)
{
  g_autoptr (GRegex) regex = g_regex_new (pattern, 0, 0, NULL);
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      g_autoptr (GMatchInfo) match = NULL;

      if (is_line != NULL && !g_regex_match_simple (is_line, *line, 0, 0))
        continue;
      for (g_regex_match (regex, *line, 0, &match); g_match_info_matches (match);
           g_match_info_next (match, NULL))
        g_ptr_array_add (found, g_match_info_fetch (match, 0));
    }
  g_ptr_array_sort (found, by_text);
  for (guint i = found->len; i > 1; i--)
    if (strcmp (found->pdata[i - 1], found->pdata[i - 2]) == 0)
      g_ptr_array_remove_index (found, i - 1);
  g_ptr_array_add (found, NULL);
  return found;
}

/* Returns the options that HELP lists; new array, as find_all(). */
static GPtrArray *
help_options (const char *help)
{
  /* In --help, an option's description begins after the option and two blanks. */
  g_autofree char *heads = replace (g_strdup (help), "^(  \\S+(, \\S+|=\\S+)*)  .*$", "\\1");

  return find_all (heads, "^  -", OPTION);
}

/* Fails with WHERE unless WORD is one of WORDS. */
static void
expect_word (const GPtrArray *words, const char *word, const char *where)
{
  if (!g_strv_contains ((const char *const *)words->pdata, word))
    g_error ("%s: %s", where, word);
}

/* In the page NAME, an option is a .TP and then a line with .B or .BR. */
static void
compare_with_man_page (const char *help, const char *name)
{
  g_autofree char *path = g_strdup_printf ("man/%s.1.in", name);
  g_autofree char *page = replace (read_man_page (path), "^\\.TP\n\\.BR? ", ".TP ");
  g_autoptr (GPtrArray) in_help = help_options (help);
  g_autoptr (GPtrArray) in_page = find_all (page, "^\\.TP -", OPTION);
  g_autofree char *of_help = g_strjoinv ("\n", (char **)in_help->pdata);
  g_autofree char *of_page = g_strjoinv ("\n", (char **)in_page->pdata);

  g_assert_cmpstr (of_help, ==, of_page);
}

static void
test_man_pages (void)
{
  g_autofree char *help = pp_commands_help (pp_commands);

  compare_with_man_page (help, "prefect-podman");
  for (const PpCommand *const *command = pp_commands; *command != NULL; command++)
    {
      g_autofree char *words = g_strjoinv ("-", (char **)(*command)->words);
      g_autofree char *name = g_strconcat ("prefect-podman-", words, NULL);
      g_autofree char *own = pp_command_help (*command);

      compare_with_man_page (own, name);
    }
}

/* Each long option is somewhere in README or docs/. If a page shows a command with options, the
 * command has these options. */
static void
test_docs (void)
{
  g_autofree char *docs = read_docs ();
  g_autoptr (GPtrArray) in_docs = find_all (docs, NULL, OPTION);

  for (const PpCommand *const *command = pp_commands; *command != NULL; command++)
    {
      g_autofree char *help = pp_command_help (*command);
      g_autofree char *words = g_strjoinv (" ", (char **)(*command)->words);
      g_autofree char *shown = g_strconcat ("prefect-podman ", words, "[^`|]*", NULL);
      g_autoptr (GPtrArray) options = help_options (help);
      g_autoptr (GPtrArray) lines = find_all (docs, NULL, shown);

      for (char **option = (char **)options->pdata; *option != NULL; option++)
        if (g_str_has_prefix (*option, "--") && strcmp (*option, "--help") != 0)
          expect_word (in_docs, *option, "an option that neither README nor docs/ has");
      for (char **line = (char **)lines->pdata; *line != NULL; line++)
        {
          g_autoptr (GPtrArray) used = find_all (*line, NULL, OPTION);

          for (char **option = (char **)used->pdata; *option != NULL; option++)
            expect_word (options, *option, *line);
        }
    }
}

/* The page of docs/ and the man page have the same settings, and Prefect has each. */
static void
test_settings (void)
{
  g_autofree char *docs = read_file ("docs/settings.md");
  g_autofree char *rows = replace (g_steal_pointer (&docs), "^(\\| `PREFECT_[^|]*\\|).*$", "\\1");
  g_autofree char *page = read_man_page ("man/prefect-podman.1.in");
  g_autofree char *tags = replace (g_steal_pointer (&page), "^\\.TP\n\\.BR? ", ".TP ");
  g_autoptr (GPtrArray) in_docs = find_all (rows, "^\\| `PREFECT_", "PREFECT_[A-Z0-9_]+");
  g_autoptr (GPtrArray) in_page = find_all (tags, "^\\.TP PREFECT_", "PREFECT_[A-Z0-9_]+");
  g_autofree char *of_docs = g_strjoinv ("\n", (char **)in_docs->pdata);
  g_autofree char *of_page = g_strjoinv ("\n", (char **)in_page->pdata);

  g_assert_cmpstr (of_docs, ==, of_page);
  for (char **name = (char **)in_docs->pdata; *name != NULL; name++)
    if (strcmp (*name, "PREFECT_PROFILE") != 0 && strcmp (*name, "PREFECT_PODMAN_STATE_DIR") != 0
        && pp_setting_by_name (*name, FALSE) == NULL)
      g_error ("no setting of Prefect: %s", *name);
}

/* The template of a podman pool has all job variables. */
static void
test_job_variables (void)
{
  g_autofree char *docs = read_file ("docs/job-variables.md");
  g_autofree char *page = read_man_page ("man/prefect-podman-job-variables.5.in");
  g_autofree char *text = read_file ("src/template/podman.json");
  json_auto_t *template = json_loads (text, 0, NULL);
  g_autoptr (GPtrArray) in_docs = find_all (docs, "^\\| `", "(?<=`)[a-z_]+(?=`)");
  g_autoptr (GPtrArray) in_page = find_all (page, NULL, "[a-z_]+");
  const char *name;
  json_t *variable;

  g_assert_nonnull (template);
  json_object_foreach (json_object_get (json_object_get (template, "variables"), "properties"),
                       name, variable)
  {
    expect_word (in_docs, name, "a job variable that docs/job-variables.md has not");
    expect_word (in_page, name, "a job variable that prefect-podman-job-variables(5) has not");
  }
}

static void
add (void)
{
  g_test_add_func ("/pages/man-pages", test_man_pages);
  g_test_add_func ("/pages/docs", test_docs);
  g_test_add_func ("/pages/settings", test_settings);
  g_test_add_func ("/pages/job-variables", test_job_variables);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
