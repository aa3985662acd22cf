/* SPDX-License-Identifier: Apache-2.0 */
/* The files of one container's log on disk. For the file thread (log-thread.h), since each of these
 * functions may block on a disk that hangs.
 *
 * With a limit of size (log_size_max of containers.conf, max-size of log_config) conmon begins a
 * new file when it is reached and moves it over the old one (src/ctr_logging.c, reopen_k8s_file;
 * with its --log-rotate, the old one is moved away before). The old one is complete by then, and
 * can be read to its end by who has it open: so each new file is opened as it appears, and read
 * when there is time. Used inside the room only. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_LOG_NAME "ctr.log"
/* Read at once. */
#define PP_LOG_PIECE_BYTES (64 * 1024)

typedef struct PpLogTail PpLogTail;

typedef enum
{
  PP_LOG_TAIL_DATA,     /* LENGTH bytes of DATA */
  PP_LOG_TAIL_END,      /* nothing more for now */
  PP_LOG_TAIL_NEW_FILE, /* the file was read to its end; what follows is of the next */
  PP_LOG_TAIL_CUT,      /* somebody has cut the file in place: it is read from its beginning */
  PP_LOG_TAIL_ERROR,    /* ERROR says why no more can be read */
} PpLogTailKind;

typedef struct
{
  PpLogTailKind kind;
  char *data; /* NULL unless there is some */
  gsize length;
  guint64 hole_bytes; /* zeros that follow DATA, and were not read */
  char *error;
  guint lost_files;   /* replaced, or given up, before they were read; since the log was opened */
  guint64 lost_bytes; /* what was in them, as far as is known */
} PpLogPiece;

void pp_log_piece_free (PpLogPiece *piece);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogPiece, pp_log_piece_free)

/* Opens the log in FOLDER, relative to ROOT, a path; its files must belong to ROOT's owner.
 * INOTIFY: descriptor that gets a watch on the folder, or -1. NULL with ERROR (PP_FILE_ERROR). */
PpLogTail *pp_log_tail_open (const char *root, const char *folder, int inotify, GError **error);
void pp_log_tail_free (PpLogTail *tail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogTail, pp_log_tail_free)

/* The watch on the folder. */
int pp_log_tail_watch (const PpLogTail *tail);

/* Whether the file that was opened was not the log's first. FALSE also where the file system does
 * not tell. */
gboolean pp_log_tail_begins_late (const PpLogTail *tail);

/* Something has appeared in the folder: opens the log's new file. MOVED: something was moved to the
 * log's name. */
void pp_log_tail_look (PpLogTail *tail, gboolean moved);

/* The next piece, new. */
PpLogPiece *pp_log_tail_read (PpLogTail *tail);

G_END_DECLS
