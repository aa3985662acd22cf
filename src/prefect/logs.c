/* Logs: /logs/. */
#include "private.h"

PpApiCall *
pp_logs_read_after (PpApi *api, const char *flow_run_id, gint64 after, guint offset,
                    PpApiDoneFunc done, gpointer user_data)
{
  /* after_ includes its own moment (LogFilterTimestamp). */
  g_autofree char *timestamp = pp_api_timestamp (after + 1);
  json_t *body = json_pack ("{s:{s:{s:[s]}, s:{s:s}}, s:s, s:i, s:i}", "logs", "flow_run_id",
                            "any_", flow_run_id, "timestamp", "after_", timestamp, "sort",
                            "TIMESTAMP_ASC", "limit", PP_LOGS_PAGE, "offset", (int)offset);

  return pp_api_call_full (api, "POST", "/logs/filter", body, PP_API_PERSIST, PP_API_NEEDED, done,
                           user_data, NULL);
}

PpApiCall *
pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_call_full (api, "POST", "/logs/", logs, PP_API_PERSIST_REFUSED, PP_API_LATER, done,
                           user_data, NULL);
}
