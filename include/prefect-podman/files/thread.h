/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for work on files, which a disk that hangs may block for good; and for the like. */
#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/* Starts FUNC with DATA in a thread with a stack of STACK_BYTES: GLib's threads have the default of
 * 8 MiB, in which a kernel with transparent huge pages may see one of 2 MiB. Signals are left to
 * the main thread. *THREAD gets the thread, to be joined or detached; NULL: it is detached. Returns
 * 0, or an errno. */
int pp_file_thread_start (void *(*func) (void *), void *data, gsize stack_bytes, pthread_t *thread);

G_END_DECLS
