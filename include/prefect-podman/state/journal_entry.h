/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's record of one flow run in flight. Pure: struct <-> JSON. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The durable steps. Each is written before anybody else can see its effect. */
typedef enum
{
  PP_JOURNAL_CLAIMED,   /* PENDING is about to be proposed */
  PP_JOURNAL_STARTING,  /* the container is about to start, or has started (see is_followed) */
  PP_JOURNAL_REPORTING, /* the end (report_*) is about to be proposed */
} PpJournalPhase;

/* An entry that is only passed to pp_journal_put() may borrow all its strings. A parsed entry owns
 * them. */
typedef struct
{
  char *flow_run_id; /* a UUID; required */
  char *flow_run_name;
  char *deployment_id;
  char *flow_id;
  PpJournalPhase phase;

  /* Ids of the proposals (UUIDs). If a proposal is repeated with its id, the server's answer shows
   * that the state is ours. */
  char *claim_transition_id;
  char *submitting_transition_id;
  char *running_transition_id;
  char *report_transition_id;

  char *report_type; /* required for REPORTING: "COMPLETED", "FAILED", ... */
  char *report_name;
  char *report_message;
  gboolean report_force;

  char *container_id;
  char *container_name;
  char *shown_name;            /* container_name with its secrets masked; NULL if it has none */
  char *replaced_container_id; /* a container that never started and was replaced; the server may
                                  still have its id in infrastructure_pid */
  gboolean undescribed; /* the container was found without an entry, so the fields from here to
                           startup_timeout_seconds are unknown */
  gboolean worker_reported;
  gboolean auto_remove;
  gboolean timed_out; /* stopped, or about to be stopped, because of the time-out */
  gboolean tty;
  gboolean stream_output;
  gboolean forward_output;
  gint64 stop_timeout;            /* seconds */
  double timeout_seconds;         /* 0: none */
  double startup_timeout_seconds; /* 0: none */

  /* UNIX microseconds; 0 if it has not happened or is unknown */
  gint64 claimed_at;
  gint64 started_at;
  gint64 scheduled_time;

  gint64 started_uptime;    /* microseconds of CLOCK_BOOTTIME at started_at, in the boot boot_id; 0:
                               unknown */
  gint64 late_until_uptime; /* for a note (journal_late.h): when it expires, in microseconds of
                               CLOCK_BOOTTIME in the boot boot_id; 0: unknown */
  gint64 seen_run_count;    /* the run's run_count before this attempt */
  /* The attempt's number in the logger names of its lines; 0: the names have no number. */
  gint64 attempt;

  char *lease_id;
  char *engine_name;
  char *engine_url;
  char *boot_id; /* the host's boot id when the entry was written */

  gboolean is_followed; /* the container has started: the file with its output's position is beside
                           the entry. Set when an entry is read from the state directory; not a part
                           of the entry's text */
} PpJournalEntry;

/* Returns the container's name without secrets, borrowed; NULL if unknown. */
const char *pp_journal_entry_shown_name (const PpJournalEntry *entry);

/* The largest file to read. The worker always writes smaller files. */
#define PP_JOURNAL_ENTRY_MAX_BYTES (1024 * 1024)

/* Returns ENTRY as text that ends in a newline. pp_journal_entry_parse() accepts all of it: names
 * and messages that are too long are cut, invalid UTF-8 is repaired, and numbers are clamped to
 * their limits. New string. */
char *pp_journal_entry_to_text (const PpJournalEntry *entry);

/* Parses LENGTH bytes of TEXT. Checks types and sizes strictly, but ignores unknown keys. Returns a
 * new entry, or NULL with ERROR: PP_STATE_ERROR_DAMAGED or _NEWER. The message has the line and
 * column, or the key, but no file name. */
PpJournalEntry *pp_journal_entry_parse (const char *text, gsize length, GError **error);

void pp_journal_entry_free (PpJournalEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpJournalEntry, pp_journal_entry_free)

/* Returns "CLAIMED", "STARTING" or "REPORTING". */
const char *pp_journal_phase_name (PpJournalPhase phase);
/* Returns the name of PHASE for users: as above, but "RUNNING" from the container's start
 * (HAS_STARTED) until REPORTING. */
const char *pp_journal_phase_word (PpJournalPhase phase, gboolean has_started);

G_END_DECLS
