/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's own memory. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Gives back what only the start needed: free heap, and pages of code (ours and the libraries')
 * that ran once. What is needed again comes back from the page cache by itself. */
void pp_memory_settle (void);

/* Gives free heap back to the system (malloc_trim()). The C library does not do this by itself for
 * free pages that lie between used ones. Does nothing if the C library has no such call. */
void pp_memory_give_back (void);

G_END_DECLS
