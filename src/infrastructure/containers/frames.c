/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "frames-private.h"
#include "prefect-podman/infrastructure/log_place.h"

#include <string.h>

/* The stream of Docker's own messages about a log that it cannot read ("Error grabbing logs: ...").
 * They are not part of the log. */
#define DOCKER_MESSAGE 3
/* One byte more than is shown, so that pp_text_cut() sees that words are missing. */
#define MAX_KEPT_WORDS (PP_FRAMES_MAX_WORDS + 1)
/* Longer than any frame of a log. */
#define MAX_LIKELY_FRAME (1024 * 1024)

void
pp_frames_init (PpFrames *frames, PpFramesKind kind, PpPayloadFunc output, gpointer user_data)
{
  memset (frames, 0, sizeof *frames);
  frames->kind = kind;
  frames->output = output;
  frames->user_data = user_data;
  frames->stream = PP_STREAM_STDOUT;
  memset (frames->last_byte, '\n', sizeof frames->last_byte);
}

void
pp_frames_clear (PpFrames *frames)
{
  pp_log_repeats_clear (&frames->repeats);
  g_clear_pointer (&frames->engine_words, g_free);
}

/* Returns FALSE if the header is not one that an engine writes. */
static gboolean
parse_header (PpFrames *frames)
{
  const guchar *h = frames->header;
  guint32 length = (guint32)h[4] << 24 | (guint32)h[5] << 16 | (guint32)h[6] << 8 | h[7];

  /* 0 is stdin, which engines use for stdout. */
  if (h[0] > 3 || h[1] != 0 || h[2] != 0 || h[3] != 0)
    return FALSE;
  /* Damaged data often consists of zeros. */
  if (frames->skips_damage && (h[0] == 0 || length > MAX_LIKELY_FRAME))
    return FALSE;
  if (frames->is_damaged && length == 0)
    return FALSE;
  frames->is_damaged = FALSE;
  frames->stream = h[0] <= 1 ? PP_STREAM_STDOUT : PP_STREAM_STDERR;
  frames->remaining = length;
  frames->header_length = 0;
  frames->time = 0;
  frames->is_repeated = FALSE;
  frames->is_message = h[0] == DOCKER_MESSAGE;
  frames->stamp_due
      = frames->kind == PP_FRAMES_STAMPED && frames->remaining > 0 && !frames->is_message;
  return TRUE;
}

/* Skips the first byte of an invalid header. */
static void
skip_byte (PpFrames *frames)
{
  if (frames->damage.records == 0)
    frames->damage.first = frames->offset - sizeof frames->header;
  frames->damage.records += frames->is_damaged ? 0 : 1;
  frames->damage.bytes++;
  frames->is_damaged = TRUE;
  frames->header_length--;
  memmove (frames->header, frames->header + 1, frames->header_length);
}

static void
take_words (PpFrames *frames, const char *data, gsize length)
{
  gsize had = frames->engine_words != NULL ? strlen (frames->engine_words) : 0;
  g_autofree char *before = g_steal_pointer (&frames->engine_words);

  g_message ("The engine says about a container's log: %.*s", (int)length, data);
  frames->engine_words
      = g_strdup_printf ("%s%.*s", before != NULL ? before : "",
                         (int)MIN (length, MAX_KEPT_WORDS - MIN (had, MAX_KEPT_WORDS)), data);
}

/* Delivers LENGTH bytes of payload. Returns FALSE if none of it was taken. */
static gboolean
deliver (PpFrames *frames, const char *data, gsize length)
{
  if (length == 0)
    return TRUE;
  if (!frames->output (frames->stream, data, length, frames->user_data))
    return FALSE;
  frames->payload_bytes += length;
  frames->last_byte[frames->stream - 1] = data[length - 1];
  return TRUE;
}

/* Skips LENGTH bytes of a repeated frame. */
static void
pass_over (PpFrames *frames, const char *data, gsize length)
{
  if (length == frames->remaining && data[length - 1] == '\n')
    pp_log_repeats_end (&frames->repeats, frames->stream);
}

static gboolean
deliver_stamp (PpFrames *frames)
{
  if (!deliver (frames, frames->stamp, frames->stamp_length))
    return FALSE;
  frames->stamp_is_text = FALSE;
  frames->stamp_length = 0;
  return TRUE;
}

/* Checks if a frame whose timestamp was read is a repetition. */
static void
look_for_repeat (PpFrames *frames)
{
  gboolean ended = frames->last_byte[frames->stream - 1] == '\n';

  frames->is_repeated = pp_log_repeats_has (&frames->repeats, frames->stream, frames->time,
                                            frames->remaining, ended);
  if (!frames->is_repeated)
    pp_log_repeats_add (&frames->repeats, frames->stream, frames->time, frames->remaining, ended);
}

/* Takes the bytes at a frame's start that may belong to its timestamp. Returns how many it took, at
 * most LENGTH. */
static gsize
take_stamp (PpFrames *frames, const char *data, gsize length)
{
  gsize step = MIN (length, sizeof frames->stamp - frames->stamp_length);
  const char *blank = memchr (data, ' ', step);

  if (blank != NULL)
    step = (gsize)(blank - data) + 1;
  memcpy (frames->stamp + frames->stamp_length, data, step);
  frames->stamp_length += step;
  frames->remaining -= (guint32)step;
  if (blank == NULL && frames->stamp_length < sizeof frames->stamp && frames->remaining > 0)
    return step;
  frames->stamp_due = FALSE;
  if (blank != NULL)
    frames->time = pp_log_time_parse (frames->stamp, frames->stamp_length);
  if (frames->time == 0)
    {
      frames->stamp_is_text = TRUE;
      return step;
    }
  frames->stamp_length = 0;
  look_for_repeat (frames);
  return step;
}

static gsize
take_header (PpFrames *frames, const char *data, gsize length)
{
  gsize step = MIN (length, sizeof frames->header - frames->header_length);

  memcpy (frames->header + frames->header_length, data, step);
  frames->header_length += step;
  return step;
}

PpFramesResult
pp_frames_push (PpFrames *frames, const char *data, gsize length)
{
  gboolean raw = frames->kind == PP_FRAMES_RAW;
  gsize position = MIN (frames->replay, length);

  for (;;)
    {
      gsize left = length - position;

      if (frames->stamp_is_text && !deliver_stamp (frames))
        break;
      if (left == 0)
        {
          frames->replay -= MIN (frames->replay, length);
          return PP_FRAMES_TAKEN;
        }
      if (!raw && frames->remaining == 0)
        {
          gsize step = take_header (frames, data + position, left);

          position += step;
          frames->offset += step;
          if (frames->header_length < sizeof frames->header || parse_header (frames))
            continue;
          skip_byte (frames);
          if (!frames->skips_damage)
            return PP_FRAMES_MALFORMED;
          continue;
        }
      left = raw ? left : MIN (left, frames->remaining);
      if (frames->stamp_due)
        {
          gsize step = take_stamp (frames, data + position, left);

          position += step;
          frames->offset += step;
          continue;
        }
      if (frames->is_message)
        take_words (frames, data + position, left);
      else if (frames->is_repeated)
        pass_over (frames, data + position, left);
      else if (!deliver (frames, data + position, left))
        break;
      position += left;
      frames->offset += left;
      if (!raw)
        frames->remaining -= (guint32)left;
    }
  frames->replay = MAX (frames->replay, position);
  return PP_FRAMES_PAUSED;
}

gboolean
pp_frames_at_boundary (const PpFrames *frames)
{
  return frames->kind == PP_FRAMES_RAW
         || (frames->header_length == 0 && frames->remaining == 0 && !frames->stamp_is_text);
}
