/* SPDX-License-Identifier: Apache-2.0 */
/* What a container engine says of itself. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef enum
{
  PP_ENGINE_PODMAN,
  PP_ENGINE_DOCKER
} PpEngineKind;

/* What answers at the other end; filled by connect. */
typedef struct
{
  PpEngineKind kind;
  char *name;        /* "Podman" or "Docker" */
  char *version;     /* the engine's own: "4.3.1" */
  char *api_version; /* Docker API: "1.41" */
  gboolean rootless;
  char *url;      /* "unix:///run/podman/podman.sock", without a password */
  char *base_url; /* as docker-py prints it, the head of infrastructure_pid:
                     "http+docker://localhost" or "http://host:port" */
  char *gateway;  /* address containers reach this host by, for host-gateway where the engine does
                     not know the word; NULL where it does, or where none was found */
  char *default_runtime; /* "runc"; NULL where the engine does not say */
  gboolean has_apparmor;
  gboolean runs_windows; /* Windows containers */
} PpEngineInfo;

/* NULL until the first connect has been answered. Borrowed. INFRASTRUCTURE is an engine. */
const PpEngineInfo *pp_engine_info (const PpInfrastructure *infrastructure);

G_END_DECLS
