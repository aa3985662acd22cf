/* SPDX-License-Identifier: Apache-2.0 */
/* Block documents, with their secrets: /block_types/, /block_documents/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

PpApiCall *
pp_block_document_read_by_name (PpApi *api, const char *block_type_slug, const char *name,
                                PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *type
      = pp_api_path ("/block_types/slug", block_type_slug, "/block_documents/name");
  g_autofree char *path = pp_api_path (type, name, "?include_secrets=true");
  return pp_api_read_resource (api, path, PP_API_PERSIST_UNLESS_TOLD, done, user_data);
}

PpApiCall *
pp_block_document_read (PpApi *api, const char *id, PpApiDoneFunc done, gpointer user_data)
{
  g_autofree char *path = pp_api_path ("/block_documents", id, "?include_secrets=true");
  return pp_api_read_resource (api, path, PP_API_PERSIST_UNLESS_TOLD, done, user_data);
}
