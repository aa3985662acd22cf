/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_records-private.h"

#include "prefect-podman/infrastructure/log_place.h"

#include <string.h>

/* conmon reads 8 KiB at a time from a container, so its records are not much longer than that. */
#define MAX_RECORD_BYTES ((gsize)64 * 1024)
#define SMALL_BUFFER_BYTES ((gsize)4096)
/* "1997-03-25T13:20:42.999999999+01:00" */
#define TIME_BYTES ((gsize)35)
/* The longest record header, "TIME stdout F ". */
#define HEAD_BYTES (TIME_BYTES + strlen (" stdout F "))

struct PpLogRecords
{
  GString *buffer;
  gsize start;       /* index in buffer of the first byte that was not taken */
  gsize taken;       /* bytes that the next pp_log_records_take() takes */
  guint64 offset;    /* offset in the file of buffer's first byte */
  guint64 skipped;   /* bytes of the file after `buffer` that were not read */
  gint64 time;       /* of the previous record */
  gboolean finished; /* no more data follows */
  gboolean headless; /* the beginning of the current line was lost */
  gboolean
      inside; /* parts of the current line were taken, because it is longer than MAX_RECORD_BYTES */
  PpLogRecord current;
  gboolean is_whole;     /* the tag of `current` is F */
  gboolean is_cut;       /* `current` ends where the header of another record begins */
  gboolean owes_newline; /* `current` was cut, and its newline is to be taken next */
  PpLogDamage damage;
};

PpLogRecords *
pp_log_records_new (void)
{
  PpLogRecords *records = g_new0 (PpLogRecords, 1);

  records->buffer = g_string_new (NULL);
  return records;
}

void
pp_log_records_free (PpLogRecords *records)
{
  if (records == NULL)
    return;
  g_string_free (records->buffer, TRUE);
  g_free (records);
}

void
pp_log_records_push (PpLogRecords *records, const char *data, gsize length)
{
  records->offset += records->start + records->skipped;
  records->skipped = 0;
  g_string_erase (records->buffer, 0, (gssize)records->start);
  records->start = 0;
  g_string_append_len (records->buffer, data, (gssize)length);
}

void
pp_log_records_skip (PpLogRecords *records, guint64 bytes)
{
  records->skipped += bytes;
  records->damage.bytes += bytes;
}

void
pp_log_records_finish (PpLogRecords *records)
{
  records->finished = TRUE;
}

void
pp_log_records_new_file (PpLogRecords *records)
{
  g_string_truncate (records->buffer, 0);
  records->start = 0;
  records->taken = 0;
  records->offset = 0;
  records->skipped = 0;
  records->finished = FALSE;
  records->headless = FALSE;
  records->inside = FALSE;
  records->is_cut = FALSE;
  records->owes_newline = FALSE;
}

const PpLogDamage *
pp_log_records_damage (const PpLogRecords *records)
{
  return &records->damage;
}

/* Counts BYTES of damage, beginning at `start`. IS_NEW is FALSE if they belong to a record that was
 * counted already. */
static void
note_damage (PpLogRecords *records, gsize bytes, gboolean is_new)
{
  if (records->damage.records == 0)
    records->damage.first = records->offset + records->start;
  records->damage.records += is_new ? 1 : 0;
  records->damage.bytes += bytes;
}

/* Parses the header of the record in LENGTH bytes of LINE, without the newline. Returns the
 * header's length, or 0 if it is malformed. The time may be 0. */
static gsize
parse_head (const char *line, gsize length, PpLogRecord *record, gboolean *is_whole)
{
  const char *end = line + length;
  const char *blank = memchr (line, ' ', length);
  const char *tag;

  if (blank == NULL || end - blank < (ptrdiff_t)strlen (" stdout F"))
    return 0;
  if (strncmp (blank, " stdout ", strlen (" stdout ")) == 0)
    record->stream = PP_STREAM_STDOUT;
  else if (strncmp (blank, " stderr ", strlen (" stderr ")) == 0)
    record->stream = PP_STREAM_STDERR;
  else
    return 0;
  tag = blank + strlen (" stdout ");
  if (*tag != 'F' && *tag != 'P')
    return 0;
  *is_whole = *tag == 'F';
  record->time = pp_log_time_parse (line, (gsize)(blank - line));
  tag++;
  if (tag == end || *tag == '\r')
    return (gsize)(tag - line);
  return *tag == ' ' ? (gsize)(tag + 1 - line) : 0;
}

/* Searches LENGTH bytes of LINE, from the second byte on, for a header with a time. Returns the
 * offset of the first such header, or LENGTH if there is none. */
static gsize
find_head (const char *line, gsize length)
{
  PpLogRecord record;
  gboolean is_whole;

  for (gsize at = 1; at + HEAD_BYTES <= length + 1; at++)
    {
      /* The dash after the year, and the blank after the time. */
      if (line[at + 4] == '-' && line[at + TIME_BYTES] == ' '
          && parse_head (line + at, length - at, &record, &is_whole) > 0 && record.time != 0)
        return at;
    }
  return length;
}

/* Searches LENGTH bytes of TEXT, a record of the time TIME, for the header of a later record. Such
 * a header shows that the first record was cut: the disk was full when conmon wrote it. Any
 * other header is text: the program in the container may print a log of conmon's, with earlier
 * times. Returns the header's offset, or LENGTH if there is none. */
static gsize
find_later_record (const char *text, gsize length, gint64 time)
{
  const char *end = text + length;

  for (const char *blank = memmem (text, length, " std", 4); blank != NULL;
       blank = memmem (blank + 1, (gsize)(end - blank - 1), " std", 4))
    {
      const char *head = blank - TIME_BYTES;
      PpLogRecord record;
      gboolean is_whole;

      if (blank - text >= (ptrdiff_t)TIME_BYTES
          && parse_head (head, (gsize)(end - head), &record, &is_whole) > 0 && record.time > time)
        return (gsize)(head - text);
    }
  return length;
}

/* Parses the line of LENGTH bytes that begins at `start`. ENDS is TRUE if it includes the newline.
 * Returns FALSE if the line does not begin with a record; the damaged part is then skipped. */
static gboolean
read_line (PpLogRecords *records, gsize length, gboolean ends, PpLogRecord *record)
{
  const char *line = records->buffer->str + records->start;
  gsize content = length - (ends ? 1 : 0);
  gboolean is_whole = FALSE;
  gsize head = records->headless ? 0 : parse_head (line, content, record, &is_whole);

  if (head == 0 || record->time == 0)
    {
      gsize skipped = find_head (line, content);

      if (skipped < content || head == 0)
        {
          gsize kept = !ends && !records->finished ? HEAD_BYTES : 0;
          gsize gone = skipped < content ? skipped : length - kept;

          note_damage (records, gone, !records->headless);
          records->start += gone;
          records->headless = skipped == content && !ends;
          return FALSE;
        }
    }
  if (record->time == 0)
    record->time = records->time;
  gsize text = find_later_record (line + head, content - head, record->time);
  records->current = *record;
  records->is_whole = is_whole;
  records->is_cut = text < content - head;
  record->text = line + head;
  record->length = text + (is_whole && ends && !records->is_cut ? 1 : 0);
  records->taken = records->is_cut ? head + text : length;
  return TRUE;
}

/* Sets RECORD to the next part of a record longer than MAX_RECORD_BYTES. */
static void
read_on (PpLogRecords *records, gsize length, gboolean ends, PpLogRecord *record)
{
  *record = records->current;
  record->text = records->buffer->str + records->start;
  record->length = length - (ends && !records->is_whole ? 1 : 0);
  records->taken = length;
}

/* Frees the buffer's memory, because most containers are silent most of the time. */
static void
forget_buffer (PpLogRecords *records)
{
  if (records->buffer->allocated_len <= SMALL_BUFFER_BYTES)
    return;
  records->offset += records->buffer->len;
  records->start = 0;
  g_string_free (records->buffer, TRUE);
  records->buffer = g_string_new (NULL);
}

gboolean
pp_log_records_next (PpLogRecords *records, PpLogRecord *record)
{
  for (;;)
    {
      const char *line = records->buffer->str + records->start;
      gsize left = records->buffer->len - records->start;
      const char *newline = memchr (line, '\n', left);
      gsize length = newline != NULL ? (gsize)(newline + 1 - line) : left;

      if (records->owes_newline)
        {
          *record = records->current;
          record->text = "\n";
          record->length = 1;
          return TRUE;
        }
      if (left == 0)
        forget_buffer (records);
      if (left == 0 || (newline == NULL && left < MAX_RECORD_BYTES && !records->finished))
        return FALSE;
      if (records->inside)
        {
          read_on (records, length, newline != NULL, record);
          return TRUE;
        }
      if (read_line (records, length, newline != NULL, record))
        return TRUE;
    }
}

void
pp_log_records_take (PpLogRecords *records)
{
  if (records->owes_newline)
    {
      records->owes_newline = FALSE;
      return;
    }
  const char *end = records->buffer->str + records->start + records->taken;

  records->inside = end[-1] != '\n' && !records->is_cut;
  records->owes_newline = records->is_cut && records->is_whole;
  if (records->is_cut)
    note_damage (records, 0, TRUE);
  records->is_cut = FALSE;
  records->time = records->current.time;
  if (records->inside && records->finished)
    note_damage (records, 0, TRUE);
  records->start += records->taken;
  records->taken = 0;
}
