/* SPDX-License-Identifier: Apache-2.0 */
/* Detects lines that Docker sends twice. When Docker's log follower (20.10) continues with a log's
 * next file, it sends again what it has read since it last waited: one line or many. The log has
 * these lines once, so the repetitions must not be counted.
 *
 * No two lines of a stream have the same nanosecond, and times do not decrease unless the clock is
 * set back. So a line is a repetition if its time is not later than the previous line's and equals
 * the time of an earlier line. Private to src/infrastructure/containers. */
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
    gint64 repeated; /* all parts of the line with this time are repetitions; 0: none */
  } last[2];         /* the last line of each stream */
  GArray *times; /* of the last entries, guint64; a ring buffer when full. NULL if there are none */
  guint next;    /* index in the ring */
} PpLogRepeats;

void pp_log_repeats_clear (PpLogRepeats *repeats);

/* True if the entry of STREAM with TIME and LENGTH bytes is a repetition. ENDED is TRUE if the
 * previous entry of the stream ended its line. */
gboolean pp_log_repeats_has (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                             gboolean ended);

/* Call this after a repeated entry that ended its line. */
void pp_log_repeats_end (PpLogRepeats *repeats, PpStream stream);

/* Call this for an entry that is not repeated and is delivered. */
void pp_log_repeats_add (PpLogRepeats *repeats, PpStream stream, gint64 time, gsize length,
                         gboolean ended);

G_END_DECLS
