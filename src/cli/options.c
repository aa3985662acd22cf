/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/options-private.h"

#include <string.h>

/* An option table and the struct that its values are stored in. */
typedef struct
{
  const PpOption *options;
  gpointer fields;
} Table;

struct PpOptionSet
{
  GArray *tables;   /* of Table */
  GPtrArray *names; /* names of the --no- forms, which GOptionEntry borrows */
};

const PpOption pp_global_options[] = {
  { "profile", 'p', PP_OPTION_TEXT, G_STRUCT_OFFSET (PpGlobalOptions, profile),
    "Take settings from this profile of profiles.toml", "NAME" },
  { "version", 'v', PP_OPTION_SWITCH, G_STRUCT_OFFSET (PpGlobalOptions, version),
    "Print the version and exit" },
  { "prompt", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (PpGlobalOptions, prompt),
    "No effect; accepted because prefect accepts it", .no_summary = "No effect" },
  { NULL },
};

static const PpOption state_dir_options[] = {
  { "state-dir", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (PpSharedOptions, state_dir),
    "Directory in which workers keep their state (default: PREFECT_PODMAN_STATE_DIR, "
    "/var/lib/prefect-podman for root, else $XDG_STATE_HOME/prefect-podman or "
    "~/.local/state/prefect-podman)",
    "DIR", .no_empty = "name a directory" },
  { NULL },
};

static const PpOption log_level_options[] = {
  { "log-level", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (PpSharedOptions, log_level),
    "DEBUG, INFO, WARNING, ERROR or CRITICAL (default: PREFECT_LOGGING_LEVEL, INFO)", "LEVEL" },
  { NULL },
};

const PpOption *
pp_shared_options (PpShare share)
{
  return share == PP_SHARE_STATE_DIR ? state_dir_options : log_level_options;
}

PpOptionSet *
pp_option_set_new (void)
{
  PpOptionSet *set = g_new0 (PpOptionSet, 1);

  set->tables = g_array_new (FALSE, FALSE, sizeof (Table));
  set->names = g_ptr_array_new_with_free_func (g_free);
  return set;
}

void
pp_option_set_free (PpOptionSet *set)
{
  if (set == NULL)
    return;
  g_array_unref (set->tables);
  g_ptr_array_unref (set->names);
  g_free (set);
}

void
pp_option_set_add (PpOptionSet *set, const PpOption *table, gpointer fields)
{
  Table added = { table, fields };

  g_array_append_val (set->tables, added);
}

static gpointer
field (const Table *table, const PpOption *option)
{
  return G_STRUCT_MEMBER_P (table->fields, option->offset);
}

/* Returns the option with NAME, or with LETTER if NAME is NULL. *TABLE gets the table of this
 * option. Returns NULL if there is no such option. */
static const PpOption *
find_option (const PpOptionSet *set, const char *name, char letter, const Table **table)
{
  for (guint i = 0; i < set->tables->len; i++)
    {
      *table = &g_array_index (set->tables, Table, i);

      for (const PpOption *option = (*table)->options; option->name != NULL; option++)
        if (name != NULL ? strcmp (option->name, name) == 0 : option->letter == letter)
          return option;
    }
  return NULL;
}

/* Returns the field of the flag that GIVEN names ("--run-once"), or NULL. */
static PpFlag *
find_flag (const PpOptionSet *set, const char *given)
{
  const Table *table;
  const PpOption *option = find_option (set, given + strlen ("--"), 0, &table);

  return option != NULL && option->type == PP_OPTION_FLAG ? field (table, option) : NULL;
}

/* True if GIVEN is a flag in one of its forms without a value, "--run-once" or "--no-run-once". */
static gboolean
is_flag (const PpOptionSet *set, const char *given)
{
  if (find_flag (set, given) != NULL)
    return TRUE;
  if (!g_str_has_prefix (given, "--no-"))
    return FALSE;
  g_autofree char *positive = g_strconcat ("--", given + strlen ("--no-"), NULL);
  return find_flag (set, positive) != NULL;
}

static gboolean
takes_value (const PpOption *option)
{
  return option != NULL && (option->type == PP_OPTION_TEXT || option->type == PP_OPTION_TEXTS);
}

/* Adds the long option at GIVEN to WORDS. Returns how many of the words after GIVEN are the
 * option's value: 0 or 1. */
static int
split_long (const PpOptionSet *set, char *const *given, GPtrArray *words)
{
  static const char *const values[] = { "true", "false", "1", "0", NULL };
  const Table *table;

  if (is_flag (set, *given))
    {
      g_autofree char *next = given[1] != NULL ? g_ascii_strdown (given[1], -1) : NULL;
      gboolean has_value = next != NULL && g_strv_contains (values, next);

      g_ptr_array_add (words, g_strdup_printf ("%s=%s", *given, has_value ? next : "true"));
      return has_value ? 1 : 0;
    }
  g_ptr_array_add (words, g_strdup (*given));
  if (given[1] == NULL || !takes_value (find_option (set, *given + strlen ("--"), 0, &table)))
    return 0;
  g_ptr_array_add (words, g_strdup (given[1]));
  return 1;
}

/* Adds the short options at GIVEN to WORDS, and the value of the last option as a separate word.
 * Returns how many of the words after GIVEN are that value: 0 or 1. */
static int
split_short (const PpOptionSet *set, char *const *given, GPtrArray *words)
{
  const Table *table;
  const char *letter = *given + 1;

  while (*letter != '\0' && !takes_value (find_option (set, NULL, *letter, &table)))
    letter++;
  gsize own = MIN ((gsize)(letter - *given) + 1, strlen (*given));
  g_ptr_array_add (words, g_strndup (*given, own));
  if (*letter == '\0')
    return 0;
  const char *value = letter[1] != '\0' ? letter + 1 : given[1];
  if (value == NULL)
    return 0;
  g_ptr_array_add (words, g_strdup (value));
  return value == given[1] ? 1 : 0;
}

char **
pp_option_set_split (const PpOptionSet *set, int argc, char *const *argv, gboolean before_command)
{
  GPtrArray *words = g_ptr_array_new ();
  int i = 0;

  if (argc > 0)
    g_ptr_array_add (words, g_strdup (argv[i++]));
  while (i < argc && strcmp (argv[i], "--") != 0)
    {
      if (g_str_has_prefix (argv[i], "--"))
        i += split_long (set, argv + i, words);
      else if (argv[i][0] == '-' && argv[i][1] != '\0')
        i += split_short (set, argv + i, words);
      else if (before_command)
        break;
      else
        g_ptr_array_add (words, g_strdup (argv[i]));
      i++;
    }
  while (i < argc)
    g_ptr_array_add (words, g_strdup (argv[i++]));
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_free (words, FALSE);
}

/* Accepts --flag=true, --flag=false and --no-flag=true. pp_option_set_split() has rewritten --flag
 * and --no-flag to --flag=true and --no-flag=true. */
static gboolean
on_flag (const char *given, const char *value, gpointer data, GError **error)
{
  PpFlag *flag = find_flag (data, given);
  gboolean is_on = g_ascii_strcasecmp (value, "true") == 0 || strcmp (value, "1") == 0;

  if (!is_on && g_ascii_strcasecmp (value, "false") != 0 && strcmp (value, "0") != 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "%s: use true or false, not \"%s\"", given, value);
      return FALSE;
    }
  if (flag == NULL)
    {
      g_autofree char *positive = g_strconcat ("--", given + strlen ("--no-"), NULL);
      flag = find_flag (data, positive);
      is_on = !is_on;
    }
  *flag = is_on ? PP_FLAG_ON : PP_FLAG_OFF;
  return TRUE;
}

static void
add_flag (PpOptionSet *set, GArray *entries, const PpOption *option)
{
  char *no_name = g_strconcat ("no-", option->name, NULL);
  int no_flags = option->no_summary == NULL ? G_OPTION_FLAG_HIDDEN : 0;
  const GOptionEntry pair[] = {
    { option->name, 0, 0, G_OPTION_ARG_CALLBACK, (gpointer)on_flag, option->summary, NULL },
    { no_name, 0, no_flags, G_OPTION_ARG_CALLBACK, (gpointer)on_flag, option->no_summary, NULL },
  };

  g_ptr_array_add (set->names, no_name);
  g_array_append_vals (entries, pair, G_N_ELEMENTS (pair));
}

static void
add_entry (GArray *entries, const Table *table, const PpOption *option)
{
  static const GOptionArg kinds[] = {
    [PP_OPTION_TEXT] = G_OPTION_ARG_FILENAME,
    [PP_OPTION_TEXTS] = G_OPTION_ARG_FILENAME_ARRAY,
    [PP_OPTION_SWITCH] = G_OPTION_ARG_NONE,
  };
  const GOptionEntry entry
      = { option->name,    option->letter, 0, kinds[option->type], field (table, option),
          option->summary, option->value };

  g_array_append_val (entries, entry);
}

void
pp_option_set_install (PpOptionSet *set, GOptionContext *context)
{
  /* Ends with a zeroed entry, as GLib requires. */
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  GOptionGroup *group = g_option_group_new ("", "", "", set, NULL);

  for (guint i = 0; i < set->tables->len; i++)
    {
      const Table *table = &g_array_index (set->tables, Table, i);

      for (const PpOption *option = table->options; option->name != NULL; option++)
        if (option->type == PP_OPTION_FLAG)
          add_flag (set, entries, option);
        else
          add_entry (entries, table, option);
    }
  g_option_group_add_entries (group, (const GOptionEntry *)(gpointer)entries->data);
  g_option_context_set_main_group (context, group);
}

/* Returns the choices as "always, if-not-present or never"; new string. */
static char *
list_choices (const char *const *choices)
{
  GString *list = g_string_new (choices[0]);

  for (const char *const *choice = choices + 1; *choice != NULL; choice++)
    g_string_append_printf (list, "%s%s", choice[1] != NULL ? ", " : " or ", *choice);
  return g_string_free (list, FALSE);
}

static gboolean
check_choice (const Table *table, const PpOption *option, GError **error)
{
  const char *value = *(char **)field (table, option);

  if (value == NULL || g_strv_contains (option->choices, value))
    return TRUE;
  g_autofree char *list = list_choices (option->choices);
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--%s: use %s", option->name, list);
  return FALSE;
}

static gboolean
check_not_empty (const Table *table, const PpOption *option, GError **error)
{
  const char *value = *(char **)field (table, option);

  if (value == NULL || *value != '\0')
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "--%s: the value is empty: %s, or leave the option out", option->name,
               option->no_empty);
  return FALSE;
}

gboolean
pp_option_set_check (const PpOptionSet *set, GError **error)
{
  for (guint i = 0; i < set->tables->len; i++)
    {
      const Table *table = &g_array_index (set->tables, Table, i);

      for (const PpOption *option = table->options; option->name != NULL; option++)
        if ((option->choices != NULL && !check_choice (table, option, error))
            || (option->no_empty != NULL && !check_not_empty (table, option, error)))
          return FALSE;
    }
  return TRUE;
}

void
pp_options_clear (const PpOption *options, gpointer fields)
{
  const Table table = { options, fields };

  for (const PpOption *option = options; option->name != NULL; option++)
    if (option->type == PP_OPTION_TEXT)
      g_clear_pointer ((char **)field (&table, option), g_free);
    else if (option->type == PP_OPTION_TEXTS)
      g_clear_pointer ((char ***)field (&table, option), g_strfreev);
}

gboolean
pp_option_read_count (const char *option, const char *text, int least, int *count, GError **error)
{
  guint64 value = 0;

  if (!g_ascii_string_to_unsigned (text, 10, (guint64)least, G_MAXINT, &value, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "%s %s: must be a whole number, at least %d", option, text, least);
      return FALSE;
    }
  *count = (int)value;
  return TRUE;
}

gboolean
pp_option_read_seconds (const char *option, const char *text, double *seconds, GError **error)
{
  char *end = NULL;
  double value = g_ascii_strtod (text, &end);

  if (end == text || *end != '\0' || !(value >= 0 && value <= 1e9))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "%s %s: must be a number of seconds, at least 0", option, text);
      return FALSE;
    }
  *seconds = value;
  return TRUE;
}
