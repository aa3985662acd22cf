/* SPDX-License-Identifier: Apache-2.0 */
/* The place of a reader in a container's log. The times in the log itself mark the place, because a
 * log with a size limit loses its beginning, and the rest does not show how much came before.
 *
 * Each entry of a log has a time. Within one stream, times do not decrease unless the clock is set
 * back. (Docker writes all parts of a long line with the time of its first part.) Between the two
 * streams, times may decrease: Docker reads each stream by itself, and stamps a line before it
 * writes the line to the log. So only an entry that is later than all entries before it can mark a
 * place. A search for its time, from the log's beginning, then finds this entry and not one before
 * it. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Times are UNIX times in nanoseconds; 0 if the time of an entry is unknown. All members zero:
 * nothing was read. */
struct PpLogPlace
{
  gint64 first;   /* the time of the first entry that was read */
  gint64 time;    /* the latest time */
  guint64 bytes;  /* payload bytes since the first entry with `time`, including it */
  guint64 total;  /* payload bytes in all */
  gint64 last[2]; /* the time of each stream's last entry */
};

/* Returns the time at the beginning of TEXT (LENGTH bytes), up to the first blank: RFC 3339, with
 * or without fractions of a second. Returns 0 if there is none. */
gint64 pp_log_time_parse (const char *text, gsize length);

/* True if an entry of STREAM with TIME shows that the clock was set back. */
gboolean pp_log_place_is_set_back (const PpLogPlace *place, PpStream stream, gint64 time);

/* True if an entry of STREAM with TIME marks a place that can be found again: it is later than all
 * entries before it, or it is the first one after the clock was set back. */
gboolean pp_log_place_is_passed (const PpLogPlace *place, PpStream stream, gint64 time);

/* Moves PLACE past the LENGTH bytes that were read of an entry of STREAM with TIME. */
void pp_log_place_note (PpLogPlace *place, PpStream stream, gint64 time, gsize length);

/* A reader that continues where an earlier reader stopped. */
typedef struct
{
  PpLogPlace place; /* of the earlier reader */
  int state;
  guint64 skip; /* bytes still to skip, while the reader counts bytes */
  gboolean gap; /* PLACE is not in the log any more */
} PpLogPass;

/* Prepares PASS to skip the log up to PLACE (copied). If PLACE is NULL, nothing is skipped. */
void pp_log_pass_init (PpLogPass *pass, const PpLogPlace *place);

/* Returns how many of the LENGTH bytes of an entry with TIME to skip. BEGINS_LATE: the log's
 * beginning is known to be gone. May be called again for the same bytes. */
gsize pp_log_pass_over (PpLogPass *pass, gint64 time, gboolean begins_late, gsize length);

/* Call this when BYTES of the result of pp_log_pass_over() were skipped. */
void pp_log_pass_done (PpLogPass *pass, gsize bytes);

/* Call this at the log's end. True if output is missing between PLACE and the first byte that was
 * not skipped. */
gboolean pp_log_pass_has_gap (const PpLogPass *pass);

G_END_DECLS
