/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the worker's standard output without blocking the main loop. Data for a slow reader is
 * queued up to a limit. A failed write (full disk, quota, file size limit, I/O error, closed pipe)
 * is retried as long as the worker runs. Data that does not fit into the queue is dropped and
 * counted. The log reports the loss, and a note in standard output marks its place. The write
 * thread writes regular files, because their disk may hang. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpStdout PpStdout;

PpStdout *pp_stdout_new (int fd);

/* Writes the queued data before the exit, without blocking. For a file, takes at most the time of
 * pp_write_thread_finish(). NULL is ignored. */
void pp_stdout_flush (PpStdout *out);

/* Flushes like pp_stdout_flush(), logs what could not be written, and frees OUT. FD stays open. */
void pp_stdout_free (PpStdout *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpStdout, pp_stdout_free)

/* Queues all LENGTH bytes or drops all of them. DATA must be whole lines, so that no line is
 * cut. */
void pp_stdout_write (PpStdout *out, const char *data, gsize length);

/* True for a terminal: a person reads it, and it obeys control characters. */
gboolean pp_stdout_is_terminal (const PpStdout *out);

/* True if the last write failed. */
gboolean pp_stdout_is_failing (const PpStdout *out);

/* True for a file whose disk has accepted nothing for a minute. */
gboolean pp_stdout_hangs (const PpStdout *out);

/* FALSE while the queue is so full that producers should wait, if they can. Always TRUE while
 * writes fail, because runs must not wait for a full disk. */
gboolean pp_stdout_has_room (const PpStdout *out);

/* Calls FUNC once, when there is room. Never calls FUNC before this function returns. */
void pp_stdout_when_room (PpStdout *out, void (*func) (gpointer), gpointer user_data);
void pp_stdout_forget (PpStdout *out, gpointer user_data);

/* Returns the number of queued bytes. */
gsize pp_stdout_pending (const PpStdout *out);

G_END_DECLS
