/* SPDX-License-Identifier: Apache-2.0 */
/* The demultiplexer of a container's log: frames of a stream number, three zero bytes, the
 * payload's length (four bytes, big endian) and the payload. Incremental; nothing of the payload is
 * kept, but a stamp that is not whole. Used inside the room only. */
#pragma once

#include "log_records-private.h"
#include "log_repeats-private.h"

G_BEGIN_DECLS

/* Docker's time stamps are fewer. */
#define PP_FRAMES_STAMP_BYTES 40

typedef enum
{
  PP_FRAMES_PLAIN,
  PP_FRAMES_STAMPED, /* asked for with "timestamps": Docker, which makes one frame of each entry of
                        the log, puts the entry's time and a blank before its text */
  PP_FRAMES_RAW      /* a TTY's log: no frames, all of it stdout */
} PpFramesKind;

typedef struct
{
  PpFramesKind kind;
  PpOutputFunc output; /* gets the payload */
  gpointer user_data;
  gboolean skips_damage; /* set after pp_frames_init(): goes on at the next header that may be one,
                            instead of PP_FRAMES_MALFORMED */

  gint64 time;           /* of the frame whose payload OUTPUT gets; 0: not known */
  guint64 payload_bytes; /* payload delivered so far */
  char last_byte[2];     /* of stdout and stderr, '\n' before anything came */
  PpLogDamage damage;    /* what was skipped; offsets in the stream */
  char *engine_words;    /* what Docker said of a log that it cannot read, or NULL */
  /* Inside: */
  guint64 offset;                    /* of the next byte of the stream */
  gboolean is_damaged;               /* no header was found since what was skipped */
  char stamp[PP_FRAMES_STAMP_BYTES]; /* the head of a frame that has one, until its end is seen */
  gsize stamp_length;
  gboolean stamp_due;     /* it is to come */
  gboolean stamp_is_text; /* it is none: to be delivered as it is */
  gboolean is_message;    /* the frame at hand is the engine's own */
  gboolean is_repeated;   /* the frame under way */
  PpLogRepeats repeats;
  guchar header[8];
  gsize header_length;
  guint32 remaining;
  PpStream stream;
  gsize replay; /* bytes at the head of the next piece that were taken already */
} PpFrames;

typedef enum
{
  PP_FRAMES_TAKEN,
  PP_FRAMES_PAUSED,   /* OUTPUT said "not now": push the same bytes again, in any pieces */
  PP_FRAMES_MALFORMED /* no frames, from FRAMES->damage.first on */
} PpFramesResult;

void pp_frames_init (PpFrames *frames, PpFramesKind kind, PpOutputFunc output, gpointer user_data);

/* To be called before it is initialized again, and at last. */
void pp_frames_clear (PpFrames *frames);

/* Takes the next piece of the log. Of stamped frames, those that come twice (log-repeats.h) are
 * delivered once. */
PpFramesResult pp_frames_push (PpFrames *frames, const char *data, gsize length);

/* Whether the log may end here: not inside a header or a payload. */
gboolean pp_frames_at_boundary (const PpFrames *frames);

G_END_DECLS
