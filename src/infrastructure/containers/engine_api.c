/* SPDX-License-Identifier: Apache-2.0 */
/* The engine API kind: requests and answers of Podman's and Docker's API. */
#include "config.h"

#include "engine_api-private.h"

#include "prefect-podman/http/proxy.h"
#include "values-private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000
#define LOOK_TIMEOUT_MS 120000
/* Far more than the inspection of a container, or the list of all of them. */
#define MAX_RESPONSE_BYTES ((gsize)16 * 1024 * 1024)
#define MAX_RESPONSE_MEMORY ((gsize)64 * 1024 * 1024)
/* libcurl may count milliseconds in an int; a job may set a stop timeout of 68 years. */
#define MAX_SECONDS (G_MAXINT / 1000)

static gboolean
speaks (const char *url)
{
  g_autofree char *socket_path = NULL;
  g_autofree char *base_url = NULL;

  return pp_engine_url_parse (url, &socket_path, &base_url, NULL);
}

/* Checks what the environment says about the connection to a TCP address: TLS and a proxy. */
static gboolean
check_way (const char *url, char **base_url, PpEngineTls *tls, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (!pp_engine_tls_find (url, base_url, tls, error))
    return FALSE;
  if (pp_proxy_check (*base_url, &problem))
    return TRUE;
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID, "%s",
               problem->message);
  return FALSE;
}

static PpInfrastructure *
engine_new (PpHttp *http, const char *url, GError **error)
{
  g_autofree char *socket_path = NULL;
  g_autofree char *base_url = NULL;

  PpEngineTls tls = { NULL };
  if (!pp_engine_url_parse (url, &socket_path, &base_url, error)
      || (socket_path == NULL && !check_way (url, &base_url, &tls, error)))
    {
      pp_engine_tls_clear (&tls);
      return NULL;
    }
  Engine *engine = g_new0 (Engine, 1);
  engine->tls = tls;
  engine->base.kind = &pp_engine_api_kind;
  engine->http = http;
  engine->url = pp_http_url_for_display (url);
  engine->socket_path = g_steal_pointer (&socket_path);
  engine->base_url = g_steal_pointer (&base_url);
  pp_engine_names_init (&engine->names, engine->socket_path);
  engine->prefix = g_strdup ("");
  engine->calls = g_hash_table_new (NULL, NULL);
  engine->events = pp_engine_events_new (engine);
  engine->docker = pp_docker_reader_new ();
  return &engine->base;
}

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

static void
call_free (EngineCall *call)
{
  g_free (call->what);
  json_decref (call->body);
  json_decref (call->env);
  g_free (call->network);
  g_free (call->path);
  g_free (call->image);
  g_free (call->registry_auth);
  g_free (call->container_id);
  pp_engine_info_free (call->info);
  pp_pull_free (call->pull);
  pp_frames_clear (&call->frames);
  g_free (call->end.output_lost);
  g_free (call->end.damage);
  pp_engine_follow_file_free (call->file);
  pp_engine_watch_free (call->watch);
  g_free (call);
}

/* Cancels everything of CALL except its current request. */
static void
stop_rest (EngineCall *call)
{
  call->ended = TRUE;
  g_hash_table_remove (call->engine->calls, call);
  pp_http_call_cancel (g_steal_pointer (&call->look));
  pp_docker_read_cancel (g_steal_pointer (&call->docker_read));
  pp_credential_helper_cancel (g_steal_pointer (&call->helper));
  g_clear_handle_id (&call->wait, g_source_remove);
  g_clear_handle_id (&call->cut_timer, g_source_remove);
  if (call->file != NULL)
    pp_engine_follow_file_stop (call->file);
  pp_engine_watch_stop (call->watch);
}

static void
call_cancel (PpInfrastructureCall *base)
{
  EngineCall *call = (EngineCall *)base;

  if (call->ended)
    return;
  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  stop_rest (call);
  if (call->busy == 0)
    call_free (call);
}

static void
call_resume (PpInfrastructureCall *base)
{
  EngineCall *call = (EngineCall *)base;

  call->is_held = FALSE;
  if (call->file != NULL)
    pp_engine_follow_file_resume (call->file);
  else if (call->http_call != NULL)
    pp_http_call_resume (call->http_call);
}

static void
engine_free (PpInfrastructure *infrastructure)
{
  Engine *engine = (Engine *)infrastructure;
  GList *calls = g_hash_table_get_keys (engine->calls);

  for (GList *link = calls; link != NULL; link = link->next)
    call_cancel (link->data);
  g_list_free (calls);
  g_hash_table_unref (engine->calls);
  pp_engine_events_free (engine->events);
  pp_docker_reader_free (engine->docker);
  g_free (engine->docker_trouble);
  g_free (engine->log_root);
  pp_engine_info_free (engine->info);
  g_free (engine->server);
  g_free (engine->url);
  g_free (engine->socket_path);
  g_free (engine->base_url);
  pp_engine_tls_clear (&engine->tls);
  pp_engine_names_clear (&engine->names);
  g_free (engine->prefix);
  g_free (engine);
}

static const PpEngineInfo *
engine_info (const PpInfrastructure *infrastructure)
{
  return ((const Engine *)infrastructure)->info;
}

static gint64
engine_heard (const PpInfrastructure *infrastructure)
{
  return ((const Engine *)infrastructure)->heard;
}

EngineCall *
pp_engine_call_new (Engine *engine, char *what, DeliverFunc deliver, gpointer user_data)
{
  EngineCall *call = g_new0 (EngineCall, 1);

  call->base.infrastructure = &engine->base;
  call->engine = engine;
  call->what = what;
  call->deliver = deliver;
  call->user_data = user_data;
  g_hash_table_add (engine->calls, call);
  return call;
}

static void
deliver_plain (EngineCall *call, json_t *json G_GNUC_UNUSED, const GError *error)
{
  call->done.plain (error, call->user_data);
}

EngineCall *
pp_engine_call_new_plain (Engine *engine, char *what, PpInfrastructureDoneFunc done,
                          gpointer user_data)
{
  EngineCall *call = pp_engine_call_new (engine, what, deliver_plain, user_data);

  call->done.plain = done;
  return call;
}

void
pp_engine_call_enter (EngineCall *call)
{
  call->busy++;
}

gboolean
pp_engine_call_leave (EngineCall *call)
{
  call->busy--;
  if (!call->ended)
    return TRUE;
  if (call->busy == 0)
    call_free (call);
  return FALSE;
}

void
pp_engine_call_end (EngineCall *call, json_t *json, const GError *error)
{
  stop_rest (call);
  call->deliver (call, json, error);
  if (call->busy == 0)
    call_free (call);
}

void
pp_engine_end_plain (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  pp_engine_call_end (call, NULL, NULL);
}

void
pp_engine_call_fail (EngineCall *call, PpInfrastructureError code, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_autoptr (GError) error
      = g_error_new (PP_INFRASTRUCTURE_ERROR, (int)code, "%s: %s", call->what, text);
  pp_engine_call_end (call, NULL, error);
}

static void
fail_transport (EngineCall *call, const GError *error)
{
  gboolean is_connect = g_error_matches (error, PP_HTTP_ERROR, PP_HTTP_ERROR_CONNECT);
  Engine *engine = call->engine;
  g_autofree char *hint
      = is_connect ? pp_engine_connect_hint (engine->socket_path, &engine->names) : NULL;

  if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_TOO_LARGE)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_TOO_LARGE, "%s", error->message);
  else if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_SILENCE
           && call->pull == NULL)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_FAILED,
                         "the engine has sent nothing more for a while: %s", error->message);
  else if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_SILENCE)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                         "the engine has told of no progress for %u minutes: the registry, or the "
                         "way to it, may be stuck",
                         PP_ENGINE_PULL_SILENCE_SECONDS / 60);
  else if (g_error_matches (error, PP_HTTP_ERROR, PP_HTTP_ERROR_SHORTAGE))
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, "%s", error->message);
  else
    {
      engine->heard = 0;
      pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                           "no answer from the container engine at %s: %s%s", engine->url,
                           error->message, hint != NULL ? hint : "");
    }
}

static void
on_asked_again (const GError *error, gpointer user_data)
{
  Engine *engine = user_data;

  engine->asking = NULL;
  if (error != NULL)
    g_debug ("What the container engine is now is not known: %s", error->message);
}

/* Asks for the engine's version again if the engine may be another one now: it was away, or its
 * "Server" header ("Libpod/5.4.2 (linux)") has changed. A ping does that itself before it ends. */
static void
note_answer (EngineCall *call, const PpHttpResponse *response)
{
  Engine *engine = call->engine;
  const char *server = pp_http_response_header (response, "server");

  call->is_news
      = engine->info != NULL
        && (engine->heard == 0 || (server != NULL && g_strcmp0 (server, engine->server) != 0));
  engine->heard = g_get_monotonic_time ();
  if (call->is_news && !call->asks_engine && engine->asking == NULL)
    engine->asking = pp_engine_connect (&engine->base, on_asked_again, engine);
}

static void
on_http_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineCall *call = user_data;

  call->http_call = NULL;
  if (error != NULL)
    {
      fail_transport (call, error);
      return;
    }
  note_answer (call, response);
  if (response->status < 400 || (call->may_refuse && response->status == 500))
    {
      call->answer (call, response);
      return;
    }
  g_autofree char *words = pp_engine_words (response);
  PpInfrastructureError code = pp_engine_error_code (call, response, words);
  /* In a pull, a 503 may be the registry's. A busy engine is not away. */
  if (code == PP_INFRASTRUCTURE_ERROR_UNAVAILABLE && call->pull == NULL
      && !pp_engine_is_busy (response->status, words))
    call->engine->heard = 0;
  if (call->gone_is_fine
      && (code == PP_INFRASTRUCTURE_ERROR_NOT_FOUND
          || strstr (words, "already in progress") != NULL))
    pp_engine_call_end (call, NULL, NULL);
  else
    pp_engine_call_fail (call, code, "%s (%s answered %ld)%s",
                         *words != '\0' ? words : "the engine gave no reason",
                         call->engine->info != NULL ? call->engine->info->name : call->engine->url,
                         response->status, pp_engine_advice (call, response, words));
}

void
pp_engine_call_send (EngineCall *call, const EngineRequest *request, AnswerFunc answer)
{
  const Engine *engine = call->engine;
  g_autofree char *url = g_strconcat (engine->base_url, request->unversioned ? "" : engine->prefix,
                                      request->path, NULL);
  g_autofree char *auth = request->registry_auth != NULL
                              ? g_strconcat ("X-Registry-Auth: ", request->registry_auth, NULL)
                              : NULL;
  const char *headers[3] = { NULL };
  char *body = NULL;
  guint n = 0;
  gboolean is_look = request->on_data == NULL && g_str_equal (request->method, "GET");

  if (request->body != NULL)
    {
      body = json_dumps (request->body, JSON_COMPACT);
      headers[n++] = "Content-Type: application/json";
    }
  if (auth != NULL)
    headers[n++] = auth;
  PpHttpRequest http_request = { .method = request->method,
                                 .url = url,
                                 .unix_socket_path = engine->socket_path,
                                 .tls_ca_file = engine->tls.ca_file,
                                 .tls_cert_file = engine->tls.cert_file,
                                 .tls_key_file = engine->tls.key_file,
                                 .headers = headers,
                                 /* libcurl never sends these twice. */
                                 .own_connection = g_str_equal (request->method, "POST"),
                                 .body = body,
                                 .body_length = body != NULL ? strlen (body) : 0,
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                 .timeout_ms = MIN (request->timeout_seconds, MAX_SECONDS) * 1000,
                                 .silence_seconds = request->silence_seconds,
                                 /* Other requests may take long. */
                                 .slow_ms = is_look ? PP_HTTP_SLOW_MS : 0,
                                 .max_response_bytes = MAX_RESPONSE_BYTES };
  call->answer = answer;
  call->http_call
      = request->on_data != NULL
            ? pp_http_stream (engine->http, &http_request, request->on_data, on_http_done, call)
            : pp_http_send (engine->http, &http_request, on_http_done, call);
  free (body);
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
                            .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                            .timeout_ms = timeout_ms,
                            .max_response_bytes = MAX_RESPONSE_BYTES };

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

json_t *
pp_engine_call_json (EngineCall *call, const PpHttpResponse *response)
{
  json_error_t why;
  json_t *json;

  if (!pp_json_fits (response->body, response->body_length, MAX_RESPONSE_MEMORY))
    {
      pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_TOO_LARGE,
                           "the answer of %" G_GSIZE_FORMAT
                           " bytes would take more than %" G_GSIZE_FORMAT " MiB of memory",
                           response->body_length, MAX_RESPONSE_MEMORY / 1024 / 1024);
      return NULL;
    }
  json = pp_json_parse (response->body, response->body_length, 0, &why);
  if (json == NULL)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                         "what answers at %s (status %ld) is no container engine: %s%s",
                         call->engine->url, response->status, why.text,
                         call->engine->info == NULL ? " (is this the container engine's address?)"
                                                    : "");
  return json;
}

static PpCapabilities
engine_capabilities (const PpInfrastructure *infrastructure)
{
  const PpEngineInfo *info = ((const Engine *)infrastructure)->info;

  return (PpCapabilities){ .refuses_interrupted_start = info->kind == PP_ENGINE_PODMAN };
}

/* As the peer writes it. */
static char *
engine_pid (const PpInfrastructure *infrastructure, const char *job_id)
{
  return g_strdup_printf ("%s:%s", ((const Engine *)infrastructure)->info->base_url, job_id);
}

static const PpContainerCalls container_calls = {
  .check_image = pp_engine_check_image,
  .pull = pp_engine_pull,
  .create = pp_engine_create,
  .check_limits = pp_engine_check_limits,
  .connect_network = pp_engine_connect_network,
  .inspect = pp_engine_inspect,
};

static PpJobSpec *
engine_prepare (PpInfrastructure *infrastructure, const json_t *configuration, PpRunPolicy *policy,
                GPtrArray *warnings, GError **error)
{
  return pp_container_prepare (&container_calls, ((Engine *)infrastructure)->info, configuration,
                               policy, warnings, error);
}

const PpInfrastructureKind pp_engine_api_kind = {
  .speaks = speaks,
  .new_ = engine_new,
  .free = engine_free,
  .engine = engine_info,
  .capabilities = engine_capabilities,
  .pid = engine_pid,
  .heard = engine_heard,
  .trouble = pp_engine_trouble,
  .connect = pp_engine_connect,
  .ping = pp_engine_ping,
  .prepare = engine_prepare,
  .set_owner = pp_container_set_owner,
  .free_spec = pp_container_free_spec,
  .submit = pp_container_submit,
  .start = pp_engine_start,
  .follow = pp_engine_follow,
  .read_log = pp_engine_read_log,
  .follow_finish = pp_engine_follow_finish,
  .inspect = pp_engine_inspect,
  .watch = pp_engine_watch,
  .stop = pp_engine_stop,
  .unpause = pp_engine_unpause,
  .remove = pp_engine_remove,
  .list = pp_engine_list,
  .call_resume = call_resume,
  .call_cancel = call_cancel,
};
