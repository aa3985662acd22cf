/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "claimed_states-private.h"

/* The most states to remember. */
#define MAX_STATES 1000

struct PpClaimedStates
{
  GHashTable *ids; /* a set; owns the ids */
  GQueue *order;   /* the ids of the set, oldest first */
};

PpClaimedStates *
pp_claimed_states_new (void)
{
  PpClaimedStates *claimed = g_new0 (PpClaimedStates, 1);

  claimed->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  claimed->order = g_queue_new ();
  return claimed;
}

void
pp_claimed_states_free (PpClaimedStates *claimed)
{
  if (claimed == NULL)
    return;
  g_queue_free (claimed->order);
  g_hash_table_unref (claimed->ids);
  g_free (claimed);
}

void
pp_claimed_states_add (PpClaimedStates *claimed, const char *id)
{
  if (id == NULL || g_hash_table_contains (claimed->ids, id))
    return;
  if (g_queue_get_length (claimed->order) >= MAX_STATES)
    g_hash_table_remove (claimed->ids, g_queue_pop_head (claimed->order));
  char *owned = g_strdup (id);
  g_hash_table_add (claimed->ids, owned);
  g_queue_push_tail (claimed->order, owned);
}

gboolean
pp_claimed_states_has (const PpClaimedStates *claimed, const char *id)
{
  return id != NULL && g_hash_table_contains (claimed->ids, id);
}
