/* Logs: /logs/. */
#include "prefect-podman/prefect/resources.h"

PpApiCall *
pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_call (api, "POST", "/logs/", logs, PP_API_PERSIST, done, user_data);
}
