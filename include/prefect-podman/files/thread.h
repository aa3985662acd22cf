/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for work that may block forever, such as file access on a disk that hangs. */
#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/* Starts FUNC with DATA in a thread with a stack of STACK_BYTES. GLib's own threads get the
 * default of 8 MiB; with transparent huge pages, the kernel may back such a stack with a page of 2
 * MiB. The thread blocks all signals, so the main thread gets them. *THREAD gets the thread, which
 * the caller joins or detaches; if THREAD is NULL, the thread is detached. Returns 0, or an
 * errno. */
int pp_file_thread_start (void *(*func) (void *), void *data, gsize stack_bytes, pthread_t *thread);

G_END_DECLS
