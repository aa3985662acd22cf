/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how long a run whose claim was refused is skipped, how often that is logged, and when it is
 * forgotten. */
#include "worker/refused_claims-private.h"

#include "tests/unit/clock.h"
#include "tests/unit/tap.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpRefusedClaims, pp_refused_claims_free)

static gboolean
on_passed (gpointer user_data)
{
  *(gboolean *)user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
let_pass (guint seconds)
{
  gboolean passed = FALSE;

  g_timeout_add (seconds * 1000, on_passed, &passed);
  g_assert_true (clock_jump ());
  while (!passed)
    g_main_context_iteration (NULL, TRUE);
}

/* Refuses ID, and checks that it is skipped for SECONDS and no longer. */
static void
assert_pause (PpRefusedClaims *refused, const char *id, guint seconds)
{
  pp_refused_claims_add (refused, id);
  let_pass (seconds - 4);
  g_assert_true (pp_refused_claims_waits (refused, id));
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 1);
  let_pass (4);
  g_assert_false (pp_refused_claims_waits (refused, id));
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 0);
  g_assert_true (pp_refused_claims_has (refused, id));
}

static void
test_pauses_double (void)
{
  static const guint pauses[] = { 10, 20, 40, 80, 160, 300, 300 };
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (0.5);

  g_assert_false (pp_refused_claims_has (refused, "a"));
  g_assert_false (pp_refused_claims_waits (refused, "a"));
  for (gsize i = 0; i < G_N_ELEMENTS (pauses); i++)
    assert_pause (refused, "a", pauses[i]);
}

static void
test_first_pause_is_the_poll_interval (void)
{
  g_autoptr (PpRefusedClaims) seldom = pp_refused_claims_new (45);
  g_autoptr (PpRefusedClaims) rarely = pp_refused_claims_new (1e9);

  assert_pause (seldom, "a", 45);
  assert_pause (seldom, "a", 90);
  assert_pause (rarely, "a", 300);
}

/* A run that is refused at the end of each pause is logged at once, and then once an hour. */
static void
test_is_logged_rarely (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);
  guint lines = 0;

  g_assert_true (pp_refused_claims_add (refused, "a"));
  g_assert_true (pp_refused_claims_add (refused, "b"));
  for (guint minutes = 0; minutes < 180; minutes += 5)
    {
      let_pass (300);
      lines += pp_refused_claims_add (refused, "a");
    }
  g_assert_cmpuint (lines, ==, 3);
}

/* A run that is accepted begins anew, and the others may be claimed at once. */
static void
test_accepted (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);

  g_assert_false (pp_refused_claims_accept (refused, "a"));
  pp_refused_claims_add (refused, "a");
  pp_refused_claims_add (refused, "b");
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 2);
  g_assert_false (pp_refused_claims_accept (refused, "c"));
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 2);
  g_assert_true (pp_refused_claims_accept (refused, "a"));
  g_assert_false (pp_refused_claims_has (refused, "a"));
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 0);
  assert_pause (refused, "b", 20);
  assert_pause (refused, "a", 10);
}

/* A run that polls return is remembered; one that they do not return is forgotten. */
static void
test_forgotten (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);

  pp_refused_claims_add (refused, "seen");
  pp_refused_claims_add (refused, "gone");
  for (guint i = 0; i < 3; i++)
    {
      let_pass (400);
      g_assert_false (pp_refused_claims_waits (refused, "seen"));
      pp_refused_claims_count_waiting (refused);
    }
  g_assert_true (pp_refused_claims_has (refused, "seen"));
  g_assert_false (pp_refused_claims_has (refused, "gone"));
}

/* The memory has a limit: the run that was seen longest ago makes room. */
static void
test_many (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);

  pp_refused_claims_add (refused, "first");
  let_pass (1);
  pp_refused_claims_add (refused, "second");
  let_pass (1);
  pp_refused_claims_waits (refused, "first");
  for (guint i = 0; i < 499; i++)
    {
      g_autofree char *id = g_strdup_printf ("%u", i);

      pp_refused_claims_add (refused, id);
    }
  g_assert_true (pp_refused_claims_has (refused, "first"));
  g_assert_false (pp_refused_claims_has (refused, "second"));
  g_assert_cmpuint (pp_refused_claims_count_waiting (refused), ==, 500);
}

static void
add_tests (void)
{
  g_test_add_func ("/refused-claims/pauses-double", test_pauses_double);
  g_test_add_func ("/refused-claims/first-pause", test_first_pause_is_the_poll_interval);
  g_test_add_func ("/refused-claims/logged-rarely", test_is_logged_rarely);
  g_test_add_func ("/refused-claims/accepted", test_accepted);
  g_test_add_func ("/refused-claims/forgotten", test_forgotten);
  g_test_add_func ("/refused-claims/many", test_many);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
