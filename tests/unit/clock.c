/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/clock.h"

#include <time.h>

typedef struct
{
  GSource source;
  gint64 interval; /* in microseconds */
  gint64 due;
} Timer;

static GList *timers; /* list of Timer; only the main loop uses it */
static gint64 skipped;
static GMutex mutex; /* protects SKIPPED */

static gint64
read_clock (clockid_t id)
{
  struct timespec now;

  clock_gettime (id, &now);
  return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + clock_skipped ();
}

gint64
clock_skipped (void)
{
  g_mutex_lock (&mutex);
  gint64 value = skipped;
  g_mutex_unlock (&mutex);
  return value;
}

void
clock_add (gint64 microseconds)
{
  g_mutex_lock (&mutex);
  skipped += microseconds;
  g_mutex_unlock (&mutex);
}

gint64
g_get_monotonic_time (void)
{
  return read_clock (CLOCK_MONOTONIC);
}

gint64
g_get_real_time (void)
{
  return read_clock (CLOCK_REALTIME);
}

static gboolean
prepare (GSource *source, int *timeout)
{
  gint64 left = ((Timer *)source)->due - g_get_monotonic_time ();

  *timeout = (int)CLAMP ((left + 999) / 1000, 0, G_MAXINT);
  return left <= 0;
}

static gboolean
check (GSource *source)
{
  return ((Timer *)source)->due <= g_get_monotonic_time ();
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  Timer *timer = (Timer *)source;

  if (callback (user_data) == G_SOURCE_REMOVE)
    return G_SOURCE_REMOVE;
  timer->due = g_get_monotonic_time () + timer->interval;
  return G_SOURCE_CONTINUE;
}

static void
finalize (GSource *source)
{
  timers = g_list_remove (timers, source);
}

static GSourceFuncs timer_funcs
    = { .prepare = prepare, .check = check, .dispatch = dispatch, .finalize = finalize };

static guint
add (int priority, gint64 interval, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  GSource *source = g_source_new (&timer_funcs, sizeof (Timer));
  Timer *timer = (Timer *)source;

  timer->interval = interval;
  timer->due = g_get_monotonic_time () + interval;
  timers = g_list_append (timers, timer);
  g_source_set_priority (source, priority);
  g_source_set_callback (source, function, data, notify);
  guint id = g_source_attach (source, NULL);
  g_source_unref (source);
  return id;
}

guint
g_timeout_add_full (int priority, guint interval, GSourceFunc function, gpointer data,
                    GDestroyNotify notify)
{
  return add (priority, (gint64)interval * 1000, function, data, notify);
}

guint
g_timeout_add (guint interval, GSourceFunc function, gpointer data)
{
  return g_timeout_add_full (G_PRIORITY_DEFAULT, interval, function, data, NULL);
}

guint
g_timeout_add_seconds_full (int priority, guint interval, GSourceFunc function, gpointer data,
                            GDestroyNotify notify)
{
  return add (priority, (gint64)interval * G_USEC_PER_SEC, function, data, notify);
}

guint
g_timeout_add_seconds (guint interval, GSourceFunc function, gpointer data)
{
  return g_timeout_add_seconds_full (G_PRIORITY_DEFAULT, interval, function, data, NULL);
}

gboolean
clock_jump (void)
{
  gint64 first = G_MAXINT64;

  for (const GList *link = timers; link != NULL; link = link->next)
    first = MIN (first, ((const Timer *)link->data)->due);
  if (first == G_MAXINT64)
    return FALSE;
  gint64 left = MAX (first - g_get_monotonic_time (), 0);
  g_mutex_lock (&mutex);
  skipped += left;
  g_mutex_unlock (&mutex);
  return TRUE;
}
