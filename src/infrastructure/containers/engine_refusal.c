/* SPDX-License-Identifier: Apache-2.0 */
/* The engine API kind: interprets answers with status 400 or above. */
#include "config.h"

#include "engine_api-private.h"

#include <string.h>

#define MAX_ENGINE_WORDS 4096

/* Podman's errors have a cause and a message; Docker's have a message. */
static json_t *
parse (const PpHttpResponse *response)
{
  return pp_json_parse (response->body, response->body_length, 0, NULL);
}

char *
pp_engine_words (const PpHttpResponse *response)
{
  json_auto_t *body = parse (response);
  const char *message = pp_json_string (body, "message");

  if (message == NULL || *message == '\0')
    message = pp_json_string (body, "cause");
  if (message == NULL)
    message = response->body;
  g_autofree char *valid
      = g_utf8_make_valid (message, (gssize)MIN (strlen (message), MAX_ENGINE_WORDS));
  return g_strstrip (g_strdelimit (g_steal_pointer (&valid), "\r\n\t", ' '));
}

gboolean
pp_engine_is_busy (long status, const char *words)
{
  return status == 500 && strstr (words, "database is locked") != NULL;
}

/* True if a 404 with BODY reports a missing object. Podman has many messages for it. Docker has "No
 * such image: x" and "network x not found". */
static gboolean
is_about_object (const json_t *body)
{
  const char *message = pp_json_string (body, "message");
  g_autofree char *lower = g_ascii_strdown (message != NULL ? message : "", -1);

  return pp_json_string (body, "cause") != NULL || strstr (lower, "no such ") != NULL
         || (strstr (lower, "not found") != NULL && strstr (lower, "page not found") == NULL);
}

gboolean
pp_engine_says_gone (const PpHttpResponse *response)
{
  json_auto_t *body = response->status == 404 ? parse (response) : NULL;

  return body != NULL && is_about_object (body);
}

/* True if BODY, the body of an error, has an engine's format. */
static gboolean
is_engines_own (const json_t *body)
{
  return pp_json_string (body, "message") != NULL || pp_json_string (body, "cause") != NULL;
}

PpInfrastructureError
pp_engine_error_code (const EngineCall *call, const PpHttpResponse *response, const char *words)
{
  json_auto_t *body = parse (response);
  gboolean is_own = is_engines_own (body);
  long status = response->status;

  if (pp_engine_is_busy (status, words))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  if (call->pull != NULL && pp_pull_may_pass (words))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  /* For a name in use, older Podman versions answer 500, and Docker answers 409. */
  if (call->creates && (status == 409 || status == 500) && strstr (words, "in use") != NULL
      && strstr (words, "name") != NULL)
    return PP_INFRASTRUCTURE_ERROR_NAME_IN_USE;
  if ((status == 404 && is_about_object (body)) || strstr (words, "no such container") != NULL)
    return PP_INFRASTRUCTURE_ERROR_NOT_FOUND;
  /* An answer in another format is from a gateway in front of the engine. */
  if (status == 502 || status == 503 || status == 504 || !is_own)
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  return PP_INFRASTRUCTURE_ERROR_FAILED;
}

const char *
pp_engine_advice (const EngineCall *call, const PpHttpResponse *response, const char *words)
{
  json_auto_t *body = parse (response);

  /* Only before the first connection: later it means that the engine is away and a gateway
   * answers. */
  if (call->engine->info == NULL && !is_engines_own (body))
    return " (not the engine's own answer: is this the container engine's address?)";
  if (strstr (words, "unresolvable CDI devices") != NULL)
    return ". The engine's host does not describe these devices. For NVIDIA's GPUs, run there: "
           "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
  return "";
}
