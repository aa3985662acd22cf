/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_repeats-private.h"

/* The number of timestamps to remember: 32 KiB for a container with that much output. Longer
 * repetitions are not detected. */
#define MAX_TIMES 4096

void
pp_log_repeats_clear (PpLogRepeats *repeats)
{
  g_clear_pointer (&repeats->times, g_array_unref);
  *repeats = (PpLogRepeats){ 0 };
}

static guint
index_of (PpStream stream)
{
  return stream == PP_STREAM_STDERR ? 1 : 0;
}

/* Returns the key in the ring. Its lowest bit is the stream. */
static guint64
key_of (PpStream stream, gint64 time)
{
  return (guint64)time << 1 | index_of (stream);
}

gboolean
pp_log_repeats_has (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                    gboolean ended)
{
  guint index = index_of (stream);
  guint64 key = key_of (stream, time);

  /* The parts of a line have the same time. */
  if (!ended || time > repeats->last[index].time)
    return FALSE;
  if (time == repeats->last[index].time)
    {
      if (length == repeats->last[index].length)
        repeats->last[index].repeated = time;
      return repeats->last[index].repeated == time;
    }
  for (guint i = 0; i < repeats->times->len; i++)
    if (g_array_index (repeats->times, guint64, i) == key)
      return TRUE;
  return FALSE;
}

void
pp_log_repeats_end (PpLogRepeats *repeats, PpStream stream)
{
  repeats->last[index_of (stream)].repeated = 0;
}

void
pp_log_repeats_add (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                    gboolean ended)
{
  guint index = index_of (stream);
  guint64 key = key_of (stream, time);

  if (ended)
    repeats->last[index].length = length;
  repeats->last[index].time = time;
  if (repeats->times == NULL)
    repeats->times = g_array_new (FALSE, FALSE, sizeof (guint64));
  if (repeats->times->len < MAX_TIMES)
    {
      g_array_append_val (repeats->times, key);
      return;
    }
  g_array_index (repeats->times, guint64, repeats->next) = key;
  repeats->next = (repeats->next + 1) % MAX_TIMES;
}
