/* SPDX-License-Identifier: Apache-2.0 */
/* What a container engine reports about itself. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef enum
{
  PP_ENGINE_PODMAN,
  PP_ENGINE_DOCKER
} PpEngineKind;

/* The engine that answered. pp_infrastructure_connect() fills this struct. */
typedef struct
{
  PpEngineKind kind;
  char *name;        /* "Podman" or "Docker" */
  char *version;     /* the engine's version: "4.3.1" */
  char *api_version; /* Docker API: "1.41" */
  gboolean rootless;
  char *url;      /* "unix:///run/podman/podman.sock", without a password */
  char *base_url; /* the URL as docker-py prints it: "http+docker://localhost" or
                     "http://host:port". Each infrastructure_pid begins with this URL */
  char *gateway;  /* the address at which containers reach this host. It replaces host-gateway. NULL
                     if the engine knows host-gateway, or if no address was found */
  char *default_runtime; /* "runc"; NULL if the engine does not report it */
  gboolean has_apparmor;
  gboolean runs_windows; /* its containers are Windows containers */
} PpEngineInfo;

/* Returns what the engine reported; borrowed. NULL until the first connect was answered.
 * INFRASTRUCTURE must be an engine. */
const PpEngineInfo *pp_engine_info (const PpInfrastructure *infrastructure);

G_END_DECLS
