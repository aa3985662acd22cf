/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal says of one flow run in flight. Pure: struct <-> JSON. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The durable steps: each is written before the world can see what it announces. */
typedef enum
{
  PP_JOURNAL_CLAIMED,   /* PENDING is about to be proposed */
  PP_JOURNAL_STARTING,  /* the container is about to be started, or was: is_followed */
  PP_JOURNAL_REPORTING, /* the end (report_*) is about to be proposed */
} PpJournalPhase;

/* An entry that is only to be put may borrow all its strings; one that was parsed owns them. */
typedef struct
{
  char *flow_run_id; /* a UUID; needed */
  char *flow_run_name;
  char *deployment_id;
  char *flow_id;
  PpJournalPhase phase;

  /* Ids of the proposals (UUIDs): one that is made again with its id is recognized as ours. */
  char *claim_transition_id;
  char *submitting_transition_id;
  char *running_transition_id;
  char *report_transition_id;

  char *report_type; /* needed when REPORTING: "COMPLETED", "FAILED", ... */
  char *report_name;
  char *report_message;
  gboolean report_force;

  char *container_id;
  char *container_name;
  char *shown_name;            /* container_name with its secrets masked; NULL: it has none */
  char *replaced_container_id; /* that was told to the server before, and never started */
  gboolean undescribed; /* the container was found without an entry: what follows is not known */
  gboolean worker_reported;
  gboolean auto_remove;
  gboolean timed_out; /* the container is about to be stopped for it, or was */
  gboolean tty;
  gboolean stream_output;
  gboolean forward_output;
  gint64 stop_timeout;            /* seconds */
  double timeout_seconds;         /* 0: none */
  double startup_timeout_seconds; /* 0: none */

  /* UNIX microseconds; 0: not yet, or not known */
  gint64 claimed_at;
  gint64 started_at;
  gint64 scheduled_time;

  gint64 started_uptime;    /* microseconds of CLOCK_BOOTTIME at started_at, in the boot boot_id; 0:
                               not known */
  gint64 late_until_uptime; /* of a note (journal_late.h), the same; 0: not known */
  gint64 seen_run_count;    /* how often the run had run before this attempt */

  char *lease_id;
  char *engine_name;
  char *engine_url;
  char *boot_id; /* of the host when it was written */

  gboolean is_followed; /* the container has started: its output's position is beside the entry. Set
                           for entries that were read from the state directory; not in the text */
} PpJournalEntry;

/* The container's name without secrets, borrowed; NULL: not known. */
const char *pp_journal_entry_shown_name (const PpJournalEntry *entry);

/* The largest file that is read. What is written is always smaller. */
#define PP_JOURNAL_ENTRY_MAX_BYTES (1024 * 1024)

/* ENTRY as text, ending in a newline, of which pp_journal_entry_parse() takes all. Names and
 * messages that are too long are cut, invalid UTF-8 is repaired, numbers are brought into bounds.
 * New string. */
char *pp_journal_entry_to_text (const PpJournalEntry *entry);

/* Reads LENGTH bytes of TEXT. Strict about types and sizes, and lets unknown keys pass. Returns a
 * new entry, or NULL with ERROR: PP_STATE_ERROR_DAMAGED or _NEWER, the message having line and
 * column, or the key, but no file name. */
PpJournalEntry *pp_journal_entry_parse (const char *text, gsize length, GError **error);

void pp_journal_entry_free (PpJournalEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpJournalEntry, pp_journal_entry_free)

/* "CLAIMED", "STARTING", "REPORTING". */
const char *pp_journal_phase_name (PpJournalPhase phase);
/* The same word for people; "RUNNING" from when the container HAS_STARTED until the end. */
const char *pp_journal_phase_word (PpJournalPhase phase, gboolean has_started);

G_END_DECLS
