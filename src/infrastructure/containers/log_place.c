/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/infrastructure/log_place.h"

#include <string.h>

enum
{
  READING, /* nothing is skipped any more */
  UNDECIDED,
  SEARCHING, /* looks for the entry with the place's time */
  COUNTING   /* counts the bytes to skip */
};

/* Returns the number of COUNT digits at TEXT, or -1. */
static int
digits (const char *text, guint count)
{
  int number = 0;

  for (guint i = 0; i < count; i++)
    {
      if (!g_ascii_isdigit (text[i]))
        return -1;
      number = number * 10 + (text[i] - '0');
    }
  return number;
}

/* Returns the days from 1970-01-01 to a date of the Gregorian calendar. */
static gint64
days_until (int year, int month, int day)
{
  static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
  gint64 past = year - 1;
  gint64 leap_days = past / 4 - past / 100 + past / 400;
  gboolean is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

  return past * 365 + leap_days + before[month - 1] + (is_leap && month > 2 ? 1 : 0) + day - 719163;
}

/* Returns the nanoseconds of the fraction at *TEXT, and moves *TEXT past it. */
static gint64
parse_fraction (const char **text, const char *end)
{
  gint64 nanoseconds = 0;
  gint64 unit = 100000000;

  if (*text >= end || **text != '.')
    return 0;
  for ((*text)++; *text < end && g_ascii_isdigit (**text); (*text)++, unit /= 10)
    nanoseconds += unit * (**text - '0');
  return nanoseconds;
}

/* Parses "Z" or "+HH:MM", which must end at END. Returns FALSE for anything else. */
static gboolean
parse_offset (const char *text, const char *end, gint64 *seconds)
{
  int hours, minutes;

  *seconds = 0;
  if (end - text == 1 && *text == 'Z')
    return TRUE;
  if (end - text != 6 || (*text != '+' && *text != '-') || text[3] != ':')
    return FALSE;
  hours = digits (text + 1, 2);
  minutes = digits (text + 4, 2);
  if (hours < 0 || minutes < 0)
    return FALSE;
  *seconds = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
  return TRUE;
}

gint64
pp_log_time_parse (const char *text, gsize length)
{
  static const char pattern[] = "YYYY-MM-DDTHH:MM:SS";
  const char *blank = memchr (text, ' ', length);
  const char *end = blank != NULL ? blank : text + length;
  const char *rest = text + strlen (pattern);
  gint64 nanoseconds, offset, seconds;

  if (end <= rest || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':'
      || text[16] != ':')
    return 0;
  int year = digits (text, 4), month = digits (text + 5, 2), day = digits (text + 8, 2);
  int hour = digits (text + 11, 2), minute = digits (text + 14, 2), second = digits (text + 17, 2);

  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || hour < 0 || minute < 0
      || second < 0)
    return 0;
  nanoseconds = parse_fraction (&rest, end);
  if (!parse_offset (rest, end, &offset))
    return 0;
  seconds = ((days_until (year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset;
  return MAX (seconds * G_GINT64_CONSTANT (1000000000) + nanoseconds, 0);
}

gboolean
pp_log_place_is_set_back (const PpLogPlace *place, PpStream stream, gint64 time)
{
  return time != 0 && time < place->last[stream == PP_STREAM_STDERR];
}

gboolean
pp_log_place_is_passed (const PpLogPlace *place, PpStream stream, gint64 time)
{
  return time > place->time || pp_log_place_is_set_back (place, stream, time);
}

void
pp_log_place_note (PpLogPlace *place, PpStream stream, gint64 time, gsize length)
{
  gboolean set_back = pp_log_place_is_set_back (place, stream, time);

  if (place->total == 0)
    place->first = time;
  if (pp_log_place_is_passed (place, stream, time))
    {
      place->time = time;
      place->bytes = 0;
    }
  place->bytes += length;
  place->total += length;
  if (time == 0)
    return;
  place->last[stream == PP_STREAM_STDERR] = time;
  if (set_back)
    place->last[stream != PP_STREAM_STDERR] = time;
}

void
pp_log_pass_init (PpLogPass *pass, const PpLogPlace *place)
{
  *pass = (PpLogPass){ .state = READING };
  if (place == NULL || place->total == 0)
    return;
  pass->place = *place;
  pass->state = UNDECIDED;
}

/* Decides by the first entry how to find the place. If the log still has its beginning, counts
 * bytes, which needs no clock. */
static void
decide (PpLogPass *pass, gint64 time, gboolean begins_late)
{
  const PpLogPlace *place = &pass->place;

  if (!begins_late && (place->first == 0 || time == 0 || time == place->first))
    {
      pass->state = COUNTING;
      pass->skip = place->total;
      return;
    }
  /* Entries with the same time form a group: conmon uses one time for each read(), Docker for the
   * parts of a long line. If the log begins inside a group, it is unknown how much of the group is
   * missing. */
  if (place->time == 0 || time == 0 || time == place->time)
    {
      pass->state = READING;
      pass->gap = TRUE;
      return;
    }
  pass->state = SEARCHING;
}

static void
search (PpLogPass *pass, gint64 time)
{
  if (time == pass->place.time)
    {
      pass->state = COUNTING;
      pass->skip = pass->place.bytes;
    }
  else if (time > pass->place.time)
    {
      pass->state = READING;
      pass->gap = TRUE;
    }
}

gsize
pp_log_pass_over (PpLogPass *pass, gint64 time, gboolean begins_late, gsize length)
{
  if (pass->state == UNDECIDED)
    decide (pass, time, begins_late);
  if (pass->state == SEARCHING)
    search (pass, time);
  if (pass->state == SEARCHING)
    return length;
  return pass->state == COUNTING ? (gsize)MIN (pass->skip, length) : 0;
}

void
pp_log_pass_done (PpLogPass *pass, gsize bytes)
{
  if (pass->state != COUNTING)
    return;
  pass->skip -= bytes;
  if (pass->skip == 0)
    pass->state = READING;
}

gboolean
pp_log_pass_has_gap (const PpLogPass *pass)
{
  return pass->gap || pass->state != READING;
}
