/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of concurrency slots: /v2/concurrency_limits/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

#include "prefect-podman/prefect/resources.h"

PpApiCall *
pp_concurrency_lease_renew (PpApi *api, const char *lease_id, double seconds, PpApiDoneFunc done,
                            gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/v2/concurrency_limits/leases", lease_id, "/renew");
  json_t *body = json_pack ("{s:f}", "lease_duration", seconds);
  return pp_api_expects (pp_api_is_changed,
                         pp_api_call (api, "POST", path, body, PP_API_ONCE, done, user_data));
}

PpApiCall *
pp_concurrency_lease_release (PpApi *api, const char *lease_id, PpApiDoneFunc done,
                              gpointer user_data)
{
  json_t *body = json_pack ("{s:s}", "lease_id", lease_id);
  return pp_api_expects (pp_api_is_changed,
                         pp_api_call (api, "POST", "/v2/concurrency_limits/decrement-with-lease",
                                      body, PP_API_PERSIST_REFUSED, done, user_data));
}
