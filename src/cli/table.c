/* SPDX-License-Identifier: Apache-2.0 */
/* Text tables. Widths are in terminal columns: a CJK character takes two, a combining character
 * none. */
#include "config.h"

#include "cli/print-private.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define GAP 2
/* The least width of a shortened column, unless its heading is wider. */
#define LEAST_WIDTH 8
#define ELLIPSIS "\xe2\x80\xa6"

struct PpTable
{
  const PpColumn *columns;
  guint count;
  guint indent;
  GPtrArray *cells; /* of strings, row by row */
};

PpTable *
pp_table_new (const PpColumn *columns, guint count, guint indent)
{
  PpTable *table = g_new0 (PpTable, 1);

  table->columns = columns;
  table->count = count;
  table->indent = indent;
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

void
pp_table_free (PpTable *table)
{
  if (table == NULL)
    return;
  g_ptr_array_unref (table->cells);
  g_free (table);
}

void
pp_table_add (PpTable *table, const char *const *cells)
{
  for (guint i = 0; i < table->count; i++)
    g_ptr_array_add (table->cells, pp_printable_text (cells[i]));
}

static guint
width_of_character (gunichar character)
{
  if (g_unichar_iszerowidth (character))
    return 0;
  return g_unichar_iswide (character) ? 2 : 1;
}

static guint
width_of (const char *text)
{
  guint width = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    width += width_of_character (g_utf8_get_char (at));
  return width;
}

static void
measure (const PpTable *table, guint *widths)
{
  for (guint i = 0; i < table->count; i++)
    widths[i] = width_of (table->columns[i].heading);
  for (guint i = 0; i < table->cells->len; i++)
    {
      guint *width = &widths[i % table->count];

      *width = MAX (*width, width_of (g_ptr_array_index (table->cells, i)));
    }
}

/* Returns the index of the widest column that can be shortened, or the number of columns if there
 * is none. */
static guint
find_widest (const PpTable *table, const guint *widths)
{
  guint widest = table->count;

  for (guint i = 0; i < table->count; i++)
    {
      guint least = MAX (LEAST_WIDTH, width_of (table->columns[i].heading));

      if (table->columns[i].may_shorten && widths[i] > least
          && (widest == table->count || widths[i] > widths[widest]))
        widest = i;
    }
  return widest;
}

/* Reduces WIDTHS until a line is at most WIDTH terminal columns wide, or until no column of the
 * table can be shortened further. */
static void
fit (const PpTable *table, guint *widths, guint width)
{
  guint total = table->indent + GAP * (table->count - 1);

  for (guint i = 0; i < table->count; i++)
    total += widths[i];
  for (; total > width; total--)
    {
      guint widest = find_widest (table, widths);

      if (widest == table->count)
        return;
      widths[widest]--;
    }
}

/* Appends TEXT, shortened to WIDTH if it is longer. Returns the width of the appended text. */
static guint
append_text (GString *line, const char *text, guint width)
{
  guint used = 0;

  if (width_of (text) <= width)
    {
      g_string_append (line, text);
      return width_of (text);
    }
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar character = g_utf8_get_char (at);

      if (used + width_of_character (character) > width - 1)
        break;
      used += width_of_character (character);
      g_string_append_unichar (line, character);
    }
  g_string_append (line, ELLIPSIS);
  return used + 1;
}

static void
append_blanks (GString *line, guint count)
{
  for (guint i = 0; i < count; i++)
    g_string_append_c (line, ' ');
}

static void
append_cell (const PpTable *table, GString *text, guint column, const char *cell,
             const guint *widths)
{
  guint used = append_text (text, cell, widths[column]);

  if (column + 1 < table->count)
    append_blanks (text, widths[column] - used + GAP);
}

char *
pp_table_text (const PpTable *table, guint width, gboolean colors)
{
  GString *text = g_string_new (NULL);
  guint *widths = g_new0 (guint, table->count);

  measure (table, widths);
  if (width > 0)
    fit (table, widths, width);
  append_blanks (text, table->indent);
  g_string_append (text, colors ? PP_COLOR_BOLD : "");
  for (guint i = 0; i < table->count; i++)
    append_cell (table, text, i, table->columns[i].heading, widths);
  g_string_append (text, colors ? PP_COLOR_RESET "\n" : "\n");
  for (guint i = 0; i < table->cells->len; i++)
    {
      guint column = i % table->count;

      append_blanks (text, column == 0 ? table->indent : 0);
      append_cell (table, text, column, g_ptr_array_index (table->cells, i), widths);
      g_string_append (text, column + 1 == table->count ? "\n" : "");
    }
  g_free (widths);
  return g_string_free (text, FALSE);
}

/* Returns the width of the terminal on standard output, or 0 if standard output is not a
 * terminal. */
static guint
terminal_width (void)
{
  struct winsize size;

  return ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void
pp_table_print (const PpTable *table)
{
  g_autofree char *text
      = pp_table_text (table, terminal_width (), pp_color_is_wanted (STDOUT_FILENO));

  g_print ("%s", text);
}
