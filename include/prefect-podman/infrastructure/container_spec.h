/* SPDX-License-Identifier: Apache-2.0 */
/* What the containers kind makes of a job configuration. `render` shows it; the worker has it as a
 * PpJobSpec only. */
#pragma once

#include "prefect-podman/infrastructure/engine.h"

G_BEGIN_DECLS

typedef enum
{
  PP_PULL_IF_NOT_PRESENT,
  PP_PULL_ALWAYS,
  PP_PULL_IF_POSSIBLE,
  PP_PULL_NEVER
} PpPullPolicy;

/* What is sent to the engine for one run. */
typedef struct
{
  char *name; /* container name, or NULL for the engine's choice */
  char *image;
  json_t *create_body;    /* body of POST /containers/create */
  json_t *libpod_body;    /* where only Podman's own API can say it: the body of POST
                             /libpod/containers/create; else NULL */
  char *platform;         /* "os/arch[/variant]" for pull and create, or NULL */
  GPtrArray *networks;    /* (char *) networks to connect after create; may be empty */
  GPtrArray *warnings;    /* (char *) lines for the run's log; may be empty */
  gboolean wants_proxies; /* those of docker's own configuration go into the environment */
  PpPullPolicy pull_policy;
  gboolean pull_is_implied; /* ALWAYS by the image's tag: where the pull fails, a local image of
                               that name will do */
  char *registry_auth;      /* value of X-Registry-Auth, or NULL; a secret */
  PpRunPolicy policy;       /* what the configuration asks of the worker */
} PpContainerSpec;

/* CONFIGURATION: what pp_template_prepare() gave, with PP_SECRET_ENVIRONMENT_KEY (may be missing)
 * and the worker's own job variables (state_reporting, forward_output, prefect_env,
 * timeout_seconds, stop_timeout, infrastructure_retries, startup_timeout_seconds) and a `podman`
 * pool's (userns, devices, shm_size, user, working_dir, entrypoint, ulimits, security_opt,
 * extra_hosts) beside the docker type's. ENGINE: what answers; NULL: not known (offline render),
 * nothing is fitted to it. No I/O but the current directory, which relative sources of volumes are
 * resolved against.
 *
 * The create body is the one docker-py 7 would send for the peer's DockerWorker, but: AutoRemove is
 * never set (the worker removes), nor is RestartPolicy (a warning says so); host-gateway is
 * replaced by an address where the engine does not know the word; CDI devices are sent in the way
 * the engine takes them; the worker's secrets are left out of the environment where Prefect does
 * not run inside (prefect_env). state_reporting "auto" is resolved from the command: absent (only a
 * `podman` pool's can be) or without Prefect in it is the worker's to report, else the engine's.
 * Returns a new spec, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID). */
PpContainerSpec *pp_container_spec_new (const json_t *configuration, const PpEngineInfo *engine,
                                        GError **error);
void pp_container_spec_free (PpContainerSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpContainerSpec, pp_container_spec_free)

/* True if SPEC has limits that an engine may drop: the container is checked for them before it is
 * started. */
gboolean pp_container_spec_has_limits (const PpContainerSpec *spec);

/* Has the container say whose it is: by the identity, run, claim, work pool and reporter of OWNER,
 * over what the job or its image say. */
void pp_container_spec_set_owner (PpContainerSpec *spec, const PpJobRef *owner);

/* The spec as a `podman run` command line (array of arguments) that Podman 4.3 and later take,
 * values of env left out (--env NAME). *IMAGE_AT (may be NULL): where the image is. *WARNING (may
 * be NULL): a new string that says what was left out of it, or untouched. New array. */
char **pp_container_spec_to_podman_run (const PpContainerSpec *spec, guint *image_at,
                                        char **warning);

G_END_DECLS
