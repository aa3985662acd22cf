/* SPDX-License-Identifier: Apache-2.0 */
/* Tests tables and durations. */
#include "cli/print-private.h"
#include "tests/unit/tap.h"

static void
test_durations (void)
{
  static const struct
  {
    gint64 seconds;
    const char *text;
  } rows[] = {
    { -5, "0 s" },         { 0, "0 s" },          { 59, "59 s" },        { 60, "1 min" },
    { 3599, "59 min" },    { 3600, "1 h 0 min" }, { 7500, "2 h 5 min" }, { 86399, "23 h 59 min" },
    { 273600, "3 d 4 h" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = pp_duration_text (rows[i].seconds * G_USEC_PER_SEC);
      g_assert_cmpstr (text, ==, rows[i].text);
    }
  g_autofree char *never = pp_age_text (0);
  g_assert_cmpstr (never, ==, "-");
}

static const PpColumn columns[] = { { "ID" }, { "NAME", TRUE }, { "STATE", TRUE } };

/* Wide characters take two columns and combining characters none. No cell can control the
 * terminal. */
static void
test_table (void)
{
  g_autoptr (PpTable) table = pp_table_new (columns, G_N_ELEMENTS (columns), 2);
  const char *const first[] = { "1234", "\xe6\x97\xa5\xe6\x9c\xac", "a\033[2Jb" };
  const char *const second[] = { "5", "e\xcc\x81t\xc3\xa9", NULL };

  pp_table_add (table, first);
  pp_table_add (table, second);
  g_autofree char *text = pp_table_text (table, 0, FALSE);
  g_assert_cmpstr (text, ==,
                   "  ID    NAME  STATE\n"
                   "  1234  \xe6\x97\xa5\xe6\x9c\xac  a?[2Jb\n"
                   "  5     e\xcc\x81t\xc3\xa9   -\n");
  g_autofree char *colored = pp_table_text (table, 0, TRUE);
  g_assert_true (g_str_has_prefix (colored, "  \033[1mID    NAME  STATE\033[0m\n"));
}

static void
test_narrow_table (void)
{
  g_autoptr (PpTable) table = pp_table_new (columns, G_N_ELEMENTS (columns), 0);
  const char *const cells[] = { "0123456789", "abcdefghijklmnop", "waiting for it" };

  pp_table_add (table, cells);
  g_autofree char *fits = pp_table_text (table, 36, FALSE);
  g_assert_cmpstr (fits, ==,
                   "ID          NAME         STATE\n"
                   "0123456789  abcdefghij\xe2\x80\xa6  waiting fo\xe2\x80\xa6\n");
  /* The id is not shortened, and no column becomes narrower than 8. */
  g_autofree char *narrow = pp_table_text (table, 5, FALSE);
  g_assert_cmpstr (narrow, ==,
                   "ID          NAME      STATE\n"
                   "0123456789  abcdefg\xe2\x80\xa6  waiting\xe2\x80\xa6\n");
}

static void
add (void)
{
  g_test_add_func ("/print/durations", test_durations);
  g_test_add_func ("/print/table", test_table);
  g_test_add_func ("/print/narrow-table", test_narrow_table);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
