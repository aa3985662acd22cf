/* SPDX-License-Identifier: Apache-2.0 */
/* The server itself: /admin/. */
#include "config.h"

#include "api-private.h"

static gboolean
is_text (const json_t *json, const char *path G_GNUC_UNUSED, long status G_GNUC_UNUSED,
         gconstpointer user_data G_GNUC_UNUSED)
{
  return json_is_string (json);
}

PpApiCall *
pp_server_version_read (PpApi *api, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_expects (
      is_text, pp_api_call (api, "GET", "/admin/version", NULL, PP_API_RETRY, done, user_data));
}
