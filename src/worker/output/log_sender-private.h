/* SPDX-License-Identifier: Apache-2.0 */
/* Log records on their way to POST /logs/: in order, in batches by size and time, bounded in
 * memory. Nothing is dropped while the server is away: whoever produces is told to wait
 * (pp_log_sender_has_room()). */
#pragma once

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/state/journal.h"

G_BEGIN_DECLS

typedef struct PpLogSender PpLogSender;

/* Python's logging levels, as the API wants them. */
typedef enum
{
  PP_LOG_DEBUG = 10,
  PP_LOG_INFO = 20,
  PP_LOG_WARNING = 30,
  PP_LOG_ERROR = 40,
} PpLogLevel;

/* Where nothing at all is taken for so long (seconds), while the API answers other calls (a role
 * that may not write logs; a gateway that lets none through), what waits is dropped, with a
 * warning, and so is what comes until something is taken: runs wait for their logs to be safe, and
 * would wait for ever. */
#define PP_LOG_PATIENCE_SECONDS 900

/* API and SETTINGS must outlive the sender. */
PpLogSender *pp_log_sender_new (PpApi *api, const PpSettings *settings);
void pp_log_sender_free (PpLogSender *sender);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogSender, pp_log_sender_free)

/* As if SECONDS (4 or more) were PP_LOG_PATIENCE_SECONDS; for tests. */
void pp_log_sender_give_up_after (PpLogSender *sender, guint seconds);

/* Called with how many records of FLOW_RUN_ID's output were delivered (or refused for good) since
 * the last call for it, and the timestamp of the last of them (UNIX microseconds). */
typedef void (*PpLogDeliveredFunc) (const char *flow_run_id, guint records, gint64 timestamp,
                                    gpointer user_data);

/* Has FUNC told of deliveries. One for all. */
void pp_log_sender_on_delivered (PpLogSender *sender, PpLogDeliveredFunc func, gpointer user_data);

/* Called before records of FLOW_RUN_ID's output are sent, the last of them having TIMESTAMP (UNIX
 * microseconds); or with 0 when the server has refused to take them for now. */
typedef void (*PpLogSendingFunc) (const char *flow_run_id, gint64 timestamp, gpointer user_data);

/* Has FUNC told of what is about to be sent; it is sent once what FUNC had JOURNAL write is
 * written, or after a second, if the disk is slow. One for all. JOURNAL must outlive the sender. */
void pp_log_sender_on_sending (PpLogSender *sender, PpJournal *journal, PpLogSendingFunc func,
                               gpointer user_data);

/* Queues one record; FLOW_RUN_ID (a UUID) and MESSAGE (valid UTF-8, LENGTH bytes) are copied,
 * LOGGER is a static string. Its timestamp is now, and later than that of every record of the run
 * before it: the server orders by it. IS_OUTPUT: it is a line of the container's, to be counted. */
void pp_log_sender_add (PpLogSender *sender, const char *flow_run_id, const char *logger,
                        gboolean is_output, PpLogLevel level, const char *message, gsize length);

/* How many bytes of TEXT (valid UTF-8, LENGTH bytes) fit into MAX bytes of JSON; never cuts a
 * character, never 0 unless LENGTH is. */
gsize pp_fitting_prefix (const char *text, gsize length, gsize max);

/* How many bytes of TEXT (valid UTF-8, LENGTH bytes) one record takes: whole characters, never 0
 * unless LENGTH is. */
gsize pp_log_sender_fitting (const PpLogSender *sender, const char *text, gsize length);

/* Queues MESSAGE (valid UTF-8), the worker's own words about FLOW_RUN_ID, as pp_log_sender_add()
 * does; in several records where it is too long for one, cut between its lines if that can be. */
void pp_log_sender_add_text (PpLogSender *sender, const char *flow_run_id, const char *logger,
                             PpLogLevel level, const char *message);

/* Has all further records of FLOW_RUN_ID be later than TIMESTAMP (UNIX microseconds), also where
 * the clock was set back since then: by their time stamps a next worker tells those that it knows
 * of from others. */
void pp_log_sender_go_on_after (PpLogSender *sender, const char *flow_run_id, gint64 timestamp);

/* Bytes of JSON a message may have at most (PREFECT_LOGGING_TO_API_MAX_LOG_SIZE, and Prefect
 * Cloud's own limit). */
gsize pp_log_sender_max_message (const PpLogSender *sender);

/* FALSE while so much waits that a producer who can wait should. */
gboolean pp_log_sender_has_room (const PpLogSender *sender);

/* Calls FUNC once: with room = FALSE as soon as all that was added until now was delivered (or
 * refused for good); with room = TRUE as soon as there is room. Never from inside the call. */
void pp_log_sender_when (PpLogSender *sender, gboolean room, void (*func) (gpointer),
                         gpointer user_data);

/* Forgets all that pp_log_sender_when() was told for USER_DATA. */
void pp_log_sender_forget (PpLogSender *sender, gpointer user_data);

/* Sends what waits without waiting for a batch to fill. */
void pp_log_sender_flush (PpLogSender *sender);

/* Records not delivered yet. */
guint pp_log_sender_pending (const PpLogSender *sender);

G_END_DECLS
