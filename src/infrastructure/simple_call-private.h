/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a kind that knows the answer at once. Their callbacks run on the main loop, like those
 * of any call. pp_infrastructure_call_cancel() ends them without a callback. Private to
 * src/infrastructure. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Calls DONE with ERROR, which the call owns. NULL means success. */
PpInfrastructureCall *pp_simple_call (PpInfrastructure *infrastructure, GError *error,
                                      PpInfrastructureDoneFunc done, gpointer user_data);

/* Calls INSPECTED with JOB or, if JOB is NULL, with ERROR. The call owns both. */
PpInfrastructureCall *pp_simple_call_job (PpInfrastructure *infrastructure, PpJob *job,
                                          GError *error, PpJobFunc inspected, gpointer user_data);

/* Calls LISTED with an empty list of jobs. */
PpInfrastructureCall *pp_simple_call_no_jobs (PpInfrastructure *infrastructure, PpJobsFunc listed,
                                              gpointer user_data);

/* Returns the error of a call for the job ID, which does not exist; new. */
GError *pp_simple_call_not_found (const char *id);

/* Ends a submission with PP_SUBMIT_READY. FUNCS must outlive the call. */
PpInfrastructureCall *pp_simple_call_ready (PpInfrastructure *infrastructure,
                                            const PpSubmitFuncs *funcs, gpointer user_data);

/* Inspects the job ID every second, and calls WATCHED when the job no longer runs. */
PpInfrastructureCall *pp_simple_call_watch (PpInfrastructure *infrastructure, const char *id,
                                            PpWatchedFunc watched, gpointer user_data);

/* Follows a job without output: calls FOLLOWED after pp_simple_call_finish(). */
PpInfrastructureCall *pp_simple_call_follow (PpInfrastructure *infrastructure,
                                             PpFollowedFunc followed, gpointer user_data);
void pp_simple_call_finish (PpInfrastructureCall *call);

G_END_DECLS
