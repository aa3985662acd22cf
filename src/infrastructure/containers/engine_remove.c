/* SPDX-License-Identifier: Apache-2.0 */
/* The removal of containers: of those that have run, and of those that never have. */
#include "config.h"

#include "engine_api-private.h"

#include <string.h>

/* A request for the removal of a container that never ran may be carried out late, when its worker
 * is gone and the container has run after all: it must not take what has run. So the container gets
 * a name of its own for its removal, and is removed by that name. Whoever goes on with it names it
 * back first (pp_engine_keep()), and the late request finds nothing. */
#define UNSTARTED "unstarted-%.12s-%08x"

/* Where the engine refused the name, it refuses it always, and the container is removed by its id.
 * Any other failure ends the call: the name may be given late. */
static void
on_renamed (EngineCall *call, const PpHttpResponse *response)
{
  const char *name = response->status < 400 ? call->path : call->container_id;

  call->takes_refusal = FALSE;
  pp_engine_send_container (call, "DELETE", name, "?v=1", PP_ENGINE_SLOW_SECONDS,
                            pp_engine_end_plain);
}

/* Gives container ID the name NAME. ANSWER also gets the engine's refusal. */
static void
send_rename (EngineCall *call, const char *id, const char *name, AnswerFunc answer)
{
  g_autofree char *escaped = pp_engine_escape (name);
  g_autofree char *tail = g_strconcat ("/rename?name=", escaped, NULL);

  call->takes_refusal = TRUE;
  pp_engine_send_container (call, "POST", id, tail, PP_ENGINE_QUICK_SECONDS, answer);
}

PpInfrastructureCall *
pp_engine_remove (PpInfrastructure *infrastructure, const char *container_id, gboolean force,
                  PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call
      = pp_engine_container_call (infrastructure, "remove", container_id, done, user_data);

  call->gone_is_fine = TRUE;
  if (force)
    {
      pp_engine_send_container (call, "DELETE", container_id, "?force=1&v=1",
                                PP_ENGINE_SLOW_SECONDS, pp_engine_end_plain);
      return &call->base;
    }
  call->container_id = g_strdup (container_id);
  call->path = g_strdup_printf (UNSTARTED, container_id, g_random_int ());
  send_rename (call, container_id, call->path, on_renamed);
  return &call->base;
}

/* Docker answers 400 if the container has the name. It may be another container's by now, too. */
static void
on_named_back (EngineCall *call, const PpHttpResponse *response)
{
  call->takes_refusal = FALSE;
  if (response->status <= 400)
    {
      pp_engine_call_end (call, NULL, NULL);
      return;
    }
  g_autofree char *name = g_strdup_printf ("%s-%.12s", call->path, call->container_id);
  g_autofree char *escaped = pp_engine_escape (name);
  g_autofree char *tail = g_strconcat ("/rename?name=", escaped, NULL);

  pp_engine_send_container (call, "POST", call->container_id, tail, PP_ENGINE_QUICK_SECONDS,
                            pp_engine_end_plain);
}

PpInfrastructureCall *
pp_engine_keep (PpInfrastructure *infrastructure, const char *container_id, const char *name,
                PpInfrastructureDoneFunc done, gpointer user_data)
{
  EngineCall *call
      = pp_engine_container_call (infrastructure, "rename", container_id, done, user_data);

  call->container_id = g_strdup (container_id);
  call->path = g_strdup (name);
  send_rename (call, container_id, name, on_named_back);
  return &call->base;
}
