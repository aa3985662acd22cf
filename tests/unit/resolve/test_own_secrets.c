/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the worker's own secrets: which values they are, and that no line of a container shows
 * them. */
#include "prefect-podman/infrastructure/container_spec.h"
#include "prefect-podman/template/mask.h"
#include "worker/output/output-private.h"
#include "prefect-podman/resolve/own_secrets.h"

#include "tests/unit/tap.h"

#include <string.h>

static char key[] = "pnu_0123456789abcdef";
static char auth[] = "admin:pa\"ss/word-of-it";
#define AUTH_BASE64 "YWRtaW46cGEic3Mvd29yZC1vZi1pdA=="

static PpSecrets *
make_secrets (void)
{
  json_auto_t *environment
      = json_pack ("{s:s, s:s}", "PREFECT_SERVER_DATABASE_CONNECTION_URL",
                   "postgresql+asyncpg://u:p@db/prefect", "PREFECT_LOGGING_LEVEL", "INFO-and-more");
  json_auto_t *headers
      = json_pack ("{s:s, s:s}", "X-Token", "header-token-value", "X-Site", "north");
  const PpSettings settings = { .api_key = key,
                                .api_auth_string = auth,
                                .client_custom_headers = headers,
                                .environment = environment };

  return pp_own_secrets (&settings);
}

static void
test_strings (void)
{
  static const struct
  {
    const char *text;
    const char *masked; /* NULL: unchanged */
  } cases[] = {
    { "PREFECT_API_KEY=pnu_0123456789abcdef", "PREFECT_API_KEY=" PP_MASKED },
    { "two pnu_0123456789abcdefpnu_0123456789abcdef", "two " PP_MASKED PP_MASKED },
    { "admin:pa\"ss/word-of-it!", PP_MASKED "!" },
    { "{\"auth\": \"admin:pa\\\"ss\\/word-of-it\"}", NULL },
    { "{\"auth\": \"admin:pa\\\"ss/word-of-it\"}", "{\"auth\": \"" PP_MASKED "\"}" },
    { "x=admin%3Apa%22ss%2Fword-of-it", "x=" PP_MASKED },
    { "Authorization: Basic " AUTH_BASE64, "Authorization: Basic " PP_MASKED },
    { "the password pa\"ss/word-of-it alone", "the password " PP_MASKED " alone" },
    { "postgresql+asyncpg://u:p@db/prefect", PP_MASKED },
    { "header-token-value", PP_MASKED },
    { "to the north", NULL },
    { "INFO-and-more", NULL },
    { "pnu_0123456789abcde", NULL },
    { "", NULL },
  };
  g_autoptr (PpSecrets) secrets = make_secrets ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize length = strlen (cases[i].text);
      g_autofree char *masked = pp_secrets_mask (secrets, cases[i].text, &length);
      g_test_message ("%s", cases[i].text);
      g_assert_cmpuint (length, ==, strlen (masked != NULL ? masked : cases[i].text));
      g_assert_cmpstr (masked, ==, cases[i].masked);
    }
  g_assert_null (pp_secrets_mask (NULL, "text", &(gsize){ 4 }));
}

/* Passwords in URLs of the settings are secret, also if the setting as a whole is not. */
static void
test_urls (void)
{
  static const struct
  {
    const char *text;
    const char *masked; /* NULL: unchanged */
  } cases[] = {
    { "the password UrlPassWord12345 alone", "the password " PP_MASKED " alone" },
    { "login user:UrlPassWord12345", "login " PP_MASKED },
    { "url http://user:UrlPassWord12345@host/api", "url http://" PP_MASKED "@host/api" },
    { "Basic dXNlcjpVcmxQYXNzV29yZDEyMzQ1", "Basic " PP_MASKED },
    { "LongDbPassword123!", PP_MASKED "!" },
    { "prefect:LongDbPassword123@db", PP_MASKED "@db" },
    { "postgresql://prefect:LongDbPassword123@db/x", "postgresql://" PP_MASKED "@db/x" },
    { "raw broker%2Fpass%40word", "raw " PP_MASKED },
    { "plain broker/pass@word", "plain " PP_MASKED },
    { "pair me:broker/pass@word", "pair " PP_MASKED },
    { "not/escaped@as-it-should-be", PP_MASKED },
    { "a-parameter=1234", PP_MASKED },
    { "a%2Dparameter%3d1234", PP_MASKED },
    { "host:4200/with@sign and me@host:80/path", NULL },
    { "password short", NULL },
    { "database1234", NULL },
  };
  json_auto_t *environment = json_pack (
      "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "PREFECT_API_URL",
      "http://user:UrlPassWord12345@host/api", "PREFECT_SERVER_DATABASE_CONNECTION_URL",
      "postgresql+asyncpg://prefect:LongDbPassword123@db/prefect", "PREFECT_SERVER_DOCKET_URL",
      "redis://me:broker%2Fpass%40word@host/0", "PREFECT_MESSAGING_URL",
      "redis://u:not/escaped@as-it-should-be@host/0", "PREFECT_UI_URL",
      "http://me@host:80/path@sign", "PREFECT_UI_API_URL", "http://u:short@host/database1234",
      "PREFECT_CLOUD_UI_URL", "s://h?database=database1234&password=a%2Dparameter%3d1234#x");
  const PpSettings settings = { .environment = environment };
  g_autoptr (PpSecrets) secrets = pp_own_secrets (&settings);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize length = strlen (cases[i].text);
      g_autofree char *masked = pp_secrets_mask (secrets, cases[i].text, &length);
      g_test_message ("%s", cases[i].text);
      g_assert_cmpstr (masked, ==, cases[i].masked);
    }
}

/* A short password is masked inside a URL, together with its user. */
static void
test_login_in_url (void)
{
  static const char *const urls[]
      = { "http://me:p%22ss%2Fw@host/api", "http://me:p%22ss/w@host/api" };
  char login[] = "me:p\"ss/w";
  const PpSettings settings = { .api_auth_string = login };
  g_autoptr (PpSecrets) secrets = pp_own_secrets (&settings);

  for (guint i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      gsize length = strlen (urls[i]);
      g_autofree char *masked = pp_secrets_mask (secrets, urls[i], &length);
      g_assert_cmpstr (masked, ==, "http://" PP_MASKED "@host/api");
    }
}

/* A short value may be an ordinary word, so it is not masked. */
static void
test_short (void)
{
  g_autoptr (PpSecrets) secrets = pp_secrets_new ();

  pp_secrets_add (secrets, "prefect", 1);
  pp_secrets_add (secrets, NULL, 1);
  g_assert_null (pp_secrets_mask (secrets, "prefect runs", &(gsize){ 12 }));
  pp_secrets_add (secrets, "prefect8", 1);
  g_autofree char *masked = pp_secrets_mask (secrets, "prefect8 runs", &(gsize){ 13 });
  g_assert_cmpstr (masked, ==, PP_MASKED " runs");
}

static void
take (PpOutput *output, PpStream stream, const char *text, gsize piece)
{
  gsize length = strlen (text);

  for (gsize at = 0; at < length; at += piece)
    g_assert_true (pp_output_take (output, stream, text + at, MIN (piece, length - at)));
}

/* Secrets are masked in pieces of any size, on both streams, at the end, and after the carriage
 * return of a progress bar. */
static void
test_lines (void)
{
  g_autoptr (PpSecrets) secrets = make_secrets ();

  for (gsize piece = 1; piece < 40; piece += 6)
    {
      g_autoptr (PpOutput) output
          = pp_output_new ("11111111-2222-3333-4444-555555555555", NULL, NULL, NULL, NULL);
      pp_output_mask (output, secrets);
      take (output, PP_STREAM_STDOUT, "key pnu_0123456789abcdef\nold\rBasic " AUTH_BASE64 "\n",
            piece);
      take (output, PP_STREAM_STDERR, "\xff pnu_0123456789abcdef", piece);
      pp_output_finish (output);
      g_autofree char *tail = pp_output_tail (output, 10);
      g_assert_cmpstr (tail, ==, "key " PP_MASKED "\nBasic " PP_MASKED "\n\xef\xbf\xbd " PP_MASKED);
    }
}

/* A NUL does not end a line, with or without a secret in it. */
static void
test_nul (void)
{
  static const char lines[] = "a\0b pnu_0123456789abcdef c\0d\n\0 pnu_0123456789abcdef\na\0b\n";
  g_autoptr (PpSecrets) secrets = make_secrets ();
  g_autoptr (PpOutput) output
      = pp_output_new ("11111111-2222-3333-4444-555555555555", NULL, NULL, NULL, NULL);

  pp_output_mask (output, secrets);
  g_assert_true (pp_output_take (output, PP_STREAM_STDOUT, lines, sizeof lines - 1));
  g_autofree char *tail = pp_output_tail (output, 10);
  g_assert_cmpstr (tail, ==,
                   "a\xef\xbf\xbd"
                   "b " PP_MASKED " c\xef\xbf\xbd"
                   "d\n\xef\xbf\xbd " PP_MASKED "\na\xef\xbf\xbd"
                   "b");
}

/* A line that is cut because of its length is not cut inside a secret. */
static void
test_long_line (void)
{
  const gsize limit = 64 * 1024;
  g_autoptr (PpSecrets) secrets = make_secrets ();

  for (gsize before = limit - strlen (key); before <= limit; before += 5)
    {
      g_autoptr (PpOutput) output
          = pp_output_new ("11111111-2222-3333-4444-555555555555", NULL, NULL, NULL, NULL);
      g_autofree char *text = g_strnfill (before, 'x');
      pp_output_mask (output, secrets);
      take (output, PP_STREAM_STDOUT, text, 4096);
      take (output, PP_STREAM_STDOUT, key, 7);
      take (output, PP_STREAM_STDOUT, " behind\n", 100);
      g_autofree char *tail = pp_output_tail (output, 1);
      if (before > limit - strlen (key))
        g_assert_cmpstr (tail, ==, PP_MASKED " behind");
      g_assert_null (strstr (tail, "abcdef"));
    }
}

static void
test_safe_length (void)
{
  g_autoptr (PpSecrets) secrets = make_secrets ();

  g_assert_cmpuint (pp_secrets_safe_length (secrets, "line pnu_01", 11), ==, 5);
  g_assert_cmpuint (pp_secrets_safe_length (secrets, "line pnu_02", 11), ==, 11);
  g_assert_cmpuint (pp_secrets_safe_length (secrets, "pnu_01", 6), ==, 0);
  g_assert_cmpuint (pp_secrets_safe_length (NULL, "pnu_01", 6), ==, 6);
}

/* ---- prefect_env ---- */

/* Returns the environment of a container with the job variables MEMBERS, as "NAME NAME=URL ...".
 * *HINT is the policy's failure_hint. */
static char *
environment_of (const char *members, const char **hint)
{
  json_auto_t *settings = json_pack (
      "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "PREFECT_API_KEY", key,
      "PREFECT_API_AUTH_STRING", auth, "PREFECT_CLIENT_CUSTOM_HEADERS", "{}",
      "PREFECT_SERVER_DATABASE_PASSWORD", "p", "PREFECT_SERVER_DOCKET_URL",
      "redis://u:p/odd#one@host/0", "PREFECT_MESSAGING_URL", "redis://host/0?password=p",
      "PREFECT_SERVER_DATABASE_CONNECTION_URL", "sqlite://", "PREFECT_LOGGING_LEVEL", "INFO",
      "PREFECT_API_URL", "https://u:p@api/api");
  json_auto_t *given = json_pack ("{s:s, s:s}", "MY_KEY", "mine", "PREFECT_API_AUTH_STRING", "own");
  json_auto_t *env = json_copy (settings);
  json_auto_t *configuration = json_loads (members, 0, NULL);
  g_autoptr (GError) error = NULL;

  json_object_update (env, given);
  json_object_set_new (configuration, "image", json_string ("busybox:1"));
  json_object_set (configuration, "env", env);
  json_object_set_new (configuration, PP_SECRET_ENVIRONMENT_KEY,
                       pp_own_secret_environment (settings, given));
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, &error);
  g_assert_no_error (error);
  *hint = spec->policy.failure_hint;
  const json_t *entries = json_object_get (spec->create_body, "Env");
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < json_array_size (entries); i++)
    g_string_append_printf (text, "%s ", json_string_value (json_array_get (entries, i)));
  return g_string_free (text, FALSE);
}

static void
check_environment (const char *members, gboolean has_secrets)
{
  static const char *const secrets[] = { "PREFECT_API_KEY=",
                                         "PREFECT_CLIENT_CUSTOM_HEADERS=",
                                         "PREFECT_SERVER_DATABASE_PASSWORD=",
                                         "PREFECT_SERVER_DOCKET_URL=",
                                         "PREFECT_MESSAGING_URL=",
                                         "PREFECT_SERVER_DATABASE_CONNECTION_URL=",
                                         "https://u:p@api/api" };
  const char *hint;
  g_autofree char *text = environment_of (members, &hint);

  g_test_message ("%s: %s", members, text);
  for (guint i = 0; i < G_N_ELEMENTS (secrets); i++)
    g_assert_cmpint (strstr (text, secrets[i]) != NULL, ==, has_secrets);
  g_assert_nonnull (strstr (text, "PREFECT_LOGGING_LEVEL=INFO "));
  g_assert_nonnull (strstr (text, "MY_KEY=mine "));
  g_assert_nonnull (strstr (text, "PREFECT_API_AUTH_STRING=own "));
  g_assert_nonnull (strstr (text, "PREFECT_API_URL=https://"));
}

static void
test_prefect_env (void)
{
  check_environment ("{\"command\": \"env\"}", FALSE);
  check_environment ("{}", FALSE);
  check_environment ("{\"command\": \"env\", \"prefect_env\": \"auto\"}", FALSE);
  check_environment ("{\"command\": \"env\", \"prefect_env\": null}", FALSE);
  check_environment ("{\"command\": \"env\", \"prefect_env\": \"always\"}", TRUE);
  check_environment ("{\"command\": \"env\", \"state_reporting\": \"engine\"}", TRUE);
  check_environment ("{\"command\": \"prefect flow-run execute\"}", TRUE);
  check_environment ("{\"command\": \"prefect flow-run execute\", \"state_reporting\": \"worker\"}",
                     TRUE);
  check_environment ("{\"command\": \"prefect flow-run execute\", \"prefect_env\": \"never\"}",
                     FALSE);
}

static void
test_failure_hint (void)
{
  static const struct
  {
    const char *members;
    gboolean has_hint;
  } table[] = {
    { "{\"command\": \"/proj/run.sh\"}", TRUE },
    { "{\"command\": \"/proj/run.sh\", \"state_reporting\": \"worker\"}", TRUE },
    { "{}", TRUE },
    { "{\"command\": \"/proj/run.sh\", \"state_reporting\": \"engine\"}", FALSE },
    { "{\"command\": \"/proj/run.sh\", \"prefect_env\": \"always\"}", FALSE },
    { "{\"command\": \"/proj/run.sh\", \"prefect_env\": \"never\"}", FALSE },
    { "{\"command\": \"prefect flow-run execute\"}", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const char *hint;
      g_autofree char *text = environment_of (table[i].members, &hint);

      g_test_message ("%s: %s", table[i].members, hint);
      g_assert_cmpint (hint != NULL, ==, table[i].has_hint);
      if (hint == NULL)
        continue;
      /* PREFECT_API_AUTH_STRING is not named, because env sets it, and neither are settings that
       * Prefect's client does not need. */
      g_assert_nonnull (strstr (hint, "did not get PREFECT_API_KEY, PREFECT_CLIENT_CUSTOM_HEADERS, "
                                      "the password in PREFECT_API_URL, because"));
      g_assert_nonnull (strstr (hint, "state_reporting: engine"));
    }
}

/* If no secret is set, nothing is left out. */
static void
test_no_failure_hint (void)
{
  static const char *const secrets[]
      = { "{}", "{\"PREFECT_API_KEY\": \"\"}", "{\"PREFECT_SERVER_DATABASE_PASSWORD\": \"p\"}",
          "{\"PREFECT_API_URL\": \"https://api/api\"}" };

  for (guint i = 0; i < G_N_ELEMENTS (secrets); i++)
    {
      json_auto_t *settings = json_loads (secrets[i], 0, NULL);
      json_auto_t *configuration = json_pack (
          "{s:s, s:s, s:O, s:o}", "image", "busybox:1", "command", "/proj/run.sh", "env", settings,
          PP_SECRET_ENVIRONMENT_KEY, pp_own_secret_environment (settings, NULL));
      g_autoptr (GError) error = NULL;
      g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, &error);

      g_assert_no_error (error);
      g_assert_null (spec->policy.failure_hint);
    }
}

static void
test_prefect_env_is_checked (void)
{
  json_auto_t *configuration
      = json_pack ("{s:s, s:s}", "image", "busybox:1", "prefect_env", "sometimes");
  g_autoptr (GError) error = NULL;

  g_assert_null (pp_container_spec_new (configuration, NULL, &error));
  g_assert_nonnull (strstr (error->message, "prefect_env"));
}

static void
add (void)
{
  g_test_add_func ("/own-secrets/strings", test_strings);
  g_test_add_func ("/own-secrets/urls", test_urls);
  g_test_add_func ("/own-secrets/login-in-url", test_login_in_url);
  g_test_add_func ("/own-secrets/short", test_short);
  g_test_add_func ("/own-secrets/lines", test_lines);
  g_test_add_func ("/own-secrets/nul", test_nul);
  g_test_add_func ("/own-secrets/long-line", test_long_line);
  g_test_add_func ("/own-secrets/safe-length", test_safe_length);
  g_test_add_func ("/own-secrets/prefect-env", test_prefect_env);
  g_test_add_func ("/own-secrets/failure-hint", test_failure_hint);
  g_test_add_func ("/own-secrets/no-failure-hint", test_no_failure_hint);
  g_test_add_func ("/own-secrets/prefect-env-is-checked", test_prefect_env_is_checked);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
