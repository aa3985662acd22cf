/* SPDX-License-Identifier: Apache-2.0 */
/* A container on its way: from its description until it will run when it is started. Used inside
 * the room only. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"
#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* WARNINGS: (char *) what the engine warns of about the container that it made; may be empty. */
typedef void (*PpCreatedFunc) (const char *container_id, const GPtrArray *warnings,
                               const GError *error, gpointer user_data);
/* WARNING: a line for the run's log, or NULL. */
typedef void (*PpCheckedFunc) (const char *warning, const GError *error, gpointer user_data);
/* A line about a pull, for the run's log: layers and bytes, a few lines a pull; or a warning about
 * its credentials. */
typedef void (*PpPullProgressFunc) (gboolean is_warning, const char *line, gpointer user_data);

/* The calls of an engine that a container takes to be made. Each is cancelled by
 * pp_infrastructure_call_cancel(). */
typedef struct
{
  /* NOT_FOUND if SPEC's image is not there; INVALID if it is for another platform than SPEC asks
   * for: the error names both. SPEC must outlive the call. */
  PpInfrastructureCall *(*check_image) (PpInfrastructure *infrastructure,
                                        const PpContainerSpec *spec, PpInfrastructureDoneFunc done,
                                        gpointer user_data);
  /* PLATFORM ("os/arch[/variant]") and REGISTRY_AUTH may be NULL. Without REGISTRY_AUTH docker's
   * own configuration on this host may have the credentials (~/.docker/config.json). An error line
   * inside the 200 stream is an error here. */
  PpInfrastructureCall *(*pull) (PpInfrastructure *infrastructure, const char *image,
                                 const char *platform, const char *registry_auth,
                                 PpPullProgressFunc progress, PpInfrastructureDoneFunc done,
                                 gpointer user_data);
  /* NAME replaces SPEC's; may be NULL. */
  PpInfrastructureCall *(*create) (PpInfrastructure *infrastructure, const PpContainerSpec *spec,
                                   const char *name, PpCreatedFunc created, gpointer user_data);
  /* Checks that the container has the limits that SPEC asks for. WAS_WARNED: the engine had
   * warnings when it made the container; then a preference that it dropped is let pass. INVALID if
   * a limit is missing: the error names the limits, the engine and its version. SPEC must outlive
   * the call. */
  PpInfrastructureCall *(*check_limits) (PpInfrastructure *infrastructure,
                                         const PpContainerSpec *spec, const char *container_id,
                                         gboolean was_warned, PpCheckedFunc checked,
                                         gpointer user_data);
  PpInfrastructureCall *(*connect_network) (PpInfrastructure *infrastructure, const char *network,
                                            const char *container_id, PpInfrastructureDoneFunc done,
                                            gpointer user_data);
  PpInfrastructureCall *(*inspect) (PpInfrastructure *infrastructure, const char *container_id,
                                    PpJobFunc inspected, gpointer user_data);
} PpContainerCalls;

/* The functions of PpInfrastructureKind by these names, for a kind that makes containers by CALLS
 * (borrowed for the life of the job). ENGINE: what answers, or NULL. */
PpJobSpec *pp_container_prepare (const PpContainerCalls *calls, const PpEngineInfo *engine,
                                 const json_t *configuration, PpRunPolicy *policy,
                                 GPtrArray *warnings, GError **error);
void pp_container_set_owner (PpJobSpec *spec, const PpJobRef *owner);
void pp_container_free_spec (PpJobSpec *spec);
PpInfrastructureCall *pp_container_submit (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                           gboolean anew, const PpSubmitFuncs *funcs,
                                           gpointer user_data);

G_END_DECLS
