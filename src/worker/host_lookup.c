/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "host_lookup-private.h"

#include "prefect-podman/files/thread.h"

#include <errno.h>

/* Enough stack for the name service modules. */
#define STACK_BYTES ((gsize)1024 * 1024)

/* Until the thread ends, only the thread uses host, port and the results. The main loop uses done
 * and user_data. Both use context, which does not change. */
struct PpHostLookup
{
  GMainContext *context;
  char *host;
  int port;
  struct addrinfo *addresses;
  int failure;
  int error;             /* errno if failure is EAI_SYSTEM */
  PpHostLookupFunc done; /* NULL if cancelled */
  gpointer user_data;
};

static int
look_up (const char *host, int port, int flags, struct addrinfo **addresses)
{
  const struct addrinfo hints
      = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV | flags };
  char service[16];

  *addresses = NULL;
  g_snprintf (service, sizeof service, "%d", port);
  return getaddrinfo (*host != '\0' ? host : NULL, service, &hints, addresses);
}

struct addrinfo *
pp_host_addresses (const char *host, int port)
{
  struct addrinfo *addresses;

  return look_up (host, port, AI_NUMERICHOST, &addresses) == 0 ? addresses : NULL;
}

static gboolean
on_done (gpointer user_data)
{
  PpHostLookup *lookup = user_data;
  struct addrinfo *addresses = g_steal_pointer (&lookup->addresses);
  const char *why
      = lookup->failure == EAI_SYSTEM ? g_strerror (lookup->error) : gai_strerror (lookup->failure);

  if (lookup->done != NULL)
    lookup->done (addresses, lookup->failure, why, lookup->user_data);
  else if (addresses != NULL)
    freeaddrinfo (addresses);
  g_main_context_unref (lookup->context);
  g_free (lookup->host);
  g_free (lookup);
  return G_SOURCE_REMOVE;
}

/* Schedules on_done() on the main loop. May be called from any thread. LOOKUP must not be used
 * afterwards. */
static void
report (PpHostLookup *lookup)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_done, lookup, NULL);
  g_source_attach (source, lookup->context);
}

static void *
run_thread (void *data)
{
  PpHostLookup *lookup = data;

  lookup->failure = look_up (lookup->host, lookup->port, 0, &lookup->addresses);
  lookup->error = errno;
  report (lookup);
  return NULL;
}

PpHostLookup *
pp_host_lookup_new (const char *host, int port, PpHostLookupFunc done, gpointer user_data)
{
  PpHostLookup *lookup = g_new0 (PpHostLookup, 1);

  lookup->context = g_main_context_ref_thread_default ();
  lookup->host = g_strdup (host);
  lookup->port = port;
  lookup->done = done;
  lookup->user_data = user_data;
  if (pp_file_thread_start (run_thread, lookup, STACK_BYTES, NULL) != 0)
    {
      /* No thread could be started: a temporary failure. */
      lookup->failure = EAI_AGAIN;
      report (lookup);
    }
  return lookup;
}

void
pp_host_lookup_cancel (PpHostLookup *lookup)
{
  if (lookup != NULL)
    lookup->done = NULL;
}
