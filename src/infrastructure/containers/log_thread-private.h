/* SPDX-License-Identifier: Apache-2.0 */
/* The file thread: the one exception to "one thread". It opens and reads the log files of
 * containers, for two reasons: a read of a file on a disk that hangs does not return, whatever
 * flags it was opened with, and must not hold up the loop; and a log with a limit of size loses
 * what it held if its new files are not opened within milliseconds, whatever the loop is busy with.
 *
 * It reads a piece only when it was asked for one, of one log after the other. Used inside the room
 * only. */
#pragma once

#include "log_tail-private.h"

G_BEGIN_DECLS

typedef struct PpLogThread PpLogThread;

/* What the thread has to say of a log. */
typedef struct
{
  guint64 id;
  guint request;     /* number of the request for a piece that the thread knew of then */
  GError *refusal;   /* of the open: PP_FILE_ERROR; the log is closed */
  gboolean is_open;  /* it was opened, */
  gboolean is_late;  /* and begins late */
  PpLogPiece *piece; /* or this comes next */
} PpLogNews;

void pp_log_news_free (PpLogNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogNews, pp_log_news_free)

/* Called on the main loop. NEWS is given away. */
typedef void (*PpLogNewsFunc) (PpLogNews *news, gpointer user_data);

/* NULL with errno where the system gives no descriptors or no thread. */
PpLogThread *pp_log_thread_new (PpLogNewsFunc on_news, gpointer user_data);
/* Waits a moment for what the thread is doing; leaves a thread that hangs to itself. */
void pp_log_thread_free (PpLogThread *thread);

/* Opens the log in FOLDER below ROOT; ID is the caller's own. There is news of it in any case. */
void pp_log_thread_open (PpLogThread *thread, guint64 id, const char *root, const char *folder);
/* Asks for the next piece, with a number that is higher than those before. A piece that is
 * PP_LOG_TAIL_END is followed by another one, without being asked for, when something was written.
 */
void pp_log_thread_ask (PpLogThread *thread, guint64 id, guint request);
/* Closes the log. News that is on its way may still come. */
void pp_log_thread_close (PpLogThread *thread, guint64 id);

/* The folder of the log that the thread has been busy with for more than SECONDS, new string; NULL
 * while it is well. */
char *pp_log_thread_hangs (PpLogThread *thread, guint seconds);

G_END_DECLS
