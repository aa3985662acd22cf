/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "waiters-private.h"

GList *
pp_waiters_forget (GList *waiters, gpointer user_data)
{
  GList *next;

  for (GList *link = waiters; link != NULL; link = next)
    {
      const PpWaiter *waiter = link->data;

      next = link->next;
      if (waiter->user_data != user_data)
        continue;
      g_free (link->data);
      waiters = g_list_delete_link (waiters, link);
    }
  return waiters;
}
