/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside is made visible. */
#include "tests/unit/tap.h"

#include "prefect-podman/text/visible.h"

#include <string.h>

static void
assert_visible (const char *text, const char *expected)
{
  g_autofree char *visible = pp_text_visible (text, "\n\t");
  g_assert_cmpstr (visible, ==, expected);
}

static void
test_controls (void)
{
  assert_visible ("plain gr\xc3\xbc\xc3\x9f\tand\nlines", "plain gr\xc3\xbc\xc3\x9f\tand\nlines");
  assert_visible ("\033[2J\033]0;title\007", "\\x1b[2J\\x1b]0;title\\x07");
  assert_visible ("a\rb\x7f\x08", "a\\x0db\\x7f\\x08");
  assert_visible ("\xc2\x9b"
                  "31m\xc2\x85",
                  "\\x9b31m\\x85"); /* C1 */
  assert_visible ("\xff", "\xef\xbf\xbd");
}

static void
test_formats (void)
{
  assert_visible ("\xe2\x80\xae", "\\u202e"); /* right-to-left override */
  assert_visible ("\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069");
  assert_visible ("\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029");
  assert_visible ("\xe2\x80\x8b\xef\xbb\xbf", "\\u200b\\ufeff");
  assert_visible ("\xf3\xa0\x80\x81", "\\U000e0001"); /* a tag */
  assert_visible ("e\xcc\x81 \xf0\x9f\x98\x80", "e\xcc\x81 \xf0\x9f\x98\x80");
}

static void
test_json (void)
{
  g_autofree char *visible
      = pp_text_visible_json ("{\n \"a\": \"x\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81\xc3\xbc\"}");
  g_assert_cmpstr (visible, ==, "{\n \"a\": \"x\\u007f\\u009b\\u202e\\udb40\\udc01\xc3\xbc\"}");
}

static void
test_shell_quote (void)
{
  static const char *const words[][2] = {
    { "plain-word", "plain-word" },
    { "", "''" },
    { "two words", "'two words'" },
    { "a\nb", "'a\nb'" },
    { "it's \033[2J\\", "$'it\\'s \\x1b[2J\\\\'" },
    { "\xc2\x9b\xe2\x80\xae", "$'\\u009b\\u202e'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autofree char *quoted = pp_text_shell_quote (words[i][0]);
      g_assert_cmpstr (quoted, ==, words[i][1]);
    }
}

static void
test_label (void)
{
  g_autofree char *log_line = pp_text_label ("07:27:49.308 | INFO\033[A\xe2\x80\xae");
  g_autofree char *word = pp_text_label ("gr\xc3\xbcn_1.2");
  g_autofree char *text = g_strnfill (1000, 'x');
  g_autofree char *cut = pp_text_label (text);

  g_assert_cmpstr (log_line, ==, "07-27-49.308---INFO--A-");
  g_assert_cmpstr (word, ==, "gr\xc3\xbcn_1.2");
  g_assert_cmpuint (strlen (cut), ==, 40);
}

static void
add (void)
{
  g_test_add_func ("/visible/controls", test_controls);
  g_test_add_func ("/visible/formats", test_formats);
  g_test_add_func ("/visible/json", test_json);
  g_test_add_func ("/visible/shell-quote", test_shell_quote);
  g_test_add_func ("/visible/label", test_label);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
