/* The demultiplexer of a container's log: frames of a stream number, three zero bytes, the
 * payload's length (four bytes, big endian) and the payload. Incremental; nothing of the payload is
 * kept. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean raw;        /* a TTY's log: no frames, all of it stdout */
  guint64 skip;        /* payload bytes still to be dropped, delivered before */
  PpOutputFunc output; /* gets the payload */
  gpointer user_data;

  guint64 payload_bytes; /* payload seen so far, the skipped included */
  char last_byte[2];     /* of stdout and stderr, '\n' before anything came */
  /* Inside: */
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
  PP_FRAMES_MALFORMED /* no frames */
} PpFramesResult;

void pp_frames_init (PpFrames *frames, gboolean raw, guint64 skip, PpOutputFunc output,
                     gpointer user_data);

/* Takes the next piece of the log. */
PpFramesResult pp_frames_push (PpFrames *frames, const char *data, gsize length);

/* Whether the log may end here: not inside a header or a payload. */
gboolean pp_frames_at_boundary (const PpFrames *frames);

G_END_DECLS
