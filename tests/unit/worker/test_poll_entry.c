/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which flow runs of a poll's answer may be claimed. */
#include "worker/poll_entry-private.h"

#include "tests/unit/tap.h"

#define ID "5d1c7d80-0000-4000-8000-000000000001"
#define SECOND ((gint64)G_USEC_PER_SEC)
/* 2026-01-02T03:04:05Z */
#define ASKED (1767323045 * SECOND)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpClaimedStates, pp_claimed_states_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpRefusedClaims, pp_refused_claims_free)

/* Judges the run TEXT, which a poll with ASKED has returned. */
static PpPollEntry
judge (const char *text)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();
  const PpWorkerContext context = { .refused = refused, .claimed = claimed };
  json_auto_t *flow_run = json_loads (text, JSON_DECODE_ANY, NULL);

  g_assert_nonnull (flow_run);
  return pp_poll_entry_judge (flow_run, ASKED, &context);
}

static void
test_id (void)
{
  static const char *const bad[] = { "null",
                                     "7",
                                     "[]",
                                     "{}",
                                     "{\"id\": null}",
                                     "{\"id\": 5}",
                                     "{\"id\": \"\"}",
                                     "{\"id\": \"../admin\"}",
                                     "{\"id\": \"" ID "/\"}" };
  const PpWorkerContext context = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_cmpint (judge (bad[i]), ==, PP_POLL_ENTRY_BAD);
  g_assert_cmpint (pp_poll_entry_judge (NULL, ASKED, &context), ==, PP_POLL_ENTRY_BAD);
  g_assert_cmpint (judge ("{\"id\": \"" ID "\"}"), ==, PP_POLL_ENTRY_CLAIMABLE);
}

/* A run is judged by the time for which it would wait. */
static void
test_due (void)
{
  static const struct
  {
    const char *time;
    PpPollEntry kind;
  } cases[] = {
    { "2026-01-02T03:04:05Z", PP_POLL_ENTRY_CLAIMABLE },
    { "2020-01-02T03:04:05+00:00", PP_POLL_ENTRY_CLAIMABLE },
    { "2026-01-02T03:05:04.999999Z", PP_POLL_ENTRY_CLAIMABLE },
    { "2026-01-02T05:04:05+02:00", PP_POLL_ENTRY_CLAIMABLE },
    { "not a time", PP_POLL_ENTRY_CLAIMABLE },
    { "2026-01-02T03:05:06Z", PP_POLL_ENTRY_BAD },
    { "2026-01-02T03:04:05-01:00", PP_POLL_ENTRY_BAD },
    { "2099-01-02T03:04:05.123Z", PP_POLL_ENTRY_BAD },
    { "9999-12-31T23:59:59Z", PP_POLL_ENTRY_BAD },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *next = g_strdup_printf (
          "{\"id\": \"" ID "\", \"next_scheduled_start_time\": \"%s\", \"state\": "
          "{\"state_details\": {\"scheduled_time\": null}}}",
          cases[i].time);
      g_autofree char *details
          = g_strdup_printf ("{\"id\": \"" ID "\", \"next_scheduled_start_time\": null, \"state\": "
                             "{\"state_details\": {\"scheduled_time\": \"%s\"}}}",
                             cases[i].time);

      g_assert_cmpint (judge (next), ==, cases[i].kind);
      g_assert_cmpint (judge (details), ==, cases[i].kind);
    }
}

static void
test_refused (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();
  const PpWorkerContext context = { .refused = refused, .claimed = claimed };
  json_auto_t *flow_run = json_pack ("{s:s}", "id", ID);

  g_assert_cmpint (pp_poll_entry_judge (flow_run, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMABLE);
  pp_refused_claims_add (refused, ID);
  g_assert_cmpint (pp_poll_entry_judge (flow_run, ASKED, &context), ==, PP_POLL_ENTRY_REFUSED);
  pp_refused_claims_accept (refused, ID);
  g_assert_cmpint (pp_poll_entry_judge (flow_run, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMABLE);
}

/* An answer that a proxy repeats has the state that was claimed. A run that is scheduled again has
 * another state. */
static void
test_claimed (void)
{
  g_autoptr (PpRefusedClaims) refused = pp_refused_claims_new (10);
  g_autoptr (PpClaimedStates) claimed = pp_claimed_states_new ();
  const PpWorkerContext context = { .refused = refused, .claimed = claimed };
  json_auto_t *old = json_pack ("{s:s, s:s}", "id", ID, "state_id", "a");
  json_auto_t *again = json_pack ("{s:s, s:s}", "id", ID, "state_id", "b");
  json_auto_t *without = json_pack ("{s:s, s:n}", "id", ID, "state_id");

  g_assert_cmpint (pp_poll_entry_judge (old, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMABLE);
  pp_claimed_states_add (claimed, "a");
  g_assert_cmpint (pp_poll_entry_judge (old, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMED);
  g_assert_cmpint (pp_poll_entry_judge (again, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMABLE);
  g_assert_cmpint (pp_poll_entry_judge (without, ASKED, &context), ==, PP_POLL_ENTRY_CLAIMABLE);
}

static void
add_tests (void)
{
  g_test_add_func ("/poll-entry/id", test_id);
  g_test_add_func ("/poll-entry/due", test_due);
  g_test_add_func ("/poll-entry/refused", test_refused);
  g_test_add_func ("/poll-entry/claimed", test_claimed);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
