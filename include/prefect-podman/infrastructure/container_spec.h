/* SPDX-License-Identifier: Apache-2.0 */
/* The container that the kind in src/infrastructure/containers makes from a job configuration.
 * `render` shows it. The worker only has a PpJobSpec, which it cannot read. */
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

/* The requests to the engine for one run. */
typedef struct
{
  char *name; /* container name, or NULL for the engine's choice */
  char *image;
  json_t *create_body;    /* body of POST /containers/create */
  json_t *libpod_body;    /* body of POST /libpod/containers/create, if only Podman's own API can
                             express it; otherwise NULL */
  char *platform;         /* "os/arch[/variant]" for pull and create, or NULL */
  GPtrArray *networks;    /* (char *) networks to connect after create; may be empty */
  GPtrArray *warnings;    /* (char *) lines for the run's log; may be empty */
  gboolean wants_proxies; /* add the proxies of docker's own configuration to the environment */
  PpPullPolicy pull_policy;
  gboolean pull_is_implied; /* pull_policy is ALWAYS only because of the image's tag. If the pull
                               then fails, a local image of that name is used */
  char *registry_auth;      /* value of X-Registry-Auth, or NULL; a secret */
  PpRunPolicy policy;       /* the worker's settings from the configuration */
} PpContainerSpec;

/* Returns a new spec, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID).
 *
 * CONFIGURATION is the result of pp_template_prepare(). It may have PP_SECRET_ENVIRONMENT_KEY.
 * Besides the variables of the docker type, CONFIGURATION has the worker's own job variables
 * (state_reporting, forward_output, prefect_env, timeout_seconds, stop_timeout,
 * infrastructure_retries, startup_timeout_seconds) and those of a `podman` pool (userns, devices,
 * shm_size, user, working_dir, entrypoint, ulimits, security_opt, extra_hosts). ENGINE is the
 * engine that answers. If it is NULL (unknown, offline render), nothing is adapted to it. The only
 * I/O is to read the current directory, against which relative sources of volumes are resolved.
 *
 * The create body is the one that docker-py 7 would send for Prefect's DockerWorker, with these
 * differences. AutoRemove is never set, because the worker removes the container. RestartPolicy is
 * never set; a warning says so. host-gateway is replaced by an address if the engine does not know
 * the word. CDI devices are sent in the form that the engine accepts. The worker's secrets are left
 * out of the environment if Prefect does not run inside (prefect_env). state_reporting "auto" is
 * resolved from the command. It becomes "worker" if the command is absent (only possible in a
 * `podman` pool) or does not run Prefect. Otherwise it becomes "engine": Prefect reports. */
PpContainerSpec *pp_container_spec_new (const json_t *configuration, const PpEngineInfo *engine,
                                        GError **error);
void pp_container_spec_free (PpContainerSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpContainerSpec, pp_container_spec_free)

/* True if SPEC has limits that an engine may drop. The worker then checks before the start that the
 * container has them. */
gboolean pp_container_spec_has_limits (const PpContainerSpec *spec);

/* Sets the labels that name the container's owner: identity, run, claim, work pool and reporter of
 * OWNER. They override labels of the job and its image. */
void pp_container_spec_set_owner (PpContainerSpec *spec, const PpJobRef *owner);

/* Returns SPEC as a `podman run` command line (new array of arguments) for Podman 4.3 and later.
 * Values of env are left out (--env NAME). Sets *IMAGE_AT (IMAGE_AT may be NULL) to the index of
 * the image. If hosts with host-gateway are left out, sets *WARNING (WARNING may be NULL) to a new
 * string that lists them; otherwise does not change *WARNING. Fields for which podman_run.c has no
 * option (NetworkingConfig, for example) are left out without a warning. */
char **pp_container_spec_to_podman_run (const PpContainerSpec *spec, guint *image_at,
                                        char **warning);

G_END_DECLS
