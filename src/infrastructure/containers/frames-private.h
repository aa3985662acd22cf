/* SPDX-License-Identifier: Apache-2.0 */
/* Demultiplexes a container's log. A frame is a stream number, three zero bytes, the payload's
 * length (four bytes, big endian) and the payload. Works on pieces of any size and buffers no
 * payload, except an incomplete timestamp. Private to src/infrastructure/containers. */
#pragma once

#include "log_records-private.h"
#include "log_repeats-private.h"

G_BEGIN_DECLS

/* The size of the buffer for a timestamp. Docker's timestamps are shorter. */
#define PP_FRAMES_STAMP_BYTES 40
/* If Docker sends a message about a log, at most this many bytes of the message are shown. */
#define PP_FRAMES_MAX_WORDS 500

typedef enum
{
  PP_FRAMES_PLAIN,
  PP_FRAMES_STAMPED, /* requested with "timestamps": Docker sends each log entry as one frame that
                        begins with the entry's time and a blank */
  PP_FRAMES_RAW      /* the log of a TTY: no frames, all stdout */
} PpFramesKind;

typedef struct
{
  PpFramesKind kind;
  PpPayloadFunc output; /* gets the payload */
  gpointer user_data;
  gboolean skips_damage; /* set after pp_frames_init(): skip to the next possible header instead of
                            returning PP_FRAMES_MALFORMED */

  gint64 time;           /* of the frame that OUTPUT gets; 0: unknown */
  guint64 payload_bytes; /* payload bytes delivered so far */
  char last_byte[2];     /* of stdout and stderr; '\n' before the first output */
  PpLogDamage damage;    /* what was skipped; its offsets count bytes of the stream */
  char *engine_words;    /* Docker's message about a log that it cannot read, or NULL. If it is
                            longer than PP_FRAMES_MAX_WORDS, its end may be missing */
  /* Internal: */
  guint64 offset;                    /* offset of the next byte in the stream */
  gboolean is_damaged;               /* data was skipped and no header was found since */
  char stamp[PP_FRAMES_STAMP_BYTES]; /* the start of a frame with a timestamp, until the timestamp
                                        is complete */
  gsize stamp_length;
  gboolean stamp_due;     /* a timestamp comes next */
  gboolean stamp_is_text; /* `stamp` is not a timestamp: deliver it as payload */
  gboolean is_message;    /* the current frame is a message of the engine itself */
  gboolean is_repeated;   /* the current frame is a repetition */
  PpLogRepeats repeats;
  guchar header[8];
  gsize header_length;
  guint32 remaining;
  PpStream stream;
  gsize replay; /* bytes at the start of the next piece that were already taken */
} PpFrames;

typedef enum
{
  PP_FRAMES_TAKEN,
  PP_FRAMES_PAUSED,   /* OUTPUT refused: push the same bytes again, in pieces of any size */
  PP_FRAMES_MALFORMED /* from FRAMES->damage.first on, the data is not a frame */
} PpFramesResult;

void pp_frames_init (PpFrames *frames, PpFramesKind kind, PpPayloadFunc output, gpointer user_data);

/* Frees the contents of FRAMES. Call it before each new pp_frames_init() and at the end. */
void pp_frames_clear (PpFrames *frames);

/* Takes the next piece of the log. Stamped frames that are sent twice (log_repeats-private.h) are
 * delivered once. */
PpFramesResult pp_frames_push (PpFrames *frames, const char *data, gsize length);

/* True if the log may end here, outside headers and payloads. */
gboolean pp_frames_at_boundary (const PpFrames *frames);

G_END_DECLS
