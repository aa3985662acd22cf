/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables. Each row names a field of a struct, and GOptionContext sets that field. Each
 * command has its own table; options.c has the options that several commands share. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The value of an option that takes the forms --run-once, --no-run-once, --run-once=true and
 * --run-once=false. */
typedef enum
{
  PP_FLAG_NOT_GIVEN,
  PP_FLAG_ON,
  PP_FLAG_OFF,
} PpFlag;

typedef enum
{
  PP_OPTION_TEXT,   /* char *: the last value given, or NULL; the bytes as typed, in any locale */
  PP_OPTION_TEXTS,  /* char **: the values of an option that may be repeated, or NULL */
  PP_OPTION_SWITCH, /* gboolean: takes no value and has no --no- form */
  PP_OPTION_FLAG,   /* PpFlag */
} PpOptionType;

typedef struct
{
  const char *name; /* without "--"; NULL ends a table */
  char letter;      /* the short form, or 0; not for PP_OPTION_FLAG */
  PpOptionType type;
  gsize offset;               /* offset of the field in the table's struct */
  const char *summary;        /* for --help */
  const char *value;          /* the value's name in --help: "NAME" */
  const char *no_summary;     /* PP_OPTION_FLAG: summary of --no-NAME; NULL hides --no-NAME */
  const char *const *choices; /* PP_OPTION_TEXT: allowed values, NULL-terminated; NULL: any */
  const char *no_empty; /* PP_OPTION_TEXT: if not NULL, "" is an error, and the message ends in this
                           advice ("name a directory"). An empty value most often comes from an
                           unset variable in a script. */
} PpOption;

/* Options given before the command. */
typedef struct
{
  char *profile;
  gboolean version;
  PpFlag prompt; /* accepted because prefect has this option; no command asks a question */
} PpGlobalOptions;

extern const PpOption pp_global_options[];

/* Options that several commands share. A PpShare says which of them a command takes. */
typedef struct
{
  char *log_level;
  char *state_dir;
} PpSharedOptions;

typedef enum
{
  PP_SHARE_NONE = 0,
  PP_SHARE_STATE_DIR = 1 << 0,
  PP_SHARE_LOG_LEVEL = 1 << 1,
} PpShare;

/* Returns the table of one shared option, for a PpSharedOptions. SHARE is a single bit of
 * PpShare. */
const PpOption *pp_shared_options (PpShare share);

/* The options of one GOptionContext while it parses. */
typedef struct PpOptionSet PpOptionSet;

PpOptionSet *pp_option_set_new (void);
void pp_option_set_free (PpOptionSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpOptionSet, pp_option_set_free)

/* Adds the options of TABLE; their values are stored in FIELDS. Both are borrowed until parsing
 * ends. FIELDS must be zeroed. pp_options_clear() frees its strings. */
void pp_option_set_add (PpOptionSet *set, const PpOption *table, gpointer fields);

/* Makes CONTEXT parse the options of SET, which must outlive CONTEXT. */
void pp_option_set_install (PpOptionSet *set, GOptionContext *context);

/* Rewrites ARGV, a NULL-terminated array of ARGC words, so that GOptionContext parses it as click
 * does. "-pNAME" becomes "-p" "NAME". A flag "--run-once" becomes "--run-once=true", so that
 * GOptionContext does not take the next word as its value. If the next word is true, false, 1 or 0,
 * it becomes the value instead. Does not change the words after "--". If BEFORE_COMMAND, also does
 * not change the first word that is not an option, nor any word after it. New array of new
 * strings. */
char **pp_option_set_split (const PpOptionSet *set, int argc, char *const *argv,
                            gboolean before_command);

/* Checks the parsed values against the tables. Returns FALSE with ERROR
 * (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_set_check (const PpOptionSet *set, GError **error);

/* Frees the strings that the options of TABLE set in FIELDS, and zeroes them. */
void pp_options_clear (const PpOption *table, gpointer fields);

/* Reads TEXT, the value of OPTION ("--limit"), as a whole number from LEAST to G_MAXINT. Returns
 * FALSE with ERROR (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_read_count (const char *option, const char *text, int least, int *count,
                               GError **error);

/* Reads TEXT, the value of OPTION, as a number of seconds from 0 to 1e9. Returns FALSE with ERROR
 * (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_read_seconds (const char *option, const char *text, double *seconds,
                                 GError **error);

G_END_DECLS
