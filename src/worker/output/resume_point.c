/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "resume_point-private.h"

/* Limits the number of waiting places: the distance between two new places, in records, grows by
 * one for every THINNING waiting places. */
#define THINNING 64

/* The fields are those of PpPosition. */
typedef struct
{
  gint64 time;
  gint64 next;
  guint64 records;
  guint64 bytes;
} Place;

typedef enum
{
  UNDECIDED, /* no entry was read yet */
  SEARCHING, /* looking for the position's place: entries up to it were delivered */
  TAKING
} State;

struct PpDelivery
{
  PpOutput *output;
  PpPosition *position;
  gboolean streamed;
  guint64 counted;
  State state;
  gboolean found; /* the entry with the position's time was found */
  gboolean gap;
  PpLogPlace place;
  GArray *waiting; /* of Place: their delivery is not confirmed yet */
};

PpDelivery *
pp_delivery_new (PpOutput *output, PpPosition *position, gboolean streamed)
{
  PpDelivery *delivery = g_new0 (PpDelivery, 1);

  delivery->output = output;
  delivery->position = position;
  delivery->streamed = streamed;
  delivery->waiting = g_array_new (FALSE, FALSE, sizeof (Place));
  return delivery;
}

void
pp_delivery_free (PpDelivery *delivery)
{
  if (delivery == NULL)
    return;
  g_array_unref (delivery->waiting);
  g_free (delivery);
}

void
pp_delivery_set_counted (PpDelivery *delivery, guint64 records)
{
  delivery->counted = records;
}

/* Starts taking output when the log's beginning is gone: after the position's place, or from the
 * first remaining entry if the place was not found. */
static void
begin (PpDelivery *delivery, gint64 time)
{
  const PpPosition *position = delivery->position;
  guint64 records = MAX (position->records + delivery->counted, position->log_records);
  guint64 bytes = MAX (position->stdout_bytes, position->log_bytes);

  delivery->state = TAKING;
  if (delivery->found)
    pp_output_count_from (delivery->output, position->log_records, position->log_bytes);
  else
    {
      delivery->gap = time == 0 || time != position->log_next;
      pp_output_count_from (delivery->output, records, bytes);
    }
  pp_output_skip (delivery->output, records, bytes);
}

/* Uses the log's first entry to decide how to resume. */
static void
decide (PpDelivery *delivery, gint64 time, gboolean begins_late)
{
  PpPosition *position = delivery->position;

  if (!begins_late && (time == 0 || position->log_first == 0 || time == position->log_first))
    {
      if (time != 0)
        position->log_first = time;
      delivery->state = TAKING;
      pp_output_skip (delivery->output, position->records + delivery->counted,
                      position->stdout_bytes);
    }
  else if (time == 0 || position->log_time == 0)
    begin (delivery, time);
  else
    {
      delivery->state = SEARCHING;
      pp_output_skip (delivery->output, G_MAXUINT64, G_MAXUINT64);
    }
}

/* True if an entry is after the position's place. */
static gboolean
is_beyond (const PpDelivery *delivery, PpStream stream, gint64 time)
{
  return time > delivery->position->log_time
         || (delivery->found && pp_log_place_is_set_back (&delivery->place, stream, time));
}

/* Adds the place before an entry of STREAM with TIME to the waiting places, if output can be
 * resumed there and the place is far enough after the last one. */
static void
keep_place (const PpDelivery *delivery, PpStream stream, gint64 time)
{
  const PpPosition *position = delivery->position;
  GArray *waiting = delivery->waiting;
  const Place place = { .time = delivery->place.time,
                        .next = time,
                        .records = pp_output_records (delivery->output),
                        .bytes = pp_output_bytes (delivery->output) };

  if (!delivery->streamed && !pp_output_is_forwarded (delivery->output))
    return;
  if (place.time == 0 || !pp_log_place_is_passed (&delivery->place, stream, time)
      || !pp_output_is_between_lines (delivery->output) || place.records < position->log_records
      || place.bytes < position->log_bytes)
    return;
  if (waiting->len > 0
      && place.records
             <= g_array_index (waiting, Place, waiting->len - 1).records + waiting->len / THINNING)
    return;
  g_array_append_val (waiting, place);
}

gboolean
pp_delivery_take (PpDelivery *delivery, PpStream stream, gint64 time, gboolean begins_late,
                  const char *data, gsize length)
{
  if (delivery->state == UNDECIDED)
    decide (delivery, time, begins_late);
  if (delivery->state == SEARCHING && is_beyond (delivery, stream, time))
    begin (delivery, time);
  if (delivery->state == SEARCHING)
    delivery->found |= time == delivery->position->log_time;
  else
    keep_place (delivery, stream, time);
  if (!pp_output_take (delivery->output, stream, data, length))
    return FALSE;
  pp_log_place_note (&delivery->place, stream, time, length);
  return TRUE;
}

void
pp_delivery_note (PpDelivery *delivery)
{
  PpPosition *position = delivery->position;
  gboolean forwarded = pp_output_is_forwarded (delivery->output);
  const Place *place = NULL;
  guint count = 0;

  for (; count < delivery->waiting->len; count++)
    {
      const Place *next = &g_array_index (delivery->waiting, Place, count);

      if ((forwarded && next->records > position->records)
          || (delivery->streamed && next->bytes > position->stdout_bytes))
        break;
      place = next;
    }
  if (place == NULL)
    return;
  position->log_time = place->time;
  position->log_next = place->next;
  position->log_records = place->records;
  position->log_bytes = place->bytes;
  g_array_remove_range (delivery->waiting, 0, count);
}

const PpLogPlace *
pp_delivery_place (const PpDelivery *delivery)
{
  return &delivery->place;
}

gboolean
pp_delivery_has_gap (const PpDelivery *delivery)
{
  return delivery->gap || (delivery->state == SEARCHING && !delivery->found);
}
