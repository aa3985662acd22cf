/* Deployments: /deployments/. */
#include "path.h"

#include "prefect-podman/prefect/resources.h"

PpApiCall *
pp_deployment_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/deployments", id, NULL);
  return pp_api_call (api, "GET", path, NULL, PP_API_PERSIST_UNLESS_TOLD, done, user_data);
}
