/* SPDX-License-Identifier: Apache-2.0 */
/* One thread for writes to files that are no file of ours: standard output and standard error,
 * where they are regular files. A disk that hangs (NFS, a device that is away) blocks a write to
 * them for as long, O_NONBLOCK or not; here it blocks this thread, and nobody else. All jobs are
 * done in the order in which they were handed over, whoever did, so that the lines of two
 * descriptors of one file stay in order. The thread is started by the first job and lives as long
 * as the process. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef void (*PpWriteJobFunc) (gpointer data);
typedef ssize_t (*PpWriteFunc) (int fd, const void *data, size_t length);

/* True if FD is a regular file, whose writes are to be jobs. May block on a disk that hangs: to be
 * asked once, at the start. */
gboolean pp_write_thread_is_for (int fd);

/* Has the thread call FUNC with DATA, which owns it; FUNC hands nothing over itself, and logs
 * nothing. Where no thread can be had it is called at once. */
void pp_write_thread_do (PpWriteJobFunc func, gpointer data);

/* A write that is a job. */
typedef struct PpFileWrite PpFileWrite;

/* Has the thread write the LENGTH bytes of TEXT, which are copied, to FD. Calls ON_DONE with
 * USER_DATA on the main loop once that is done, unless pp_file_write_end() was called before. */
PpFileWrite *pp_file_write_new (int fd, const char *text, gsize length, void (*on_done) (gpointer),
                                gpointer user_data);

/* Frees; what is not written yet may still be. Returns what write() did, -1 with errno; EINPROGRESS
 * where it is not done. NULL is ignored. */
ssize_t pp_file_write_end (PpFileWrite *file_write);

/* Before the end of the process: waits until all jobs are done. FALSE when they are not: all calls
 * together wait for 1.5 s at most. */
gboolean pp_write_thread_finish (void);

/* write(), or what stands for it in a test. For jobs. */
ssize_t pp_write_thread_write (int fd, const void *data, size_t length);

/* For tests: what stands for write() from now on (NULL: write() itself). Nothing may be under way.
 * All calls of pp_write_thread_finish() have their time anew. */
void pp_write_thread_use (PpWriteFunc func);

G_END_DECLS
