/* SPDX-License-Identifier: Apache-2.0 */
/* The file thread opens and reads the log files of containers. It exists for two reasons. A read
 * from a disk that hangs does not return, whatever the file's flags, and must not block the main
 * loop. And a log with a size limit loses data if its new files are not opened within milliseconds,
 * even if the main loop is busy.
 *
 * The thread reads one piece for each request, from one log after the other. Private to
 * src/infrastructure/containers. */
#pragma once

#include "log_tail-private.h"

G_BEGIN_DECLS

typedef struct PpLogThread PpLogThread;

/* An event about a log. */
typedef struct
{
  guint64 id;
  guint request;     /* number of the last request that the thread had received */
  GError *refusal;   /* why opening failed (PP_FILE_ERROR), or NULL; the log is closed */
  gboolean is_open;  /* the log was opened */
  gboolean is_late;  /* the result of pp_log_tail_begins_late() */
  PpLogPiece *piece; /* the next piece, or NULL */
} PpLogNews;

void pp_log_news_free (PpLogNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogNews, pp_log_news_free)

/* Called on the main loop. The callee owns NEWS. */
typedef void (*PpLogNewsFunc) (PpLogNews *news, gpointer user_data);

/* Returns NULL with errno if no descriptors or no thread are available. */
PpLogThread *pp_log_thread_new (PpLogNewsFunc on_news, gpointer user_data);
/* Waits up to two seconds for the thread. A thread that hangs is left running. */
void pp_log_thread_free (PpLogThread *thread);

/* Opens the log in FOLDER below ROOT. The caller chooses ID. The result arrives as news. */
void pp_log_thread_open (PpLogThread *thread, guint64 id, const char *root, const char *folder);
/* Requests the next piece. REQUEST must be higher than in earlier calls. After a PP_LOG_TAIL_END
 * piece, another piece follows without a request when something was written. */
void pp_log_thread_ask (PpLogThread *thread, guint64 id, guint request);
/* Closes the log. News that is already on its way may still arrive. */
void pp_log_thread_close (PpLogThread *thread, guint64 id);

/* Returns the folder of the log that has kept the thread busy for more than SECONDS, a new string,
 * or NULL if the thread does not hang. */
char *pp_log_thread_hangs (PpLogThread *thread, guint seconds);

G_END_DECLS
