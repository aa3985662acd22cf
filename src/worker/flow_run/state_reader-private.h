/* SPDX-License-Identifier: Apache-2.0 */
/* Reads flow runs from the server. Reads that are requested at the same time share one call: when
 * many containers end together, each of their runs is read, and the server answers for a dozen as
 * fast as for one. One run must not delay the others: if the server fails for a list, the list is
 * split, and the run that causes the failure is read by itself from then on. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef struct PpStateReader PpStateReader;
typedef struct PpStateRead PpStateRead;

PpStateReader *pp_state_reader_new (PpApi *api);

/* Cancels everything under way. NULL is ignored. */
void pp_state_reader_free (PpStateReader *reader);

/* Reads flow run FLOW_RUN_ID, for as long as that takes. DONE gets the API's object, or an error of
 * PP_API_ERROR: 404 if the run does not exist (any more), or the reason why the server refused to
 * return it. If the server cannot write the run as JSON (if it is nested too deep, for example),
 * the object has only its `id` and `state`. DONE is never called from inside this function. READER
 * owns the returned read, which is freed when DONE returns. */
PpStateRead *pp_state_reader_read (PpStateReader *reader, const char *flow_run_id,
                                   PpApiDoneFunc done, gpointer user_data);

/* True if the server is known to fail for every list that this run is in. Such a run must not be in
 * calls for many runs. */
gboolean pp_state_reader_is_unlistable (const PpStateReader *reader, const char *flow_run_id);

/* Cancels READ without a callback. NULL is ignored. */
void pp_state_read_cancel (PpStateRead *read);

G_END_DECLS
