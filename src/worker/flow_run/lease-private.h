/* SPDX-License-Identifier: Apache-2.0 */
/* Renews the lease of a deployment's concurrency slot while a run holds the slot. */
#pragma once

#include "state_reader-private.h"

G_BEGIN_DECLS

typedef struct PpLease PpLease;

/* Renews LEASE_ID until the object is freed. Calls LOST once if the server reports that the lease
 * is gone. API must outlive the returned object. */
PpLease *pp_lease_new (PpApi *api, const char *lease_id,
                       void (*lost) (const GError *error, gpointer user_data), gpointer user_data);

/* From now on, renews LEASE only while flow run FLOW_RUN_ID is PENDING. From RUNNING on, Prefect
 * inside the container renews it. STATES is asked before each renewal and must outlive LEASE. */
void pp_lease_keep_until_running (PpLease *lease, PpStateReader *states, const char *flow_run_id);

/* NULL is ignored. */
void pp_lease_free (PpLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLease, pp_lease_free)

const char *pp_lease_id (const PpLease *lease);

G_END_DECLS
