/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which answers to a proposed state can be Prefect's. */
#include "config.h"

#include "prefect/api-private.h"

#include "tests/unit/tap.h"

#define OURS "3257e4f1-1b85-4aad-bd80-199b7758024c"
#define RESTORED "3257e4f1-1b85-8aad-bd80-199b7758024c"
#define OTHERS "423757fd-823a-4460-9a5f-846eefdec2c3"
#define STATE(type, id)                                                                            \
  "{\"type\": \"" type "\", \"state_details\": {\"transition_id\": \"" id "\"}}"
#define ANSWER(status, state, details)                                                             \
  "{\"status\": \"" status "\", \"state\": " state ", \"details\": " details "}"

/* Reads the answer TEXT to a proposal of TYPE with the id OURS. Only the numbers in RESULT stay
 * valid. */
static gboolean
read_answer (const char *type, const char *text, PpSetStateResult *result)
{
  json_auto_t *body = pp_json_parse (text, strlen (text), JSON_DECODE_ANY, NULL);
  return pp_api_read_set_state (body, type, OURS, result);
}

typedef struct
{
  const char *type;
  const char *answer;
  PpSetStateStatus status;
  double delay;
} Legal;

static const Legal legal[] = {
  { "COMPLETED", ANSWER ("ACCEPT", STATE ("COMPLETED", OURS), "{\"type\": \"accept_details\"}"),
    PP_SET_STATE_ACCEPT, 0 },
  /* Renamed by a rule; the id in capitals; restored; from a server without transition ids. */
  { "RUNNING",
    ANSWER ("ACCEPT", "{\"type\": \"RUNNING\", \"name\": \"Retrying\", \"state_details\": {}}",
            "{}"),
    PP_SET_STATE_ACCEPT, 0 },
  { "PENDING", ANSWER ("ACCEPT", STATE ("PENDING", "3257E4F1-1B85-4AAD-BD80-199B7758024C"), "{}"),
    PP_SET_STATE_ACCEPT, 0 },
  { "FAILED", ANSWER ("ACCEPT", STATE ("FAILED", RESTORED), "{}"), PP_SET_STATE_ACCEPT, 0 },
  { "FAILED",
    ANSWER ("ACCEPT", "{\"type\": \"FAILED\", \"state_details\": {\"transition_id\": null}}", "{}"),
    PP_SET_STATE_ACCEPT, 0 },
  { "CRASHED", ANSWER ("ACCEPT", "{\"type\": \"CRASHED\"}", "null"), PP_SET_STATE_ACCEPT, 0 },
  /* A duplicate of ours, a retry, no free slot, the end that the run has. */
  { "FAILED", ANSWER ("REJECT", STATE ("FAILED", OURS), "{\"reason\": \"already made\"}"),
    PP_SET_STATE_ACCEPT, 0 },
  { "FAILED",
    ANSWER ("REJECT", "{\"type\": \"SCHEDULED\", \"name\": \"AwaitingRetry\"}",
            "{\"type\": \"reject_details\", \"reason\": \"Retrying\"}"),
    PP_SET_STATE_REJECT, 0 },
  { "PENDING", ANSWER ("REJECT", STATE ("SCHEDULED", OTHERS), "{\"reason\": null}"),
    PP_SET_STATE_REJECT, 0 },
  { "RUNNING", ANSWER ("REJECT", "{\"type\": \"CANCELLING\"}", "{}"), PP_SET_STATE_REJECT, 0 },
  { "RUNNING", ANSWER ("REJECT", "{\"type\": \"PAUSED\"}", "{}"), PP_SET_STATE_REJECT, 0 },
  { "PENDING", ANSWER ("REJECT", "{\"type\": \"CANCELLED\"}", "{}"), PP_SET_STATE_REJECT, 0 },
  { "PENDING", ANSWER ("ABORT", "{\"type\": \"RUNNING\"}", "{\"reason\": \"no\"}"),
    PP_SET_STATE_ABORT, 0 },
  { "COMPLETED", ANSWER ("ABORT", "null", "{\"reason\": \"Error validating state\"}"),
    PP_SET_STATE_ABORT, 0 },
  { "COMPLETED", "{\"status\": \"ABORT\", \"details\": {}}", PP_SET_STATE_ABORT, 0 },
  { "RUNNING", ANSWER ("WAIT", "{\"type\": \"PENDING\"}", "{\"delay_seconds\": 30}"),
    PP_SET_STATE_WAIT, 30 },
  { "RUNNING", ANSWER ("WAIT", "null", "{\"delay_seconds\": 0}"), PP_SET_STATE_WAIT, 0 },
  { "RUNNING", ANSWER ("WAIT", "null", "{\"delay_seconds\": 0.5}"), PP_SET_STATE_WAIT, 0.5 },
  /* A run that is due in a week. */
  { "RUNNING", ANSWER ("WAIT", "null", "{\"delay_seconds\": 604800}"), PP_SET_STATE_WAIT, 3600 },
};

static void
test_legal (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (legal); i++)
    {
      PpSetStateResult result;

      g_test_message ("%s", legal[i].answer);
      g_assert_true (read_answer (legal[i].type, legal[i].answer, &result));
      g_assert_cmpint (result.status, ==, legal[i].status);
      g_assert_cmpfloat (result.delay_seconds, ==, legal[i].delay);
    }
}

/* Answers to FAILED. */
static const char *const strange[] = {
  "[]",
  "3",
  "{}",
  "{\"status\": \"MAYBE\"}",
  "{\"status\": \"accept\", \"state\": {\"type\": \"FAILED\"}}",
  "{\"status\": \"ACCEPT\"}",
  ANSWER ("ACCEPT", "null", "{}"),
  ANSWER ("ACCEPT", "{}", "{}"),
  ANSWER ("ACCEPT", "[{\"type\": \"FAILED\"}]", "{}"),
  ANSWER ("ACCEPT", "{\"type\": 3}", "{}"),
  ANSWER ("ACCEPT", "{\"type\": \"RUNNING\"}", "{}"),
  ANSWER ("ACCEPT", "{\"type\": \"SCHEDULED\"}", "{}"),
  ANSWER ("ACCEPT", "{\"type\": \"COMPLETED\"}", "{}"),
  ANSWER ("ACCEPT", STATE ("RUNNING", OURS), "{}"),
  /* The answer to another proposal. */
  ANSWER ("ACCEPT", STATE ("FAILED", OTHERS), "{}"),
  ANSWER ("ACCEPT", STATE ("FAILED", "x"), "{}"),
  ANSWER ("REJECT", STATE ("RUNNING", OURS), "{}"),
  "{\"status\": \"REJECT\"}",
  "{\"status\": \"REJECT\", \"details\": {}}",
  "{\"status\": \"REJECT\", \"state\": {\"type\": \"FAILED\"}}",
  ANSWER ("REJECT", "null", "{}"),
  ANSWER ("REJECT", "{}", "{}"),
  ANSWER ("REJECT", "{\"type\": \"BOGUS\"}", "{}"),
  ANSWER ("REJECT", "{\"type\": \"failed\"}", "{}"),
  ANSWER ("REJECT", "{\"type\": \"FAILED\"}", "[]"),
  "{\"status\": \"ABORT\"}",
  ANSWER ("ABORT", "null", "null"),
  ANSWER ("ABORT", "{\"type\": \"BOGUS\"}", "{}"),
  ANSWER ("ABORT", "3", "{}"),
  "{\"status\": \"WAIT\"}",
  ANSWER ("WAIT", "null", "{}"),
  ANSWER ("WAIT", "null", "[{\"delay_seconds\": 3}]"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": null}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": \"3\"}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": true}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": -5}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": -1e-9}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": 1e300}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": 1e999}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": 9223372036854775807}"),
  ANSWER ("WAIT", "null", "{\"delay_seconds\": 99999999999999999999}"),
};

static void
test_strange (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (strange); i++)
    {
      PpSetStateResult result;

      g_test_message ("%s", strange[i]);
      g_assert_false (read_answer ("FAILED", strange[i], &result));
    }
}

/* Nothing is decided: the run keeps its state. */
static void
test_open (void)
{
  static const struct
  {
    const char *answer;
    gboolean is_open;
  } cases[] = {
    { ANSWER ("WAIT", "null", "{\"delay_seconds\": 3}"), TRUE },
    { ANSWER ("WAIT", "{\"type\": \"PENDING\"}", "{\"delay_seconds\": 3}"), TRUE },
    { ANSWER ("ABORT", "null", "{\"reason\": \"Error validating state\"}"), TRUE },
    { ANSWER ("ABORT", "{\"type\": \"CRASHED\"}", "{}"), FALSE },
    { ANSWER ("REJECT", "{\"type\": \"SCHEDULED\"}", "{}"), FALSE },
    { ANSWER ("ACCEPT", "{\"type\": \"FAILED\"}", "{}"), FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      PpSetStateResult result;

      g_assert_true (read_answer ("FAILED", cases[i].answer, &result));
      g_assert_cmpint (pp_set_state_is_open (&result), ==, cases[i].is_open);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/set-state-answer/legal", test_legal);
  g_test_add_func ("/set-state-answer/strange", test_strange);
  g_test_add_func ("/set-state-answer/open", test_open);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
