/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that output has no secrets and stays readable. */
#include "config.h"

#include "prefect-podman/template/mask.h"
#include "tests/unit/tap.h"

#include <string.h>

static void
test_names (void)
{
  static const char *const secret[] = { "PREFECT_API_KEY",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "PREFECT_API_AUTH_STRING",
                                        "apiToken",
                                        "db-password",
                                        "GITHUB_TOKEN",
                                        "SSH_PRIVATE_KEY_PEM",
                                        "PREFECT_CLIENT_CUSTOM_HEADERS" };
  static const char *const open[]
      = { "PATH", "TOKENIZERS_PARALLELISM", "KEYBOARD_LAYOUT", "image", "PREFECT_API_URL" };

  for (size_t i = 0; i < G_N_ELEMENTS (secret); i++)
    g_assert_true (pp_mask_is_secret_name (secret[i]));
  for (size_t i = 0; i < G_N_ELEMENTS (open); i++)
    g_assert_false (pp_mask_is_secret_name (open[i]));
}

static void
assert_text (const PpMask *mask, const char *text, const char *wanted)
{
  g_autofree char *masked = pp_mask_text (mask, text);
  g_assert_cmpstr (masked, ==, wanted);
}

static void
test_text (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = json_pack ("{s:s,s:[s,s]}", "value", "hunter2", "more", "ab", "hunter2long");

  pp_mask_add_values (mask, block);
  assert_text (mask, "hunter2", "********");
  assert_text (mask, "echo hunter2long, hunter2 about", "echo ********, ******** about");
  assert_text (mask, "ab", "********");
  assert_text (mask, "MY_TOKEN=x=y", "MY_TOKEN=********");
  assert_text (mask, "--flag=MY_KEY", "--flag=MY_KEY");
  assert_text (mask, "URL=postgres://me:pa55@host/db", "URL=postgres://me:********@host/db");
  assert_text (mask, "http://host:4200/api", "http://host:4200/api");
  /* A password that is not escaped, and one in a parameter. */
  assert_text (mask, "postgres://me:p/a5@5@host/db", "postgres://me:********@host/db");
  assert_text (mask, "redis://host/0?db=1&password=pa55&x=2",
               "redis://host/0?db=1&password=********&x=2");
}

/* All secret parameters, and text that only looks like a URL's password. */
static void
test_urls (void)
{
  static const char *const same[]
      = { "://",      "http://@",           "http://me:@host",       "http://me@host:80/p@",
          "a=b?key=", "http://h/key?a=b&c", "/p?key=x, http://h/ b", "http://h/?a=1&key=&b=2",
          "a:b@c" };
  g_autoptr (PpMask) mask = pp_mask_new ();

  for (size_t i = 0; i < G_N_ELEMENTS (same); i++)
    assert_text (mask, same[i], same[i]);
  assert_text (mask, " a://b:c@d\n a://:@@d\t", " a://b:********@d\n a://:********@d\t");
  assert_text (mask, "://a/://b:c@d@e", "://a/://b:********@e");
  assert_text (mask, "s://h?password=a&b=c&Token=d=e&n?auth=f ?key=g",
               "s://h?password=********&b=c&Token=********&n?auth=******** ?key=g");
  assert_text (mask, "s://h?a=1?myKEY=2", "s://h?a=1?myKEY=********");
  assert_text (mask, "s://u:p?key=1@h?key=2", "s://u:********@h?key=********");
}

/* A container may print text that is slow to search. The search must stay fast, because it runs on
 * the worker's only loop. */
static void
test_time (void)
{
  static const char *const pieces[]
      = { "://?key", "a://b:", "://", "@", "?key=", "&key=", "://a:b@ ", "=", "?", "key" };
  const char *url = " postgres://me:pa55@host/db?password=pa55";
  g_autoptr (PpMask) mask = pp_mask_new ();

  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_autoptr (GString) text = g_string_new ("://");

      while (text->len < 1024 * 1024)
        g_string_append (text, pieces[i]);
      g_string_append (text, "@ =");
      g_string_append (text, url);
      double start = pp_test_cpu_seconds ();
      g_autofree char *masked = pp_mask_text (mask, text->str);
      g_assert_cmpfloat (pp_test_cpu_seconds () - start, <, 10);
      g_assert_null (strstr (masked, "pa55"));
    }
}

/* One secret may be the beginning of another, among many secrets. */
static void
test_many (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = json_array ();

  for (guint i = 0; i < 50000; i++)
    json_array_append_new (block, json_sprintf ("many-%05u", i));
  for (guint i = 4; i < 30; i++)
    json_array_append_new (block, json_sprintf ("%.*s!", i, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
  json_array_append_new (block, json_string ("aaaaaaaa"));
  pp_mask_add_values (mask, block);
  assert_text (mask, "many-00000 many-49999 many-50000 many-1",
               "******** ******** many-50000 many-1");
  assert_text (mask, "aaaaaaaaa? aaaa! aaaaaaa", "********a? ******** aaaaaaa");
}

/* Long secrets: one that begins like a longer one, one that is cut off, and one that is quoted. */
static void
test_long_values (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block
      = json_pack ("[s,s,s,s]", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.first-is-longer",
                   "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.second", "line 1\nline \"2\"",
                   "0123456789012345678901234567890\xc3\xa9");

  pp_mask_add_values (mask, block);
  assert_text (mask, "'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.second'", "'********'");
  assert_text (mask, "\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.fi...", "\"********...");
  assert_text (mask, "\"line 1\\nline \\\"2\\\"\" is not", "\"********\" is not");
  assert_text (mask, "line 1\nline \"2\"!", "********!");
  assert_text (mask, "eyJhbGciOiJIUzI1NiI", "eyJhbGciOiJIUzI1NiI");
  assert_text (mask, "0123456789012345678901234567890\xc3\xa8",
               "0123456789012345678901234567890\xc3\xa8");
}

#define KEY                                                                                        \
  "-----BEGIN PRIVATE KEY-----\r\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASC\n\n\tshort\n"                 \
  "-----END PRIVATE KEY-----\n"

/* As engines show a secret with lines: with blanks for line ends, and each line by itself. */
static void
test_lines (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = json_pack ("[s,s,s]", KEY, "two  words\there", "\n \n");

  pp_mask_add_values (mask, block);
  assert_text (mask, KEY, "********");
  g_autofree char *spaced = g_strdelimit (g_strdup ("bad " KEY "!"), "\r\n\t", ' ');
  assert_text (mask, spaced, "bad ******** !");
  g_autofree char *chomped = g_strdelimit (g_strchomp (g_strdup ("bad " KEY)), "\r\n", ' ');
  assert_text (mask, chomped, "bad ********");
  assert_text (mask, "invalid '" KEY "'", "invalid '********\n'");
  assert_text (mask, "line 3: AQEFAASC, line 5: short", "line 3: ********, line 5: short");
  assert_text (mask, "two words here,two \n words \t here.", "********,********.");
  assert_text (mask, "two  other\t words \n here", "two  other\t words \n here");
}

/* As Go and JSON quote a secret, whole and cut off. */
static void
test_quoted (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block
      = json_pack ("[s,s,s]", KEY, "a\a\b\f\n\r\t\v\x01\x7f\"\\'<\xc3\xa9\xc2\xa0\xef\xbb\xbf",
                   "esc\x1b[1m\xf0\x9f\x94\x91\xf3\xa0\x80\x81");

  pp_mask_add_values (mask, block);
  assert_text (mask,
               "\"-----BEGIN PRIVATE KEY-----\\r\\nMIIEvQIBADANBgkqhkiG9w0B\\nAQEFAASC\\n\\n"
               "\\tshort\\n-----END PRIVATE KEY-----\\n\"",
               "\"********\"");
  assert_text (mask, "\"-----BEGIN PRIVATE KEY-----\\r\\nMIIEvQ...", "\"********...");
  assert_text (mask, "\"a\\a\\b\\f\\n\\r\\t\\v\\x01\\x7f\\\"\\\\'<\xc3\xa9\\u00a0\\ufeff\"",
               "\"********\"");
  assert_text (mask,
               "\"a\\u0007\\b\\f\\n\\r\\t\\u000B\\u0001\x7f\\\"\\\\'<"
               "\xc3\xa9\xc2\xa0\xef\xbb\xbf\"",
               "\"********\"");
  assert_text (mask, "\"esc\\x1b[1m\xf0\x9f\x94\x91\\U000e0001\"", "\"********\"");
}

/* A secret in an object that was rendered into a string, as Python's str() writes it. */
static void
test_rendered_objects (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = json_pack ("{s:s, s:[s, s], s:s}", "k", "pa'ss\"word12345", "list",
                                  "only'single", "only\"double\\", "n", "line\tand \xc2\xa0");

  pp_mask_add_values (mask, block);
  assert_text (mask, "X={'k': 'pa\\'ss\"word12345'}", "X={'k': '" PP_MASKED "'}");
  assert_text (mask, "{'list': [\"only'single\", 'only\"double\\\\'], 'n': 'line\\tand \\xa0'}",
               "{'list': [\"" PP_MASKED "\", '" PP_MASKED "'], 'n': '" PP_MASKED "'}");
  assert_text (mask, "'not only\\'single, but \"'", "'not " PP_MASKED ", but \"'");
}

/* Numbers are secrets too, unless they are short. */
static void
test_numbers (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block
      = json_pack ("{s:I, s:{s:[i, f]}, s:f, s:f, s:i, s:b, s:b, s:n}", "id",
                   (json_int_t)9007199254740993, "in", "it", -4711, 3.14159, "whole", 86400.0,
                   "large", 1e300, "port", 443, "yes", 1, "no", 0, "nothing");
  json_auto_t *json
      = json_pack ("[i, f, f, i, i, i, s, b, b, n, {s:I}]", -4711, 3.14159, 86400.0, 86400, 443,
                   4712, "of 9007199254740993", 1, 0, "API_KEY", (json_int_t)9007199254740993);
  json_auto_t *wanted
      = json_pack ("[s, s, s, s, i, i, s, b, b, n, {s:s}]", PP_MASKED, PP_MASKED, PP_MASKED,
                   PP_MASKED, 443, 4712, "of " PP_MASKED, 1, 0, "API_KEY", PP_MASKED);

  pp_mask_add_values (mask, block);
  json_auto_t *masked = pp_mask_json (mask, json);
  g_assert_true (json_equal (masked, wanted));
  assert_text (mask, "id=9007199254740993, [-4711, 3.14159]",
               "id=" PP_MASKED ", [" PP_MASKED ", " PP_MASKED "]");
  assert_text (mask, "86400.0 s or 86400 s, 1e+300", PP_MASKED " s or " PP_MASKED " s, " PP_MASKED);
  assert_text (mask, "port 443: True, true, None, null", "port 443: True, true, None, null");
}

/* A secret with more lines than are searched for, and secrets that begin alike. */
static void
test_many_lines (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  g_autoptr (GString) lines = g_string_new (NULL);
  json_auto_t *block = json_array ();
  double start = pp_test_cpu_seconds ();

  for (guint i = 0; i < 100000; i++)
    g_string_append_printf (lines, "line %06u\n", i);
  json_array_append_new (block, json_string (lines->str));
  for (guint i = 4; i < 2000; i++)
    {
      g_autofree char *alike = g_strnfill (i, 'a');
      json_array_append_new (block, json_sprintf ("%s!", alike));
    }
  pp_mask_add_values (mask, block);
  assert_text (mask, lines->str, "********");
  assert_text (mask, "line 009999, line 010000", "********, line 010000");

  g_autofree char *text = g_strnfill (1024 * 1024, 'a');
  g_autofree char *masked = pp_mask_text (mask, text);
  g_assert_true (g_str_has_prefix (masked, "****************"));
  g_assert_cmpfloat (pp_test_cpu_seconds () - start, <, 20);
}

static json_t *
new_block (const char *secret_field)
{
  json_t *fields = secret_field != NULL ? json_pack ("[s]", secret_field) : json_array ();

  return json_pack ("{s:{s:s,s:{s:s}},s:{s:{s:o}}}", "data", "registry_url",
                    "registry.example:5000", "login", "password", "hunter2", "block_schema",
                    "fields", "secret_fields", fields);
}

/* Only the fields that Prefect calls secret are masked in a block: errors of a private registry
 * must name the registry. */
static void
test_blocks (void)
{
  static const char *const some[] = { "login", "login.password", "login.*" };
  const char *text = "registry.example:5000 says hunter2";

  for (size_t i = 0; i < G_N_ELEMENTS (some); i++)
    {
      g_autoptr (PpMask) mask = pp_mask_new ();
      json_auto_t *block = new_block (some[i]);

      pp_mask_add_block (mask, block);
      assert_text (mask, text, "registry.example:5000 says ********");
    }

  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *block = new_block (NULL);
  pp_mask_add_block (mask, block);
  assert_text (mask, text, "******** says ********");
}

static void
test_json (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *json = json_pack ("{s:{s:s,s:s,s:i},s:[s]}", "env", "API_TOKEN", "t0p", "OTHER_KEY",
                                 "{{ key }}", "PIN_KEY", 5, "Env", "A_SECRET=s");
  json_auto_t *wanted
      = json_pack ("{s:{s:s,s:s,s:i},s:[s]}", "env", "API_TOKEN", PP_MASKED, "OTHER_KEY",
                   "{{ key }}", "PIN_KEY", 5, "Env", "A_SECRET=" PP_MASKED);
  json_auto_t *masked = pp_mask_json (mask, json);

  g_assert_true (json_equal (masked, wanted));
}

static void
test_named_values_are_found_elsewhere (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *json = json_pack ("{s:{s:s}}", "env", "API_TOKEN", "t0psecret");

  pp_mask_add_named (mask, json);
  assert_text (mask, "curl -H 'X: t0psecret'", "curl -H 'X: ********'");
}

/* The stock `docker` template has a placeholder at a key with a secret name. */
static void
test_placeholders_are_no_secrets (void)
{
  g_autoptr (PpMask) mask = pp_mask_new ();
  json_auto_t *json
      = json_pack ("{s:s,s:s,s:s,s:{s:s}}", "registry_credentials", "{{ registry_credentials }}",
                   "DB_PASSWORD", "{{ prefect.blocks.secret.db }}", "A_TOKEN", "{{ ctx.a }}b",
                   "API_KEY", "default", "{{ $API_KEY }}");
  json_auto_t *wanted = json_deep_copy (json);
  json_auto_t *masked = NULL;

  json_object_set_new (wanted, "A_TOKEN", json_string (PP_MASKED));
  pp_mask_add_named (mask, json);
  masked = pp_mask_json (mask, json);
  g_assert_true (json_equal (masked, wanted));
}

static void
add (void)
{
  g_test_add_func ("/mask/names", test_names);
  g_test_add_func ("/mask/text", test_text);
  g_test_add_func ("/mask/urls", test_urls);
  g_test_add_func ("/mask/time", test_time);
  g_test_add_func ("/mask/long-values", test_long_values);
  g_test_add_func ("/mask/lines", test_lines);
  g_test_add_func ("/mask/quoted", test_quoted);
  g_test_add_func ("/mask/rendered-objects", test_rendered_objects);
  g_test_add_func ("/mask/numbers", test_numbers);
  g_test_add_func ("/mask/many", test_many);
  g_test_add_func ("/mask/many-lines", test_many_lines);
  g_test_add_func ("/mask/blocks", test_blocks);
  g_test_add_func ("/mask/json", test_json);
  g_test_add_func ("/mask/placeholders-are-no-secrets", test_placeholders_are_no_secrets);
  g_test_add_func ("/mask/named-values-are-found-elsewhere", test_named_values_are_found_elsewhere);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
