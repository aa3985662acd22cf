/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "refused_claims-private.h"

/* Seconds. */
#define SHORTEST_PAUSE 10.0
#define LONGEST_PAUSE 300.0
/* A run is forgotten if no poll has returned it for this long. More than the longest pause. */
#define FORGET_US ((gint64)15 * 60 * G_USEC_PER_SEC)
/* The time between two lines in a run's log. */
#define SAY_AGAIN_US ((gint64)3600 * G_USEC_PER_SEC)
/* The most runs to remember: more than a poll returns. */
#define MAX_RUNS 500

/* All times are monotonic microseconds. */
typedef struct
{
  double pause; /* seconds */
  gint64 until; /* end of the pause */
  gint64 seen_at;
  gint64 said_at;
} Refusal;

struct PpRefusedClaims
{
  GHashTable *runs;   /* id -> Refusal */
  double first_pause; /* seconds */
};

PpRefusedClaims *
pp_refused_claims_new (double seconds)
{
  PpRefusedClaims *refused = g_new0 (PpRefusedClaims, 1);

  refused->runs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  refused->first_pause = CLAMP (seconds, SHORTEST_PAUSE, LONGEST_PAUSE);
  return refused;
}

void
pp_refused_claims_free (PpRefusedClaims *refused)
{
  if (refused == NULL)
    return;
  g_hash_table_unref (refused->runs);
  g_free (refused);
}

/* Forgets the run that no poll has returned for the longest time. */
static void
forget_oldest (PpRefusedClaims *refused)
{
  GHashTableIter iter;
  gpointer id, refusal, oldest = NULL;
  gint64 seen_at = G_MAXINT64;

  g_hash_table_iter_init (&iter, refused->runs);
  while (g_hash_table_iter_next (&iter, &id, &refusal))
    if (((const Refusal *)refusal)->seen_at < seen_at)
      {
        seen_at = ((const Refusal *)refusal)->seen_at;
        oldest = id;
      }
  g_hash_table_remove (refused->runs, oldest);
}

gboolean
pp_refused_claims_add (PpRefusedClaims *refused, const char *id)
{
  Refusal *refusal = g_hash_table_lookup (refused->runs, id);
  gint64 now = g_get_monotonic_time ();
  gboolean is_first = refusal == NULL;

  if (is_first)
    {
      if (g_hash_table_size (refused->runs) >= MAX_RUNS)
        forget_oldest (refused);
      refusal = g_new0 (Refusal, 1);
      g_hash_table_insert (refused->runs, g_strdup (id), refusal);
    }
  refusal->pause = is_first ? refused->first_pause : MIN (refusal->pause * 2, LONGEST_PAUSE);
  refusal->until = now + (gint64)(refusal->pause * G_USEC_PER_SEC);
  refusal->seen_at = now;
  if (!is_first && now - refusal->said_at < SAY_AGAIN_US)
    return FALSE;
  refusal->said_at = now;
  return TRUE;
}

gboolean
pp_refused_claims_accept (PpRefusedClaims *refused, const char *id)
{
  GHashTableIter iter;
  gpointer refusal;

  if (!g_hash_table_remove (refused->runs, id))
    return FALSE;
  g_hash_table_iter_init (&iter, refused->runs);
  while (g_hash_table_iter_next (&iter, NULL, &refusal))
    ((Refusal *)refusal)->until = 0;
  return TRUE;
}

gboolean
pp_refused_claims_has (const PpRefusedClaims *refused, const char *id)
{
  return g_hash_table_contains (refused->runs, id);
}

gboolean
pp_refused_claims_waits (PpRefusedClaims *refused, const char *id)
{
  Refusal *refusal = g_hash_table_lookup (refused->runs, id);

  if (refusal == NULL)
    return FALSE;
  refusal->seen_at = g_get_monotonic_time ();
  return refusal->seen_at < refusal->until;
}

guint
pp_refused_claims_count_waiting (PpRefusedClaims *refused)
{
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer data;
  guint count = 0;

  g_hash_table_iter_init (&iter, refused->runs);
  while (g_hash_table_iter_next (&iter, NULL, &data))
    {
      const Refusal *refusal = data;

      if (now - refusal->seen_at > FORGET_US)
        g_hash_table_iter_remove (&iter);
      else if (now < refusal->until)
        count++;
    }
  return count;
}
