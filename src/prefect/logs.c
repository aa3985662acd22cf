/* Logs: /logs/. */
#include "private.h"

PpApiCall *
pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_call_full (api, "POST", "/logs/", logs, PP_API_PERSIST, PP_API_LATER, done,
                           user_data, NULL);
}
