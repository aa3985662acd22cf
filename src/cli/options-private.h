/* SPDX-License-Identifier: Apache-2.0 */
/* Options as tables: each names a field of a struct, and GOptionContext fills it in. A command has
 * such a table of its own; those that several commands share are in options.c. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What an option of the form --run-once, --no-run-once, --run-once=true or --run-once=false was set
 * to. */
typedef enum
{
  PP_FLAG_NOT_GIVEN,
  PP_FLAG_ON,
  PP_FLAG_OFF,
} PpFlag;

typedef enum
{
  PP_OPTION_TEXT,   /* char *: the last value given, or NULL. The bytes as they were typed, in any
                       locale. */
  PP_OPTION_TEXTS,  /* char **: the values of an option that may be repeated, or NULL */
  PP_OPTION_SWITCH, /* gboolean: takes no value and has no --no- form */
  PP_OPTION_FLAG,   /* PpFlag */
} PpOptionType;

typedef struct
{
  const char *name; /* without "--"; NULL ends a table */
  char letter;      /* the short form, or 0 */
  PpOptionType type;
  gsize offset;        /* of the field in the struct the table is for */
  const char *summary; /* for --help */
  const char *value;   /* what --help calls the value: "NAME" */
  const char
      *no_summary; /* PP_OPTION_FLAG: for --no-NAME, which --help leaves out if this is NULL */
  const char *const *choices; /* PP_OPTION_TEXT: the values allowed, NULL-terminated; NULL: any */
  const char *no_empty; /* PP_OPTION_TEXT: "name a directory" where "" is an error; NULL: it is
                           none. Most often "" is a script's variable that is not set. */
  gboolean is_hidden;   /* --help leaves it out */
} PpOption;

/* Options given before the command. */
typedef struct
{
  char *profile;
  gboolean version;
  PpFlag prompt; /* accepted, as prefect does; no command asks anything */
} PpGlobalOptions;

extern const PpOption pp_global_options[];

/* Options that several commands have, and which of them a command takes. */
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

/* The table of one shared option, a single bit of PpShare; for a PpSharedOptions. */
const PpOption *pp_shared_options (PpShare share);

/* The options of one GOptionContext, while it parses. */
typedef struct PpOptionSet PpOptionSet;

PpOptionSet *pp_option_set_new (void);
void pp_option_set_free (PpOptionSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpOptionSet, pp_option_set_free)

/* Adds the options of TABLE, whose values go to FIELDS. Both are borrowed until the parse is over.
 * FIELDS must be zeroed; its strings are freed by pp_options_clear(). */
void pp_option_set_add (PpOptionSet *set, const PpOption *table, gpointer fields);

/* Has CONTEXT parse the options of SET, which must outlive CONTEXT. */
void pp_option_set_install (PpOptionSet *set, GOptionContext *context);

/* Checks the values given against what their options allow. FALSE with ERROR
 * (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_set_check (const PpOptionSet *set, GError **error);

/* Frees the strings in FIELDS that the options of TABLE were set to, and zeroes them. */
void pp_options_clear (const PpOption *table, gpointer fields);

/* Reads TEXT, the value of OPTION ("--limit"), as a whole number from LEAST to G_MAXINT. FALSE with
 * ERROR (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_read_count (const char *option, const char *text, int least, int *count,
                               GError **error);

/* Reads TEXT, the value of OPTION, as a number of seconds from 0 to 1e9. FALSE with ERROR
 * (G_OPTION_ERROR_BAD_VALUE). */
gboolean pp_option_read_seconds (const char *option, const char *text, double *seconds,
                                 GError **error);

G_END_DECLS
