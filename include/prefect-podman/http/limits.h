/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that this process has run out of: descriptors, memory, threads, ports. A shortage is
 * not the other side's fault. It ends when somebody raises the limit or releases the resource. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* True if ERROR, an errno of open(), socket(), connect() or the start of a thread, means that this
 * host or process has run out of something: EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL. EAGAIN
 * does not count, because for most calls it means something else. */
gboolean pp_limits_is_shortage (int error);

/* Describes the errno ERROR in the system's words. For a shortage, adds the limit, its value and
 * how to raise it; EAGAIN means threads here. Returns a new string. */
char *pp_limits_describe (int error);

/* Tries to open COUNT more descriptors and closes them again. Returns 0, or the errno of the
 * failure (EMFILE, ENFILE, ENOMEM). */
int pp_limits_probe (guint count);

/* Tries to allocate some memory and frees it again. Returns 0, or ENOMEM. */
int pp_limits_probe_memory (void);

/* Raises the soft limit on open files to the hard one. */
void pp_limits_raise (void);

/* If USE is FALSE, opens a few spare descriptors and keeps them, if any are left. If USE is TRUE,
 * closes them, so that a health check can still be answered when no descriptor is left. Call this
 * from one thread only. */
void pp_limits_use_reserve (gboolean use);

G_END_DECLS
