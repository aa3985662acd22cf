/* SPDX-License-Identifier: Apache-2.0 */
/* Who wants to be told once: a list of functions and whom they are for. Used inside the room only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The head of a list's items, which are freed with g_free(). */
typedef struct
{
  void (*func) (gpointer);
  gpointer user_data;
} PpWaiter;

/* WAITERS without those for USER_DATA; the list's new start. */
GList *pp_waiters_forget (GList *waiters, gpointer user_data);

G_END_DECLS
