/* SPDX-License-Identifier: Apache-2.0 */
/* Variables: /variables/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

PpApiCall *
pp_variable_read (PpApi *api, const char *name, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/variables/name", name, NULL);
  return pp_api_read_resource (api, path, PP_API_PERSIST_UNLESS_TOLD, done, user_data);
}
