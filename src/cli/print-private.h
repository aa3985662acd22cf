/* SPDX-License-Identifier: Apache-2.0 */
/* Output for people: tables, durations and colours. Also removes control characters from the text
 * of other programs. */
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

/* True if output to the open file FD may use escape sequences: FD is a terminal that supports them,
 * and NO_COLOR is not set. */
gboolean pp_color_is_wanted (int fd);

/* Returns TEXT in COLOR if standard output may be coloured, else TEXT; new string. */
char *pp_color_text (const char *color, const char *text);

/* Returns "3 d 4 h", "2 h 5 min", "17 min" or "8 s"; "0 s" if MICROSECONDS is negative. New
 * string. */
char *pp_duration_text (gint64 microseconds);

/* Returns the time since SINCE, a UNIX time in microseconds, or "-" if SINCE is 0 or less; new
 * string. */
char *pp_age_text (gint64 since);

/* Returns TEXT (NULL: "-") with "?" in place of each character that could move a terminal's cursor,
 * hide other characters, or end the line; new string. */
char *pp_printable_text (const char *text);

/* table.c */

typedef struct
{
  const char *heading;
  gboolean may_shorten; /* cells may be shortened if the terminal is too narrow for the table */
} PpColumn;

typedef struct PpTable PpTable;

/* Returns a new table of COUNT COLUMNS, which must outlive it. Each line begins with INDENT
 * blanks. */
PpTable *pp_table_new (const PpColumn *columns, guint count, guint indent);
void pp_table_free (PpTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpTable, pp_table_free)

/* Adds a row. CELLS has one string for each column, printed as by pp_printable_text(). */
void pp_table_add (PpTable *table, const char *const *cells);

/* Returns the lines of TABLE, headings first; new string. Columns are as wide as their contents. If
 * a line is wider than WIDTH terminal columns (0: no limit), the columns with may_shorten are made
 * narrower. COLORS makes the headings bold. */
char *pp_table_text (const PpTable *table, guint width, gboolean colors);

/* Prints TABLE on standard output, at most as wide as the terminal, if there is one. */
void pp_table_print (const PpTable *table);

G_END_DECLS
