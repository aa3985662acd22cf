/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one call to an engine: its requests, their answers and errors, its end. */
#include "config.h"

#include "engine_api-private.h"

#include "prefect-podman/text/cut.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RESPONSE_MEMORY ((gsize)64 * 1024 * 1024)
/* libcurl may count milliseconds in an int; a job may set a stop timeout of 68 years. */
#define MAX_SECONDS (G_MAXINT / 1000)

static void
call_free (EngineCall *call)
{
  g_free (call->what);
  json_decref (call->body);
  json_decref (call->env);
  json_decref (call->made);
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

void
pp_engine_call_cancel (PpInfrastructureCall *base)
{
  EngineCall *call = (EngineCall *)base;

  if (call->ended)
    return;
  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  stop_rest (call);
  if (call->busy == 0)
    call_free (call);
}

void
pp_engine_call_resume (PpInfrastructureCall *base)
{
  EngineCall *call = (EngineCall *)base;

  call->is_held = FALSE;
  if (call->file != NULL)
    pp_engine_follow_file_resume (call->file);
  else if (call->http_call != NULL)
    pp_http_call_resume (call->http_call);
}

EngineCall *
pp_engine_call_new (Engine *engine, char *what, DeliverFunc deliver, gpointer user_data)
{
  EngineCall *call = g_new0 (EngineCall, 1);

  call->base.infrastructure = &engine->base;
  call->engine = engine;
  call->what = pp_text_cut (what, strlen (what), PP_TEXT_MAX_NAME);
  g_free (what);
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

void
pp_engine_call_fail_stranger (EngineCall *call, long status, const char *why)
{
  call->engine->heard = 0;
  pp_engine_call_fail (
      call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      "the program that answers at %s (status %ld) is not a container engine: %s%s",
      call->engine->url, status, why,
      call->engine->info == NULL ? " (is this the container engine's address?)" : "");
}

/* Ends CALL, whose answer is too large; WORDS say how large. Unless CALL has may_be_large, an
 * engine's own answer is never that large: then another program sent this answer, and the engine
 * itself may have done what was asked. */
static void
fail_too_large (EngineCall *call, const char *words)
{
  if (call->may_be_large)
    {
      pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_TOO_LARGE, "%s", words);
      return;
    }
  call->engine->heard = 0;
  pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                       "no usable answer from the container engine at %s: %s", call->engine->url,
                       words);
}

static void
fail_transport (EngineCall *call, const GError *error)
{
  gboolean is_connect = g_error_matches (error, PP_HTTP_ERROR, PP_HTTP_ERROR_CONNECT);
  Engine *engine = call->engine;
  g_autofree char *hint
      = is_connect ? pp_engine_connect_hint (engine->socket_path, &engine->names) : NULL;

  if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_TOO_LARGE)
    fail_too_large (call, error->message);
  else if (g_error_matches (error, PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LONG))
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_FAILED, "%s", error->message);
  else if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_SILENCE
           && call->pull == NULL)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_FAILED,
                         "the engine has sent nothing more for a while: %s", error->message);
  else if (error->domain == PP_HTTP_ERROR && error->code == PP_HTTP_ERROR_SILENCE)
    pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                         "the engine has reported no progress for %u minutes. The registry, or the "
                         "connection to it, may hang",
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
    g_debug ("The worker could not find out which container engine answers now: %s",
             error->message);
}

/* Asks for the engine's version again if the engine may be another one now: it was away, or its
 * "Server" header ("Libpod/5.4.2 (linux)") has changed. Does not do this for a ping:
 * on_pong() does it. */
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

/* True if STATUS, below 400, is the one with which an engine reports that it has done what CALL
 * asks for. Any other is the answer of a proxy, a cache or another program. */
static gboolean
is_success (const EngineCall *call, long status)
{
  return status == call->success || (status == 304 && call->same_is_fine);
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
  if (response->status < 400 && !is_success (call, response->status))
    {
      g_autofree char *why
          = g_strdup_printf ("an engine answers this request with status %ld", call->success);
      pp_engine_call_fail_stranger (call, response->status, why);
      return;
    }
  g_autofree char *words = response->status < 400 ? NULL : pp_engine_words (response);
  PpInfrastructureError code = words != NULL ? pp_engine_error_code (call, response, words) : 0;
  if (words == NULL || (call->may_refuse && response->status == 500)
      || (call->takes_refusal && code == PP_INFRASTRUCTURE_ERROR_FAILED))
    {
      call->answer (call, response);
      return;
    }
  /* The engine is away, unless it is only busy. In a pull, a 503 may also be the registry's. */
  if (code == PP_INFRASTRUCTURE_ERROR_UNAVAILABLE && call->pull == NULL
      && !pp_engine_is_busy (response))
    call->engine->heard = 0;
  if (call->gone_is_fine
      && (code == PP_INFRASTRUCTURE_ERROR_NOT_FOUND || pp_engine_says_removing (response)))
    pp_engine_call_end (call, NULL, NULL);
  else if (call->ended_is_fine && pp_engine_says_not_running (response))
    pp_engine_call_end (call, NULL, NULL);
  else
    pp_engine_call_fail (call, code, "%s (%s answered %ld)%s",
                         *words != '\0' ? words : "the engine gave no reason",
                         call->engine->info != NULL ? call->engine->info->name : call->engine->url,
                         response->status, pp_engine_advice (call, response));
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
                                 /* On a new connection, libcurl sends a request only once. */
                                 .own_connection = g_str_equal (request->method, "POST"),
                                 .body = body,
                                 .body_length = body != NULL ? strlen (body) : 0,
                                 .connect_timeout_ms = PP_ENGINE_CONNECT_TIMEOUT_MS,
                                 .timeout_ms = MIN (request->timeout_seconds, MAX_SECONDS) * 1000,
                                 .silence_seconds = request->silence_seconds,
                                 /* Warn only about short GET requests: all others may take long. */
                                 .slow_ms = is_look ? PP_HTTP_SLOW_MS : 0,
                                 .max_response_bytes = PP_ENGINE_MAX_RESPONSE_BYTES };
  call->success = request->success != 0 ? request->success : 200;
  call->answer = answer;
  call->http_call
      = request->on_data != NULL
            ? pp_http_stream (engine->http, &http_request, request->on_data, on_http_done, call)
            : pp_http_send (engine->http, &http_request, on_http_done, call);
  free (body);
}

json_t *
pp_engine_call_json (EngineCall *call, const PpHttpResponse *response)
{
  json_error_t why;
  json_t *json;

  if (!pp_json_fits (response->body, response->body_length, MAX_RESPONSE_MEMORY))
    {
      g_autofree char *words
          = g_strdup_printf ("the answer of %" G_GSIZE_FORMAT
                             " bytes would take more than %" G_GSIZE_FORMAT " MiB of memory",
                             response->body_length, MAX_RESPONSE_MEMORY / 1024 / 1024);
      fail_too_large (call, words);
      return NULL;
    }
  json = pp_json_parse (response->body, response->body_length, 0, &why);
  if (json == NULL)
    pp_engine_call_fail_stranger (call, response->status, why.text);
  return json;
}
