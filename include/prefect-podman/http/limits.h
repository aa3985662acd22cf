/* SPDX-License-Identifier: Apache-2.0 */
/* What this process has run out of: descriptors, memory, threads, ports. Such a failure says
 * nothing about the other side, and passes when the limit is raised or others give something back.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* True if ERROR, an errno of open(), socket(), connect() or the start of a thread, says that this
 * host or process is short of something: EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL. (EAGAIN
 * has other meanings for most calls: not here.) */
gboolean pp_limits_is_shortage (int error);

/* The system's words for ERROR, an errno, and for a shortage (EAGAIN: of threads) the limit with
 * its number and what raises it; new string. */
char *pp_limits_describe (int error);

/* Tries to open COUNT more descriptors and closes them again. Returns 0, or the errno of the
 * failure (EMFILE, ENFILE, ENOMEM). */
int pp_limits_probe (guint count);

/* Raises the soft limit on open files to the hard one. */
void pp_limits_raise (void);

/* FALSE: holds a few descriptors back, as far as there are any. TRUE: sets them free, for what must
 * work when nothing else does: to answer a health check. From one thread only. */
void pp_limits_use_reserve (gboolean use);

G_END_DECLS
