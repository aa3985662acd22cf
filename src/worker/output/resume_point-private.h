/* SPDX-License-Identifier: Apache-2.0 */
/* Resumes a container's output from its log after a restart of the worker: finds what was delivered
 * before.
 *
 * While the log is complete, output is counted from its first byte. A log with a size limit loses
 * its beginning, so its remaining output cannot be counted. Therefore the worker keeps places in
 * the log. Everything before a place was delivered, so the worker counts from there. The log's own
 * times identify a place (log_place.h). A place is always between two lines, because lines are
 * counted. If the last place is gone too, nothing is skipped: some lines may appear twice, but no
 * remaining line is lost. */
#pragma once

#include "prefect-podman/infrastructure/log_place.h"
#include "prefect-podman/state/journal_position.h"
#include "output-private.h"

G_BEGIN_DECLS

typedef struct PpDelivery PpDelivery;

/* Resumes OUTPUT from POSITION, which is updated. Both must outlive the returned object. STREAMED
 * means that OUTPUT is written to standard output; the caller then updates
 * POSITION.stdout_bytes. */
PpDelivery *pp_delivery_new (PpOutput *output, PpPosition *position, gboolean streamed);
void pp_delivery_free (PpDelivery *delivery);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpDelivery, pp_delivery_free)

/* Tells DELIVERY that RECORDS records after the position were also delivered. Call this before the
 * first byte. */
void pp_delivery_set_counted (PpDelivery *delivery, guint64 records);

/* Like pp_output_take(), for the log read from pp_delivery_place(). TIME and BEGINS_LATE are those
 * that PpOutputFunc gets. */
gboolean pp_delivery_take (PpDelivery *delivery, PpStream stream, gint64 time, gboolean begins_late,
                           const char *data, gsize length);

/* Moves the position's place to the latest known place before which everything was delivered. The
 * position's counters show what was delivered. */
void pp_delivery_note (PpDelivery *delivery);

/* Returns how far the log was read. */
const PpLogPlace *pp_delivery_place (const PpDelivery *delivery);

/* True if output may be missing between the last place and the beginning of the remaining log.
 * Valid once the log was read. */
gboolean pp_delivery_has_gap (const PpDelivery *delivery);

G_END_DECLS
