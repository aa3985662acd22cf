/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that Docker gives twice: where it goes on with a log's next file, its follower (20.10)
 * reads once more what it has read since it last waited, be that a line or a whole burst of them.
 * Who counts lines must not count these, for the log has them once.
 *
 * No two lines of a stream have the same nanosecond, nor does the order of a stream's times turn
 * back unless the clock is set back: what is no later than the line before it, and has the time of
 * one that was there, is that line. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* All zeros: nothing was read. */
typedef struct
{
  struct
  {
    gint64 time;
    gsize length;    /* of its first part */
    gint64 repeated; /* a line of this time came again: so do the rest of its parts */
  } last[2];         /* line of each stream */
  GArray *times;     /* of the last entries, guint64; a ring once it is full. NULL: none yet */
  guint next;        /* in the ring */
} PpLogRepeats;

void pp_log_repeats_clear (PpLogRepeats *repeats);

/* Whether the entry of STREAM with TIME, LENGTH bytes long, was there before. ENDED: the stream's
 * entry before it ended its line. */
gboolean pp_log_repeats_has (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                             gboolean ended);

/* It was, and ended its line. */
void pp_log_repeats_end (PpLogRepeats *repeats, PpStream stream);

/* It was not, and is delivered. */
void pp_log_repeats_add (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                         gboolean ended);

G_END_DECLS
