/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's memory use. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Releases memory that only the start needed: free heap, and code pages of the program and its
 * libraries. Code that is needed again is read from the page cache. */
void pp_memory_settle (void);

/* Gives free heap back to the system (malloc_trim()). The C library does not do this by itself for
 * free pages that lie between used ones. Does nothing if the C library has no such call. */
void pp_memory_give_back (void);

G_END_DECLS
