/* SPDX-License-Identifier: Apache-2.0 */
/* Logs: /logs/. */
#include "config.h"

#include "api-private.h"

#include "prefect-podman/text/timestamp.h"

PpApiCall *
pp_logs_read_after (PpApi *api, const char *flow_run_id, gint64 after, guint offset, guint limit,
                    PpApiDoneFunc done, gpointer user_data)
{
  /* after_ is inclusive (LogFilterTimestamp). */
  g_autofree char *timestamp = pp_timestamp_text (after + 1);
  json_t *body = json_pack ("{s:{s:{s:[s]}, s:{s:s}}, s:s, s:I}", "logs", "flow_run_id", "any_",
                            flow_run_id, "timestamp", "after_", timestamp, "sort", "TIMESTAMP_ASC",
                            "offset", (json_int_t)offset);

  if (limit > 0)
    json_object_set_new (body, "limit", json_integer (limit));
  return pp_api_expects (pp_api_is_array, pp_api_call (api, "POST", "/logs/filter", body,
                                                       PP_API_PERSIST, done, user_data));
}

/* The API answers 201 and null (create_logs() in server/api/logs.py). Any other success comes from
 * something else, which may have stored nothing. */
static gboolean
is_made (const json_t *json, const char *path G_GNUC_UNUSED, long status,
         gconstpointer user_data G_GNUC_UNUSED)
{
  return status == 201 && (json == NULL || json_is_null (json));
}

PpApiCall *
pp_logs_create (PpApi *api, json_t *logs, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_expects (is_made,
                         pp_api_call_full (api, "POST", "/logs/", logs, PP_API_PERSIST_REFUSED,
                                           PP_API_LATER, done, user_data, NULL));
}
