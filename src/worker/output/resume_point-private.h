/* SPDX-License-Identifier: Apache-2.0 */
/* From a container's log to its output, across the end of a worker: which of what a log still has
 * was delivered before.
 *
 * While the log is whole, that is counted from its first byte. A log with a limit of size loses its
 * beginning, and then nothing can be counted from what is left: so places are kept up to which all
 * of it was delivered, told by the log's own times (log-place.h), and it is counted from there. A
 * place is kept where no line is under way, for lines are what is counted. Where the last of them
 * is gone too, nothing is skipped: a few lines may come twice, and none is lost that is there. */
#pragma once

#include "prefect-podman/infrastructure/log_place.h"
#include "prefect-podman/state/journal_position.h"
#include "output-private.h"

G_BEGIN_DECLS

typedef struct PpDelivery PpDelivery;

/* Of OUTPUT, from POSITION on, which is updated; both must outlive the delivery. STREAMED: it goes
 * to standard output (and POSITION.stdout_bytes is kept by who knows how far that got). */
PpDelivery *pp_delivery_new (PpOutput *output, PpPosition *position, gboolean streamed);
void pp_delivery_free (PpDelivery *delivery);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpDelivery, pp_delivery_free)

/* Before the first byte: RECORDS beyond the position's were delivered too. */
void pp_delivery_set_counted (PpDelivery *delivery, guint64 records);

/* As pp_output_take(), of what a follow from pp_delivery_place() gives. TIME, BEGINS_LATE: as
 * pp_infrastructure_call_log_time() and pp_infrastructure_call_log_begins_late() say. */
gboolean pp_delivery_take (PpDelivery *delivery, PpStream stream, gint64 time, gboolean begins_late,
                           const char *data, gsize length);

/* Has the position tell of the last place up to which, by its numbers, all was delivered. */
void pp_delivery_note (PpDelivery *delivery);

/* How far the log was read. */
const PpLogPlace *pp_delivery_place (const PpDelivery *delivery);

/* Once the log was read: whether output between the last place and what was left of the log may be
 * lost. */
gboolean pp_delivery_has_gap (const PpDelivery *delivery);

G_END_DECLS
