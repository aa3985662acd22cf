/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "lease-private.h"

#include "flow_run-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

/* The requested duration of a lease and the intervals of its renewal, in seconds. The first lease
 * may last only half a minute (PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION). Even
 * that lease outlives one lost answer. */
#define LEASE_SECONDS 300
#define FIRST_RENEWAL_SECONDS 10
#define RENEWAL_SECONDS 100

struct PpLease
{
  PpApi *api;
  char *id;
  void (*lost) (const GError *error, gpointer user_data);
  gpointer user_data;
  guint timer;
  PpApiCall *call;
  PpStateReader *states;
  char *flow_run_id;
  gboolean until_running; /* the run is read before each renewal */
  PpStateRead *read;
  GError *refusal; /* the server's; NULL if the lease was not refused */
  gint64 since;    /* UNIX microseconds of the server's clock: time of the first state with the
                      lease; -1 if not known */
};

static gboolean renew (gpointer user_data);

/* Called with the run's state after the server refused to renew the lease. Ending or retrying a run
 * by hand frees its slot. Such a run does not need the slot any more, so nothing is reported. */
static void
on_refused_state (json_t *body, const GError *error, gpointer user_data)
{
  PpLease *lease = user_data;
  const json_t *state = json_object_get (body, "state");

  lease->read = NULL;
  if (error != NULL ? !g_error_matches (error, PP_API_ERROR, 404)
                    : !pp_flow_run_state_is_terminal (state)
                          && g_strcmp0 (pp_json_string (state, "type"), "SCHEDULED") != 0)
    lease->lost (lease->refusal, lease->user_data);
}

static void
on_renewed (json_t *body, const GError *error, gpointer user_data)
{
  PpLease *lease = user_data;

  (void)body;
  lease->call = NULL;
  if (error != NULL && !pp_api_error_may_pass (error))
    {
      lease->refusal = g_error_copy (error);
      lease->read
          = pp_state_reader_read (lease->states, lease->flow_run_id, on_refused_state, lease);
      return;
    }
  /* The lease outlives one or two renewals that an outage prevents. */
  lease->timer = g_timeout_add_seconds (error != NULL ? FIRST_RENEWAL_SECONDS : RENEWAL_SECONDS,
                                        renew, lease);
}

static void
send_renewal (PpLease *lease)
{
  lease->call
      = pp_concurrency_lease_renew (lease->api, lease->id, LEASE_SECONDS, on_renewed, lease);
}

/* The server renews the lease at RUNNING, or issues another one
 * (ValidateDeploymentConcurrencyAtRunning). From then on Prefect inside the container renews it,
 * and the run's end revokes it. If the state cannot be read, the lease is renewed. */
static void
on_state (json_t *body, const GError *error, gpointer user_data)
{
  PpLease *lease = user_data;
  const char *type = pp_json_string (json_object_get (body, "state"), "type");

  lease->read = NULL;
  if (g_error_matches (error, PP_API_ERROR, 404)
      || (error == NULL && g_strcmp0 (type, "PENDING") != 0))
    return;
  send_renewal (lease);
}

static gboolean
renew (gpointer user_data)
{
  PpLease *lease = user_data;

  lease->timer = 0;
  if (lease->until_running)
    lease->read = pp_state_reader_read (lease->states, lease->flow_run_id, on_state, lease);
  else
    send_renewal (lease);
  return G_SOURCE_REMOVE;
}

void
pp_lease_keep_until_running (PpLease *lease)
{
  lease->until_running = TRUE;
}

PpLease *
pp_lease_new (PpApi *api, PpStateReader *states, const char *flow_run_id, const char *lease_id,
              void (*lost) (const GError *error, gpointer user_data), gpointer user_data)
{
  PpLease *lease = g_new0 (PpLease, 1);

  lease->api = api;
  lease->states = states;
  lease->flow_run_id = g_strdup (flow_run_id);
  lease->id = g_strdup (lease_id);
  lease->lost = lost;
  lease->user_data = user_data;
  lease->since = -1;
  lease->timer = g_timeout_add_seconds (FIRST_RENEWAL_SECONDS, renew, lease);
  return lease;
}

void
pp_lease_free (PpLease *lease)
{
  if (lease == NULL)
    return;
  g_clear_handle_id (&lease->timer, g_source_remove);
  pp_api_call_cancel (lease->call);
  pp_state_read_cancel (lease->read);
  g_clear_error (&lease->refusal);
  g_free (lease->flow_run_id);
  g_free (lease->id);
  g_free (lease);
}

const char *
pp_lease_id (const PpLease *lease)
{
  return lease->id;
}

void
pp_lease_note_state (PpLease *lease, const json_t *state)
{
  if (lease->since < 0)
    lease->since = pp_timestamp_parse (pp_json_string (state, "timestamp"));
}

gboolean
pp_lease_is_older (const PpLease *lease, const json_t *limit)
{
  return lease->since >= 0 && pp_timestamp_parse (pp_json_string (limit, "created")) > lease->since;
}
