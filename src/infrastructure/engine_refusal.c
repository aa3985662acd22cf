/* The engine API kind: what an engine means by an answer of 400 or more. */
#include "config.h"

#include "engine_api.h"

#include <string.h>

#define MAX_ENGINE_WORDS 4096

char *
pp_engine_words (const PpHttpResponse *response)
{
  json_auto_t *body = pp_json_parse (response->body, response->body_length, 0, NULL);
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

/* Podman's errors have a cause and a message, Docker's a message. */
gboolean
pp_engine_is_own_error (const PpHttpResponse *response)
{
  json_auto_t *body = pp_json_parse (response->body, response->body_length, 0, NULL);

  return pp_json_string (body, "message") != NULL || pp_json_string (body, "cause") != NULL;
}

gboolean
pp_engine_says_gone (const PpHttpResponse *response)
{
  json_auto_t *body = pp_json_parse (response->body, response->body_length, 0, NULL);
  const char *message = pp_json_string (body, "message");
  g_autofree char *lower = g_ascii_strdown (message != NULL ? message : "", -1);

  if (response->status != 404)
    return FALSE;
  /* Podman has many words for it, Docker "No such image: x" and "network x not found". */
  return pp_json_string (body, "cause") != NULL || strstr (lower, "no such ") != NULL
         || (strstr (lower, "not found") != NULL && strstr (lower, "page not found") == NULL);
}

PpInfrastructureError
pp_engine_error_code (const EngineCall *call, const PpHttpResponse *response, const char *words)
{
  long status = response->status;

  if (pp_engine_is_busy (status, words))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  if (call->pull != NULL && pp_pull_may_pass (words))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  /* Podman says it with 500 in older versions, Docker with 409. */
  if (call->creates && (status == 409 || status == 500) && strstr (words, "in use") != NULL
      && strstr (words, "name") != NULL)
    return PP_INFRASTRUCTURE_ERROR_NAME_IN_USE;
  if (pp_engine_says_gone (response) || strstr (words, "no such container") != NULL)
    return PP_INFRASTRUCTURE_ERROR_NOT_FOUND;
  if (status == 502 || status == 503 || status == 504 || !pp_engine_is_own_error (response))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  return PP_INFRASTRUCTURE_ERROR_FAILED;
}

const char *
pp_engine_advice (const char *words)
{
  if (strstr (words, "unresolvable CDI devices") != NULL)
    return ". The engine's host does not describe these devices. For NVIDIA's GPUs, run there: "
           "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
  return "";
}
