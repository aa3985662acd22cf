/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print for people: tables, durations, colours, text of others made harmless. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* print.c */

#define PP_COLOR_RESET "\033[0m"
#define PP_COLOR_BOLD "\033[1m"
#define PP_COLOR_DIM "\033[2m"
#define PP_COLOR_RED "\033[31m"
#define PP_COLOR_GREEN "\033[32m"
#define PP_COLOR_YELLOW "\033[33m"
#define PP_COLOR_CYAN "\033[36m"
#define PP_COLOR_BOLD_RED "\033[1;31m"

/* True if escape sequences are wanted on the open file FD: it is a terminal that obeys them, and
 * NO_COLOR is not set. */
gboolean pp_color_is_wanted (int fd);

/* Returns TEXT in COLOR if standard output wants colours, else TEXT as it is; new string. */
char *pp_color_text (const char *color, const char *text);

/* Returns "3 d 4 h", "2 h 5 min", "17 min" or "8 s"; "0 s" for less than nothing. New string. */
char *pp_duration_text (gint64 microseconds);

/* Returns how long ago SINCE was, a UNIX time in microseconds, or "-" if it is 0 or less; new
 * string. */
char *pp_age_text (gint64 since);

/* Returns TEXT (NULL: "-") with "?" for each character that could move a terminal's cursor, hide
 * others, or end the line; new string. */
char *pp_printable_text (const char *text);

/* table.c */

typedef struct
{
  const char *heading;
  gboolean may_shorten; /* on a terminal that is too narrow; else the cells stay whole */
} PpColumn;

typedef struct PpTable PpTable;

/* A table of COUNT COLUMNS, which must outlive it, with INDENT blanks before each line. */
PpTable *pp_table_new (const PpColumn *columns, guint count, guint indent);
void pp_table_free (PpTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpTable, pp_table_free)

/* Adds a row of as many CELLS as there are columns; each as pp_printable_text() has it. */
void pp_table_add (PpTable *table, const char *const *cells);

/* Returns the lines of TABLE, headings first. Columns are as wide as what is in them, less where
 * they may be shortened and a line would be longer than WIDTH characters (0: no limit). COLORS: the
 * headings are bold. New string. */
char *pp_table_text (const PpTable *table, guint width, gboolean colors);

/* Prints TABLE on standard output, as wide as the terminal if that is one. */
void pp_table_print (const PpTable *table);

G_END_DECLS
