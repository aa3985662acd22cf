/* SPDX-License-Identifier: Apache-2.0 */
/* Renews the lease of a deployment's concurrency slot while a run holds the slot. */
#pragma once

#include "state_reader-private.h"

G_BEGIN_DECLS

typedef struct PpLease PpLease;

/* Renews LEASE_ID, the lease of flow run FLOW_RUN_ID, until the object is freed. If the server
 * reports that the lease is gone, calls LOST once, unless the run needs its slot no more: it has
 * ended or waits to be begun again. API and STATES must outlive the returned object. */
PpLease *pp_lease_new (PpApi *api, PpStateReader *states, const char *flow_run_id,
                       const char *lease_id, void (*lost) (const GError *error, gpointer user_data),
                       gpointer user_data);

/* From now on, renews LEASE only while its run is PENDING. From RUNNING on, Prefect inside the
 * container renews it. The run's state is read before each renewal. */
void pp_lease_keep_until_running (PpLease *lease);

/* NULL is ignored. */
void pp_lease_free (PpLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLease, pp_lease_free)

const char *pp_lease_id (const PpLease *lease);

/* Notes that STATE, as read from the server, has the lease. */
void pp_lease_note_state (PpLease *lease, const json_t *state);

/* True if the server has created LIMIT, a global concurrency limit of its API, after the lease. So
 * the lease belongs to an earlier limit, which was deleted. False if either time is not known. */
gboolean pp_lease_is_older (const PpLease *lease, const json_t *limit);

G_END_DECLS
