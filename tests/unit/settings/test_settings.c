/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: which source wins, what the error for a wrong setting says, and the grammar of .env.
 * tests/unit/settings/parity/run.py compares the values with Prefect's. */
#include "config.h"

#include "settings/dotenv-private.h"
#include "prefect-podman/settings/settings.h"
#include "settings/toml-private.h"
#include "settings/value-private.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = { "PREFECT_API_URL",
                                     "PREFECT_API_KEY",
                                     "PREFECT_HOME",
                                     "PREFECT_PROFILE",
                                     "PREFECT_WORKER_QUERY_SECONDS",
                                     "PREFECT_WORKER_WEBSERVER_PORT",
                                     "PREFECT_CLIENT_CUSTOM_HEADERS",
                                     "PREFECT_API_AUTH_STRING",
                                     "PREFECT_PROFILES_PATH" };
static const char *const files[]
    = { ".env", "prefect.toml", "pyproject.toml", "home/.prefect/profiles.toml" };
static char *scratch; /* the working directory; HOME is below it */

/* Every test starts without any settings. */
static void
clear (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    g_unsetenv (names[i]);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    g_remove (files[i]);
}

static void
write_file (const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (name, text, -1, &error);
  g_assert_no_error (error);
}

static void
assert_refused (const char *profile, const char *wanted)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpSettings) settings = pp_settings_load (profile, &error);

  g_assert_null (settings);
  if (strstr (error->message, wanted) == NULL)
    g_error ("\"%s\" is not in \"%s\"", wanted, error->message);
  g_assert_null (strchr (error->message, '\n'));
}

static PpSettings *
load (const char *profile)
{
  g_autoptr (GError) error = NULL;
  PpSettings *settings = pp_settings_load (profile, &error);

  g_assert_no_error (error);
  return settings;
}

static void
test_each_source_beats_the_next (void)
{
  static const char *const text[]
      = { "PREFECT_API_KEY=dotenv", "[api]\nkey = 'toml'", "[tool.prefect.api]\nkey = 'pyproject'",
          "active = 'p'\n[profiles.p]\nPREFECT_API_KEY = 'profile'" };
  static const char *const wins[] = { "dotenv", "toml", "pyproject", "profile" };

  clear ();
  for (size_t i = G_N_ELEMENTS (files); i-- > 0;)
    {
      write_file (files[i], text[i]);
      g_autoptr (PpSettings) settings = load (NULL);
      g_assert_cmpstr (settings->api_key, ==, wins[i]);
      g_assert_cmpstr (settings->profile, ==, "p");
    }
  g_setenv ("PREFECT_API_KEY", "environment", TRUE);
  g_autoptr (PpSettings) settings = load (NULL);
  g_assert_cmpstr (settings->api_key, ==, "environment");
  g_assert_cmpstr (pp_json_string (settings->environment, "PREFECT_API_KEY"), ==, "environment");
}

static void
test_prefect_names_in_toml (void)
{
  clear ();
  write_file ("prefect.toml", "PREFECT_API_URL = 'http://upper/api/'\n");
  g_autoptr (PpSettings) settings = load (NULL);
  g_assert_cmpstr (settings->api_url, ==, "http://upper/api");
}

static void
test_profiles (void)
{
  clear ();
  write_file ("home/.prefect/profiles.toml",
              "active = 'one'\n[profiles.one]\nPREFECT_API_URL = 'http://one'\n"
              "[profiles.two]\nPREFECT_API_URL = 'http://two'\n");
  {
    g_autoptr (PpSettings) settings = load (NULL);
    g_assert_cmpstr (settings->api_url, ==, "http://one");
  }
  g_setenv ("PREFECT_PROFILE", "two", TRUE);
  {
    g_autoptr (PpSettings) settings = load (NULL);
    g_assert_cmpstr (settings->api_url, ==, "http://two");
  }
  {
    g_autoptr (PpSettings) settings = load ("local");
    g_assert_cmpstr (settings->api_url, ==, "http://127.0.0.1:4200/api");
    g_assert_cmpstr (settings->profile, ==, "local");
  }
  assert_refused ("three", "home/.prefect/profiles.toml: there is no profile \"three\", which "
                           "--profile asks for: use one of one, two, ephemeral");
}

static void
test_place_of_a_mistake (void)
{
  clear ();
  g_setenv ("PREFECT_WORKER_QUERY_SECONDS", "soon", TRUE);
  assert_refused (NULL, "environment: PREFECT_WORKER_QUERY_SECONDS: \"soon\": must be a number");
  clear ();
  write_file (".env", "# one\n\nexport PREFECT_WORKER_WEBSERVER_PORT='eighty'\n");
  assert_refused (NULL, ".env:3: PREFECT_WORKER_WEBSERVER_PORT: \"eighty\": must be a whole");
  clear ();
  write_file ("prefect.toml", "[worker]\nquery_seconds = 5\n\n[worker.webserver]\nport = 70000\n");
  assert_refused (NULL, "prefect.toml:5: worker.webserver.port: 70000: must be a port");
  clear ();
  write_file ("pyproject.toml", "[tool.prefect]\napi = 'x'\n");
  assert_refused (NULL, "pyproject.toml:2: api: must be a table");
  clear ();
  write_file ("home/.prefect/profiles.toml", "active = 'p'\n[profiles.p\n");
  assert_refused (NULL, "profiles.toml:2: invalid TOML");
  clear ();
  g_assert_cmpint (g_mkdir ("prefect.toml", 0700), ==, 0); /* a folder is no file: ignored */
  g_autoptr (PpSettings) settings = load (NULL);
  g_assert_null (settings->api_url);
  g_rmdir ("prefect.toml");
}

static void
test_unreadable_file (void)
{
  uid_t uid = geteuid ();

  clear ();
  write_file (".env", "X=1\n");
  g_chmod (".env", 0);
  /* Root can read everything, so continue as "nobody". */
  if (uid == 0)
    g_assert_cmpint (seteuid (65534), ==, 0);
  assert_refused (NULL, ".env: cannot be read: ");
  g_assert_cmpint (seteuid (uid), ==, 0);
}

static void
test_no_secret_in_messages (void)
{
  static const char *const texts[] = { "[api]\nkey = [\"hunter2\"]\n",
                                       "[client]\ncustom_headers = { X-Key = [\"hunter2\"] }\n",
                                       "[client]\ncustom_headers = \"hunter2\"\n",
                                       "[server.database]\npassword = 20012002\n",
                                       "[api]\nkey = hunter2\n",
                                       "[api]\nkey = \"hunter2\n" };

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      clear ();
      write_file ("prefect.toml", texts[i]);
      g_autoptr (PpSettings) settings = pp_settings_load (NULL, &error);
      g_assert_null (settings);
      g_assert_null (strstr (error->message, "hunter2"));
      g_assert_null (strstr (error->message, "20012002"));
    }
}

static void
test_unknown_keys_are_named (void)
{
  clear ();
  write_file ("prefect.toml", "[api]\nulr = 'x'\n");
  g_test_expect_message ("prefect.settings", G_LOG_LEVEL_WARNING,
                         "prefect.toml:2: api.ulr: Prefect has no such setting*");
  g_autoptr (PpSettings) settings = load (NULL);
  g_test_assert_expected_messages ();
}

static void
test_environment_spelling (void)
{
  clear ();
  write_file ("prefect.toml", "[worker]\nquery_seconds = 30\n[worker.webserver]\nport = \"8_082\"\n"
                              "[client]\nretry_extra_codes = [502, 429]\n"
                              "custom_headers = { X-A = \"é\" }\n[logging]\nlevel = \"debug\"\n");
  g_setenv ("PREFECT_HOME", "~/elsewhere/", TRUE);
  g_autoptr (PpSettings) settings = load (NULL);
  g_autofree char *home = g_build_filename (scratch, "home", "elsewhere", NULL);
  const json_t *environment = settings->environment;

  g_assert_cmpstr (pp_json_string (environment, "PREFECT_WORKER_QUERY_SECONDS"), ==, "30.0");
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_WORKER_WEBSERVER_PORT"), ==, "8082");
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_CLIENT_RETRY_EXTRA_CODES"), ==, "429,502");
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_CLIENT_CUSTOM_HEADERS"), ==,
                   "{\"X-A\": \"\\u00e9\"}");
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_LOGGING_LEVEL"), ==, "DEBUG");
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_HOME"), ==, home);
  g_assert_cmpstr (pp_json_string (environment, "PREFECT_SERVER_EPHEMERAL_ENABLED"), ==, "True");
  g_assert_cmpint (settings->client_retry_extra_codes[0], ==, 429);
  g_assert_cmpint (settings->client_retry_extra_codes[2], ==, 0);
}

static void
test_dotenv_grammar (void)
{
  static const char text[] = "\xef\xbb\xbf"
                             "A=1 # comment\r\n"
                             "export  B = 'it\\'s #1'\n"
                             "C=\"two\\nlines\n"
                             "and more\" # behind\n"
                             "D=${A}-${NOPE:-other}-${NOPE}-${FROM_ENV}-$A-${A\n"
                             "E\n"
                             "F= # only a comment\n"
                             "G=#kept\n"
                             "'H I'=x\n"
                             "  J = spaced out  \n"
                             "K='\\n' # stays\n"
                             "A=2";
  static const char *const wanted[][2] = { { "A", "2" },
                                           { "B", "it's #1" },
                                           { "C", "two\nlines\nand more" },
                                           { "D", "1-other--env-$A-${A" },
                                           { "F", "" },
                                           { "G", "#kept" },
                                           { "H I", "x" },
                                           { "J", "spaced out" },
                                           { "K", "\\n" } };
  char *environment[] = { (char *)"FROM_ENV=env", (char *)"A=of the environment", NULL };
  g_autoptr (GError) error = NULL;
  json_auto_t *lines = NULL;
  json_auto_t *values
      = pp_dotenv_parse (text, sizeof text - 1, ".env", environment, &lines, &error);

  g_assert_no_error (error);
  for (size_t i = 0; i < G_N_ELEMENTS (wanted); i++)
    g_assert_cmpstr (pp_json_string (values, wanted[i][0]), ==, wanted[i][1]);
  g_assert_true (json_is_null (json_object_get (values, "E")));
  g_assert_cmpint (json_integer_value (json_object_get (lines, "D")), ==, 5);
}

static void
test_dotenv_goes_on_behind_a_mistake (void)
{
  static const char text[] = "A='open\nB=1\n";
  json_auto_t *values = NULL;

  g_test_expect_message ("prefect.settings", G_LOG_LEVEL_WARNING, ".env:1: *");
  values = pp_dotenv_parse (text, sizeof text - 1, ".env", NULL, NULL, NULL);
  g_test_assert_expected_messages ();
  g_assert_cmpstr (pp_json_string (values, "B"), ==, "1");
  g_assert_null (json_object_get (values, "A"));
}

static void
test_toml_lines_and_depth (void)
{
  static const char text[] = "# c\n[a.b]\nc = [1,\n 2]\nd.e = 1979-05-27\n";
  g_autoptr (GError) error = NULL;
  json_auto_t *lines = NULL;
  json_auto_t *values = pp_toml_parse (text, sizeof text - 1, "f", &lines, &error);

  g_assert_no_error (error);
  json_auto_t *expected_lines = json_pack ("{s:{s:{s:i,s:{s:i}}}}", "a", "b", "c", 3, "d", "e", 5);
  json_auto_t *expected
      = json_pack ("{s:{s:{s:[i,i],s:{s:s}}}}", "a", "b", "c", 1, 2, "d", "e", "1979-05-27");
  g_assert_true (json_equal (lines, expected_lines));
  g_assert_true (json_equal (values, expected));

  g_autoptr (GString) deep = g_string_new ("a");
  for (int i = 0; i < 100; i++)
    g_string_append (deep, ".a");
  g_string_append (deep, " = 1");
  g_assert_null (pp_toml_parse (deep->str, deep->len, "f", NULL, &error));
  g_assert_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID);
}

static void
add (void)
{
  g_test_add_func ("/settings/each-source-beats-the-next", test_each_source_beats_the_next);
  g_test_add_func ("/settings/prefect-names-in-toml", test_prefect_names_in_toml);
  g_test_add_func ("/settings/profiles", test_profiles);
  g_test_add_func ("/settings/place-of-a-mistake", test_place_of_a_mistake);
  g_test_add_func ("/settings/unreadable-file", test_unreadable_file);
  g_test_add_func ("/settings/no-secret-in-messages", test_no_secret_in_messages);
  g_test_add_func ("/settings/unknown-keys-are-named", test_unknown_keys_are_named);
  g_test_add_func ("/settings/environment-spelling", test_environment_spelling);
  g_test_add_func ("/settings/dotenv-grammar", test_dotenv_grammar);
  g_test_add_func ("/settings/dotenv-goes-on-behind-a-mistake",
                   test_dotenv_goes_on_behind_a_mistake);
  g_test_add_func ("/settings/toml-lines-and-depth", test_toml_lines_and_depth);
}

int
main (int argc, char **argv)
{
  g_autofree char *home = NULL;
  g_autofree char *prefect_home = NULL;

  scratch = g_dir_make_tmp ("test-settings-XXXXXX", NULL);
  home = g_build_filename (scratch, "home", NULL);
  prefect_home = g_build_filename (home, ".prefect", NULL);
  g_assert_cmpint (g_mkdir_with_parents (prefect_home, 0700), ==, 0);
  g_assert_cmpint (chdir (scratch), ==, 0);
  g_setenv ("HOME", home, TRUE);

  int result = pp_test_main (argc, argv, add);

  clear ();
  g_assert_cmpint (chdir ("/"), ==, 0);
  g_rmdir (prefect_home);
  g_rmdir (home);
  g_rmdir (scratch);
  g_free (scratch);
  return result;
}
