/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the health check with a host name that the name server does not resolve at once. */
#include "worker/worker_inside-private.h"

#include "tests/unit/tap.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* The name server. */
static struct
{
  GMutex mutex;
  GCond changed;
  gboolean hangs;
  int failures[3]; /* of the first lookups; 0: the lookup succeeds */
  guint lookups;
} names;

int
getaddrinfo (const char *node, const char *service, const struct addrinfo *hints,
             struct addrinfo **addresses)
{
  static int (*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **);
  int failure = 0;

  *(void **)&real = dlsym (RTLD_NEXT, "getaddrinfo");
  if (node == NULL || (hints->ai_flags & AI_NUMERICHOST) != 0)
    return real (node, service, hints, addresses);
  g_assert_cmpstr (node, ==, "health.example");
  g_mutex_lock (&names.mutex);
  while (names.hangs)
    g_cond_wait (&names.changed, &names.mutex);
  if (names.lookups < G_N_ELEMENTS (names.failures))
    failure = names.failures[names.lookups];
  names.lookups++;
  g_mutex_unlock (&names.mutex);
  return failure != 0 ? failure : real ("127.0.0.1", service, hints, addresses);
}

static void
let_answer (void)
{
  g_mutex_lock (&names.mutex);
  names.hangs = FALSE;
  g_cond_broadcast (&names.changed);
  g_mutex_unlock (&names.mutex);
}

static guint warnings;
static guint messages;

static GLogWriterOutput
count (GLogLevelFlags level, const GLogField *fields G_GNUC_UNUSED, gsize count G_GNUC_UNUSED,
       gpointer user_data G_GNUC_UNUSED)
{
  warnings += level == G_LOG_LEVEL_WARNING;
  messages += level == G_LOG_LEVEL_MESSAGE;
  return G_LOG_WRITER_HANDLED;
}

typedef struct
{
  PpSettings settings;
  PpWorker worker;
} Fixture;

static void
begin (Fixture *fixture, const char *host)
{
  g_autoptr (GError) error = NULL;

  names.lookups = 0;
  warnings = 0;
  messages = 0;
  memset (fixture, 0, sizeof *fixture);
  fixture->settings.worker_webserver_host = (char *)host;
  fixture->worker.settings = &fixture->settings;
  /* The worker is already stopping, so it is not stopped when the health check gives up. */
  fixture->worker.phase = PP_WORKER_STOPPING;
  g_assert_true (pp_worker_health_start (&fixture->worker, &error));
  g_assert_no_error (error);
}

/* Waits until the health check listens or has given up. */
static void
wait_for_end (const Fixture *fixture)
{
  while (fixture->worker.health_timer != 0)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
on_turn (gpointer turned)
{
  *(gboolean *)turned = TRUE;
  return G_SOURCE_REMOVE;
}

static void
test_addresses_are_not_looked_up (void)
{
  static const char *const hosts[] = { "127.0.0.1", "0.0.0.0", "" };

  for (gsize i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      Fixture fixture;

      begin (&fixture, hosts[i]);
      g_assert_nonnull (fixture.worker.health);
      g_assert_cmpuint (names.lookups, ==, 0);
      pp_worker_health_stop (&fixture.worker);
    }
}

static void
test_name_server_hangs (void)
{
  Fixture fixture;
  gboolean turned = FALSE;

  names.hangs = TRUE;
  begin (&fixture, "health.example");
  g_assert_null (fixture.worker.health);
  g_timeout_add (600, on_turn, &turned);
  while (!turned)
    g_main_context_iteration (NULL, TRUE);
  let_answer ();
  wait_for_end (&fixture);
  g_assert_nonnull (fixture.worker.health);
  g_assert_cmpuint (names.lookups, ==, 1);
  pp_worker_health_stop (&fixture.worker);

  /* Stop the health check during a lookup. */
  names.hangs = TRUE;
  begin (&fixture, "health.example");
  pp_worker_health_stop (&fixture.worker);
  let_answer ();
  turned = FALSE;
  g_timeout_add (50, on_turn, &turned);
  while (!turned)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (fixture.worker.health);
}

static void
test_lookup_that_may_pass (void)
{
  Fixture fixture;

  names.failures[0] = names.failures[1] = EAI_AGAIN;
  begin (&fixture, "health.example");
  wait_for_end (&fixture);
  g_assert_nonnull (fixture.worker.health);
  g_assert_cmpuint (names.lookups, ==, 3);
  g_assert_cmpuint (warnings, ==, 1);
  g_assert_cmpuint (messages, ==, 1);
  pp_worker_health_stop (&fixture.worker);
  names.failures[0] = names.failures[1] = 0;
}

static void
test_name_that_is_none (void)
{
  Fixture fixture;

  names.failures[0] = EAI_NONAME;
  begin (&fixture, "health.example");
  wait_for_end (&fixture);
  g_assert_null (fixture.worker.health);
  g_assert_cmpuint (names.lookups, ==, 1);
  names.failures[0] = 0;
}

/* The name is looked up once, however often its port is in use. */
static void
test_port_in_use (void)
{
  Fixture first;
  Fixture second;
  gboolean turned = FALSE;

  begin (&first, "127.0.0.1");
  memset (&second, 0, sizeof second);
  names.lookups = 0;
  second.settings.worker_webserver_host = (char *)"health.example";
  second.settings.worker_webserver_port = pp_health_port (first.worker.health);
  second.worker.settings = &second.settings;
  g_assert_true (pp_worker_health_start (&second.worker, NULL));
  g_timeout_add (600, on_turn, &turned);
  while (!turned)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (second.worker.health);
  g_assert_cmpuint (warnings, ==, 1);
  pp_worker_health_stop (&first.worker);
  wait_for_end (&second);
  g_assert_nonnull (second.worker.health);
  g_assert_cmpuint (names.lookups, ==, 1);
  g_assert_cmpuint (messages, ==, 1);
  pp_worker_health_stop (&second.worker);
}

static void
add_tests (void)
{
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_log_set_writer_func (count, NULL, NULL);
  g_test_add_func ("/health-start/addresses-are-not-looked-up", test_addresses_are_not_looked_up);
  g_test_add_func ("/health-start/name-server-hangs", test_name_server_hangs);
  g_test_add_func ("/health-start/lookup-that-may-pass", test_lookup_that_may_pass);
  g_test_add_func ("/health-start/name-that-is-none", test_name_that_is_none);
  g_test_add_func ("/health-start/port-in-use", test_port_in_use);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
