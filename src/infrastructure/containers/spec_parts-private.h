/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a container spec that have their own source files. Private to
 * src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/container_spec.h"

G_BEGIN_DECLS

/* True if ENGINE (NULL: yes) replaces "host-gateway" in ExtraHosts by the host's address: Docker
 * since 20.10, Podman since 4.7. Older ones write the word into /etc/hosts. */
gboolean pp_engine_knows_host_gateway (const PpEngineInfo *engine);

/* True if ENGINE (NULL: yes) accepts CDI devices as device requests of the driver "cdi": Docker
 * since 25, Podman since 5.4. Older ones silently ignore them. */
gboolean pp_engine_knows_cdi_requests (const PpEngineInfo *engine);

/* True if NETWORK_MODE is the name of a network, not a mode such as "host". */
gboolean pp_network_is_user_defined (const char *network_mode);

/* True if ENTRY (may be NULL) is "NAME:host-gateway". */
gboolean pp_is_host_gateway (const char *entry);

/* True if HOSTS, an array of "NAME:ADDRESS" or NULL, has a "NAME:host-gateway". */
gboolean pp_has_host_gateway (const json_t *hosts);

/* Replaces each host-gateway in HOSTS by ADDRESS. If ADDRESS is NULL, removes these entries.
 * Returns TRUE if there was one. */
gboolean pp_replace_host_gateway (json_t *hosts, const char *address);

/* Returns ExtraHosts for ENV (an object) and USER_HOSTS (object, array or NULL), as
 * get_extra_hosts() and _build_container_settings() of prefect_docker/worker.py do. If NETWORK_MODE
 * (may be NULL) is "container:...", returns only the user's hosts. Returns a new array, NULL
 * without an error if there are none, or NULL with ERROR. */
json_t *pp_spec_extra_hosts (const json_t *env, const json_t *user_hosts, const char *network_mode,
                             GError **error);

/* Returns the value of X-Registry-Auth for CREDENTIALS {username, password, registry_url}; new
 * string, a secret. Returns NULL if they are incomplete or for another registry than IMAGE's
 * (docker/auth.py resolve_authconfig). */
char *pp_registry_auth (const json_t *credentials, const char *image);

/* Encodes AUTH, an AuthConfig object of the API, as the value of X-Registry-Auth; new string, a
 * secret. */
char *pp_registry_auth_encode (const json_t *auth);

/* Returns the host of the registry at URL, which may also be just a host; "docker.io" for all names
 * of Docker Hub (docker/auth.py resolve_index_name). New string. */
char *pp_registry_host (const char *url);

/* Returns the host of IMAGE's registry (docker/auth.py split_repo_name); new string. */
char *pp_image_registry (const char *image);

/* Removes the worker's secrets (PP_SECRET_ENVIRONMENT_KEY of CONFIGURATION) from SPEC's
 * environment, according to prefect_env of CONFIGURATION: "always" keeps them, "never" removes
 * them, and "auto" keeps them if Prefect in the container reports the state or the command runs
 * Prefect. Returns FALSE with ERROR for another value. */
gboolean pp_spec_withhold_secrets (PpContainerSpec *spec, const json_t *configuration,
                                   GError **error);

/* Returns DEVICE, one of HostConfig.Devices, in Podman's syntax "HOST:CONTAINER:PERMISSIONS"; new
 * string. Returns NULL if it names no device of the host. */
char *pp_spec_device (const json_t *device);

/* Converts CREATE_BODY and CDI_DEVICES (names) to the body of POST /libpod/containers/create.
 * Returns a new reference, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the
 * first field that Podman's API cannot express. */
json_t *pp_libpod_body_new (const json_t *create_body, const json_t *cdi_devices, GError **error);

/* Refuses settings that ENGINE (NULL: unknown) would silently ignore, if that changes what the job
 * means. Returns FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the key, the
 * engine, its version and advice. Other ignored settings are added to SPEC's warnings. */
gboolean pp_spec_refuse_dropped (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error);

/* Does the same for SPEC's mounts and their options. ENGINE must not be NULL. */
gboolean pp_spec_refuse_mounts (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error);

/* Rewrites SPEC's mounts so that Podman's Docker API does what Docker does with them. */
void pp_spec_fit_mounts_to_podman (PpContainerSpec *spec);

/* Adapts host-gateway, CDI_DEVICES (names; may be NULL), GPUs and similar settings in SPEC to
 * ENGINE (NULL: the newest versions), after pp_spec_refuse_dropped(). Returns FALSE with ERROR. */
gboolean pp_spec_fit_to_engine (PpContainerSpec *spec, const json_t *cdi_devices,
                                const PpEngineInfo *engine, GError **error);

G_END_DECLS
