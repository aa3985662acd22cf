/* SPDX-License-Identifier: Apache-2.0 */
/* Tests masking of known secrets in container output: in every spelling, and next to each other. */
#include "config.h"

#include "prefect-podman/template/mask.h"
#include "prefect-podman/template/secrets.h"

#include "tests/unit/tap.h"

#include <string.h>

static void
assert_masked (const PpSecrets *secrets, const char *text, const char *wanted)
{
  gsize length = strlen (text);
  g_autofree char *masked = pp_secrets_mask (secrets, text, &length);

  g_test_message ("%s", text);
  g_assert_cmpstr (masked, ==, wanted);
  g_assert_cmpuint (length, ==, strlen (wanted != NULL ? wanted : text));
}

#define KEY "\xf0\x9f\x94\x91"

static void
test_spellings (void)
{
  static const char *const spellings[] = {
    "p\xc3\xa4'ss\"w/rd<\t" KEY " x",
    /* Python's json.dumps() without and with ensure_ascii, other JSON writers in upper case, Go's.
     */
    "p\xc3\xa4'ss\\\"w/rd<\\t" KEY " x",
    "p\\u00e4'ss\\\"w/rd<\\t\\ud83d\\udd11 x",
    "p\\u00E4'ss\\\"w/rd<\\t\\uD83D\\uDD11 x",
    "p\xc3\xa4'ss\\\"w/rd\\u003c\\t" KEY " x",
    /* Python's repr(). */
    "p\xc3\xa4\\'ss\"w/rd<\\t" KEY " x",
    /* Python's quote(), quote(safe='') and quote_plus(), lower case, JavaScript's. */
    "p%C3%A4%27ss%22w/rd%3C%09%F0%9F%94%91%20x",
    "p%C3%A4%27ss%22w%2Frd%3C%09%F0%9F%94%91%20x",
    "p%C3%A4%27ss%22w%2Frd%3C%09%F0%9F%94%91+x",
    "p%c3%a4%27ss%22w/rd%3c%09%f0%9f%94%91%20x",
    "p%c3%a4%27ss%22w%2frd%3c%09%f0%9f%94%91%20x",
    "p%c3%a4%27ss%22w%2frd%3c%09%f0%9f%94%91+x",
    "p%C3%A4'ss%22w%2Frd%3C%09%F0%9F%94%91%20x",
  };
  g_autoptr (PpSecrets) secrets = pp_secrets_new ();
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = json_string (spellings[0]);

  pp_secrets_add (secrets, spellings[0], 1);
  pp_mask_add_values (mask, block);
  for (gsize i = 0; i < G_N_ELEMENTS (spellings); i++)
    {
      g_autofree char *text = g_strconcat ("before ", spellings[i], "!", NULL);
      g_autofree char *masked = pp_mask_text (mask, text);

      assert_masked (secrets, text, "before " PP_MASKED "!");
      g_assert_cmpstr (masked, ==, "before " PP_MASKED "!");
    }
}

/* A secret that is not UTF-8 is masked unchanged, and as a URL writes it. */
static void
test_bytes (void)
{
  g_autoptr (PpSecrets) secrets = pp_secrets_new ();

  pp_secrets_add (secrets, "bytes \xff\xfe", 1);
  assert_masked (secrets, "bytes \xff\xfe, bytes%20%FF%FE", PP_MASKED ", " PP_MASKED);
}

/* Two secrets that overlap are masked as one. Two that follow each other are masked as two. */
static void
test_overlaps (void)
{
  g_autoptr (PpSecrets) secrets = pp_secrets_new ();

  pp_secrets_add (secrets, "abcdefgh", 1);
  pp_secrets_add (secrets, "abcdefghijkl", 1);
  pp_secrets_add (secrets, "ghijklmnopqr", 1);
  pp_secrets_add (secrets, "cdefghij", 1);
  assert_masked (secrets, "abcdefgh", PP_MASKED);
  assert_masked (secrets, "xabcdefghi", "x" PP_MASKED "i");
  assert_masked (secrets, "abcdefghijklmnopqrs", PP_MASKED "s");
  assert_masked (secrets, "abcdefghabcdefgh", PP_MASKED PP_MASKED);
  assert_masked (secrets, "abcdefg abcdef", NULL);
  assert_masked (secrets, "", NULL);
}

/* Masking is fast, also with many secrets, because all output of containers goes through it. */
static void
test_time (void)
{
  g_autoptr (PpSecrets) secrets = pp_secrets_new ();
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *secret = g_strdup_printf ("p'a\"s/s %u", i);
      pp_secrets_add (secrets, secret, 1);
    }
  while (text->len < 4 * 1024 * 1024)
    g_string_append (text, "p'a\"s/s is a beginning of many words; p%27a%22s%2f. ");
  double start = pp_test_cpu_seconds ();
  assert_masked (secrets, text->str, NULL);
  g_assert_cmpfloat (pp_test_cpu_seconds () - start, <, 20);
}

static void
add (void)
{
  g_test_add_func ("/secrets/spellings", test_spellings);
  g_test_add_func ("/secrets/bytes", test_bytes);
  g_test_add_func ("/secrets/overlaps", test_overlaps);
  g_test_add_func ("/secrets/time", test_time);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
