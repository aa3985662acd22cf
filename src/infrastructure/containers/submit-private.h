/* SPDX-License-Identifier: Apache-2.0 */
/* The submission of a container: from its description until the container is ready to start.
 * Private to src/infrastructure. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"
#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* WARNINGS has the engine's warnings about the container that it made, as (char *); may be
 * empty. */
typedef void (*PpCreatedFunc) (const char *container_id, const GPtrArray *warnings,
                               const GError *error, gpointer user_data);
/* WARNING is a line for the run's log, or NULL. */
typedef void (*PpCheckedFunc) (const char *warning, const GError *error, gpointer user_data);
/* LINE is for the run's log: the pull's progress in layers and bytes (a few lines per pull), or a
 * warning about its credentials. */
typedef void (*PpPullProgressFunc) (gboolean is_warning, const char *line, gpointer user_data);

/* The calls to an engine that make a container. */
typedef struct
{
  /* Cancels one of these calls. */
  void (*cancel) (PpInfrastructureCall *call);
  /* Checks SPEC's image. The error is NOT_FOUND if there is no such image, and INVALID if it is for
   * another platform than SPEC asks for; that error names both platforms. SPEC must outlive the
   * call. */
  PpInfrastructureCall *(*check_image) (PpInfrastructure *infrastructure,
                                        const PpContainerSpec *spec, PpInfrastructureDoneFunc done,
                                        gpointer user_data);
  /* PLATFORM ("os/arch[/variant]") and REGISTRY_AUTH may be NULL. Without REGISTRY_AUTH, the
   * credentials may come from docker's own configuration on this host (~/.docker/config.json). An
   * error line in a stream with status 200 is an error here. */
  PpInfrastructureCall *(*pull) (PpInfrastructure *infrastructure, const char *image,
                                 const char *platform, const char *registry_auth,
                                 PpPullProgressFunc progress, PpInfrastructureDoneFunc done,
                                 gpointer user_data);
  /* NAME replaces the name in SPEC; may be NULL. */
  PpInfrastructureCall *(*create) (PpInfrastructure *infrastructure, const PpContainerSpec *spec,
                                   const char *name, PpCreatedFunc created, gpointer user_data);
  /* Checks that the container has the limits that SPEC asks for. WAS_WARNED is TRUE if the engine
   * gave warnings when it made the container: a missing limit that is only a hint (created.c) is no
   * error then. The error is INVALID if a limit is missing; it names the limits, the engine and its
   * version. SPEC must outlive the call. */
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

/* These functions do the work of the members of PpInfrastructureKind with the same names, for a
 * kind that makes containers. It makes them with CALLS (borrowed for the life of the job). ENGINE
 * is the engine that answers, or NULL. */
PpJobSpec *pp_container_prepare (const PpContainerCalls *calls, const PpEngineInfo *engine,
                                 const json_t *configuration, PpRunPolicy *policy,
                                 GPtrArray *warnings, GError **error);
void pp_container_set_owner (PpJobSpec *spec, const PpJobRef *owner);
void pp_container_free_spec (PpJobSpec *spec);
PpInfrastructureCall *pp_container_submit (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                           gboolean anew, const PpSubmitFuncs *funcs,
                                           gpointer user_data);

G_END_DECLS
