/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the settings of this process as JSON, for tests/unit/settings/parity/run.py. Prints
 * secrets, too: use it with made-up settings only. */
#include "config.h"

#include "prefect-podman/settings/settings.h"

#include <math.h>
#include <stdio.h>

static json_t *
string (const char *value)
{
  return value != NULL ? json_string (value) : json_null ();
}

static json_t *
codes (const int *list)
{
  json_t *array = json_array ();

  for (; list != NULL && *list != 0; list++)
    json_array_append_new (array, json_integer (*list));
  return array;
}

static void
put (json_t *object, const char *path, json_t *value)
{
  json_object_set_new (object, path, value);
}

static json_t *
struct_to_json (const PpSettings *settings)
{
  json_t *o = json_object ();

  put (o, "home", string (settings->home));
  put (o, "debug_mode", json_boolean (settings->debug_mode));
  put (o, "api.url", string (settings->api_url));
  put (o, "api.key", string (settings->api_key));
  put (o, "api.auth_string", string (settings->api_auth_string));
  put (o, "api.tls_insecure_skip_verify", json_boolean (settings->api_tls_insecure_skip_verify));
  put (o, "api.ssl_cert_file", string (settings->api_ssl_cert_file));
  put (o, "api.enable_http2", json_boolean (settings->api_enable_http2));
  put (o, "api.request_timeout", json_real (settings->api_request_timeout));
  put (o, "cloud.api_url", string (settings->cloud_api_url));
  put (o, "client.max_retries", json_integer (settings->client_max_retries));
  put (o, "client.retry_jitter_factor", json_real (settings->client_retry_jitter_factor));
  put (o, "client.retry_extra_codes", codes (settings->client_retry_extra_codes));
  put (o, "client.csrf_support_enabled", json_boolean (settings->client_csrf_support_enabled));
  put (o, "client.custom_headers",
       settings->client_custom_headers != NULL ? json_incref (settings->client_custom_headers)
                                               : json_object ());
  put (o, "worker.debug_mode", json_boolean (settings->worker_debug_mode));
  put (o, "worker.heartbeat_seconds", json_real (settings->worker_heartbeat_seconds));
  put (o, "worker.query_seconds", json_real (settings->worker_query_seconds));
  put (o, "worker.prefetch_seconds", json_real (settings->worker_prefetch_seconds));
  put (o, "worker.webserver.host", string (settings->worker_webserver_host));
  put (o, "worker.webserver.port", json_integer (settings->worker_webserver_port));
  put (o, "worker.enable_cancellation", json_boolean (settings->worker_enable_cancellation));
  put (o, "worker.cancellation_poll_seconds",
       json_real (settings->worker_cancellation_poll_seconds));
  put (o, "logging.level", string (settings->logging_level));
  put (o, "logging.colors", json_boolean (settings->logging_colors));
  put (o, "logging.to_api.enabled", json_boolean (settings->logging_to_api_enabled));
  put (o, "logging.to_api.batch_interval", json_real (settings->logging_to_api_batch_interval));
  put (o, "logging.to_api.batch_size",
       json_integer ((json_int_t)settings->logging_to_api_batch_size));
  put (o, "logging.to_api.max_log_size",
       json_integer ((json_int_t)settings->logging_to_api_max_log_size));
  return o;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpSettings) settings = pp_settings_load (argc > 1 ? argv[1] : NULL, &error);

  if (settings == NULL)
    {
      fprintf (stderr, "%s\n", error->message);
      return 2;
    }
  json_auto_t *all = json_pack ("{s:O, s:o, s:s?}", "environment", settings->environment, "struct",
                                struct_to_json (settings), "profile", settings->profile);
  json_dumpf (all, stdout, 0);
  return 0;
}
