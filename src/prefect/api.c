/* SPDX-License-Identifier: Apache-2.0 */
/* The API client: calls and their attempts. queue.c has the order of the calls, headers.c and
 * csrf.c the headers, answer.c the reading of answers, and retry.c the retries. */
#include "config.h"

#include "api-private.h"

#include <string.h>

/* The failed attempt at which the user is warned about a call that is retried without end. Earlier
 * failures are often temporary. */
#define SAY_AT_ATTEMPT 5

static void
free_call (PpApiCall *call)
{
  if (call->timer != NULL)
    {
      g_source_destroy (call->timer);
      g_source_unref (call->timer);
    }
  if (call->destroy != NULL)
    call->destroy (call->user_data);
  g_clear_pointer (&call->body, g_bytes_unref);
  g_clear_error (&call->error);
  g_free (call->csrf_token);
  g_free (call->method);
  g_free (call->path);
  g_free (call);
}

/* Removes CALL from its API. */
static void
forget_call (PpApiCall *call)
{
  PpApi *api = call->api;

  g_hash_table_remove (api->calls, call);
  g_queue_remove (&api->waiting[call->urgency], call);
  if (call->under_way != NULL)
    {
      pp_http_call_cancel (call->under_way);
      call->under_way = NULL;
      api->under_way[call->urgency]--;
    }
}

/* A caller must not use CALL or its API after this function, because DONE may free the API. */
static void
finish_call (PpApiCall *call, json_t *body, const GError *error)
{
  forget_call (call);
  pp_api_pump (call->api);
  if (call->done != NULL)
    call->done (body, error, call->user_data);
  free_call (call);
}

void
pp_api_call_on_repeat (PpApiCall *call, PpApiRepeatFunc func)
{
  call->on_repeat = func;
}

void
pp_api_call_go_on (PpApiCall *call)
{
  /* Queue it before calls that were not tried yet, because it is older. */
  g_queue_push_head (&call->api->waiting[call->urgency], call);
  pp_api_pump (call->api);
}

static gboolean
on_timer (gpointer user_data)
{
  PpApiCall *call = user_data;

  g_clear_pointer (&call->timer, g_source_unref);
  if (call->error != NULL || call->nothing)
    {
      g_autoptr (GError) error = g_steal_pointer (&call->error);
      finish_call (call, NULL, error);
      return G_SOURCE_REMOVE;
    }
  if (call->on_repeat != NULL)
    call->on_repeat (TRUE, call->user_data);
  else
    pp_api_call_go_on (call);
  return G_SOURCE_REMOVE;
}

static void
start_timer (PpApiCall *call, double seconds)
{
  call->timer = g_timeout_source_new ((guint)(seconds * 1000));
  g_source_set_callback (call->timer, on_timer, call, NULL);
  g_source_attach (call->timer, g_main_context_get_thread_default ());
}

static void
repeat_in (PpApiCall *call, double seconds)
{
  start_timer (call, seconds);
  if (call->on_repeat != NULL)
    call->on_repeat (FALSE, call->user_data);
}

static void
log_attempt (const PpApiCall *call, const PpHttpResponse *response)
{
  gint64 milliseconds = (g_get_monotonic_time () - call->started) / 1000;
  if (response != NULL)
    g_debug ("%s %s%s: %ld in %" G_GINT64_FORMAT " ms", call->method, call->api->display_url,
             call->path, response->status, milliseconds);
  else
    g_debug ("%s %s%s: no answer after %" G_GINT64_FORMAT " ms", call->method,
             call->api->display_url, call->path, milliseconds);
}

static void
log_retry (const PpApiCall *call, const GError *error, double delay)
{
  if (call->attempts == SAY_AT_ATTEMPT && pp_api_call_persists (call))
    g_warning ("%s; asking again, because this error may go away", error->message);
  else
    g_debug ("%s; asking again in %.1f s", error->message, delay);
}

/* True if HTTP_ERROR means that the request was not sent. This includes an error of a proxy that
 * cannot reach the server (proxy_failed() in src/http/failure.c). */
static gboolean
failed_before_it_was_sent (const GError *http_error)
{
  return g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_CONNECT)
         || g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESOLVE)
         || g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_SHORTAGE);
}

/* The PpHttpDoneFunc of an attempt. */
static void
on_answer (const PpHttpResponse *response, const GError *http_error, gpointer user_data)
{
  PpApiCall *call = user_data;
  PpApi *api = call->api;
  json_auto_t *body = NULL;
  g_autoptr (GError) error = NULL;
  double delay;

  call->under_way = NULL;
  api->under_way[call->urgency]--;
  log_attempt (call, response);
  if (response != NULL)
    api->has_answer = TRUE;
  call->not_sent = failed_before_it_was_sent (http_error);

  pp_api_check_clock (api, response, call->started);
  if (pp_api_read_answer (api, call->method, call->path, call->shape, call->user_data, response,
                          http_error, &body, &error))
    {
      pp_api_note_success (api);
      finish_call (call, body, NULL);
      return;
    }
  if (!pp_api_decide_retry (call, response, error, &delay))
    {
      finish_call (call, NULL, error);
      return;
    }
  if (!pp_api_say_outage (call, error, delay))
    log_retry (call, error, delay);
  repeat_in (call, delay);
  pp_api_pump (api);
}

static void
csrf_failed_for (PpApiCall *call, const PpHttpResponse *response, const GError *error)
{
  double delay = 0;

  g_queue_remove (&call->api->waiting[call->urgency], call);
  call->not_sent = TRUE;
  if (pp_api_decide_retry (call, response, error, &delay))
    {
      repeat_in (call, delay);
      return;
    }
  call->error = g_error_copy (error);
  start_timer (call, delay);
}

void
pp_api_csrf_failed (PpApi *api, const PpHttpResponse *response, const GError *error)
{
  for (guint i = 0; i < G_N_ELEMENTS (api->waiting); i++)
    {
      GList *next;
      for (GList *link = api->waiting[i].head; link != NULL; link = next)
        {
          PpApiCall *call = link->data;
          next = link->next;
          if (pp_api_csrf_needed (call->method))
            csrf_failed_for (call, response, error);
        }
    }
}

PpHttpCall *
pp_api_send (PpApi *api, const char *method, const char *path, GBytes *body, const char *csrf_token,
             gboolean body_once, PpHttpDoneFunc done, gpointer user_data)
{
  const PpSettings *settings = api->settings;
  g_autofree char *url = g_strconcat (api->url, path, NULL);
  g_autoptr (GPtrArray) own = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) headers = g_ptr_array_new ();

  if (csrf_token != NULL)
    {
      g_ptr_array_add (own, g_strconcat ("Prefect-Csrf-Token: ", csrf_token, NULL));
      g_ptr_array_add (own, g_strconcat ("Prefect-Csrf-Client: ", api->csrf_client, NULL));
    }
  if (body != NULL)
    g_ptr_array_add (own, g_strdup ("Content-Type: application/json"));
  for (guint i = 0; i < api->headers->len; i++)
    g_ptr_array_add (headers, g_ptr_array_index (api->headers, i));
  for (guint i = 0; i < api->worker->len; i++)
    g_ptr_array_add (headers, g_ptr_array_index (api->worker, i));
  for (guint i = 0; i < own->len; i++)
    g_ptr_array_add (headers, g_ptr_array_index (own, i));
  g_ptr_array_add (headers, NULL);

  guint timeout_ms = (guint)(settings->api_request_timeout * 1000);
  PpHttpRequest request = {
    .method = method,
    .url = url,
    .headers = (const char *const *)headers->pdata,
    .body_bytes = body,
    .connect_timeout_ms = timeout_ms,
    .timeout_ms = timeout_ms,
    .slow_ms = PP_HTTP_SLOW_MS,
    .max_response_bytes = pp_api_bound (path),
    .allow_cut = TRUE,
    .body_once = body_once,
    .tls_skip_verify = settings->api_tls_insecure_skip_verify,
    .tls_ca_file = settings->api_ssl_cert_file,
    .http2 = settings->api_enable_http2,
  };
  return pp_http_send (api->http, &request, done, user_data);
}

static void
start_attempt (PpApiCall *call)
{
  PpApi *api = call->api;

  g_free (call->csrf_token);
  call->csrf_token = g_strdup (pp_api_csrf_token (api, call->method));
  call->started = g_get_monotonic_time ();
  api->under_way[call->urgency]++;
  gboolean body_once = call->patience == PP_API_PERSIST_REFUSED || call->patience == PP_API_TRY;
  call->under_way = pp_api_send (api, call->method, call->path, call->body, call->csrf_token,
                                 body_once, on_answer, call);
}

void
pp_api_pump (PpApi *api)
{
  PpApiCall *call;

  while ((call = pp_api_take_next (api)) != NULL)
    start_attempt (call);
}

static PpApiCall *
new_call (PpApi *api, const char *method, const char *path, PpApiDoneFunc done, gpointer user_data)
{
  PpApiCall *call = g_new0 (PpApiCall, 1);

  call->api = api;
  call->method = g_strdup (method);
  call->path = g_strdup (path);
  call->done = done;
  call->user_data = user_data;
  g_hash_table_add (api->calls, call);
  return call;
}

PpApiCall *
pp_api_call_nothing (PpApi *api, PpApiDoneFunc done, gpointer user_data)
{
  PpApiCall *call = new_call (api, "", "", done, user_data);
  call->nothing = TRUE;
  start_timer (call, 0);
  return call;
}

PpApiCall *
pp_api_call_full (PpApi *api, const char *method, const char *path, json_t *body,
                  PpApiPatience patience, PpApiUrgency urgency, PpApiDoneFunc done,
                  gpointer user_data, GDestroyNotify destroy)
{
  PpApiCall *call = new_call (api, method, path, done, user_data);

  call->patience = patience;
  call->urgency = urgency;
  call->destroy = destroy;
  if (body != NULL)
    {
      char *text = json_dumps (body, JSON_COMPACT | JSON_ENCODE_ANY);
      json_decref (body);
      call->body = g_bytes_new_with_free_func (text, strlen (text), free, text);
    }
  call->queued = g_get_monotonic_time ();
  g_queue_push_tail (&api->waiting[urgency], call);
  pp_api_pump (api);
  return call;
}

PpApiCall *
pp_api_call (PpApi *api, const char *method, const char *path, json_t *body, PpApiPatience patience,
             PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_call_full (api, method, path, body, patience, PP_API_NEEDED, done, user_data, NULL);
}

PpApiCall *
pp_api_call_shared (PpApi *api, const char *method, const char *path, json_t *body,
                    PpApiPatience patience, PpApiDoneFunc done, gpointer user_data)
{
  return pp_api_call_full (api, method, path, body, patience, PP_API_SHARED, done, user_data, NULL);
}

PpApiCall *
pp_api_expects (PpApiShapeFunc shape, PpApiCall *call)
{
  call->shape = shape;
  return call;
}

gboolean
pp_api_is_array (const json_t *json, const char *path G_GNUC_UNUSED, long status G_GNUC_UNUSED,
                 gconstpointer user_data G_GNUC_UNUSED)
{
  return json_is_array (json);
}

/* Returns the UUID in PATH if PATH is /COLLECTION/UUID, with or without a query; new string, or
 * NULL. */
static char *
uuid_of_path (const char *path)
{
  g_auto (GStrv) parts = g_strsplit_set (path, "/?", 4);

  if (g_strv_length (parts) < 3 || !g_uuid_string_is_valid (parts[2])
      || path[strlen (parts[1]) + strlen (parts[2]) + 2] == '/')
    return NULL;
  return g_strdup (parts[2]);
}

gboolean
pp_api_is_resource (const json_t *json, const char *path, long status G_GNUC_UNUSED,
                    gconstpointer user_data G_GNUC_UNUSED)
{
  const char *id = pp_json_string (json, "id");
  g_autofree char *wanted = uuid_of_path (path);

  return id != NULL && (wanted == NULL || g_ascii_strcasecmp (id, wanted) == 0);
}

gboolean
pp_api_is_changed (const json_t *json, const char *path G_GNUC_UNUSED, long status,
                   gconstpointer user_data G_GNUC_UNUSED)
{
  return json == NULL && status == 204;
}

PpApiCall *
pp_api_read_resource (PpApi *api, const char *path, PpApiPatience patience, PpApiDoneFunc done,
                      gpointer user_data)
{
  return pp_api_expects (pp_api_is_resource,
                         pp_api_call (api, "GET", path, NULL, patience, done, user_data));
}

void
pp_api_call_cancel (PpApiCall *call)
{
  if (call == NULL || !g_hash_table_contains (call->api->calls, call))
    return; /* called from its own callback */
  PpApi *api = call->api;
  forget_call (call);
  free_call (call);
  pp_api_pump (api);
}

json_t *
pp_api_text (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  return json_string (valid);
}

void
pp_api_expect (PpApi *api)
{
  api->has_answer = TRUE;
  api->heard = TRUE;
}

PpApi *
pp_api_new (PpHttp *http, const PpSettings *settings)
{
  PpApi *api = g_new0 (PpApi, 1);

  api->http = http;
  api->settings = settings;
  api->wait_factor = 1;
  api->url = g_strdup (settings->api_url);
  while (g_str_has_suffix (api->url, "/"))
    api->url[strlen (api->url) - 1] = '\0';
  api->display_url = pp_http_url_for_display (api->url);
  api->calls = g_hash_table_new (NULL, NULL);
  api->headers = g_ptr_array_new_with_free_func (g_free);
  api->worker = g_ptr_array_new_with_free_func (g_free);
  api->secrets = g_ptr_array_new_with_free_func (g_free);
  api->csrf_enabled = settings->client_csrf_support_enabled;
  api->csrf_client = g_uuid_string_random ();
  pp_api_init_headers (api);
  pp_api_warn_of_transport (api);
  return api;
}

void
pp_api_free (PpApi *api)
{
  if (api == NULL)
    return;
  g_autoptr (GList) calls = g_hash_table_get_keys (api->calls);
  for (GList *link = calls; link != NULL; link = link->next)
    {
      PpApiCall *call = link->data;
      forget_call (call);
      free_call (call);
    }
  pp_http_call_cancel (api->csrf_fetching);
  g_clear_handle_id (&api->late_timer, g_source_remove);
  g_hash_table_unref (api->calls);
  g_ptr_array_unref (api->headers);
  g_ptr_array_unref (api->worker);
  g_ptr_array_unref (api->secrets);
  g_free (api->csrf_client);
  g_free (api->csrf_token);
  g_free (api->display_url);
  g_free (api->url);
  g_free (api);
}

const char *
pp_api_url (const PpApi *api)
{
  return api->display_url;
}

gboolean
pp_api_is_cloud (const PpApi *api)
{
  return api->settings->connected_to_cloud;
}

guint
pp_api_pending (const PpApi *api)
{
  return g_hash_table_size (api->calls);
}

gint64
pp_api_maintenance_until (const PpApi *api)
{
  return api->maintenance_until;
}
