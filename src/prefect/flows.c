/* SPDX-License-Identifier: Apache-2.0 */
/* Flows: /flows/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

PpApiCall *
pp_flow_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/flows", id, NULL);
  return pp_api_read_resource (api, path, PP_API_PERSIST_UNLESS_TOLD, done, user_data);
}
