/* SPDX-License-Identifier: Apache-2.0 */
/* Reads flow runs from the server, those of one moment in one call: when many containers end
 * together, each of their runs is looked at, and the server answers for a dozen as fast as for one.
 * One run must not stop the others: where the server fails at a list, the list is split, and the
 * run that it fails for is read by itself from then on. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef struct PpStateReader PpStateReader;
typedef struct PpStateRead PpStateRead;

PpStateReader *pp_state_reader_new (PpApi *api);

/* Cancels what is under way. NULL is ignored. */
void pp_state_reader_free (PpStateReader *reader);

/* Reads flow run FLOW_RUN_ID for as long as it takes. DONE gets the API's object, or an error of
 * PP_API_ERROR: 404 for a run that is not there (any more), or what the server refused to read it
 * for. Of a run that the server cannot write out (nested too deep, say) the object has only its
 * `id` and its `state`. Never called from inside this function. The read is owned by READER and
 * gone when DONE returns. */
PpStateRead *pp_state_reader_read (PpStateReader *reader, const char *flow_run_id,
                                   PpApiDoneFunc done, gpointer user_data);

/* Whether the server is known to fail at every list that this run is in: such a run must stay out
 * of calls for many runs. */
gboolean pp_state_reader_is_unlistable (const PpStateReader *reader, const char *flow_run_id);

/* Ends READ without a callback. NULL is ignored. */
void pp_state_read_cancel (PpStateRead *read);

G_END_DECLS
