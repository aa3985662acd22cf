#include "config.h"

#include "prefect-podman/infrastructure/frames.h"

#include <string.h>

void
pp_frames_init (PpFrames *frames, gboolean raw, guint64 skip, PpOutputFunc output,
                gpointer user_data)
{
  memset (frames, 0, sizeof *frames);
  frames->raw = raw;
  frames->skip = skip;
  frames->output = output;
  frames->user_data = user_data;
  frames->stream = PP_STREAM_STDOUT;
  memset (frames->last_byte, '\n', sizeof frames->last_byte);
}

/* FALSE for a header no engine writes. */
static gboolean
parse_header (PpFrames *frames)
{
  const guchar *h = frames->header;

  /* 0: stdin, which engines write as stdout; 3: a message of Docker's own about the log. */
  if (h[0] > 3 || h[1] != 0 || h[2] != 0 || h[3] != 0)
    return FALSE;
  frames->stream = h[0] <= 1 ? PP_STREAM_STDOUT : PP_STREAM_STDERR;
  frames->remaining = (guint32)h[4] << 24 | (guint32)h[5] << 16 | (guint32)h[6] << 8 | h[7];
  frames->header_length = 0;
  return TRUE;
}

/* Hands LENGTH bytes of payload on, less what is to be skipped. FALSE: none of it was taken. */
static gboolean
deliver (PpFrames *frames, const char *data, gsize length)
{
  gsize skipped = (gsize)MIN (frames->skip, length);

  if (length > skipped
      && !frames->output (frames->stream, data + skipped, length - skipped, frames->user_data))
    return FALSE;
  frames->skip -= skipped;
  frames->payload_bytes += length;
  frames->last_byte[frames->stream - 1] = data[length - 1];
  return TRUE;
}

PpFramesResult
pp_frames_push (PpFrames *frames, const char *data, gsize length)
{
  gsize position = MIN (frames->replay, length);

  while (position < length)
    {
      gsize step;
      if (frames->raw || frames->remaining > 0)
        {
          step = length - position;
          if (!frames->raw)
            step = MIN (step, frames->remaining);
          if (!deliver (frames, data + position, step))
            {
              frames->replay = MAX (frames->replay, position);
              return PP_FRAMES_PAUSED;
            }
          if (!frames->raw)
            frames->remaining -= (guint32)step;
        }
      else
        {
          step = MIN (length - position, sizeof frames->header - frames->header_length);
          memcpy (frames->header + frames->header_length, data + position, step);
          frames->header_length += step;
          if (frames->header_length == sizeof frames->header && !parse_header (frames))
            return PP_FRAMES_MALFORMED;
        }
      position += step;
    }
  frames->replay -= MIN (frames->replay, length);
  return PP_FRAMES_TAKEN;
}

gboolean
pp_frames_at_boundary (const PpFrames *frames)
{
  return frames->raw || (frames->header_length == 0 && frames->remaining == 0);
}
