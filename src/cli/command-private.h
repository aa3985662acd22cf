/* SPDX-License-Identifier: Apache-2.0 */
/* The command table. To add a command, add a source file with its PpCommand, a row in commands.c
 * and a man page. Command lookup, option parsing, --help and the exit code use the table.
 *
 * A command's name has one to three words: "render", "worker start", "work-pool create". Commands
 * whose names begin with the same word form a group: "worker". */
#pragma once

#include "cli/options-private.h"
#include "cli/session-private.h"

G_BEGIN_DECLS

#define PP_COMMAND_WORDS 3

/* The exit codes of every command. */
enum
{
  PP_EXIT_DONE = 0,
  PP_EXIT_FAILED = 1,
  PP_EXIT_USAGE = 2, /* wrong usage or wrong settings */
};

/* A positional argument. Required arguments come before optional ones. Only the last one may be
 * repeatable. */
typedef struct
{
  const char *name;    /* for --help and messages: "FLOW_RUN_ID"; NULL ends the array */
  const char *summary; /* for --help */
  gboolean is_required;
  gboolean is_repeatable;
} PpArgument;

typedef struct PpCommand PpCommand;

/* A parsed command line. */
typedef struct
{
  const PpCommand *command;
  const char *profile; /* --profile, or NULL; borrowed */
  PpSharedOptions shared;
  gpointer options; /* the command's own struct, filled in from its option table */
  char **arguments; /* positional arguments, NULL-terminated */
  guint argument_count;
} PpCommandLine;

struct PpCommand
{
  const char *words[PP_COMMAND_WORDS + 1]; /* NULL-terminated */
  const char *summary;                     /* for the list of commands; no full stop */
  const char *description;                 /* full sentences, at the top of the command's --help */
  const char *exit_codes;                  /* full sentences, at the end of --help; may be NULL */
  const PpArgument *arguments;             /* NULL if it takes none */
  const PpOption *options; /* for a struct of options_size bytes; NULL if it has none */
  gsize options_size;
  PpShare shared; /* bit set of the shared options that the command takes */
  PpSessionKind session;
  /* Checks rules that the tables cannot express. Returns FALSE with ERROR. May be NULL. */
  gboolean (*check) (const PpCommandLine *line, GError **error);
  /* Runs the command. SESSION is NULL for PP_SESSION_NONE. Returns the exit code. If it sets ERROR,
   * the caller prints ERROR and exits with the code of pp_command_exit_code(). */
  int (*run) (const PpCommandLine *line, PpSession *session, GError **error);
};

/* All commands, in the order of --help; NULL-terminated. */
extern const PpCommand *const pp_commands[];

/* command.c */

/* Returns the command of TABLE whose name ARGV begins with, and sets WORDS to the number of words
 * in that name. Returns NULL if there is no such command. */
const PpCommand *pp_command_find (const PpCommand *const *table, int argc, char **argv, int *words);

/* Returns how many words at the start of ARGV name a group of TABLE; 0 if there is no such
 * group. */
int pp_command_group_words (const PpCommand *const *table, int argc, char **argv);

/* Returns the name of the command or group that is most similar to the start of ARGV, a new string.
 * Returns NULL if none is similar. */
char *pp_command_nearest (const PpCommand *const *table, int argc, char **argv);

/* Joins the first COUNT strings of WORDS with blanks; new string. */
char *pp_command_join (char *const *words, int count);

/* Returns the full name of COMMAND, such as "worker start"; new string. */
char *pp_command_name (const PpCommand *command);

/* help.c */

/* Returns the list of the commands in GROUP, each with its summary; new string. WORDS is the number
 * of words in GROUP; if it is 0, all commands of TABLE are listed. */
char *pp_command_list (const PpCommand *const *table, char *const *group, int words);

/* Returns the output of `--help` without a command; new string. */
char *pp_commands_help (const PpCommand *const *table);

/* Returns a new GOptionContext for COMMAND with the options of SET. */
GOptionContext *pp_command_context (const PpCommand *command, PpOptionSet *set);

/* Returns a new GOptionContext for the global options, which are in SET. */
GOptionContext *pp_commands_context (const PpCommand *const *table, PpOptionSet *set);

/* command_line.c */

/* Parses ARGV, whose first element is the last word of COMMAND. GOptionContext changes ARGV. For
 * --help, prints the help and exits. Returns a new struct, or NULL with ERROR (G_OPTION_ERROR).
 * PROFILE is borrowed. */
PpCommandLine *pp_command_line_parse (const PpCommand *command, int argc, char **argv,
                                      const char *profile, GError **error);
void pp_command_line_free (PpCommandLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpCommandLine, pp_command_line_free)

/* Returns what `COMMAND --help` prints; new string. */
char *pp_command_help (const PpCommand *command);

/* Returns a new PpCommandLine of COMMAND without options and arguments. */
PpCommandLine *pp_command_line_new (const PpCommand *command);

/* Returns the options of LINE's command as a new set. Parsing them sets the fields of LINE, which
 * must outlive the set. */
PpOptionSet *pp_command_line_options (PpCommandLine *line);

/* run.c */

/* Parses the global options in ARGV and runs the command of TABLE that ARGV names. ARGV[0] is the
 * program. Prints errors. Returns the exit code. */
int pp_commands_run (const PpCommand *const *table, int argc, char **argv);

/* Returns the exit code for ERROR: 2 for wrong usage (G_OPTION_ERROR) and wrong settings
 * (PP_SETTINGS_ERROR), else 1. */
int pp_command_exit_code (const GError *error);

G_END_DECLS
