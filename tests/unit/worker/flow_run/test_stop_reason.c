/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which reason to stop a flow run replaces which. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"

#include "tests/unit/tap.h"

typedef struct
{
  const char *name;
  PpStopReason first;
  PpStopReason second;
  PpStopReason reason; /* after both */
  gboolean is_cancelled;
  gboolean is_timed_out;
  gboolean is_over;
} Case;

static const Case cases[] = {
  { "none", PP_STOP_NONE, PP_STOP_NONE, PP_STOP_NONE, FALSE, FALSE, FALSE },
  { "timeout", PP_STOP_NONE, PP_STOP_TIMEOUT, PP_STOP_TIMEOUT, FALSE, TRUE, FALSE },
  { "cancelled", PP_STOP_NONE, PP_STOP_CANCELLED, PP_STOP_CANCELLED, TRUE, FALSE, FALSE },
  { "cancelled-after-timeout", PP_STOP_TIMEOUT, PP_STOP_CANCELLED, PP_STOP_CANCELLED_AFTER_TIMEOUT,
    TRUE, TRUE, FALSE },
  { "timeout-after-cancelled", PP_STOP_CANCELLED, PP_STOP_TIMEOUT, PP_STOP_CANCELLED, TRUE, FALSE,
    FALSE },
  { "ended-after-cancelled", PP_STOP_CANCELLED, PP_STOP_ENDED, PP_STOP_ENDED, FALSE, FALSE, TRUE },
  { "deleted-after-timeout", PP_STOP_TIMEOUT, PP_STOP_DELETED, PP_STOP_DELETED, FALSE, FALSE,
    TRUE },
  { "cancelled-after-begun-again", PP_STOP_BEGUN_AGAIN, PP_STOP_CANCELLED, PP_STOP_BEGUN_AGAIN,
    FALSE, FALSE, TRUE },
};

static void
test_replacement (gconstpointer data)
{
  const Case *chosen = data;
  PpFlowRun run = { 0 };

  pp_flow_run_stop_because (&run, chosen->first);
  pp_flow_run_stop_because (&run, chosen->second);
  g_assert_cmpint (run.stop_reason, ==, chosen->reason);
  g_assert_cmpint (pp_flow_run_is_cancelled (&run), ==, chosen->is_cancelled);
  g_assert_cmpint (pp_flow_run_is_timed_out (&run), ==, chosen->is_timed_out);
  g_assert_cmpint (pp_flow_run_is_over_on_server (&run), ==, chosen->is_over);
}

static void
add_tests (void)
{
  pp_test_add_cases ("/stop-reason", cases, test_replacement);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
