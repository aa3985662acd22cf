/* SPDX-License-Identifier: Apache-2.0 */
/* The command table. A new command is a file with its PpCommand, a row in commands.c, and a man
 * page; finding it, parsing its command line, --help and the exit code follow from these.
 *
 * A command name has up to three words: "render", "worker start", "work-pool create". What several
 * commands have as their first words is a group: "worker". */
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

/* A positional argument. Required ones come first; only the last one may be repeatable. */
typedef struct
{
  const char *name;    /* as --help and messages call it: "FLOW_RUN_ID"; NULL ends the array */
  const char *summary; /* for --help */
  gboolean is_required;
  gboolean is_repeatable;
} PpArgument;

typedef struct PpCommand PpCommand;

/* What was given to a command. */
typedef struct
{
  const PpCommand *command;
  const char *profile; /* --profile, or NULL; borrowed */
  PpSharedOptions shared;
  gpointer options; /* the command's own struct, filled in by its table */
  char **arguments; /* positional, NULL-terminated */
  guint argument_count;
} PpCommandLine;

struct PpCommand
{
  const char *words[PP_COMMAND_WORDS + 1]; /* NULL-terminated */
  const char *summary;                     /* for the list of commands; no full stop */
  const char *description;                 /* sentences, at the head of the command's --help */
  const char *exit_codes;                  /* sentences, at its foot; may be NULL */
  const PpArgument *arguments;             /* NULL: takes none */
  const PpOption *options;                 /* for a struct of options_size bytes; NULL: has none */
  gsize options_size;
  PpShare shared; /* bits: the shared options it takes */
  PpSessionKind session;
  /* Checks what the tables cannot say. FALSE with ERROR. May be NULL. */
  gboolean (*check) (const PpCommandLine *line, GError **error);
  /* Runs the command. SESSION is NULL for PP_SESSION_NONE. Returns the exit code; if it sets ERROR,
   * the caller prints it and pp_command_exit_code() decides instead. */
  int (*run) (const PpCommandLine *line, PpSession *session, GError **error);
};

/* All commands, in the order of --help; NULL-terminated. */
extern const PpCommand *const pp_commands[];

/* command.c */

/* Returns the command of TABLE that ARGV begins with, and sets WORDS to the number of its words.
 * NULL if there is none. */
const PpCommand *pp_command_find (const PpCommand *const *table, int argc, char **argv, int *words);

/* Returns how many words at the head of ARGV are those of a group of TABLE: 0 if the first is
 * not. */
int pp_command_group_words (const PpCommand *const *table, int argc, char **argv);

/* Returns the words of the known command or group that ARGV most resembles, a new string, or NULL
 * if it resembles none. */
char *pp_command_nearest (const PpCommand *const *table, int argc, char **argv);

/* Joins the first COUNT of WORDS by blanks; new string. */
char *pp_command_join (char *const *words, int count);

/* Returns "worker start" for COMMAND; new string. */
char *pp_command_name (const PpCommand *command);

/* help.c */

/* Returns the list of the commands of TABLE whose first words are the WORDS words of GROUP (0:
 * all), each with its summary; new string. */
char *pp_command_list (const PpCommand *const *table, char *const *group, int words);

/* Returns what `COMMAND --help` prints; new string. */
char *pp_command_help (const PpCommand *command);

/* Returns what `--help` without a command prints; new string. */
char *pp_commands_help (const PpCommand *const *table);

/* Returns a context for COMMAND with its options from SET; new. */
GOptionContext *pp_command_context (const PpCommand *command, PpOptionSet *set);

/* Returns a context for the options before the command, with those of SET; new. */
GOptionContext *pp_commands_context (const PpCommand *const *table, PpOptionSet *set);

/* command_line.c */

/* Parses ARGV, whose first element is the last word of COMMAND. GOptionContext changes ARGV. --help
 * is printed and ends the process. Returns a new struct, or NULL with ERROR (G_OPTION_ERROR).
 * PROFILE is borrowed. */
PpCommandLine *pp_command_line_parse (const PpCommand *command, int argc, char **argv,
                                      const char *profile, GError **error);
void pp_command_line_free (PpCommandLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpCommandLine, pp_command_line_free)

/* Returns a PpCommandLine of COMMAND to which nothing was given yet; new. */
PpCommandLine *pp_command_line_new (const PpCommand *command);

/* Returns the options of LINE's command, which set LINE's fields; new. LINE must outlive it. */
PpOptionSet *pp_command_line_options (PpCommandLine *line);

/* run.c */

/* Parses the global options of ARGV (ARGV[0] is the program), and runs the command of TABLE that it
 * names. Errors are printed. Returns the exit code. */
int pp_commands_run (const PpCommand *const *table, int argc, char **argv);

/* The exit code for ERROR: 2 for wrong usage (G_OPTION_ERROR) and wrong settings
 * (PP_SETTINGS_ERROR), else 1. */
int pp_command_exit_code (const GError *error);

G_END_DECLS
