/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that outlive their sender. A server or proxy may carry out a state change long after its
 * sender gave up waiting or was killed. If no worker handles the run, a late claim leaves the run
 * Pending forever. A claim that arrives after the run's final state overwrites that state. A note
 * in the journal keeps the transition ids of such requests. The worker reads the states of the
 * note's run from time to time until no request can arrive any more. */
#pragma once

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/state/journal_late.h"
#include "worker/flow_run/state_reader-private.h"

G_BEGIN_DECLS

typedef struct PpLateRequests PpLateRequests;

typedef enum
{
  PP_LATE_IN_NO_HANDS,
  PP_LATE_IN_HAND,           /* this worker has the run, but did not request its state */
  PP_LATE_ASKED_FOR_IN_HAND, /* this worker has the run and requested its state */
} PpLateHands;

typedef struct
{
  /* Returns who handles FLOW_RUN_ID. TRANSITION_ID is the id of the run's current state. */
  PpLateHands (*hands) (const char *flow_run_id, const char *transition_id, gpointer user_data);
  /* Recovers the run of NOTE (borrowed), which a late request has claimed for this worker. Returns
   * FALSE if that is not possible now; it is called again later. */
  gboolean (*take_over) (const PpJournalEntry *note, gpointer user_data);
  /* Returns the id of this worker's container for FLOW_RUN_ID; borrowed, or NULL. */
  const char *(*container) (const char *flow_run_id, gpointer user_data);
  gpointer user_data;
} PpLateFuncs;

/* Returns the time (microseconds) after which a request without an answer was either carried out or
 * lost: PREFECT_API_REQUEST_TIMEOUT and a minute. */
gint64 pp_late_patience (const PpSettings *settings);

/* The same for a request to the engine to create a container. Such a request may take longer. */
gint64 pp_late_container_patience (const PpSettings *settings);

/* PATIENCE is pp_late_patience(). LONGEST is pp_late_container_patience(): a note expires after
 * that time at the latest. An expired note is kept until its run was read once more and needs no
 * change. If that does not succeed, the note is dropped after another five times PATIENCE. Only
 * time in which the server answers other requests counts. The expiry is a time of the host's
 * uptime, so changes of the wall clock do not matter. API, STATES and JOURNAL must outlive the
 * returned object; FUNCS is copied. */
PpLateRequests *pp_late_requests_new (PpApi *api, PpStateReader *states, PpJournal *journal,
                                      gint64 patience, gint64 longest, const PpLateFuncs *funcs);
void pp_late_requests_free (PpLateRequests *late);

/* Loads the notes of earlier workers. Blocks; only for the start. */
void pp_late_requests_load (PpLateRequests *late);

/* Adds the note ID with ENTRY and takes ownership of ENTRY. Ignores an id that is already known. */
void pp_late_requests_take (PpLateRequests *late, const char *id, PpJournalEntry *entry);

/* Adds a note: requests with the transition ids of ENTRY (copied) may be carried out until its
 * late_until_uptime. */
void pp_late_requests_add (PpLateRequests *late, const PpJournalEntry *entry);

/* True if TRANSITION_ID is the id of a noted request about FLOW_RUN_ID. */
gboolean pp_late_requests_knows (const PpLateRequests *late, const char *flow_run_id,
                                 const char *transition_id);

/* True if there is a note about FLOW_RUN_ID. */
gboolean pp_late_requests_has (const PpLateRequests *late, const char *flow_run_id);

/* Returns the transition ids of the claims in all notes; new array of new strings. */
GPtrArray *pp_late_requests_claims (const PpLateRequests *late);

/* Returns the number of notes. */
guint pp_late_requests_count (const PpLateRequests *late);

/* Reads the states of all noted runs and corrects those that a late request has changed. Drops
 * expired notes. Call this from time to time. */
void pp_late_requests_look (PpLateRequests *late);

/* late_judge.c: pure functions. */
typedef enum
{
  PP_LATE_NOTHING,   /* no late request, or one that did no harm */
  PP_LATE_TAKE_OVER, /* the run has our claim, and no worker handles it */
  PP_LATE_PUT_BACK,  /* an earlier state must be restored */
} PpLateVerdict;

/* True if STATE, an object of the API, has one of the transition ids of NOTE. */
gboolean pp_late_is_of (const PpJournalEntry *note, const json_t *state);

/* Decides what a request of NOTE has done to a run with STATES, oldest first. IN_HAND is TRUE if
 * this worker has the run in flight under another claim or report. For PP_LATE_PUT_BACK, sets
 * *EARLIER to the state to restore, borrowed from STATES. */
PpLateVerdict pp_late_judge (const PpJournalEntry *note, json_t *states, gboolean in_hand,
                             json_t **earlier);

G_END_DECLS
