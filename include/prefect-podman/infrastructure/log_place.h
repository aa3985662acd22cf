/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a container's log a reader is, told by the log itself: a log with a limit of size loses
 * its beginning, and what is left of it does not say how much came before.
 *
 * Each entry of a log has a time. Within a stream times do not go back unless the clock is set back
 * (Docker writes the parts of a long line down with the time of its first part). Between the
 * streams they may: Docker reads each of them by itself, and stamps a line before it is its turn to
 * be written. So an entry that is later than all before it is the only one by whose time a place
 * can be told: what comes before it in the log is what has no later time than the latest before. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Times are nanoseconds UNIX time, 0 where an entry's is not known. All zeros: nothing was read. */
struct PpLogPlace
{
  gint64 first;   /* the time of the first entry that was read */
  gint64 time;    /* the latest time */
  guint64 bytes;  /* of payload, from the first entry with that time on */
  guint64 total;  /* of payload, in all */
  gint64 last[2]; /* the time of each stream's last entry */
};

/* The time at the head of LENGTH bytes of TEXT, up to the first blank: RFC 3339, with or without
 * fractions of a second. 0 where there is none. */
gint64 pp_log_time_parse (const char *text, gsize length);

/* Whether an entry of STREAM with TIME shows that the clock was set back. */
gboolean pp_log_place_is_set_back (const PpLogPlace *place, PpStream stream, gint64 time);

/* Whether an entry of STREAM with TIME is later than all before it, or begins anew with a clock
 * that was set back: a place that can be found again. */
gboolean pp_log_place_is_passed (const PpLogPlace *place, PpStream stream, gint64 time);

/* LENGTH bytes of an entry were read. */
void pp_log_place_note (PpLogPlace *place, PpStream stream, gint64 time, gsize length);

/* Reading on where a reader before has stopped. */
typedef struct
{
  PpLogPlace place; /* of the reader before */
  int state;
  guint64 skip; /* bytes still to be passed over, where they are counted */
  gboolean gap; /* PLACE is not in the log any more */
} PpLogPass;

/* PLACE NULL: from the log's beginning. */
void pp_log_pass_init (PpLogPass *pass, const PpLogPlace *place);

/* How many of the LENGTH bytes of an entry with TIME are to be passed over. BEGINS_LATE: the log's
 * beginning is known to be gone. The same bytes may be asked about again. */
gsize pp_log_pass_over (PpLogPass *pass, gint64 time, gboolean begins_late, gsize length);

/* BYTES of what pp_log_pass_over() said were passed over. */
void pp_log_pass_done (PpLogPass *pass, gsize bytes);

/* At the log's end: whether part of it is missing between PLACE and what was not passed over. */
gboolean pp_log_pass_has_gap (const PpLogPass *pass);

G_END_DECLS
