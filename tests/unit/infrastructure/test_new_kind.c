/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the kind of docs/internals/new-infrastructure.md: the build takes its code from that page,
 * and a flow run sleeps in it. */
#include "config.h"

#include "infrastructure/kind-private.h"
#include "tests/unit/worker/flow_run/flow_run_test.h"

/* Declared as the page says. */
extern const PpInfrastructureKind pp_sleep_kind;

static void
use_sleep (Fixture *fixture)
{
  PpWorkerContext *context = &fixture->context;

  json_decref (context->work_pool);
  context->work_pool
      = json_pack ("{s:s, s:s, s:s, s:o}", "id", RUN, "name", "pool", "type", "sleep",
                   "base_job_template", pp_sleep_kind.pools[0].template_of ("sleep"));
  fixture->fake = NULL;
  pp_infrastructure_free (context->infrastructure);
  context->infrastructure = pp_sleep_kind.new_ (fixture->http, "sleep:", NULL);
}

static const Case cases[] = {
  { "completes",
    { .variables = "{\"seconds\": 3}",
      .prepare = use_sleep,
      .keeps_running = TRUE,
      .states = "PENDING RUNNING COMPLETED ",
      .log = "submitted to infrastructure" } },
  { "is-cancelled",
    { .variables = "{\"seconds\": 3600}",
      .prepare = use_sleep,
      .keeps_running = TRUE,
      .steps = { cancel_run },
      .states = "PENDING RUNNING CANCELLED " } },
  { "wrong-key",
    { .variables = "{\"seconds\": \"many\"}",
      .prepare = use_sleep,
      .keeps_running = TRUE,
      .states = "PENDING CRASHED ",
      .words = "seconds: must be a whole number" } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/new-kind/", cases, G_N_ELEMENTS (cases));
}
