/* SPDX-License-Identifier: Apache-2.0 */
/* The Docker client's configuration on this host, written by `docker login` and by users. docker-py
 * reads it too (docker/utils/config.py, docker/auth.py). Private to
 * src/infrastructure/containers. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

typedef struct
{
  char *path;        /* of the file; NULL if there is none */
  gboolean is_named; /* DOCKER_CONFIG names the file */
  json_t *json;      /* an object; NULL if there is no readable file. Holds secrets */
  char *trouble;     /* a sentence on why the file is not used, without its content; or NULL */
} PpDockerConfig;

/* Returns the paths where the file may be: $DOCKER_CONFIG/config.json, ~/.docker/config.json,
 * ~/.dockercfg. The first existing file is used. New array. The first path is "" if DOCKER_CONFIG
 * is not set. */
char **pp_docker_config_paths (void);

/* Reads the first existing file of PATHS. Blocks while a disk hangs. May be called from any thread.
 * Never returns NULL. */
PpDockerConfig *pp_docker_config_read (const char *const *paths);
void pp_docker_config_free (PpDockerConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpDockerConfig, pp_docker_config_free)

/* Returns the value of X-Registry-Auth for IMAGE's registry from the `auths` of CONFIG; new string,
 * a secret. Returns NULL if there is none. If the entry for the registry is wrong, sets *TROUBLE to
 * a sentence about it (new string, without secrets), else to NULL. */
char *pp_docker_config_auth (const PpDockerConfig *config, const char *image, char **trouble);

/* Returns the NAME of the docker-credential-NAME that has the credentials for IMAGE's registry,
 * from `credHelpers` or `credsStore` of CONFIG; borrowed, or NULL if there is none. Sets *REGISTRY
 * to the registry's name for the helper (new string), and *IS_STORE to TRUE if the helper is the
 * credsStore. */
const char *pp_docker_config_helper (const PpDockerConfig *config, const char *image,
                                     char **registry, gboolean *is_store);

/* Returns the variables that the `proxies` of CONFIG set in containers of the engine at URL
 * (docker/utils/proxy.py). Uses the entry for URL, else the default entry. Leaves out variables
 * that ENV has. ENV is an array of "NAME=VALUE" or "NAME", or NULL. Returns a new object, NAME ->
 * VALUE, perhaps empty. Values may hold passwords. */
json_t *pp_docker_config_proxies (const PpDockerConfig *config, const char *url, const json_t *env);

G_END_DECLS
