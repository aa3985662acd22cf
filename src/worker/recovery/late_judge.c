/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a late request has done to a flow run. */
#include "config.h"

#include "late_requests-private.h"

#include "prefect-podman/json.h"
#include "prefect-podman/prefect/resources.h"
#include "worker/flow_run/flow_run-private.h"

static gboolean
is_type (const json_t *state, const char *type)
{
  return g_strcmp0 (pp_json_string (state, "type"), type) == 0;
}

gboolean
pp_late_is_of (const PpJournalEntry *note, const json_t *state)
{
  const char *id = pp_state_transition_id (state);

  return pp_is_same_transition (id, note->claim_transition_id)
         || pp_is_same_transition (id, note->submitting_transition_id)
         || pp_is_same_transition (id, note->running_transition_id)
         || pp_is_same_transition (id, note->report_transition_id);
}

/* RESTORED is a state that restores an earlier one, its original. Returns the index of the original
 * in STATES, or -1. If the original had no transition id, its type and name identify it. */
static gssize
find_original (const json_t *states, const json_t *restored)
{
  for (gssize i = (gssize)json_array_size (states) - 1; i >= 0; i--)
    {
      const json_t *state = json_array_get (states, (size_t)i);
      const char *id = pp_state_transition_id (state);

      if (id != NULL
              ? pp_is_same_transition (id, pp_state_transition_id (restored))
              : is_type (state, pp_json_string (restored, "type"))
                    && g_strcmp0 (pp_json_string (state, "name"), pp_json_string (restored, "name"))
                           == 0)
        return i;
    }
  return -1;
}

/* Returns STATES without the states that a restore has undone. A restored state undoes all states
 * after its original. New reference. */
static json_t *
leave_out_undone (json_t *states)
{
  json_t *kept = json_array ();
  json_t *state;
  size_t i;

  json_array_foreach (states, i, state)
  {
    gssize original = pp_state_is_restored (state) ? find_original (kept, state) : -1;

    if (original < 0)
      json_array_append (kept, state);
    while (original >= 0 && json_array_size (kept) > (size_t)original + 1)
      json_array_remove (kept, json_array_size (kept) - 1);
  }
  return kept;
}

/* The states of a run's last attempt: the states after the last SCHEDULED, without the current
 * state, which the note's request has set. */
typedef struct
{
  json_t *scheduled;  /* the last SCHEDULED, or NULL */
  json_t *before;     /* the state before the current one, perhaps SCHEDULED; or NULL */
  json_t *end;        /* the last terminal state, or NULL */
  json_t *anothers;   /* the last state that is not the note's, if another worker has claimed the
                         attempt; else NULL */
  gboolean is_own;    /* some state is the note's */
  gboolean has_other; /* some state is not the note's; Prefect in the container may have set it */
  gboolean was_begun; /* the note's states begin before SCHEDULED, so this attempt is a later one */
} Attempt;

static void
begin_attempt (Attempt *attempt, json_t *scheduled)
{
  attempt->scheduled = scheduled;
  attempt->end = NULL;
  attempt->anothers = NULL;
  attempt->is_own = FALSE;
  attempt->has_other = FALSE;
}

static Attempt
read_attempt (const PpJournalEntry *note, json_t *states)
{
  Attempt attempt = { 0 };
  gboolean has_own = FALSE;
  size_t count = json_array_size (states);

  for (size_t i = 0; i + 1 < count; i++)
    {
      json_t *state = json_array_get (states, i);
      gboolean own = pp_late_is_of (note, state);

      attempt.before = state;
      if (is_type (state, "SCHEDULED"))
        {
          attempt.was_begun = has_own;
          begin_attempt (&attempt, state);
          continue;
        }
      has_own = has_own || own;
      attempt.is_own = attempt.is_own || own;
      if (pp_flow_run_state_is_terminal (state))
        attempt.end = state;
      if (own)
        continue;
      attempt.has_other = TRUE;
      /* No other worker can claim an attempt that the note's worker has claimed: the server refuses
       * that (PreventPendingTransitions). A later PENDING was forced by a user. */
      if ((is_type (state, "PENDING") && !attempt.is_own) || attempt.anothers != NULL)
        attempt.anothers = state;
    }
  return attempt;
}

static PpLateVerdict
put_back (json_t *state, json_t **earlier)
{
  *earlier = state;
  return PP_LATE_PUT_BACK;
}

/* Judges a run with the note's final state as its current state. */
static PpLateVerdict
judge_end (const Attempt *attempt, const json_t *last, gboolean in_hand, json_t **earlier)
{
  /* An earlier final state has priority. Reporting the same final state twice does no harm. */
  if (attempt->end != NULL)
    return is_type (last, pp_json_string (attempt->end, "type")) ? PP_LATE_NOTHING
                                                                 : put_back (attempt->end, earlier);
  if (attempt->anothers != NULL)
    return put_back (attempt->before, earlier);
  /* The run was scheduled for a retry, which a report of the earlier attempt must not end. */
  if (attempt->was_begun && (attempt->before == attempt->scheduled || in_hand))
    return put_back (attempt->before, earlier);
  return PP_LATE_NOTHING;
}

/* Judges a run whose current state was set by a request of NOTE. */
static PpLateVerdict
judge_own (const PpJournalEntry *note, json_t *states, gboolean in_hand, json_t **earlier)
{
  const json_t *last = json_array_get (states, json_array_size (states) - 1);
  Attempt attempt = read_attempt (note, states);

  if (pp_flow_run_state_is_terminal (last))
    return judge_end (&attempt, last, in_hand, earlier);
  if (attempt.end != NULL)
    return put_back (attempt.end, earlier);
  if (attempt.anothers != NULL)
    return put_back (attempt.anothers, earlier);
  /* Leave the run alone if Prefect has reported from the note's own container, or if that container
   * was started: one attempt must not start twice. */
  if (in_hand || attempt.has_other || (note->started_at > 0 && !attempt.was_begun))
    return PP_LATE_NOTHING;
  return PP_LATE_TAKE_OVER;
}

PpLateVerdict
pp_late_judge (const PpJournalEntry *note, json_t *states, gboolean in_hand, json_t **earlier)
{
  const json_t *last = json_array_get (states, json_array_size (states) - 1);
  json_auto_t *kept = NULL;

  *earlier = NULL;
  if (last == NULL || !pp_late_is_of (note, last) || pp_state_is_restored (last))
    return PP_LATE_NOTHING;
  kept = leave_out_undone (states);
  return judge_own (note, kept, in_hand, earlier);
}
