/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the check of PREFECT_API_URL before the first request. */
#include "cli/api_url-private.h"
#include "tests/unit/tap.h"

#define PORT "the port must be a number from 1 to 65535"
#define ENCODE "write /, ? and # in a password as %2F, %3F and %23, and @ in a path as %40"
#define BLANK "it must not contain spaces or control characters"

static void
check (const char *url, const char *shown, const char *problem)
{
  PpSettings settings = { .api_url = (char *)url, .api_url_place = (char *)"f.toml:3: api.url" };
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", url);
  if (problem == NULL)
    {
      g_assert_true (pp_command_check_api_url (&settings, &error));
      return;
    }
  g_assert_false (pp_command_check_api_url (&settings, &error));
  g_autofree char *expected = g_strdup_printf ("f.toml:3: api.url: '%s'%s", shown, problem);
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_good (void)
{
  static const char *const urls[] = { "http://127.0.0.1:4200/api",
                                      "http://host/api",
                                      "http://host:/api",
                                      "http://host:1",
                                      "http://[::1]:65535/api",
                                      "http://[fe80::1%25eth0]/api",
                                      "http://user:p%40ss@host:80/a",
                                      "http://user:p@ss:word@host:80/a",
                                      "http://h\xc3\xb6st/api",
                                      "http://u:p%2Fss@host:80/~me%40x/api",
                                      "http://host:4200/api?x=a:b" };

  for (guint i = 0; i < G_N_ELEMENTS (urls); i++)
    check (urls[i], NULL, NULL);
}

static void
test_bad (void)
{
  check ("http://127.0.0.1:473100/api", "http://127.0.0.1:473100/api", ": " PORT);
  check ("http://host:0/api", "http://host:0/api", ": " PORT);
  check ("http://host:-1/api", "http://host:-1/api", ": " PORT);
  check ("http://host:PORT/api", "http://host:PORT/api", ": " PORT);
  check ("http://host:42 00/api", "http://host:42 00/api", ": " BLANK);
  check ("http://host:4200/api\n", "http://host:4200/api\\x0a", ": " BLANK);
  check ("http://my host/api", "http://my host/api", ": " BLANK);
  check ("http://u:secret@host:0/api", "http://host:0/api", ": " PORT);
  check ("http://u:sec/ret@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://u:p@ss/word@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://u:p@ss:9/word@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://admin:12345/word@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://u:12345?word@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://u:12345#word@host:80/api", "http://host:80/api", ": " ENCODE);
  check ("http://host:80/api?word@b", "http://b", ": " ENCODE);
  check ("http://", "http://", ": the host is missing");
  check ("http:///api", "http:///api", ": the host is missing");
  check ("https://:4200/api", "https://:4200/api", ": the host is missing");
  check ("http://fe80::1:4200/api", "http://fe80::1:4200/api",
         ": write an IPv6 address as [ADDRESS]:PORT");
  check ("host:4200/api", "host:4200/api", " must begin with http:// or https:// and end in /api");
  check ("ftp://u:secret@host/api", "ftp://host/api",
         " must begin with http:// or https:// and end in /api");
}

static void
add (void)
{
  g_test_add_func ("/api-url/good", test_good);
  g_test_add_func ("/api-url/bad", test_bad);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
