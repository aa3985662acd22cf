/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that outlive whoever sent them. A server or a proxy may carry out a state that was asked
 * for long after its sender has given up waiting, or was killed: a claim that arrives when nobody
 * has the run in hand any more leaves it Pending for ever, and one that arrives on top of the run's
 * end undoes that end. A note keeps the transition ids of such requests, durably, and the states of
 * its run are read from time to time until the last of them can have arrived. */
#pragma once

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/state/journal_late.h"
#include "worker/flow_run/state_reader-private.h"

G_BEGIN_DECLS

typedef struct PpLateRequests PpLateRequests;

typedef enum
{
  PP_LATE_IN_NO_HANDS,
  PP_LATE_IN_HAND,           /* this worker has the run, but did not ask for that state */
  PP_LATE_ASKED_FOR_IN_HAND, /* and has asked for that state */
} PpLateHands;

typedef struct
{
  /* Who has FLOW_RUN_ID, whose state is that of TRANSITION_ID. */
  PpLateHands (*hands) (const char *flow_run_id, const char *transition_id, gpointer user_data);
  /* Goes on with the run of NOTE (borrowed), which a late request has made ours. FALSE: not now,
   * ask again. */
  gboolean (*take_over) (const PpJournalEntry *note, gpointer user_data);
  /* The id of the container in which this worker has FLOW_RUN_ID; borrowed, or NULL. */
  const char *(*container) (const char *flow_run_id, gpointer user_data);
  gpointer user_data;
} PpLateFuncs;

/* A request that got no answer is taken for carried out or lost after so long (microseconds): the
 * server's time for it, PREFECT_API_REQUEST_TIMEOUT, and a minute. */
gint64 pp_late_patience (const PpSettings *settings);

/* The same of a container that the engine was asked to make, which may take it longer. */
gint64 pp_late_container_patience (const PpSettings *settings);

/* PATIENCE: pp_late_patience(). LONGEST: pp_late_container_patience(); no note has a time later
 * than that. Once it is over for a note, the note is kept until its run's states have been read
 * after that; where they cannot be read, for five times PATIENCE more, of which only the time
 * counts in which the server answers other calls. Time is the host's uptime: no step of the wall
 * clock counts. API, STATES and JOURNAL must outlive it, FUNCS is copied. */
PpLateRequests *pp_late_requests_new (PpApi *api, PpStateReader *states, PpJournal *journal,
                                      gint64 patience, gint64 longest, const PpLateFuncs *funcs);
void pp_late_requests_free (PpLateRequests *late);

/* Reads the notes of workers before this one. Blocks; for the start. */
void pp_late_requests_load (PpLateRequests *late);

/* Takes the note ID, whose ENTRY is taken over; passes over one that is known already. */
void pp_late_requests_take (PpLateRequests *late, const char *id, PpJournalEntry *entry);

/* Notes that requests with the transition ids of ENTRY (copied) may be carried out until its
 * late_until_uptime. */
void pp_late_requests_add (PpLateRequests *late, const PpJournalEntry *entry);

/* Whether TRANSITION_ID is that of a request about FLOW_RUN_ID that was noted. */
gboolean pp_late_requests_knows (const PpLateRequests *late, const char *flow_run_id,
                                 const char *transition_id);

/* Whether there is any note of FLOW_RUN_ID. */
gboolean pp_late_requests_has (const PpLateRequests *late, const char *flow_run_id);

/* The transition ids of the claims of all notes. New array of new strings. */
GPtrArray *pp_late_requests_claims (const PpLateRequests *late);

/* How many notes there are. */
guint pp_late_requests_count (const PpLateRequests *late);

/* To be called from time to time: reads the states of all noted runs, and does what has to be done
 * about those that a late request has changed. Notes that are past their time are forgotten. */
void pp_late_requests_look (PpLateRequests *late);

/* late_judge.c: pure. */
typedef enum
{
  PP_LATE_NOTHING,   /* no late request, or one that did no harm */
  PP_LATE_TAKE_OVER, /* the run is claimed with our id, and nobody runs it */
  PP_LATE_PUT_BACK,  /* an earlier state was the right one */
} PpLateVerdict;

/* Whether STATE, the API's object, has one of the transition ids of NOTE. */
gboolean pp_late_is_of (const PpJournalEntry *note, const json_t *state);

/* What a request of NOTE has done to a run whose STATES these are, oldest first. IN_HAND: this
 * worker has the run in hand, by another claim or for another report. *EARLIER: borrowed from
 * STATES, where it is to be put back. */
PpLateVerdict pp_late_judge (const PpJournalEntry *note, json_t *states, gboolean in_hand,
                             json_t **earlier);

G_END_DECLS
