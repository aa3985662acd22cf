/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the engine that belong to no call, and what the worker knows about the engine. */
#include "config.h"

#include "engine_api-private.h"

#include "values-private.h"

#define LOOK_TIMEOUT_MS 120000

void
pp_engine_info_free (PpEngineInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->name);
  g_free (info->version);
  g_free (info->api_version);
  g_free (info->url);
  g_free (info->base_url);
  g_free (info->gateway);
  g_free (info->default_runtime);
  g_free (info);
}

/* Sends a request that belongs to no call. */
static PpHttpCall *
send_apart (const Engine *engine, const char *method, const char *url, guint timeout_ms,
            PpHttpDataFunc on_data, PpHttpDoneFunc done, gpointer user_data)
{
  PpHttpRequest request = { .method = method,
                            .url = url,
                            .unix_socket_path = engine->socket_path,
                            .tls_ca_file = engine->tls.ca_file,
                            .tls_cert_file = engine->tls.cert_file,
                            .tls_key_file = engine->tls.key_file,
                            .connect_timeout_ms = PP_ENGINE_CONNECT_TIMEOUT_MS,
                            .timeout_ms = timeout_ms,
                            .max_response_bytes = PP_ENGINE_MAX_RESPONSE_BYTES };

  return pp_http_stream (engine->http, &request, on_data, done, user_data);
}

PpHttpCall *
pp_engine_get (const Engine *engine, const char *path, PpHttpDataFunc on_data, PpHttpDoneFunc done,
               gpointer user_data)
{
  g_autofree char *url = g_strconcat (engine->base_url, engine->prefix, path, NULL);

  return send_apart (engine, "GET", url, on_data == NULL ? LOOK_TIMEOUT_MS : 0, on_data, done,
                     user_data);
}

gboolean
pp_engine_has_own_api (const Engine *engine)
{
  const PpEngineInfo *info = engine->info;

  return info != NULL && info->kind == PP_ENGINE_PODMAN
         && pp_version_at_least (info->version, 4, 0);
}

PpHttpCall *
pp_engine_ask (const Engine *engine, const char *method, const char *container_id, const char *tail,
               gboolean is_long, PpHttpDoneFunc done, gpointer user_data)
{
  g_autofree char *escaped = g_uri_escape_string (container_id, NULL, FALSE);
  g_autofree char *url
      = g_strconcat (engine->base_url, pp_engine_has_own_api (engine) ? PP_LIBPOD : engine->prefix,
                     "/containers/", escaped, tail, NULL);

  return send_apart (engine, method, url, is_long ? 0 : LOOK_TIMEOUT_MS, NULL, done, user_data);
}
