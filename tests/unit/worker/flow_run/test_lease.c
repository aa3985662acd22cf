/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that the lease of a concurrency slot lasts as long as its run. */
#include "config.h"

#include "flow_run_test.h"

#define LEASE "44444444-4444-4444-8444-444444444444"

static void
give_lease (Fixture *fixture)
{
  fixture->lease = LEASE;
}

static void
run_prefect (Fixture *fixture)
{
  add_state (fixture, "RUNNING", OTHER);
  fixture->renewals = 0;
}

static void
check_renewed (Fixture *fixture)
{
  g_assert_cmpuint (fixture->renewals, >=, 1);
}

/* The worker no longer renews the lease: Prefect inside the container renews it from Running on, or
 * the worker lets it expire. */
static void
check_left_to_prefect (Fixture *fixture)
{
  g_assert_cmpuint (fixture->renewals, ==, 0);
}

/* The server keeps the slot for a retry in the same container. */
static void
retry_inside (Fixture *fixture)
{
  schedule_again (fixture, NULL, json_pack ("{s:s}", "retry_type", "in_process"));
}

static void
check_rescheduled (Fixture *fixture)
{
  g_assert_cmpstr (pp_json_string (fixture->policy, "retry_type"), ==, "reschedule");
}

static void
forget_renewals (Fixture *fixture)
{
  fixture->renewals = 0;
}

/* The deployment has a concurrency limit that was created at TIME. The server gives its states the
 * time 10:00:00. */
#define LIMIT_OF(time)                                                                             \
  "{\"id\": \"" DEPLOYMENT "\", \"global_concurrency_limit\": {\"created\": \"" time "\"}}"
#define RELEASE "/decrement-with-lease"
#define RETRIED                                                                                    \
  .prepare = give_lease, .steps = { end_job, retry_inside }, .exit_code = 3,                       \
  .check = check_rescheduled

static const Case cases[] = {
  { "renewed",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .steps = { let_minute_pass, let_minute_pass, let_minute_pass, end_job },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_renewed,
      .absent = "Could not renew the lease" } },
  { "renewal-is-unanswered",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "/leases/", 0, 1 } },
      .steps = { let_minute_pass, end_job },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_renewed,
      .absent = "Could not renew the lease" } },
  { "lost",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "/leases/", 0, 1, 410, DETAIL ("Lease expired or already revoked") } },
      .steps = { let_minute_pass, end_job },
      .states = "PENDING RUNNING COMPLETED ",
      .log
      = "Could not renew the lease of the concurrency slot of flow run 'run'; the server may give "
        "the slot to another run" } },
  /* The retry has no need of the slot of the attempt before. */
  { "lost-to-a-retry-by-hand",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "/leases/", 0, 1, 410, DETAIL ("Lease expired or already revoked") } },
      .steps = { retry_by_hand, let_minute_pass, end_job },
      .absent = "Could not renew the lease" } },
  { "lost-to-an-end-by-hand",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "/leases/", 0, 1, 410, DETAIL ("Lease expired or already revoked") } },
      .steps = { end_by_hand, let_minute_pass, end_job },
      .absent = "Could not renew the lease" } },
  { "kept-while-prefect-starts",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .prepare = give_lease,
      .steps = { let_minute_pass, end_job },
      .check = check_renewed } },
  { "left-to-prefect",
    { .variables = PREFECT_JOB,
      .keeps_running = TRUE,
      .prepare = give_lease,
      .steps = { run_prefect, let_minute_pass, end_job },
      .check = check_left_to_prefect } },
  { "given-back-for-a-retry",
    { RETRIED, .answers = { { "FAILED", 0, 1 } }, .states = "PENDING RUNNING (slot) " } },
  { "given-back-for-a-retry-after-a-busy-answer",
    { RETRIED, .answers = { { "FAILED", 0, 1 }, { RELEASE, 0, 2 } },
      .states = "PENDING RUNNING (slot) " } },
  /* A second request, beside a first one that is still under way, would give back two slots. */
  { "given-back-once-for-a-retry",
    { RETRIED, .answers = { { "FAILED", 0, 1 }, { RELEASE, 0, 9, 502, DETAIL ("gone"), TRUE } },
      .states = "PENDING RUNNING (slot) " } },
  { "not-given-back",
    { RETRIED, .answers = { { "FAILED", 0, 1 }, { RELEASE, 0, 9, 422, DETAIL ("no") } },
      .states = "PENDING RUNNING " } },
  { "given-back-for-a-retry-that-prefect-waited-for",
    { .variables = PREFECT_JOB,
      .prepare = give_lease,
      .steps = { run_prefect, retry_inside, end_job },
      .states = "PENDING PENDING (slot) ",
      .check = check_rescheduled } },
  /* A redeployment without the limit: with the lease, the server would refuse each end. */
  { "expires-if-the-limit-is-gone",
    { .keeps_running = TRUE,
      .limit_is_gone = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 500, DETAIL ("Internal Server Error") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_left_to_prefect,
      .log = "The worker no longer renews the lease of the concurrency slot of flow run 'run'" } },
  { "expires-if-the-deployment-is-gone",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 500, DETAIL ("Internal Server Error") },
                   { "/deployments/", 1, 9, 404, DETAIL ("Deployment not found") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_left_to_prefect,
      .log = "The worker no longer renews the lease of the concurrency slot of flow run 'run'" } },
  { "expires-if-the-limit-is-a-new-one",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 500, DETAIL ("Internal Server Error") },
                   { "/deployments/", 1, 9, 200, LIMIT_OF ("2026-11-29T10:00:01Z") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_left_to_prefect,
      .log = "The worker no longer renews the lease of the concurrency slot of flow run 'run'" } },
  /* The server fails because of the lease, not because of the state's message. */
  { "message-is-kept-while-the-lease-lasts",
    { .keeps_running = TRUE,
      .limit_is_gone = TRUE,
      .exit_code = 3,
      .prepare = give_lease,
      .answers = { { "FAILED", 0, 12, 500, DETAIL ("Internal Server Error") } },
      .steps = { end_job, let_minute_pass, let_minute_pass, let_minute_pass, let_minute_pass },
      .states = "PENDING RUNNING FAILED ",
      .words = "Container exited with status 3",
      .absent = "perhaps because of its message" } },
  { "kept-if-the-limit-is-an-old-one",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 500, DETAIL ("Internal Server Error") },
                   { "/deployments/", 1, 9, 200, LIMIT_OF ("2026-11-29T09:59:59Z") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_renewed,
      .absent = "no longer renews" } },
  /* If the lease expired, the server would free the slot then, and once more at the run's end. */
  { "kept-if-the-limit-is-there",
    { .keeps_running = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 500, DETAIL ("Internal Server Error") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_renewed,
      .absent = "no longer renews" } },
  { "kept-if-the-end-is-not-answered",
    { .keeps_running = TRUE,
      .limit_is_gone = TRUE,
      .prepare = give_lease,
      .answers = { { "COMPLETED", 0, 12, 503, DETAIL ("Service Unavailable") } },
      .steps = { end_job, let_minute_pass, forget_renewals, let_minute_pass, let_minute_pass,
                 let_minute_pass },
      .states = "PENDING RUNNING COMPLETED ",
      .check = check_renewed,
      .absent = "no longer renews" } },
  { "kept-at-an-end", { .prepare = give_lease, .states = "PENDING RUNNING COMPLETED " } },
};

int
main (int argc, char **argv)
{
  return run_cases (argc, argv, "/lease/", cases, G_N_ELEMENTS (cases));
}
