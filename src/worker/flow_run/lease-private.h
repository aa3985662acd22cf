/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the lease of a deployment's concurrency slot alive for as long as a run holds it. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef struct PpLease PpLease;

/* Renews LEASE_ID until freed. LOST is called once when the server says that the lease is gone. API
 * must outlive it. */
PpLease *pp_lease_new (PpApi *api, const char *lease_id,
                       void (*lost) (const GError *error, gpointer user_data), gpointer user_data);
void pp_lease_free (PpLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLease, pp_lease_free)

const char *pp_lease_id (const PpLease *lease);

G_END_DECLS
