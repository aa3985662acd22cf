/* SPDX-License-Identifier: Apache-2.0 */
/* How large an answer of the API may be. A run's parameters have 512 KiB at most, unless the server
 * is set otherwise (PREFECT_SERVER_API_MAX_PARAMETER_SIZE); what asks for many things asks for
 * fewer when the answer is too large. */
#include "config.h"

#include "api-private.h"

#define MIB ((gsize)1024 * 1024)

gsize
pp_api_bound (const char *path)
{
  static const struct
  {
    const char *prefix;
    const char *suffix; /* or NULL: any */
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
