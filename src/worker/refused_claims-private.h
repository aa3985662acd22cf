/* SPDX-License-Identifier: Apache-2.0 */
/* Remembers the flow runs whose claims the server refused. The server keeps such a run Scheduled,
 * so each poll returns it again. Without a pause it would take a slot at each poll, and with
 * `--limit 1` no other run would get one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpRefusedClaims PpRefusedClaims;

/* The first pause of a run is SECONDS, the poll interval, but at least 10 s and at most 5 minutes.
 * Each further refusal doubles the pause, up to 5 minutes. */
PpRefusedClaims *pp_refused_claims_new (double seconds);

/* NULL is ignored. */
void pp_refused_claims_free (PpRefusedClaims *refused);

/* Notes that the claim of ID was refused, and begins its next pause. Returns TRUE if this should be
 * logged: for the first refusal, and then once an hour. */
gboolean pp_refused_claims_add (PpRefusedClaims *refused, const char *id);

/* Notes that the claim of ID was accepted. Returns TRUE if it had been refused before. The pauses
 * of all runs end then: the server may have refused every claim, and does so no longer. */
gboolean pp_refused_claims_accept (PpRefusedClaims *refused, const char *id);

/* True if the last claim of ID was refused, even if its pause is over. */
gboolean pp_refused_claims_has (const PpRefusedClaims *refused, const char *id);

/* Call this if a poll has returned ID. True if ID's pause is not over: skip the run then. */
gboolean pp_refused_claims_waits (PpRefusedClaims *refused, const char *id);

/* Returns the number of runs whose pauses are not over. Forgets the runs that no poll has returned
 * for a long time. Call this before each poll. */
guint pp_refused_claims_count_waiting (PpRefusedClaims *refused);

G_END_DECLS
