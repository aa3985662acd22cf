/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which run and worker a container belongs to. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"
#include "worker/flow_run/container_ownership-private.h"

#include "prefect-podman/json.h"
#include "prefect-podman/state/journal.h"

#include "tests/unit/tap.h"

#define RUN "11111111-1111-4111-8111-111111111111"
#define OTHER_RUN "22222222-2222-4222-8222-222222222222"
#define CLAIM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define CLAIM_UPPER "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
#define OTHER_CLAIM "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define IDENTITY "pool.host.01234567.0"

/* Containers as a list shows them. */
static void
test_owned (void)
{
  static const struct
  {
    PpJournalPhase phase;
    const char *written_id; /* in the entry */
    const char *id;
    const char *claim; /* of the container; NULL: version 0.1 */
    gboolean owned;
  } cases[] = {
    { PP_JOURNAL_CLAIMED, NULL, "c1", CLAIM, TRUE },
    { PP_JOURNAL_CLAIMED, NULL, "c1", CLAIM_UPPER, TRUE },
    { PP_JOURNAL_CLAIMED, NULL, "c1", OTHER_CLAIM, FALSE },
    { PP_JOURNAL_CLAIMED, NULL, "c1", NULL, FALSE },
    { PP_JOURNAL_STARTING, "c1", "c1", CLAIM, TRUE },
    { PP_JOURNAL_STARTING, "c1", "c1", NULL, TRUE },
    { PP_JOURNAL_STARTING, "c1", "c2", NULL, FALSE },
    { PP_JOURNAL_STARTING, "c1", "c2", CLAIM, FALSE },
    { PP_JOURNAL_REPORTING, "c1", "c1", NULL, TRUE },
    { PP_JOURNAL_REPORTING, NULL, "c1", NULL, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      PpFlowRun run = { .journal = { .phase = cases[i].phase },
                        .container_id = (char *)cases[i].written_id,
                        .transitions = { .claim = CLAIM } };
      const PpJob job = { .ref = { .id = (char *)cases[i].id,
                                   .flow_run_id = (char *)RUN,
                                   .claim = (char *)cases[i].claim,
                                   .identity = (char *)IDENTITY } };

      g_test_message ("case %zu", i);
      g_assert_true (pp_flow_run_owns_container (&run, &job) == cases[i].owned);
    }
}

/* If neither the container nor the run has a known claim, the container does not belong to the
 * run. */
static void
test_no_claim (void)
{
  PpFlowRun run = { .journal = { .phase = PP_JOURNAL_CLAIMED } };
  const PpJob none = { .ref = { .id = (char *)"c1" } };

  g_assert_false (pp_flow_run_owns_container (&run, &none));
}

/* A container has the name that the run's next container would get. */
static void
test_unstarted (void)
{
  static const struct
  {
    const char *run;
    const char *claim;
    const char *identity;
    gboolean never_started;
    gboolean ours;
  } cases[] = {
    { RUN, CLAIM, IDENTITY, TRUE, TRUE },
    { OTHER_RUN, CLAIM, IDENTITY, TRUE, FALSE },
    { RUN, OTHER_CLAIM, IDENTITY, TRUE, FALSE },
    { RUN, NULL, IDENTITY, TRUE, FALSE },
    { RUN, CLAIM, "pool.host.76543210.0", TRUE, FALSE },
    { RUN, CLAIM, NULL, TRUE, FALSE },
    { RUN, CLAIM, IDENTITY, FALSE, FALSE },
  };
  PpWorkerContext context = { .identity_name = IDENTITY };
  PpFlowRun run = { .context = &context, .id = (char *)RUN, .transitions = { .claim = CLAIM } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const PpJob job = { .ref = { .id = (char *)"c1",
                                   .flow_run_id = (char *)cases[i].run,
                                   .claim = (char *)cases[i].claim,
                                   .identity = (char *)cases[i].identity },
                          .status = { .never_started = cases[i].never_started } };

      g_test_message ("case %zu", i);
      g_assert_true (pp_flow_run_is_unstarted (&run, &job) == cases[i].ours);
    }
}

static json_t *
make_states (const char *words)
{
  g_auto (GStrv) types = g_strsplit (words, " ", -1);
  json_t *states = json_array ();

  /* "TYPE" or "TYPE=ID" */
  for (guint i = 0; types[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit (types[i], "=", 2);
      json_array_append_new (states, json_pack ("{s:s, s:{s:s*}}", "type", parts[0],
                                                "state_details", "transition_id", parts[1]));
    }
  return states;
}

static void
test_claim_among_states (void)
{
  static const struct
  {
    const char *states;
    gboolean found;
  } cases[] = {
    { "SCHEDULED PENDING=" CLAIM, TRUE },
    { "SCHEDULED PENDING=" CLAIM_UPPER, TRUE },
    { "SCHEDULED PENDING=" CLAIM " PENDING=" OTHER_CLAIM " RUNNING", TRUE },
    { "SCHEDULED PENDING=" OTHER_CLAIM " RUNNING", FALSE },
    { "SCHEDULED PENDING RUNNING", FALSE },
    { "", FALSE },
    /* A retry inside the container; a retry that is due; a retry that was claimed. */
    { "SCHEDULED PENDING=" CLAIM " RUNNING SCHEDULED RUNNING", TRUE },
    { "SCHEDULED PENDING=" CLAIM " RUNNING SCHEDULED", TRUE },
    { "SCHEDULED PENDING=" CLAIM " RUNNING SCHEDULED PENDING=" OTHER_CLAIM, FALSE },
    { "SCHEDULED PENDING=" OTHER_CLAIM " RUNNING SCHEDULED PENDING=" CLAIM " RUNNING", TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      json_auto_t *states = make_states (cases[i].states);

      g_test_message ("%s", cases[i].states);
      g_assert_true ((pp_states_find_claim (states, CLAIM) != NULL) == cases[i].found);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/ownership/owned", test_owned);
  g_test_add_func ("/ownership/no-claim", test_no_claim);
  g_test_add_func ("/ownership/unstarted", test_unstarted);
  g_test_add_func ("/ownership/claim-among-states", test_claim_among_states);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
