/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's standard output, written without ever blocking the loop. What a slow reader does not
 * take waits here, bounded. When a write fails (a full disk, a quota, a file size limit, an I/O
 * error, a reader that has gone), it is tried again for as long as the worker runs; what does not
 * fit here meanwhile is dropped, counted, and reported both in the log and, at its place, on
 * standard output. A regular file is written to by the write thread, as its disk may hang. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpStdout PpStdout;

PpStdout *pp_stdout_new (int fd);

/* Before the end: writes what is left, as far as it is taken without blocking, or by a file's disk
 * in the time of pp_write_thread_finish(). NULL is ignored. */
void pp_stdout_flush (PpStdout *out);

/* Writes what is left like pp_stdout_flush(), logs what could not be written, and frees; FD stays
 * open.
 */
void pp_stdout_free (PpStdout *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpStdout, pp_stdout_free)

/* Queues LENGTH bytes, all or none of them: whole lines, so that none is cut where some are lost.
 */
void pp_stdout_write (PpStdout *out, const char *data, gsize length);

/* True if it is a terminal, whose reader is a person and which obeys control characters. */
gboolean pp_stdout_is_terminal (const PpStdout *out);

/* True while the last write has failed. */
gboolean pp_stdout_is_failing (const PpStdout *out);

/* True while it is a file on a disk that has taken nothing for a minute. */
gboolean pp_stdout_hangs (const PpStdout *out);

/* FALSE while so much waits for a slow reader that a producer who can wait should. Always TRUE
 * while writes fail: flow runs do not wait for a disk to have room. */
gboolean pp_stdout_has_room (const PpStdout *out);

/* Calls FUNC once, as soon as there is room; never from inside the call. */
void pp_stdout_when_room (PpStdout *out, void (*func) (gpointer), gpointer user_data);
void pp_stdout_forget (PpStdout *out, gpointer user_data);

/* Bytes that wait. */
gsize pp_stdout_pending (const PpStdout *out);

G_END_DECLS
