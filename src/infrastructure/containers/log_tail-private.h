/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the log files of one container. Only for the file thread (log_thread-private.h): each of
 * these functions may block on a disk that hangs.
 *
 * With a size limit (log_size_max of containers.conf, max-size of log_config), conmon starts a new
 * file at the limit and moves it over the old one (src/ctr_logging.c, reopen_k8s_file; with its
 * --log-rotate, the old one is moved away first). The old file is then complete, and a process that
 * has it open can read it to its end. So each new file is opened as soon as it appears, and read
 * later. Private to src/infrastructure/containers. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_LOG_NAME "ctr.log"
/* The most bytes per read. */
#define PP_LOG_PIECE_BYTES (64 * 1024)

typedef struct PpLogTail PpLogTail;

typedef enum
{
  PP_LOG_TAIL_DATA,     /* LENGTH bytes of DATA */
  PP_LOG_TAIL_END,      /* nothing more for now */
  PP_LOG_TAIL_NEW_FILE, /* the file was read completely; the next piece is from a new file */
  PP_LOG_TAIL_CUT,      /* the file was truncated: it is read from its beginning */
  PP_LOG_TAIL_ERROR,    /* ERROR says why reading failed */
} PpLogTailKind;

typedef struct
{
  PpLogTailKind kind;
  char *data; /* or NULL */
  gsize length;
  guint64 hole_bytes; /* zero bytes after DATA that were not read */
  char *error;
  guint lost_files; /* files replaced or given up before they were read, since the log was opened */
  guint64 lost_bytes; /* the size of lost_files, as far as known */
} PpLogPiece;

void pp_log_piece_free (PpLogPiece *piece);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogPiece, pp_log_piece_free)

/* Opens the log in FOLDER, a path relative to ROOT. The files must belong to ROOT's owner. INOTIFY
 * is the inotify descriptor for a watch on the folder, or -1. Returns NULL with ERROR
 * (PP_FILE_ERROR). */
PpLogTail *pp_log_tail_open (const char *root, const char *folder, int inotify, GError **error);
void pp_log_tail_free (PpLogTail *tail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogTail, pp_log_tail_free)

/* Returns the watch on the folder. */
int pp_log_tail_watch (const PpLogTail *tail);

/* True if the log had an earlier file than the one that was opened first. FALSE if the file system
 * does not show this. */
gboolean pp_log_tail_begins_late (const PpLogTail *tail);

/* Opens the log's new file after a file has appeared in the folder. MOVED is TRUE if a file was
 * moved to the log's name. */
void pp_log_tail_look (PpLogTail *tail, gboolean moved);

/* Returns the next piece, new. */
PpLogPiece *pp_log_tail_read (PpLogTail *tail);

G_END_DECLS
