/* SPDX-License-Identifier: Apache-2.0 */
/* Tests docker-credential-NAME with shell scripts that behave like such programs, or wrongly. */
#include "infrastructure/containers/credential_helper-private.h"

#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;

typedef struct
{
  GMainLoop *loop;
  char *auth;
  char *trouble;
  guint done;
} Answer;

static void
on_answer (const char *auth, const char *trouble, gpointer user_data)
{
  Answer *said = user_data;

  said->auth = g_strdup (auth);
  said->trouble = g_strdup (trouble);
  said->done++;
  g_main_loop_quit (said->loop);
}

/* Runs SCRIPT as a helper. Expects AUTH, decoded, and WORDS in the trouble; both may be NULL. */
static void
assert_answer (const char *script, guint seconds, const char *auth, const char *words)
{
  g_autofree char *program = g_build_filename (folder, "docker-credential-test", NULL);
  g_autofree char *text = g_strconcat ("#!/bin/sh\n", script, NULL);
  Answer said = { .loop = g_main_loop_new (NULL, FALSE) };
  g_autofree char *decoded = NULL;
  gsize length;

  g_assert_true (g_file_set_contents (program, text, -1, NULL));
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  pp_credential_helper_ask ("test", "r.example", "/x/config.json", seconds, on_answer, &said);
  g_main_loop_run (said.loop);
  if (said.auth != NULL)
    decoded = (char *)g_base64_decode (g_strdelimit (g_strdelimit (said.auth, "-", '+'), "_", '/'),
                                       &length);
  g_assert_cmpstr (decoded, ==, auth);
  g_assert_true ((said.trouble != NULL) == (words != NULL));
  if (words != NULL)
    {
      g_assert_nonnull (strstr (said.trouble, words));
      g_assert_nonnull (strstr (said.trouble, "docker-credential-test, named in /x/config.json,"));
      g_assert_nonnull (strstr (said.trouble, "r.example"));
      g_assert_null (strstr (said.trouble, "secret"));
    }
  g_assert_cmpint (g_unlink (program), ==, 0);
  g_free (said.auth);
  g_free (said.trouble);
  g_main_loop_unref (said.loop);
}

static void
test_helper (void)
{
  static const char me[] = "{\"username\":\"me\",\"password\":\"secret\",\"serveraddress\":"
                           "\"r.example\"}";
  gint64 begun = g_get_monotonic_time ();

  assert_answer ("read registry; test \"$1 $registry\" = 'get r.example' || exit 9; env | grep -qi "
                 "^PREFECT_ && exit 8\n"
                 "echo '{\"ServerURL\": \"x\", \"Username\": \"me\", \"Secret\": \"secret\"}'\n",
                 20, me, NULL);
  assert_answer ("echo '{\"Username\": \"<token>\", \"Secret\": \"secret\"}'\n", 20,
                 "{\"identitytoken\":\"secret\",\"serveraddress\":\"r.example\"}", NULL);
  assert_answer ("echo '{\"Username\": \"\", \"Secret\": \"\"}'\n", 20, NULL, NULL);
  assert_answer ("echo 'credentials not found in native keychain'; exit 1\n", 20, NULL, NULL);
  assert_answer ("echo secret; exit 3\n", 20, NULL, "exit status 3");
  assert_answer ("echo secret\n", 20, NULL, "not a JSON object");
  assert_answer ("kill -9 $$\n", 20, NULL, "killed by signal 9");
  /* A background process of the helper keeps its output open. */
  assert_answer ("sleep 5 & echo '{\"Username\": \"me\", \"Secret\": \"secret\"}'; exit 0\n", 20,
                 me, NULL);
  assert_answer ("sleep 60\n", 1, NULL, "did not end within 1 s");
  assert_answer ("exec yes secret\n", 20, NULL, "too long");
  g_assert_cmpint (g_get_monotonic_time () - begun, <, 50 * G_TIME_SPAN_SECOND);
}

/* A missing helper, a helper name that is a path, and a cancelled request. */
static void
test_helper_that_cannot_be_asked (void)
{
  Answer said = { .loop = g_main_loop_new (NULL, FALSE) };

  pp_credential_helper_ask ("../test", "r.example", "/x", 1, on_answer, &said);
  g_main_loop_run (said.loop);
  g_assert_nonnull (strstr (said.trouble, "could not be asked"));
  g_free (said.trouble);
  pp_credential_helper_ask ("absent", "r.example", "/x", 1, on_answer, &said);
  g_main_loop_run (said.loop);
  g_assert_nonnull (strstr (said.trouble, "docker-credential-absent"));
  g_free (said.trouble);
  g_assert_cmpuint (said.done, ==, 2);
  pp_credential_helper_cancel (
      pp_credential_helper_ask ("absent", "r.example", "/x", 1, on_answer, &said));
  for (int i = 0; i < 50; i++)
    {
      g_usleep (2000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_assert_cmpuint (said.done, ==, 2);
  g_main_loop_unref (said.loop);
}

static void
add (void)
{
  g_test_add_func ("/credential-helper/answers", test_helper);
  g_test_add_func ("/credential-helper/cannot-be-asked", test_helper_that_cannot_be_asked);
}

int
main (int argc, char **argv)
{
  folder = g_dir_make_tmp ("ppc-XXXXXX", NULL);
  g_autofree char *places = g_strconcat (folder, ":", g_getenv ("PATH"), NULL);
  g_setenv ("PATH", places, TRUE);
  g_setenv ("PREFECT_API_KEY", "pnu_secret", TRUE);
  g_setenv ("prefect_api_key", "pnu_secret", TRUE);
  g_setenv ("Prefect_Api_Auth_String", "admin:secret", TRUE);
  int result = pp_test_main (argc, argv, add);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
  return result;
}
