/* SPDX-License-Identifier: Apache-2.0 */
/* Values as docker-py reads them. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* TEXT split as Python's shlex.split() does (docker-py's split_command): no comments, no
 * expansions; '' and "" quote, a backslash escapes outside quotes and, in "", itself and ". Returns
 * a new array, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID) for an open quote or a lone
 * backslash at the end. */
char **pp_shlex_split (const char *text, GError **error);

/* docker.utils.parse_bytes() of a string: "128m", "1.5g", "512kb", "1024", "" (0). FALSE with ERROR
 * (PP_INFRASTRUCTURE_ERROR_INVALID) otherwise. */
gboolean pp_parse_bytes (const char *text, json_int_t *bytes, GError **error);

/* Whether ARGV (entrypoint and command in one) runs Prefect's engine: a word that is `prefect` or a
 * path to it, `-m prefect...`, or a shell line in which prefect is run as a program. */
gboolean pp_command_runs_prefect (const char *const *argv);

/* The key of body.Volumes that docker-py gives for VOLUME, "host:container[:options]"
 * (docker/models/containers.py _host_volume_from_bind, without its Windows drives); options other
 * than ro and rw, which docker-py would leave in, are taken off as well. New string. */
char *pp_volume_container_path (const char *volume);

/* VOLUME with an explicit relative source (., ./x, ../x) made absolute against DIRECTORY
 * (prefect_docker/worker.py _resolve_volumes). New string. */
char *pp_volume_resolve (const char *volume, const char *directory);

/* Whether NAME is a qualified CDI device, vendor.com/class=name. */
gboolean pp_is_cdi_device (const char *name);

/* Splits an image reference as prefect/utilities/dockerutils.py parse_image_tag() does: NAME and
 * TAG (a tag, a digest "sha256:...", or NULL); both new strings. */
void pp_image_split (const char *image, char **name, char **tag);

/* Whether VERSION ("4.3.1", "20.10.24+dfsg1") is at least MAJOR.MINOR. */
gboolean pp_version_at_least (const char *version, guint major, guint minor);

G_END_DECLS
