/* SPDX-License-Identifier: Apache-2.0 */
/* Text is cut between words: nothing is left of a secret that the cut would split. */
#include "tests/unit/tap.h"

#include "prefect-podman/text/cut.h"

#include <string.h>

static void
assert_cut (const char *text, gsize max, const char *expected)
{
  g_autofree char *cut = pp_text_cut (text, strlen (text), max);

  g_test_message ("%" G_GSIZE_FORMAT ": %s", max, text);
  g_assert_cmpstr (cut, ==, expected);
}

static void
test_words (void)
{
  assert_cut ("", 0, "");
  assert_cut ("two words", 9, "two words");
  assert_cut ("two words", 8, "two...");
  assert_cut ("two words", 4, "two...");
  assert_cut ("two words", 3, "two...");
  assert_cut ("two words", 2, "t...");
  assert_cut ("two  \n words", 5, "two...");
  assert_cut ("two\twords", 6, "two...");
  assert_cut (" word", 3, "...");
  assert_cut ("word", 0, "...");
}

static void
test_characters (void)
{
  assert_cut ("a\xff", 9, "a\xef\xbf\xbd");
  assert_cut ("a\xff b", 3, "a\xef\xbf\xbd...");
  assert_cut ("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 6, "\xc3\xa9...");
  assert_cut ("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5, "\xc3\xa9...");
}

/* A very long word is cut inside: at half of a small limit, or 1024 bytes before a large limit. */
static void
test_long_words (void)
{
  g_autofree char *word = g_strnfill (5000, 'x');
  g_autofree char *late = g_strconcat ("a ", word, NULL);
  g_autofree char *begin = g_strndup (word, 3072);
  g_autofree char *wanted = g_strconcat (begin, "...", NULL);

  assert_cut (word, 80, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...");
  assert_cut (word, 4096, wanted);
  assert_cut (late, 1024, "a...");
}

/* Wherever a secret begins, no part of it is left. */
static void
test_secrets (void)
{
  for (gsize before = 0; before <= 100; before++)
    {
      g_autofree char *blanks = g_strnfill (before, '.');
      g_autofree char *text = g_strconcat (blanks, " S3cretS3cretS3cret behind it", NULL);
      g_autofree char *cut = pp_text_cut (text, strlen (text), 80);
      const char *last = pp_text_last_words (text, 20);

      g_assert_cmpuint (strlen (cut), <=, 83);
      g_assert_true (strstr (cut, "S3cretS3cretS3cret") != NULL || strchr (cut, 'S') == NULL);
      g_assert_cmpstr (last, ==, "behind it");
    }
}

static void
test_last_words (void)
{
  const char *text = "two words";
  g_autofree char *word = g_strnfill (5000, 'x');

  g_assert_cmpstr (pp_text_last_words (text, 9), ==, "two words");
  g_assert_cmpstr (pp_text_last_words (text, 8), ==, "words");
  g_assert_cmpstr (pp_text_last_words (text, 6), ==, "words");
  g_assert_cmpstr (pp_text_last_words (text, 5), ==, "words");
  g_assert_cmpstr (pp_text_last_words (text, 4), ==, "ds");
  g_assert_cmpstr (pp_text_last_words (text, 0), ==, "");
  g_assert_cmpuint (strlen (pp_text_last_words (word, 4096)), ==, 3072);
  g_assert_cmpstr (pp_text_last_words ("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 6), ==, "\xc3\xa9");
  g_assert_cmpstr (pp_text_last_words ("xxxx  \t", 3), ==, "");
}

static void
add (void)
{
  g_test_add_func ("/cut/words", test_words);
  g_test_add_func ("/cut/characters", test_characters);
  g_test_add_func ("/cut/long-words", test_long_words);
  g_test_add_func ("/cut/secrets", test_secrets);
  g_test_add_func ("/cut/last-words", test_last_words);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
