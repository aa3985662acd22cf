/* SPDX-License-Identifier: Apache-2.0 */
/* Interprets the engine's answers with status 400 or above. */
#include "config.h"

#include "engine_api-private.h"

#include "prefect-podman/text/cut.h"

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
  /* The job's secrets are masked later, and a part of a secret would not be masked. So cut the text
   * between words, as pp_text_cut() does. */
  char *words = pp_text_cut (message, strlen (message), MAX_ENGINE_WORDS);
  return g_strstrip (g_strdelimit (words, "\r\n\t", ' '));
}

/* True if BODY's `cause` is one of CAUSES. The cause is Podman's own error without its details.
 * But a cause may be the same as the message, and a message may quote the job (a device, an
 * entrypoint, a mount). So compare the whole cause, and do not search in it. */
static gboolean
is_caused_by (const json_t *body, const char *const *causes)
{
  const char *cause = pp_json_string (body, "cause");

  return cause != NULL && g_strv_contains (causes, cause);
}

static gboolean
is_busy (long status, const json_t *body)
{
  static const char *const causes[] = { "database is locked", NULL };

  return status == 500 && is_caused_by (body, causes);
}

gboolean
pp_engine_is_busy (const PpHttpResponse *response)
{
  json_auto_t *body = parse (response);

  return is_busy (response->status, body);
}

/* True if BODY, of an answer to a create, says that the name belongs to another container. Podman
 * answers 500. The message comes from its storage, or from Podman itself if only a pod has the
 * name. */
static gboolean
is_about_name (long status, const json_t *body)
{
  static const char *const causes[]
      = { "that name is already in use", "container already exists", "pod already exists", NULL };
  const char *message = pp_json_string (body, "message");

  if (pp_json_string (body, "cause") != NULL)
    return (status == 409 || status == 500) && is_caused_by (body, causes);
  return status == 409 && message != NULL
         && g_str_has_prefix (message, "Conflict. The container name ");
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

gboolean
pp_engine_says_removing (const PpHttpResponse *response)
{
  json_auto_t *body = response->status == 409 ? parse (response) : NULL;
  const char *message = pp_json_string (body, "message");

  return message != NULL && g_str_has_suffix (message, " is already in progress");
}

gboolean
pp_engine_says_not_running (const PpHttpResponse *response)
{
  json_auto_t *body = response->status == 409 ? parse (response) : NULL;
  const char *message = pp_json_string (body, "message");

  return message != NULL && g_str_has_suffix (message, " is not running");
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
  static const char *const gone[] = { "no such container", NULL };
  json_auto_t *body = parse (response);
  gboolean is_own = is_engines_own (body);
  long status = response->status;

  if (is_busy (status, body))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  if (call->pull != NULL && pp_pull_may_pass (words))
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  if (call->creates && is_about_name (status, body))
    return PP_INFRASTRUCTURE_ERROR_NAME_IN_USE;
  if ((status == 404 && is_about_object (body)) || is_caused_by (body, gone))
    return PP_INFRASTRUCTURE_ERROR_NOT_FOUND;
  /* An answer in another format is from a gateway in front of the engine. */
  if (status == 502 || status == 503 || status == 504 || !is_own)
    return PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
  return PP_INFRASTRUCTURE_ERROR_FAILED;
}

/* True if BODY reports devices that no CDI file on the engine's host describes. The texts are
 * Podman's cause, Podman's message, and Docker's message. */
static gboolean
is_about_cdi (const json_t *body)
{
  static const char *const starts[]
      = { "unresolvable CDI devices ", "setting up CDI devices: unresolvable CDI devices ",
          "CDI device injection failed: unresolvable CDI devices " };
  const char *cause = pp_json_string (body, "cause");
  const char *said = cause != NULL ? cause : pp_json_string (body, "message");

  for (gsize i = 0; said != NULL && i < G_N_ELEMENTS (starts); i++)
    if (g_str_has_prefix (said, starts[i]))
      return TRUE;
  return FALSE;
}

const char *
pp_engine_advice (const EngineCall *call, const PpHttpResponse *response)
{
  json_auto_t *body = parse (response);

  /* Give this advice only before the first connection. Later, such an answer means that the engine
   * is away and a gateway answers. */
  if (call->engine->info == NULL && !is_engines_own (body))
    return " (not the engine's own answer: is this the container engine's address?)";
  if (is_about_cdi (body))
    return ". No CDI file on the engine's host describes these devices. For NVIDIA GPUs, run on "
           "that host: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
  return "";
}
