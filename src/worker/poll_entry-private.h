/* SPDX-License-Identifier: Apache-2.0 */
/* Judges the flow runs in a poll's answer. A proxy or a faulty server may have altered the answer.
 */
#pragma once

#include "worker/context-private.h"

G_BEGIN_DECLS

typedef enum
{
  PP_POLL_ENTRY_CLAIMABLE,
  PP_POLL_ENTRY_BAD,     /* has no usable id, or is due later than the poll asked for */
  PP_POLL_ENTRY_CLAIMED, /* this worker has claimed it in this same state: the answer is old */
  PP_POLL_ENTRY_REFUSED, /* its claim was refused a short while ago */
} PpPollEntry;

/* Judges FLOW_RUN, the flow run of one entry; NULL is BAD. ASKED_BEFORE is the "scheduled_before"
 * of the poll (UNIX microseconds). A run that is due more than a minute after ASKED_BEFORE is BAD:
 * if it were claimed with a date in the year 2099, it would stay Pending until then. */
PpPollEntry pp_poll_entry_judge (const json_t *flow_run, gint64 asked_before,
                                 const PpWorkerContext *context);

G_END_DECLS
