/* SPDX-License-Identifier: Apache-2.0 */
/* The size limits of the API's answers. A run's parameters have at most 512 KiB by default
 * (PREFECT_SERVER_API_MAX_PARAMETER_SIZE). If an answer with many objects is too large, the caller
 * asks for fewer. */
#include "config.h"

#include "api-private.h"

#define MIB ((gsize)1024 * 1024)

gsize
pp_api_bound (const char *path)
{
  static const struct
  {
    const char *prefix;
    const char *suffix; /* NULL: any */
    gsize bytes;
  } bounds[] = {
    { "/work_pools/", "/get_scheduled_flow_runs", 32 * MIB },
    { "/work_pools/", NULL, 8 * MIB },
    { "/flow_runs/", "/set_state", 8 * MIB },
    { "/flow_runs/", NULL, 32 * MIB },
    { "/flow_run_states/", NULL, 16 * MIB },
    { "/logs/filter", NULL, 16 * MIB },
    { "/deployments/", NULL, 16 * MIB },
    { "/block_documents/", NULL, 8 * MIB },
    { "/block_types/", NULL, 8 * MIB },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bounds); i++)
    if (g_str_has_prefix (path, bounds[i].prefix)
        && (bounds[i].suffix == NULL || g_str_has_suffix (path, bounds[i].suffix)))
      return bounds[i].bytes;
  return 4 * MIB; /* flows, variables, the version, a count, a token */
}
