/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a container spec with a file of their own. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Whether ENGINE (NULL: yes) puts the host's address where ExtraHosts says "host-gateway": Docker
 * from 20.10 on, Podman from 4.7 on (older ones write the word into /etc/hosts). */
gboolean pp_engine_knows_host_gateway (const PpEngineInfo *engine);

/* Whether ENGINE (NULL: yes) takes CDI devices as device requests of the driver "cdi": Docker from
 * 25 on, Podman from 5.4 on (older ones drop them without a word). */
gboolean pp_engine_knows_cdi_requests (const PpEngineInfo *engine);

/* Whether NETWORK_MODE names a network, in place of a kind of networking. */
gboolean pp_network_is_user_defined (const char *network_mode);

/* Whether ENTRY (may be NULL) is "NAME:host-gateway". */
gboolean pp_is_host_gateway (const char *entry);

/* Whether HOSTS (an array of "NAME:ADDRESS", or NULL) has "NAME:host-gateway". */
gboolean pp_has_host_gateway (const json_t *hosts);

/* HOSTS with every "NAME:host-gateway" turned to ADDRESS; with ADDRESS NULL these entries are taken
 * out. Returns whether there was one. */
gboolean pp_replace_host_gateway (json_t *hosts, const char *address);

/* ExtraHosts as prefect_docker/worker.py get_extra_hosts() and _build_container_settings() come to
 * it from ENV (an object) and the user's USER_HOSTS (object, array or NULL); with NETWORK_MODE (may
 * be NULL) "container:..." the user's alone. A new array, NULL without an error for none, or NULL
 * with ERROR. */
json_t *pp_spec_extra_hosts (const json_t *env, const json_t *user_hosts, const char *network_mode,
                             GError **error);

/* The value of X-Registry-Auth for CREDENTIALS {username, password, registry_url}, or NULL where
 * they are for another registry than IMAGE's (docker/auth.py resolve_authconfig) or incomplete. New
 * string, a secret. */
char *pp_registry_auth (const json_t *credentials, const char *image);

/* AUTH, an object of the API's AuthConfig, as the value of X-Registry-Auth. New string, a secret.
 */
char *pp_registry_auth_encode (const json_t *auth);

/* The host of a registry that is named by URL, or by its host alone: "docker.io" for Docker Hub
 * under any of its names (docker/auth.py resolve_index_name). New string. */
char *pp_registry_host (const char *url);

/* The host of the registry that IMAGE names (docker/auth.py split_repo_name). New string. */
char *pp_image_registry (const char *image);

/* Takes the worker's secrets (PP_SECRET_ENVIRONMENT_KEY of CONFIGURATION) out of SPEC's environment
 * where CONFIGURATION's prefect_env says so: "always" gives them, "never" does not, "auto" gives
 * them where the engine reports the state or the command runs Prefect. FALSE with ERROR for another
 * value.
 */
gboolean pp_spec_withhold_secrets (PpContainerSpec *spec, const json_t *configuration,
                                   GError **error);

/* DEVICE, one of HostConfig.Devices, as Podman writes it: "HOST:CONTAINER:PERMISSIONS". New string,
 * or NULL where it names no device of the host. */
char *pp_spec_device (const json_t *device);

/* CREATE_BODY and the CDI_DEVICES (names) as the body of POST /libpod/containers/create. New
 * reference, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID) that names the first field that
 * is not said there. */
json_t *pp_libpod_body_new (const json_t *create_body, const json_t *cdi_devices, GError **error);

/* Refuses what ENGINE (NULL: not known) would take and drop without a word where that changes what
 * the job means: FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the key, the
 * engine, its version and what to do. What is passed over becomes a warning of SPEC. */
gboolean pp_spec_refuse_dropped (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error);

/* The same of SPEC's mounts, and of their options; ENGINE is known. */
gboolean pp_spec_refuse_mounts (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error);

/* Says SPEC's mounts in the way in which Podman's Docker API does with them what Docker does. */
void pp_spec_fit_mounts_to_podman (PpContainerSpec *spec);

/* Puts host-gateway, CDI_DEVICES (names; may be NULL), GPUs and the like into SPEC in the way that
 * ENGINE (NULL: as the newest take them) reads, after pp_spec_refuse_dropped(). FALSE with ERROR.
 */
gboolean pp_spec_fit_to_engine (PpContainerSpec *spec, const json_t *cdi_devices,
                                const PpEngineInfo *engine, GError **error);

G_END_DECLS
