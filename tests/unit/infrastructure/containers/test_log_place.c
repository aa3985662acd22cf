/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the times of a log's entries, and continuing a log by these times. */
#include "prefect-podman/infrastructure/log_place.h"

#include "tests/unit/tap.h"

#include <string.h>

static void
test_parse (void)
{
  static const struct
  {
    const char *text;
    gint64 time;
  } cases[] = {
    { "1970-01-01T00:00:00+05:00", 0 },
    { "1970-01-01T00:00:00Z", 0 },
    { "1970-01-01T00:00:00.000000001Z", 1 },
    { "2026-11-28T04:13:48.123456789Z text", G_GINT64_CONSTANT (1795839228123456789) },
    { "2026-11-28T05:43:48.123456789+01:30 stdout F", G_GINT64_CONSTANT (1795839228123456789) },
    { "2026-11-27T23:13:48.123456789-05:00", G_GINT64_CONSTANT (1795839228123456789) },
    { "2026-11-28T04:13:48Z", G_GINT64_CONSTANT (1795839228000000000) },
    { "2026-11-28T04:13:48.5Z", G_GINT64_CONSTANT (1795839228500000000) },
    { "2026-11-28T04:13:48.1234567899Z", G_GINT64_CONSTANT (1795839228123456789) },
    { "2024-02-29T23:59:60Z", G_GINT64_CONSTANT (1709251200000000000) },
    { "2024-03-01T00:00:00Z", G_GINT64_CONSTANT (1709251200000000000) },
    { "2100-03-01T00:00:00Z", G_GINT64_CONSTANT (4107542400000000000) },
    { "T", 0 },
    { "", 0 },
    { "2026-11-28T04:13:48", 0 },
    { "2026-11-28T04:13:48 Z", 0 },
    { "2026-11-28 04:13:48Z", 0 },
    { "2026-11-28T04:13:48.Zulu", 0 },
    { "2026-11-28T04:13:48+0100", 0 },
    { "2026-11-28T04:13:48+01:0x", 0 },
    { "2026-13-28T04:13:48Z", 0 },
    { "2026-00-28T04:13:48Z", 0 },
    { "9999-11-28T04:13:48Z", 0 },
    { "-026-11-28T04:13:48Z", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (pp_log_time_parse (cases[i].text, strlen (cases[i].text)), ==, cases[i].time);
  /* No byte after the end is read. */
  for (gsize length = 1; length < 30; length++)
    {
      g_autofree char *exact = g_malloc (length);

      memcpy (exact, cases[2].text, length);
      g_assert_cmpint (pp_log_time_parse (exact, length), ==, 0);
    }
}

static void
test_note (void)
{
  PpLogPlace place = { 0 };

  pp_log_place_note (&place, PP_STREAM_STDOUT, 10, 1);
  pp_log_place_note (&place, PP_STREAM_STDOUT, 20, 2);
  /* Docker's entries are not exactly in the order of their times. An entry without a time counts
   * with the entry before it. */
  g_assert_false (pp_log_place_is_passed (&place, PP_STREAM_STDERR, 15));
  pp_log_place_note (&place, PP_STREAM_STDERR, 15, 4);
  pp_log_place_note (&place, PP_STREAM_STDERR, 0, 8);
  g_assert_cmpint (place.first, ==, 10);
  g_assert_cmpint (place.time, ==, 20);
  g_assert_cmpuint (place.bytes, ==, 14);
  g_assert_cmpuint (place.total, ==, 15);
  /* Within a stream, times are in order unless the clock was set back. That affects both
   * streams. */
  g_assert_true (pp_log_place_is_set_back (&place, PP_STREAM_STDOUT, 19));
  pp_log_place_note (&place, PP_STREAM_STDERR, 5, 1);
  g_assert_cmpint (place.time, ==, 5);
  g_assert_cmpuint (place.bytes, ==, 1);
  g_assert_false (pp_log_place_is_set_back (&place, PP_STREAM_STDOUT, 6));
  g_assert_true (pp_log_place_is_passed (&place, PP_STREAM_STDOUT, 6));
}

/* Returns how much of each of COUNT entries of 10 bytes is skipped ("+" all, "some", or "-"
 * nothing), followed by "gap" or "whole". */
static char *
pass (const PpLogPlace *place, gboolean late, const gint64 *times, guint count)
{
  GString *passed = g_string_new (NULL);
  PpLogPass pass;

  pp_log_pass_init (&pass, place);
  for (guint i = 0; i < count; i++)
    {
      gsize bytes = pp_log_pass_over (&pass, times[i], late, 10);

      g_assert_cmpuint (pp_log_pass_over (&pass, times[i], late, 10), ==, bytes);
      pp_log_pass_done (&pass, bytes);
      g_string_append_printf (passed, "%s ", bytes == 10 ? "+" : bytes == 0 ? "-" : "some");
    }
  return g_string_free (g_string_append (passed, pp_log_pass_has_gap (&pass) ? "gap" : "whole"),
                        FALSE);
}

static void
test_pass (void)
{
  static const gint64 whole[] = { 10, 20, 20, 20, 30 };
  static const gint64 rest[] = { 15, 20, 20, 30 };
  static const gint64 beyond[] = { 25, 30 };
  static const gint64 unknown[] = { 0, 0, 0, 0 };
  static const gint64 cut[] = { 20, 30 };
  PpLogPlace place = { .first = 10, .time = 20, .bytes = 15, .total = 25 };
  const PpLogPlace counted = { .total = 25 };
  const struct
  {
    const PpLogPlace *place;
    gboolean late;
    const gint64 *times;
    guint count;
    const char *wanted;
  } cases[] = {
    { NULL, FALSE, whole, 5, "- - - - - whole" },
    { &place, FALSE, whole, 5, "+ + some - - whole" },
    { &place, FALSE, rest, 4, "+ + some - whole" },
    { &place, TRUE, whole, 5, "+ + some - - whole" },
    { &place, FALSE, rest, 1, "+ gap" },
    { &place, FALSE, beyond, 2, "- - gap" },
    { &place, FALSE, cut, 2, "- - gap" },
    { &place, FALSE, unknown, 4, "+ + some - whole" },
    { &place, FALSE, unknown, 2, "+ + gap" },
    { &counted, FALSE, rest, 4, "+ + some - whole" },
    { &counted, TRUE, rest, 4, "- - - - gap" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *passed
          = pass (cases[i].place, cases[i].late, cases[i].times, cases[i].count);

      g_assert_cmpstr (passed, ==, cases[i].wanted);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/log-place/parse", test_parse);
  g_test_add_func ("/log-place/note", test_note);
  g_test_add_func ("/log-place/pass", test_pass);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
