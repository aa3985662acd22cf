/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "late_requests-private.h"

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/json.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/state_dir.h"

#include <string.h>

/* The most notes. No crash can leave so many. Each note adds one id to the reads of states, which
 * are sent with at most 100 ids in each request. */
#define MAX_NOTES 1000
/* A note that stays undecided is kept for this many times the patience. */
#define VAIN_PATIENCES 5
/* The most attempts to restore a state while the server answers. Each begins with reading the run's
 * states. */
#define TRIES 120

typedef struct
{
  PpLateRequests *late;
  char *id; /* of the note's file */
  PpJournalEntry *entry;
  gint64 until;       /* pp_uptime() in microseconds; requests may be carried out until then */
  gint64 asked_at;    /* pp_uptime() when the state was last requested */
  gint64 in_vain;     /* microseconds after `until` in which the server answered other requests */
  gboolean restoring; /* `call` restores a state */
  PpStateRead *read;
  PpApiCall *call; /* reads the run's states, or restores one */
  PpApiCall *pid_call;
  guint tries;     /* attempts to restore a state */
  char *judged;    /* id of the last state that needed no change or could not be changed */
  char *other_pid; /* infrastructure_pid that another worker set for a later attempt */
  char *looked_at; /* id of the state that is being checked */
} Note;

struct PpLateRequests
{
  PpApi *api;
  PpStateReader *states;
  PpJournal *journal;
  gint64 patience; /* microseconds */
  gint64 longest;  /* microseconds */
  PpLateFuncs funcs;
  GHashTable *notes; /* id -> Note */
  char *boot_id;     /* the host's */
  gint64 looked_at;  /* monotonic microseconds of the last check; 0: none yet */
  gint64 answered;   /* pp_api_answered() at the last check */
};

static void
free_note (gpointer data)
{
  Note *note = data;

  pp_state_read_cancel (note->read);
  pp_api_call_cancel (note->call);
  pp_api_call_cancel (note->pid_call);
  pp_journal_entry_free (note->entry);
  g_free (note->other_pid);
  g_free (note->judged);
  g_free (note->looked_at);
  g_free (note->id);
  g_free (note);
}

gint64
pp_late_patience (const PpSettings *settings)
{
  return (gint64)((settings->api_request_timeout + 60) * G_USEC_PER_SEC);
}

gint64
pp_late_container_patience (const PpSettings *settings)
{
  return MAX (pp_late_patience (settings),
              (gint64)(PP_INFRASTRUCTURE_CREATE_SECONDS + 60) * G_USEC_PER_SEC);
}

PpLateRequests *
pp_late_requests_new (PpApi *api, PpStateReader *states, PpJournal *journal, gint64 patience,
                      gint64 longest, const PpLateFuncs *funcs)
{
  PpLateRequests *late = g_new0 (PpLateRequests, 1);

  late->api = api;
  late->states = states;
  late->journal = journal;
  late->patience = patience;
  late->longest = longest;
  late->funcs = *funcs;
  late->boot_id = pp_boot_id ();
  late->notes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_note);
  return late;
}

void
pp_late_requests_free (PpLateRequests *late)
{
  if (late == NULL)
    return;
  g_hash_table_unref (late->notes);
  g_free (late->boot_id);
  g_free (late);
}

static void
keep (PpLateRequests *late, const char *id, PpJournalEntry *entry)
{
  Note *note = g_new0 (Note, 1);
  gint64 latest = pp_uptime () + late->longest;

  note->late = late;
  note->id = g_strdup (id);
  note->entry = entry;
  /* Entries that an adoption turned into notes have no expiry time, and an uptime of another boot
   * is useless. MIN() limits the lifetime of a note from a damaged file. */
  note->until = entry->late_until_uptime > 0 && *late->boot_id != '\0'
                        && g_strcmp0 (entry->boot_id, late->boot_id) == 0
                    ? MIN (entry->late_until_uptime, latest)
                    : latest;
  g_hash_table_insert (late->notes, note->id, note);
}

void
pp_late_requests_take (PpLateRequests *late, const char *id, PpJournalEntry *entry)
{
  if (g_hash_table_contains (late->notes, id))
    pp_journal_entry_free (entry);
  else
    keep (late, id, entry);
}

static void
on_loaded (const char *id, PpJournalEntry *entry, gpointer user_data)
{
  pp_late_requests_take (user_data, id, entry);
}

void
pp_late_requests_load (PpLateRequests *late)
{
  pp_journal_load_late (late->journal, on_loaded, late);
}

/* Returns a copy that owns its strings. */
static PpJournalEntry *
copy_entry (const PpJournalEntry *entry)
{
  g_autofree char *text = pp_journal_entry_to_text (entry);

  return pp_journal_entry_parse (text, strlen (text), NULL);
}

void
pp_late_requests_add (PpLateRequests *late, const PpJournalEntry *entry)
{
  g_autofree char *id = g_uuid_string_random ();
  PpJournalEntry *copy = copy_entry (entry);

  if (copy == NULL || g_hash_table_size (late->notes) >= MAX_NOTES)
    {
      g_warning ("The worker cannot watch for late requests of flow run %s. If the server carries "
                 "one out, nobody will notice",
                 entry->flow_run_id);
      pp_journal_entry_free (copy);
      return;
    }
  pp_journal_put_late (late->journal, id, entry);
  keep (late, id, copy);
}

static gboolean
is_about (const Note *note, const char *flow_run_id)
{
  return g_ascii_strcasecmp (note->entry->flow_run_id, flow_run_id) == 0;
}

gboolean
pp_late_requests_knows (const PpLateRequests *late, const char *flow_run_id,
                        const char *transition_id)
{
  json_auto_t *state = json_pack ("{s:{s:s*}}", "state_details", "transition_id", transition_id);
  GHashTableIter iter;
  gpointer note;

  g_hash_table_iter_init (&iter, late->notes);
  while (g_hash_table_iter_next (&iter, NULL, &note))
    if (is_about (note, flow_run_id) && pp_late_is_of (((const Note *)note)->entry, state))
      return TRUE;
  return FALSE;
}

gboolean
pp_late_requests_has (const PpLateRequests *late, const char *flow_run_id)
{
  GHashTableIter iter;
  gpointer note;

  g_hash_table_iter_init (&iter, late->notes);
  while (g_hash_table_iter_next (&iter, NULL, &note))
    if (is_about (note, flow_run_id))
      return TRUE;
  return FALSE;
}

GPtrArray *
pp_late_requests_claims (const PpLateRequests *late)
{
  GPtrArray *claims = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer note;

  g_hash_table_iter_init (&iter, late->notes);
  while (g_hash_table_iter_next (&iter, NULL, &note))
    if (((const Note *)note)->entry->claim_transition_id != NULL)
      g_ptr_array_add (claims, g_strdup (((const Note *)note)->entry->claim_transition_id));
  return claims;
}

guint
pp_late_requests_count (const PpLateRequests *late)
{
  return g_hash_table_size (late->notes);
}

/* Drops NOTE and frees it. */
static void
forget (Note *note)
{
  pp_journal_remove_late (note->late->journal, note->id);
  g_hash_table_remove (note->late->notes, note->id);
}

/* Called when the run's state needs no change, or cannot be changed. Drops the note if the state
 * was requested after the note's expiry: no late request can arrive any more. */
static void
settle (Note *note)
{
  note->tries = 0;
  g_free (note->judged);
  note->judged = g_steal_pointer (&note->looked_at);
  if (note->asked_at > note->until && note->pid_call == NULL)
    forget (note);
}

/* After a failure, the next check judges the state again. */
static void
on_put_back (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  Note *note = user_data;

  note->call = NULL;
  note->restoring = FALSE;
  gboolean is_open = error != NULL ? pp_api_may_try_again (note->late->api, error)
                                   : pp_set_state_is_open (result);
  if (is_open && note->tries < TRIES)
    {
      g_debug ("Flow run %s is not set back yet: %s", note->entry->flow_run_id,
               error != NULL ? error->message : "the server did not set it");
      g_clear_pointer (&note->looked_at, g_free);
      return;
    }
  if (error == NULL && result->status == PP_SET_STATE_ACCEPT)
    {
      note->tries = 0;
      g_clear_pointer (&note->looked_at, g_free);
      return;
    }
  g_warning ("A late request has changed the state of flow run %s, and the worker could not "
             "restore it: %s",
             note->entry->flow_run_id,
             error != NULL            ? error->message
             : result->reason != NULL ? result->reason
                                      : "the server does not accept the state");
  settle (note);
}

static PpLateHands
hands (const Note *note, const json_t *state)
{
  const PpLateFuncs *funcs = &note->late->funcs;

  return funcs->hands (note->entry->flow_run_id, pp_state_transition_id (state), funcs->user_data);
}

static void
on_states (json_t *states, const GError *error, gpointer user_data)
{
  Note *note = user_data;
  const char *id = note->entry->flow_run_id;
  const json_t *last = json_array_get (states, json_array_size (states) - 1);
  PpLateHands who = hands (note, last);
  json_t *earlier = NULL;

  note->call = NULL;
  if (error != NULL || who == PP_LATE_ASKED_FOR_IN_HAND)
    return;
  switch (pp_late_judge (note->entry, states, who == PP_LATE_IN_HAND, &earlier))
    {
    case PP_LATE_NOTHING:
      settle (note);
      return;
    case PP_LATE_TAKE_OVER:
      note->in_vain = 0; /* waiting for a slot does not count */
      if (note->late->funcs.take_over (note->entry, note->late->funcs.user_data))
        g_message ("Flow run %s is taken over: the server has carried out a late request of an "
                   "earlier attempt to begin it",
                   id);
      return;
    case PP_LATE_PUT_BACK:
      if (note->tries++ == 0)
        g_message ("A late request has set flow run %s to %s. The worker sets the run back to %s",
                   id, pp_json_string (last, "name"), pp_json_string (earlier, "name"));
      note->restoring = TRUE;
      note->call = pp_flow_run_restore_state (note->late->api, id, earlier, on_put_back, note);
      return;
    }
}

/* True if a request is in progress for another note of the same run. */
static gboolean
is_busy (const Note *note)
{
  GHashTableIter iter;
  gpointer other;

  g_hash_table_iter_init (&iter, note->late->notes);
  while (g_hash_table_iter_next (&iter, NULL, &other))
    if (((const Note *)other)->call != NULL && is_about (other, note->entry->flow_run_id))
      return TRUE;
  return FALSE;
}

static void
on_pid (json_t *body G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  ((Note *)user_data)->pid_call = NULL;
}

static gboolean
is_in (const char *pid, const char *container_id)
{
  return pid != NULL && container_id != NULL && g_str_has_suffix (pid, container_id);
}

/* PID is an infrastructure_pid. Returns the id of the outdated container that it names: the note's
 * replaced container, which never started, or the container of the note's attempt. Borrowed; NULL
 * if PID names neither. */
static const char *
find_former (const Note *note, const char *pid)
{
  const PpJournalEntry *entry = note->entry;

  if (is_in (pid, entry->replaced_container_id))
    return entry->replaced_container_id;
  return is_in (pid, entry->container_id) ? entry->container_id : NULL;
}

/* Returns the correct infrastructure_pid if PID names the outdated container FORMER; new string.
 * Returns NULL if PID is correct or nothing better is known. */
static char *
find_correct_pid (const Note *note, const char *pid, const char *former)
{
  const PpLateFuncs *funcs = &note->late->funcs;
  const char *right = funcs->container (note->entry->flow_run_id, funcs->user_data);

  if (right == NULL && former == note->entry->replaced_container_id)
    right = note->entry->container_id;
  if (right == NULL)
    return g_strdup (note->other_pid);
  if (g_str_equal (right, former))
    return NULL;
  g_autofree char *engine = g_strndup (pid, strlen (pid) - strlen (former));
  return g_strconcat (engine, right, NULL);
}

/* True if STATE is PENDING or RUNNING and belongs to another attempt than NOTE's. */
static gboolean
is_of_other_attempt (const Note *note, const json_t *state)
{
  const char *type = pp_json_string (state, "type");

  return (g_strcmp0 (type, "PENDING") == 0 || g_strcmp0 (type, "RUNNING") == 0)
         && !pp_late_is_of (note->entry, state);
}

/* Corrects infrastructure_pid. A late request may have set it to a container of NOTE after it was
 * set to the run's current container. */
static void
correct_pid (Note *note, const json_t *flow_run)
{
  const char *pid = pp_json_string (flow_run, "infrastructure_pid");
  const char *former = find_former (note, pid);
  g_autofree char *correct = NULL;

  if (former == NULL && is_of_other_attempt (note, json_object_get (flow_run, "state")))
    {
      g_free (note->other_pid);
      note->other_pid = g_strdup (pid);
    }
  if (former == NULL || note->pid_call != NULL)
    return;
  correct = find_correct_pid (note, pid, former);
  if (correct != NULL)
    note->pid_call = pp_flow_run_update_infrastructure_pid (
        note->late->api, note->entry->flow_run_id, correct, on_pid, note);
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  Note *note = user_data;
  const json_t *state = json_object_get (body, "state");
  const char *state_id = pp_json_string (state, "id");

  note->read = NULL;
  if (error != NULL)
    {
      if (g_error_matches (error, PP_API_ERROR, 404)) /* the run was deleted */
        forget (note);
      return;
    }
  correct_pid (note, body);
  g_free (note->looked_at);
  note->looked_at = g_strdup (state_id);
  if (!pp_late_is_of (note->entry, state) || hands (note, state) == PP_LATE_ASKED_FOR_IN_HAND
      || g_strcmp0 (state_id, note->judged) == 0)
    settle (note);
  else if (!is_busy (note))
    note->call
        = pp_flow_run_states_read (note->late->api, note->entry->flow_run_id, on_states, note);
}

/* Returns the microseconds since the last check if the server has answered a request since then,
 * else 0. */
static gint64
time_answered (PpLateRequests *late)
{
  gint64 now = g_get_monotonic_time ();
  gint64 answered = pp_api_answered (late->api);
  gint64 passed = late->looked_at > 0 && answered > late->answered ? now - late->looked_at : 0;

  late->looked_at = now;
  late->answered = answered;
  return passed;
}

/* Adds PASSED microseconds to NOTE's time without a result. Returns TRUE, with a warning, if NOTE
 * must be given up. */
static gboolean
is_in_vain (Note *note, gint64 passed)
{
  if (note->restoring || pp_uptime () <= note->until)
    return FALSE;
  note->in_vain += passed;
  if (note->in_vain <= VAIN_PATIENCES * note->late->patience)
    return FALSE;
  g_warning ("The worker could not find out whether a late request has changed flow run %s, or "
             "could not undo the change, and stops trying. If the run keeps a wrong state, set the "
             "right state in Prefect",
             note->entry->flow_run_id);
  return TRUE;
}

void
pp_late_requests_look (PpLateRequests *late)
{
  gint64 passed = time_answered (late);
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, late->notes);
  while (g_hash_table_iter_next (&iter, NULL, &data))
    {
      Note *note = data;

      if (is_in_vain (note, passed))
        {
          pp_journal_remove_late (late->journal, note->id);
          g_hash_table_iter_remove (&iter);
          continue;
        }
      if (note->read != NULL || note->call != NULL)
        continue;
      note->asked_at = pp_uptime ();
      note->read = pp_state_reader_read (late->states, note->entry->flow_run_id, on_read, note);
    }
}
