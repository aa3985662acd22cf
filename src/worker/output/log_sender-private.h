/* SPDX-License-Identifier: Apache-2.0 */
/* Sends log records to POST /logs/: in order, in batches limited by size and time, with bounded
 * memory. While the server is away, no record is dropped; producers must wait
 * (pp_log_sender_has_room()). A run whose records are refused does not hold up others. */
#pragma once

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

typedef struct PpLogSender PpLogSender;

/* Python's logging levels, as the API requires. */
typedef enum
{
  PP_LOG_DEBUG = 10,
  PP_LOG_INFO = 20,
  PP_LOG_WARNING = 30,
  PP_LOG_ERROR = 40,
} PpLogLevel;

/* If the API answers other requests but accepts no logs for this many seconds, queued records are
 * dropped, with a warning. Causes are a role without permission, or a gateway that blocks logs. New
 * records are also dropped until one is accepted. Without this limit, runs would wait for their
 * logs forever. */
#define PP_LOG_PATIENCE_SECONDS 900

/* API and SETTINGS must outlive the sender. */
PpLogSender *pp_log_sender_new (PpApi *api, const PpSettings *settings);
void pp_log_sender_free (PpLogSender *sender);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogSender, pp_log_sender_free)

/* Replaces PP_LOG_PATIENCE_SECONDS with SECONDS (4 or more); for tests. */
void pp_log_sender_give_up_after (PpLogSender *sender, guint seconds);

/* Called when the server has accepted output records of FLOW_RUN_ID or has refused them
 * permanently. RECORDS is the number of these records since the last call for this run. TIMESTAMP
 * is the timestamp of the last record, in UNIX microseconds. */
typedef void (*PpLogDeliveredFunc) (const char *flow_run_id, guint records, gint64 timestamp,
                                    gpointer user_data);

/* Sets FUNC as the only function to call for deliveries. */
void pp_log_sender_on_delivered (PpLogSender *sender, PpLogDeliveredFunc func, gpointer user_data);

/* Called before output records of FLOW_RUN_ID are sent: TIMESTAMP is the timestamp of the last one,
 * in UNIX microseconds. Called again if they were certainly not stored: the connection or the
 * server has refused them for now. TIMESTAMP is then that of the last record that an earlier
 * attempt may still deliver, or 0. */
typedef void (*PpLogSendingFunc) (const char *flow_run_id, gint64 timestamp, gpointer user_data);

/* Sets FUNC as the only function to call before records are sent. They are sent when everything
 * that FUNC queued in JOURNAL is written, or after one second if the disk is slow. JOURNAL must
 * outlive the sender. */
void pp_log_sender_on_sending (PpLogSender *sender, PpJournal *journal, PpLogSendingFunc func,
                               gpointer user_data);

/* Queues one record. FLOW_RUN_ID (a UUID) and MESSAGE (valid UTF-8, LENGTH bytes) are copied.
 * LOGGER is a static or interned string. The record's timestamp is the current time, but always
 * later than the run's earlier records, because the server sorts by it. IS_OUTPUT is TRUE for a
 * line of the container, which is counted for PpLogDeliveredFunc. */
void pp_log_sender_add (PpLogSender *sender, const char *flow_run_id, const char *logger,
                        gboolean is_output, PpLogLevel level, const char *message, gsize length);

/* Returns how many bytes of TEXT (valid UTF-8, LENGTH bytes) fit into MAX bytes of JSON. Never
 * splits a character. Returns at least one character unless LENGTH is 0. */
gsize pp_fitting_prefix (const char *text, gsize length, gsize max);

/* Returns how many bytes of TEXT (valid UTF-8, LENGTH bytes) fit into one record. Never splits a
 * character. Returns at least one character unless LENGTH is 0. */
gsize pp_log_sender_fitting (const PpLogSender *sender, const char *text, gsize length);

/* Queues MESSAGE (valid UTF-8), the worker's own message about FLOW_RUN_ID, like
 * pp_log_sender_add(). A message too long for one record is split into several, between lines if
 * possible. */
void pp_log_sender_add_text (PpLogSender *sender, const char *flow_run_id, const char *logger,
                             PpLogLevel level, const char *message);

/* Makes all further records of FLOW_RUN_ID later than TIMESTAMP (UNIX microseconds), even if the
 * clock was set back. The next worker uses the timestamps to tell which records it already
 * knows. */
void pp_log_sender_go_on_after (PpLogSender *sender, const char *flow_run_id, gint64 timestamp);

/* Returns the most bytes of JSON for one message: PREFECT_LOGGING_TO_API_MAX_LOG_SIZE and Prefect
 * Cloud's own limit. */
gsize pp_log_sender_max_message (const PpLogSender *sender);

/* FALSE while the queue for FLOW_RUN_ID is so full that its producer should wait, if it can. */
gboolean pp_log_sender_has_room (const PpLogSender *sender, const char *flow_run_id);

/* Calls FUNC once. If ROOM is FALSE, calls it when all records of FLOW_RUN_ID (NULL: of all runs)
 * added so far were delivered or refused permanently. If ROOM is TRUE, calls it when the queue for
 * FLOW_RUN_ID has room. Never calls FUNC before this function returns. */
void pp_log_sender_when (PpLogSender *sender, const char *flow_run_id, gboolean room,
                         void (*func) (gpointer), gpointer user_data);

/* Removes all calls of pp_log_sender_when() with USER_DATA. */
void pp_log_sender_forget (PpLogSender *sender, gpointer user_data);

/* Sends the queued records without waiting for a full batch. */
void pp_log_sender_flush (PpLogSender *sender);

/* Returns the number of records that are not delivered yet. */
guint pp_log_sender_pending (const PpLogSender *sender);

G_END_DECLS
