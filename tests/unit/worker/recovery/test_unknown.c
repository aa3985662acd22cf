/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the log lines at the start about containers with an unknown identity. */
#include "config.h"

#include "infrastructure/containers/container_job-private.h"
#include "worker/recovery/unknown-private.h"
#include "worker/worker_inside-private.h"

#include "prefect-podman/state/identity.h"
#include "tests/unit/tap.h"

#define DOMAIN "prefect.worker.podman"
#define RUN "11111111-1111-4111-8111-111111111111"
#define RUN_IN_HAND "22222222-2222-4222-8222-222222222222"

typedef struct
{
  const char *state;
  const char *identity;
  const char *pool;
  const char *run;
} Row;

/* Logs the lines for ROWS. Each container is named after its state. */
static void
say (const Row *rows, gsize count)
{
  g_autoptr (GHashTable) runs = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) states = g_hash_table_new (g_str_hash, g_str_equal);
  json_auto_t *containers = json_array ();
  g_autoptr (GPtrArray) jobs = NULL;

  g_hash_table_add (runs, (gpointer)RUN_IN_HAND);
  g_hash_table_insert (states, (gpointer) "gone", GINT_TO_POINTER (PP_IDENTITY_UNKNOWN));
  g_hash_table_insert (states, (gpointer) "free", GINT_TO_POINTER (PP_IDENTITY_FREE));
  g_hash_table_insert (states, (gpointer) "living", GINT_TO_POINTER (PP_IDENTITY_LIVING));
  for (gsize i = 0; i < count; i++)
    json_array_append_new (containers,
                           json_pack ("{s:s, s:s*, s:[s+], s:{s:s, s:s, s:s}}", "Id", "c", "State",
                                      rows[i].state, "Names", "/box-",
                                      rows[i].state != NULL ? rows[i].state : "?", "Labels",
                                      PP_IDENTITY_LABEL, rows[i].identity, PP_WORK_POOL_LABEL,
                                      rows[i].pool, PP_FLOW_RUN_LABEL, rows[i].run));
  g_assert_cmpuint (json_array_size (containers), ==, count);
  jobs = pp_container_jobs_from_list (containers);
  pp_unknown_containers_say (jobs, runs, states, "pool", "/state");
}

static void
test_ended (void)
{
  static const Row rows[] = { { "exited", "gone", "pool", RUN },
                              { "stopped", "gone", "pool", RUN },
                              { "dead", "gone", "pool", RUN },
                              { "removing", "gone", "pool", RUN } };

  /* A warning fails the test. */
  g_test_expect_message (DOMAIN, G_LOG_LEVEL_INFO,
                         "This worker does not touch some ended containers of its work pool*: 4");
  say (rows, G_N_ELEMENTS (rows));
  g_test_assert_expected_messages ();
}

static void
test_not_ended (void)
{
  static const char *const states[]
      = { "running", "paused", "stopping", "restarting", "created", "initialized", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    {
      const Row rows[] = { { states[i], "gone", "pool", RUN }, { "exited", "gone", "pool", RUN } };
      g_autofree char *expected
          = g_strdup_printf ("This worker does not touch some containers of its work pool *the "
                             "state directory /state does not know their workers. "
                             "Number of containers: 1; one is 'box-%s'*cancel or delete*podman rm*",
                             states[i] != NULL ? states[i] : "?");

      g_test_expect_message (DOMAIN, G_LOG_LEVEL_WARNING, expected);
      g_test_expect_message (
          DOMAIN, G_LOG_LEVEL_INFO,
          "This worker does not touch some ended containers of its work pool*: 1");
      say (rows, G_N_ELEMENTS (rows));
      g_test_assert_expected_messages ();
    }
}

static void
test_known (void)
{
  static const Row rows[] = { { "running", "free", "pool", RUN },
                              { "running", "living", "pool", RUN },
                              { "exited", "free", "pool", RUN },
                              { "running", "gone", "other pool", RUN },
                              { "running", "gone", "pool", RUN_IN_HAND } };

  say (rows, G_N_ELEMENTS (rows));
}

static void
add (void)
{
  g_test_add_func ("/unknown/ended", test_ended);
  g_test_add_func ("/unknown/not-ended", test_not_ended);
  g_test_add_func ("/unknown/known", test_known);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
