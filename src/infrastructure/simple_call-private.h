/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a kind that knows the answer at once. Their callbacks run on the main loop, as those of
 * any call, and pp_infrastructure_call_cancel() ends them without a callback. Used inside the room
 * only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Tells DONE of ERROR, which the call takes; NULL: all went well. */
PpInfrastructureCall *pp_simple_call (PpInfrastructure *infrastructure, GError *error,
                                      PpInfrastructureDoneFunc done, gpointer user_data);

/* Tells INSPECTED of JOB or, if that is NULL, of ERROR. The call takes both. */
PpInfrastructureCall *pp_simple_call_job (PpInfrastructure *infrastructure, PpJob *job,
                                          GError *error, PpJobFunc inspected, gpointer user_data);

/* Tells LISTED that there are no jobs. */
PpInfrastructureCall *pp_simple_call_no_jobs (PpInfrastructure *infrastructure, PpJobsFunc listed,
                                              gpointer user_data);

/* The error of a call for the job ID that is not there; new. */
GError *pp_simple_call_not_found (const char *id);

/* Ends a submission with PP_SUBMIT_READY. FUNCS must outlive the call. */
PpInfrastructureCall *pp_simple_call_ready (PpInfrastructure *infrastructure,
                                            const PpSubmitFuncs *funcs, gpointer user_data);

/* Inspects the job ID every second, and tells WATCHED once it does not run any more. */
PpInfrastructureCall *pp_simple_call_watch (PpInfrastructure *infrastructure, const char *id,
                                            PpWatchedFunc watched, gpointer user_data);

/* A follow of a job without output: tells FOLLOWED its end after pp_simple_call_finish(). */
PpInfrastructureCall *pp_simple_call_follow (PpInfrastructure *infrastructure,
                                             PpFollowedFunc followed, gpointer user_data);
void pp_simple_call_finish (PpInfrastructureCall *call);

G_END_DECLS
