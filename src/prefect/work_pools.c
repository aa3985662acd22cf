/* SPDX-License-Identifier: Apache-2.0 */
/* Work pools: /work_pools/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

#include "prefect-podman/text/timestamp.h"

#include <math.h>

PpApiCall *
pp_work_pool_read (PpApi *api, const char *name, PpApiPatience patience, PpApiDoneFunc done,
                   gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/work_pools", name, NULL);
  return pp_api_call_shared (api, "GET", path, NULL, patience, done, user_data);
}

PpApiCall *
pp_work_pool_create (PpApi *api, const char *name, const char *type, json_t *base_job_template,
                     PpApiDoneFunc done, gpointer user_data)
{
  json_t *body = json_pack ("{s:s, s:s, s:O*}", "name", name, "type", type, "base_job_template",
                            base_job_template);
  return pp_api_expects (pp_api_is_resource, pp_api_call_shared (api, "POST", "/work_pools/", body,
                                                                 PP_API_RETRY, done, user_data));
}

PpApiCall *
pp_work_pool_update_template (PpApi *api, const char *name, json_t *base_job_template,
                              PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/work_pools", name, NULL);
  json_t *body = json_pack ("{s:O}", "base_job_template", base_job_template);
  return pp_api_expects (pp_api_is_changed, pp_api_call_shared (api, "PATCH", path, body,
                                                                PP_API_RETRY, done, user_data));
}

PpApiCall *
pp_work_pool_heartbeat (PpApi *api, const char *pool, const char *worker_name,
                        double interval_seconds, gboolean return_id, PpApiDoneFunc done,
                        gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/work_pools", pool, "/workers/heartbeat");
  /* The server takes an integer. Round up: with a smaller number, the server would expect the
   * next heartbeat too early. */
  json_t *body = json_pack ("{s:o, s:I}", "name", pp_api_text (worker_name),
                            "heartbeat_interval_seconds", (json_int_t)ceil (interval_seconds));
  if (return_id)
    json_object_set_new (body, "return_id", json_true ());
  return pp_api_call_shared (api, "POST", path, body, PP_API_RETRY, done, user_data);
}

PpApiCall *
pp_work_pool_get_scheduled_flow_runs (PpApi *api, const char *pool,
                                      const char *const *work_queue_names, gint64 scheduled_before,
                                      guint limit, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/work_pools", pool, "/get_scheduled_flow_runs");
  g_autofree char *before = pp_timestamp_text (scheduled_before);
  json_t *body = json_pack ("{s:s}", "scheduled_before", before);

  if (work_queue_names != NULL && *work_queue_names != NULL)
    {
      json_t *names = json_array ();
      for (; *work_queue_names != NULL; work_queue_names++)
        json_array_append_new (names, json_string (*work_queue_names));
      json_object_set_new (body, "work_queue_names", names);
    }
  if (limit > 0)
    json_object_set_new (body, "limit", json_integer (limit));
  return pp_api_expects (
      pp_api_is_array, pp_api_call_shared (api, "POST", path, body, PP_API_RETRY, done, user_data));
}
