/* SPDX-License-Identifier: Apache-2.0 */
/* Parses values as docker-py does. Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Splits TEXT like Python's shlex.split() (docker-py's split_command), without comments and
 * expansions. '' and "" are quotes. Outside quotes, a backslash escapes any character; inside "",
 * only \ and ". Returns a new array, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID) for an
 * open quote or a backslash at the end. */
char **pp_shlex_split (const char *text, GError **error);

/* docker.utils.parse_bytes() for a string: "128m", "1.5g", "512kb", "1024", "" (0). Returns FALSE
 * with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID) for anything else. */
gboolean pp_parse_bytes (const char *text, json_int_t *bytes, GError **error);

/* True if ARGV, entrypoint and command together, runs Prefect: its program is `prefect` or a path
 * to it, or ARGV has `prefect flow-run`, `-m prefect...`, or a shell line that runs prefect as a
 * program. */
gboolean pp_command_runs_prefect (const char *const *argv);

/* Returns docker-py's key in body.Volumes for VOLUME, "host:container[:options]"
 * (docker/models/containers.py _host_volume_from_bind, without Windows drives); new string. Unlike
 * docker-py, also removes options other than ro and rw. */
char *pp_volume_container_path (const char *volume);

/* Makes a relative source (., ./x, ../x) in VOLUME absolute, based on DIRECTORY
 * (prefect_docker/worker.py _resolve_volumes); new string. */
char *pp_volume_resolve (const char *volume, const char *directory);

/* True if NAME is a fully qualified CDI device, vendor.com/class=name. */
gboolean pp_is_cdi_device (const char *name);

/* Splits an image reference into NAME and TAG like parse_image_tag() in
 * prefect/utilities/dockerutils.py. TAG is a tag, a digest "sha256:...", or NULL. Both are new
 * strings. */
void pp_image_split (const char *image, char **name, char **tag);

/* True if VERSION ("4.3.1", "20.10.24+dfsg1") is at least MAJOR.MINOR. */
gboolean pp_version_at_least (const char *version, guint major, guint minor);

G_END_DECLS
