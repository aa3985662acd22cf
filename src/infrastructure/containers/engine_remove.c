/* SPDX-License-Identifier: Apache-2.0 */
/* Removes containers: those that have run, and those that never ran. */
#include "config.h"

#include "engine_api-private.h"

#include <string.h>

/* A worker removes a container that has never run. The engine may carry out this request late, when
 * that worker is gone and the container has run after all. The late request must not remove a
 * container that has run. So the worker gives the container a special name and removes it by that
 * name. A worker that continues with the container first gives the container its old name
 * (pp_engine_keep()). The late request then finds nothing. */
#define UNSTARTED "unstarted-%.12s-%08x"

/* Removes the container by its special name. If the engine refused that name, removes the container
 * by its id, because a retry would not help. Any other failure has ended the call, because the
 * engine may still carry out the renaming. */
static void
on_renamed (EngineCall *call, const PpHttpResponse *response)
{
  const char *name = response->status < 400 ? call->path : call->container_id;

  call->takes_refusal = FALSE;
  pp_engine_send_container (call, "DELETE", name, "?v=1", PP_ENGINE_SLOW_SECONDS,
                            pp_engine_end_plain);
}

/* Renames container ID to NAME. ANSWER also gets the engine's refusal. */
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

/* Docker answers 400 if the container already has the name. If another container has the name by
 * now, adds the id to the name. */
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
