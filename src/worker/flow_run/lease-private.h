/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the lease of a deployment's concurrency slot alive for as long as a run holds it. */
#pragma once

#include "state_reader-private.h"

G_BEGIN_DECLS

typedef struct PpLease PpLease;

/* Renews LEASE_ID until freed. LOST is called once when the server says that the lease is gone. API
 * must outlive it. */
PpLease *pp_lease_new (PpApi *api, const char *lease_id,
                       void (*lost) (const GError *error, gpointer user_data), gpointer user_data);

/* From now on LEASE is kept only until flow run FLOW_RUN_ID leaves PENDING, as Prefect inside a
 * container keeps it from RUNNING on: STATES, which must outlive LEASE, is asked before each
 * renewal. */
void pp_lease_keep_until_running (PpLease *lease, PpStateReader *states, const char *flow_run_id);

/* NULL is ignored. */
void pp_lease_free (PpLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLease, pp_lease_free)

const char *pp_lease_id (const PpLease *lease);

G_END_DECLS
