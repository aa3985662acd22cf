/* SPDX-License-Identifier: Apache-2.0 */
/* Remembers the SCHEDULED states in which this worker has claimed flow runs. Each such state can be
 * claimed once. If a poll returns one of them again, its answer is old: a proxy may have repeated
 * it, or the server was slow. The run may be over by now, and the server accepts PENDING after
 * COMPLETED, so a second claim would execute it again. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpClaimedStates PpClaimedStates;

PpClaimedStates *pp_claimed_states_new (void);

/* NULL is ignored. */
void pp_claimed_states_free (PpClaimedStates *claimed);

/* Notes that the server accepted the claim of a run that was in the state ID. Forgets the oldest of
 * more than 1000 ids. NULL as ID is ignored. */
void pp_claimed_states_add (PpClaimedStates *claimed, const char *id);

/* True if ID was added and is not forgotten. False for NULL. */
gboolean pp_claimed_states_has (const PpClaimedStates *claimed, const char *id);

G_END_DECLS
