/* SPDX-License-Identifier: Apache-2.0 */
/* The default base job templates. Prefect's own for `docker`
 * (DockerWorker.get_default_base_job_template()) and ours for `podman` are JSON files beside this
 * source. Makefile.inc converts them to string literals. */
#include "config.h"

#include "template-private.h"

static const char docker_template[] =
#include "src/template/docker.json.inc"
    ;

static const char podman_template[] =
#include "src/template/podman.json.inc"
    ;

json_t *
pp_template_default (const char *type)
{
  if (g_strcmp0 (type, "docker") == 0)
    return json_loads (docker_template, 0, NULL);
  if (g_strcmp0 (type, "podman") == 0)
    return json_loads (podman_template, 0, NULL);
  return NULL;
}
