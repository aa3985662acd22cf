/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts the same forms as pydantic-core (speedate's Duration::parse_bytes). */
#include "config.h"

#include "duration-private.h"

#include <string.h>

#define SECOND G_GINT64_CONSTANT (1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

/* pydantic's maximum of 999,999,999 days does not fit into 64 bits of microseconds. This is 2,700
 * years. */
#define MAX_DAYS 999999

/* Reads a number of at most nine digits. If FRACTION is not NULL, also reads a fraction after a
 * point, in millionths; further digits are cut off. */
static gboolean
read_number (const char **at, gint64 *whole, gint64 *fraction)
{
  const char *p = *at;

  for (*whole = 0; g_ascii_isdigit (*p) && p - *at < 9; p++)
    *whole = *whole * 10 + (*p - '0');
  if (p == *at || g_ascii_isdigit (*p))
    return FALSE;
  if (fraction != NULL)
    *fraction = 0;
  if (fraction != NULL && *p == '.')
    {
      gint64 unit = SECOND / 10;
      const char *start = ++p;
      for (; g_ascii_isdigit (*p); p++, unit /= 10)
        *fraction += (*p - '0') * unit;
      if (p == start)
        return FALSE;
    }
  *at = p;
  return TRUE;
}

/* Returns the unit of an ISO 8601 designator in microseconds; 0 if there is no such unit. */
static gint64
iso_unit (char designator, gboolean in_time)
{
  switch (designator)
    {
    case 'Y':
      return in_time ? 0 : YEAR;
    case 'M':
      return in_time ? MINUTE : 30 * DAY;
    case 'W':
      return in_time ? 0 : 7 * DAY;
    case 'D':
      return in_time ? 0 : DAY;
    case 'H':
      return in_time ? HOUR : 0;
    case 'S':
      return in_time ? SECOND : 0;
    default:
      return 0;
    }
}

static gboolean
add (gint64 *total, gint64 count, gint64 unit)
{
  if (count > MAX_DAYS * DAY / unit)
    return FALSE;
  *total += count * unit;
  return *total <= MAX_DAYS * DAY;
}

/* Parses the text after the "P". */
static gboolean
parse_iso (const char *p, gint64 *total)
{
  gboolean in_time = FALSE;
  gboolean any = FALSE;

  for (*total = 0; *p != '\0';)
    {
      gint64 whole, fraction;
      if (*p == 'T' && !in_time)
        {
          in_time = TRUE;
          p++;
          continue;
        }
      if (!read_number (&p, &whole, &fraction))
        return FALSE;
      gint64 unit = iso_unit (*p++, in_time);
      if (unit == 0 || !add (total, whole, unit))
        return FALSE;
      *total += fraction * (unit / SECOND);
      any = TRUE;
    }
  return any;
}

/* Parses "H:MM", "H:MM:SS" or "H:MM:SS.f". */
static gboolean
parse_clock (const char *p, gint64 *total)
{
  gint64 hours, minutes, seconds = 0, fraction = 0;

  if (!read_number (&p, &hours, NULL) || *p++ != ':' || !g_ascii_isdigit (p[0])
      || !g_ascii_isdigit (p[1]) || !read_number (&p, &minutes, NULL) || minutes > 59)
    return FALSE;
  if (*p == ':')
    {
      p++;
      if (!g_ascii_isdigit (p[0]) || !g_ascii_isdigit (p[1])
          || !read_number (&p, &seconds, &fraction) || seconds > 59)
        return FALSE;
    }
  return *p == '\0' && add (total, hours, HOUR) && add (total, minutes * 60 + seconds, SECOND)
         && add (total, fraction, 1);
}

/* Parses "2 days", "2d", "2 days, 1:00:00" or "2 days 1:00:00". */
static gboolean
parse_days (const char *p, gint64 *total)
{
  gint64 days;

  *total = 0;
  if (!read_number (&p, &days, NULL) || !add (total, days, DAY))
    return FALSE;
  p += *p == ' ';
  if (g_ascii_strncasecmp (p, "days", 4) == 0)
    p += 4;
  else if (g_ascii_strncasecmp (p, "day", 3) == 0)
    p += 3;
  else if (*p == 'd' || *p == 'D')
    p++;
  else
    return FALSE;
  if (*p == '\0')
    return TRUE;
  p += *p == ',';
  p += *p == ' ';
  return parse_clock (p, total);
}

gboolean
pp_duration_parse (const char *text, gint64 *microseconds)
{
  gboolean negative = text[0] == '-';
  const char *p = text + (text[0] == '-' || text[0] == '+');
  gboolean parsed;

  if (*p == 'P')
    parsed = parse_iso (p + 1, microseconds);
  else if (strpbrk (p, "dD") != NULL)
    parsed = parse_days (p, microseconds);
  else
    {
      *microseconds = 0;
      parsed = parse_clock (p, microseconds);
    }
  if (negative)
    *microseconds = -*microseconds;
  return parsed;
}

static void
append_part (GString *out, gint64 *rest, gint64 unit, char designator)
{
  if (*rest < unit)
    return;
  g_string_append_printf (out, "%" G_GINT64_FORMAT "%c", *rest / unit, designator);
  *rest %= unit;
}

char *
pp_duration_to_string (gint64 microseconds)
{
  gint64 rest = ABS (microseconds);
  GString *out = g_string_new (microseconds < 0 ? "-P" : "P");

  append_part (out, &rest, YEAR, 'Y');
  append_part (out, &rest, DAY, 'D');
  if (rest == 0 && microseconds != 0)
    return g_string_free (out, FALSE);
  g_string_append_c (out, 'T');
  append_part (out, &rest, HOUR, 'H');
  append_part (out, &rest, MINUTE, 'M');
  if (rest == 0 && microseconds != 0)
    return g_string_free (out, FALSE);
  g_string_append_printf (out, "%" G_GINT64_FORMAT, rest / SECOND);
  if (rest % SECOND != 0)
    {
      g_string_append_printf (out, ".%06" G_GINT64_FORMAT, rest % SECOND);
      while (out->str[out->len - 1] == '0')
        g_string_truncate (out, out->len - 1);
    }
  g_string_append_c (out, 'S');
  return g_string_free (out, FALSE);
}
