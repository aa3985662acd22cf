/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the decisions about a run's states after a late request. */
#include "worker/recovery/late_requests-private.h"
#include "tests/unit/tap.h"

#include <string.h>

/* The transition ids of the note's attempt. */
#define CLAIM "cccccccc-0000-4000-8000-000000000000"
#define SUBMITTING "55555555-0000-4000-8000-000000000000"
#define RUNNING "aaaaaaaa-0000-4000-8000-000000000000"
#define REPORT "eeeeeeee-0000-4000-8000-000000000000"

static json_t *
state (char type, char id)
{
  static const struct
  {
    char letter;
    const char *type;
  } types[] = { { 'S', "SCHEDULED" }, { 'P', "PENDING" }, { 'R', "RUNNING" },  { 'Z', "PAUSED" },
                { 'C', "COMPLETED" }, { 'F', "FAILED" },  { 'L', "CANCELLED" } };
  static const struct
  {
    char letter;
    const char *id;
  } ids[] = { { 'c', CLAIM },
              { 's', SUBMITTING },
              { 'r', RUNNING },
              { 'e', REPORT },
              { 'R', "aaaaaaaa-0000-8000-8000-000000000000" }, /* RUNNING restored */
              { 'E', "eeeeeeee-0000-8000-8000-000000000000" }, /* REPORT restored */
              { '0', "00000000-0000-8000-8000-000000000000" }, /* one without an id restored */
              { 'X', "11111111-0000-8000-8000-000000000000" }, /* that of 'x' restored */
              { 'x', "11111111-0000-4000-8000-000000000000" },
              { 'y', "22222222-0000-4000-8000-000000000000" } };
  json_t *made = json_object ();

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].letter == type)
      json_object_set_new (made, "type", json_string (types[i].type));
  json_object_set_new (made, "state_details", json_object ());
  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    if (ids[i].letter == id)
      json_object_set_new (json_object_get (made, "state_details"), "transition_id",
                           json_string (ids[i].id));
  g_assert_nonnull (json_object_get (made, "type"));
  return made;
}

/* Judges HISTORY, a list of states, oldest first. Each state is a letter for its type and one for
 * its transition id ('-': none). Returns "nothing", "take over" or "put back N". */
static char *
judge (const char *history, gboolean started, gboolean in_hand)
{
  const PpJournalEntry note = {
    .flow_run_id = (char *)"99999999-0000-4000-8000-000000000000",
    .claim_transition_id = (char *)CLAIM,
    .submitting_transition_id = (char *)SUBMITTING,
    .running_transition_id = (char *)RUNNING,
    .report_transition_id = (char *)REPORT,
    .started_at = started ? 1 : 0,
  };
  g_auto (GStrv) words = g_strsplit (history, " ", -1);
  json_auto_t *states = json_array ();
  json_t *earlier = NULL;
  PpLateVerdict verdict;

  for (guint i = 0; words[i] != NULL && *words[i] != '\0'; i++)
    json_array_append_new (states, state (words[i][0], words[i][1]));
  verdict = pp_late_judge (&note, states, in_hand, &earlier);
  g_assert_true ((verdict == PP_LATE_PUT_BACK) == (earlier != NULL));
  if (verdict != PP_LATE_PUT_BACK)
    return g_strdup (verdict == PP_LATE_TAKE_OVER ? "take over" : "nothing");
  for (guint i = 0; i < json_array_size (states); i++)
    if (json_array_get (states, i) == earlier)
      return g_strdup_printf ("put back %u", i);
  g_assert_not_reached ();
}

static void
check (const char *history, gboolean started, gboolean in_hand, const char *expected)
{
  g_autofree char *found = judge (history, started, in_hand);

  g_test_message ("%s: %s", history, found);
  g_assert_cmpstr (found, ==, expected);
}

/* Nobody handles the run, and it was never started. */
static void
test_claim (void)
{
  check ("S- Pc", FALSE, FALSE, "take over");
  check ("S- Pc Ps", FALSE, FALSE, "take over");
  check ("S- Pc Rr", FALSE, FALSE, "take over");
  check ("S- Px", FALSE, FALSE, "nothing");
  check ("S-", FALSE, FALSE, "nothing");
  check ("", FALSE, FALSE, "nothing");
}

/* A run that was started is not run again, unless it is scheduled again. */
static void
test_started (void)
{
  check ("S- Pc Rr", TRUE, FALSE, "nothing");
  check ("S- Pc Rr S- Pc", TRUE, FALSE, "take over");
  check ("S- Pc Rr S- Rr", TRUE, FALSE, "take over");
  check ("S- Pc Ps Rx Rr", TRUE, FALSE, "nothing");
  check ("S- Pc Rr S- Pc", TRUE, TRUE, "nothing");
}

static void
test_on_top_of_an_end (void)
{
  check ("S- Px Rx Cx Pc", FALSE, FALSE, "put back 3");
  check ("S- Pc Ps Rx Cx Ps", TRUE, FALSE, "put back 4");
  check ("S- Pc Rr Ce Rr", TRUE, FALSE, "put back 3");
  check ("S- Px Rx F- Pc Ps", FALSE, FALSE, "put back 3");
  check ("S- Pc Rr Ce Rr", TRUE, TRUE, "put back 3");
  check ("S- Pc Rr Lx Fe", TRUE, FALSE, "put back 3");
  check ("S- Pc Rr Cx Ce", TRUE, FALSE, "nothing");
}

static void
test_own_end (void)
{
  check ("S- Pc Rr Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Ps Rx Fe", TRUE, FALSE, "nothing");
  check ("S- Pc S- Rr Ce", TRUE, FALSE, "nothing");
}

/* A user, or a program in the container, has forced states of the attempt. No other worker has it,
 * so nobody else will report its end. */
static void
test_forced (void)
{
  check ("S- Pc Rr P- Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Rr P- Fe", TRUE, FALSE, "nothing");
  check ("S- Pc Rr P- R- Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Rr Px Rx Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Ps Rx Py Ry Fe", TRUE, FALSE, "nothing");
  check ("S- Pc Rr P- Ce", TRUE, TRUE, "nothing");
  check ("S- Pc Rr P- Rr", TRUE, FALSE, "nothing");
  check ("S- Pc Rr P- C- Rr", TRUE, FALSE, "put back 4");
}

/* A report of one attempt must not end the next attempt. */
static void
test_retry (void)
{
  check ("S- Pc Rr S- Fe", TRUE, FALSE, "put back 3");
  check ("S- Pc Rr S- Px Fe", TRUE, TRUE, "put back 4");
  check ("S- Pc Rr S- Px Rx Fe", TRUE, FALSE, "put back 5");
  check ("S- Pc Rr S- Px Rx Cx Fe", TRUE, FALSE, "put back 6");
  check ("S- Pc Rr S- Pc Fe", TRUE, TRUE, "put back 4");
}

/* Another worker has claimed the run because its user wanted that. */
static void
test_anothers (void)
{
  check ("S- Pc S- Px Ps", FALSE, FALSE, "put back 3");
  check ("S- Pc S- Px Rx Rr", TRUE, FALSE, "put back 4");
  check ("S- Px Ps Rr", FALSE, FALSE, "put back 1");
}

/* The late request of an earlier attempt was undone. The restored state counts; the states that it
 * undid do not count. */
static void
test_undone (void)
{
  check ("S- Pc Rr Ce Fx CE", TRUE, FALSE, "nothing");
  check ("S- Pc Rr Fx RR", TRUE, FALSE, "nothing");
  check ("S- Pc Rr Fx RR Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Rr Fx Py RR Fx RR Ce", TRUE, FALSE, "nothing");
  check ("S- Pc Rr L- Fe L0", TRUE, FALSE, "nothing");
  check ("S- Pc Rr L- Fx L0 Rr", TRUE, FALSE, "put back 3");
  check ("S- Pc Rx Fy RX Ce Rr", TRUE, FALSE, "put back 5");
  check ("S- Px Rx Fy RX Pc", FALSE, FALSE, "put back 2");
}

/* Nobody restored the last state: a request was carried out twice. */
static void
test_carried_out_twice (void)
{
  check ("S- Pc Rr Ce L- Ce", TRUE, FALSE, "put back 4");
  check ("S- Pc Rr Lx Rr", TRUE, FALSE, "put back 3");
  check ("S- Pc Rr Lx Fy Rr", TRUE, FALSE, "put back 4");
}

static void
add_tests (void)
{
  g_test_add_func ("/late-judge/claim", test_claim);
  g_test_add_func ("/late-judge/started", test_started);
  g_test_add_func ("/late-judge/on-top-of-an-end", test_on_top_of_an_end);
  g_test_add_func ("/late-judge/own-end", test_own_end);
  g_test_add_func ("/late-judge/forced", test_forced);
  g_test_add_func ("/late-judge/retry", test_retry);
  g_test_add_func ("/late-judge/anothers", test_anothers);
  g_test_add_func ("/late-judge/undone", test_undone);
  g_test_add_func ("/late-judge/carried-out-twice", test_carried_out_twice);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
