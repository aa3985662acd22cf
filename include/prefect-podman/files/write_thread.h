/* SPDX-License-Identifier: Apache-2.0 */
/* One thread for writes to regular files that this process did not open: standard output and
 * standard error. A write to a regular file blocks while its disk hangs (NFS, a missing device),
 * even with O_NONBLOCK. Here it blocks this thread only. The thread does all jobs in the order of
 * the calls that add them, so lines keep their order if two descriptors share a file. The first
 * job starts the thread, which then lives as long as the process. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef void (*PpWriteJobFunc) (gpointer data);
typedef ssize_t (*PpWriteFunc) (int fd, const void *data, size_t length);

/* True if FD is a regular file, so that writes to it must be jobs. May block on a disk that hangs:
 * ask once, at the start. */
gboolean pp_write_thread_is_for (int fd);

/* Makes the thread call FUNC with DATA. FUNC owns DATA; FUNC must not add jobs and must not log. If
 * no thread can be started, calls FUNC itself, before it returns. */
void pp_write_thread_do (PpWriteJobFunc func, gpointer data);

/* A write that runs as a job. */
typedef struct PpFileWrite PpFileWrite;

/* Copies the LENGTH bytes of TEXT and makes the thread write them to FD. Calls ON_DONE with
 * USER_DATA on the main loop when write() has returned, unless pp_file_write_end() was called
 * before. Returns a new handle for pp_file_write_end(). */
PpFileWrite *pp_file_write_new (int fd, const char *text, gsize length, void (*on_done) (gpointer),
                                gpointer user_data);

/* Frees FILE_WRITE. A write that has not been done yet may still happen. Returns the result of
 * write(), with errno if it is -1; -1 with EINPROGRESS if the write is not done. NULL is
 * ignored. */
ssize_t pp_file_write_end (PpFileWrite *file_write);

/* Waits until all jobs are done. Called when the process ends. All calls of this function together
 * wait for 1.5 s at most; returns FALSE if jobs are left after that. */
gboolean pp_write_thread_finish (void);

/* For jobs: calls write(), or its replacement in a test. */
ssize_t pp_write_thread_write (int fd, const void *data, size_t length);

/* For tests: replaces write() by FUNC; NULL restores write(). Call it only while no job waits or
 * runs. Also resets the 1.5 s of pp_write_thread_finish(). */
void pp_write_thread_use (PpWriteFunc func);

G_END_DECLS
