/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which claimed states are remembered. */
#include "worker/claimed_states-private.h"

#include "tests/unit/tap.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpClaimedStates, pp_claimed_states_free)

static void
add_many (PpClaimedStates *claimed, guint first, guint count)
{
  for (guint i = first; i < first + count; i++)
    {
      g_autofree char *id = g_strdup_printf ("%u", i);

      pp_claimed_states_add (claimed, id);
    }
}

static void
test_remembered (void)
{
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();

  g_assert_false (pp_claimed_states_has (claimed, "0"));
  add_many (claimed, 0, 3);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (pp_claimed_states_has (claimed, "0"));
      g_assert_true (pp_claimed_states_has (claimed, "2"));
    }
  g_assert_false (pp_claimed_states_has (claimed, "3"));
}

/* A state without an id, from a faulty answer, is no claimed state. */
static void
test_no_id (void)
{
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();

  pp_claimed_states_add (claimed, NULL);
  g_assert_false (pp_claimed_states_has (claimed, NULL));
  g_assert_false (pp_claimed_states_has (claimed, ""));
}

static void
test_many (void)
{
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();

  add_many (claimed, 0, 1000);
  add_many (claimed, 0, 1000);
  g_assert_true (pp_claimed_states_has (claimed, "0"));
  add_many (claimed, 1000, 2);
  g_assert_false (pp_claimed_states_has (claimed, "0"));
  g_assert_false (pp_claimed_states_has (claimed, "1"));
  g_assert_true (pp_claimed_states_has (claimed, "2"));
  g_assert_true (pp_claimed_states_has (claimed, "1001"));
  add_many (claimed, 0, 1);
  g_assert_true (pp_claimed_states_has (claimed, "0"));
  g_assert_false (pp_claimed_states_has (claimed, "2"));
}

static void
add_tests (void)
{
  g_test_add_func ("/claimed-states/remembered", test_remembered);
  g_test_add_func ("/claimed-states/no-id", test_no_id);
  g_test_add_func ("/claimed-states/many", test_many);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
