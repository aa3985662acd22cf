/* SPDX-License-Identifier: Apache-2.0 */
/* What docker's client is configured with on this host: `docker login` and people write it, and the
 * peer's docker-py reads it (docker/utils/config.py, docker/auth.py). Used inside the room only. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

typedef struct
{
  char *path;        /* of the file; NULL where there is none */
  gboolean is_named; /* by DOCKER_CONFIG */
  json_t *json;      /* an object; NULL where there is no file, or none that can be read. Has
                        secrets */
  char *trouble;     /* a sentence on why the file is not used, without its content; or NULL */
} PpDockerConfig;

/* Where the file may be, the first that exists counts: $DOCKER_CONFIG/config.json,
 * ~/.docker/config.json, ~/.dockercfg. New array; the first is "" without DOCKER_CONFIG. */
char **pp_docker_config_paths (void);

/* Reads the first file of PATHS that exists. Blocks, on a disk that hangs for as long as it does;
 * to be called on any thread. Never NULL. */
PpDockerConfig *pp_docker_config_read (const char *const *paths);
void pp_docker_config_free (PpDockerConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpDockerConfig, pp_docker_config_free)

/* The value of X-Registry-Auth that the `auths` of CONFIG have for IMAGE's registry; new string, a
 * secret. NULL where there is none; then *TROUBLE may be a sentence on what is wrong with the
 * registry's entry (new string, without secrets), else it is NULL. */
char *pp_docker_config_auth (const PpDockerConfig *config, const char *image, char **trouble);

/* Which docker-credential-NAME has the credentials for IMAGE's registry, by the `credHelpers` or
 * the `credsStore` of CONFIG; borrowed, or NULL: none. *REGISTRY: what it knows the registry by,
 * new string; *IS_STORE: it is the credsStore. */
const char *pp_docker_config_helper (const PpDockerConfig *config, const char *image,
                                     char **registry, gboolean *is_store);

/* The variables that the `proxies` of CONFIG want in a container of the engine at URL: those of
 * URL, else the default ones, but for what ENV, an array of "NAME=VALUE" or "NAME" (may be NULL),
 * has itself (docker/utils/proxy.py). New object, NAME -> VALUE, may be empty; values may have
 * passwords. */
json_t *pp_docker_config_proxies (const PpDockerConfig *config, const char *url, const json_t *env);

G_END_DECLS
