/* SPDX-License-Identifier: Apache-2.0 */
/* A list of functions to call once. Private to src/worker/output. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The first member of a list item. Items are freed with g_free(). */
typedef struct
{
  void (*func) (gpointer);
  gpointer user_data;
} PpWaiter;

/* Removes the items with USER_DATA. Returns the new start of the list. */
GList *pp_waiters_forget (GList *waiters, gpointer user_data);

G_END_DECLS
