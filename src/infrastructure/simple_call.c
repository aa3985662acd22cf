/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "simple_call-private.h"

#include "kind-private.h"

#define LOOK_MS 1000

typedef struct SimpleCall SimpleCall;
struct SimpleCall
{
  PpInfrastructureCall base;
  void (*tell) (const SimpleCall *call);
  guint idle; /* 0: waits for pp_simple_call_finish() */
  PpJob *job;
  GError *error;
  PpInfrastructureDoneFunc done;
  PpJobFunc inspected;
  PpJobsFunc listed;
  PpFollowedFunc followed;
  const PpSubmitFuncs *funcs;
  gpointer user_data;
};

static void
call_free (PpInfrastructureCall *base)
{
  SimpleCall *call = (SimpleCall *)base;

  g_clear_handle_id (&call->idle, g_source_remove);
  pp_job_unref (call->job);
  g_clear_error (&call->error);
  g_free (call);
}

static gboolean
on_idle (gpointer user_data)
{
  SimpleCall *call = user_data;

  call->idle = 0;
  call->tell (call);
  call_free (&call->base);
  return G_SOURCE_REMOVE;
}

static SimpleCall *
call_new (PpInfrastructure *infrastructure, void (*tell) (const SimpleCall *call),
          gpointer user_data)
{
  SimpleCall *call = g_new0 (SimpleCall, 1);

  call->base.infrastructure = infrastructure;
  call->base.cancel = call_free;
  call->tell = tell;
  call->user_data = user_data;
  return call;
}

static void
tell_done (const SimpleCall *call)
{
  call->done (call->error, call->user_data);
}

static void
tell_job (const SimpleCall *call)
{
  call->inspected (call->job, call->error, call->user_data);
}

static void
tell_no_jobs (const SimpleCall *call)
{
  g_autoptr (GPtrArray) none = g_ptr_array_new ();

  call->listed (none, NULL, call->user_data);
}

static void
tell_followed (const SimpleCall *call)
{
  const PpFollowEnd end = { 0 };

  call->followed (&end, NULL, call->user_data);
}

static void
tell_ready (const SimpleCall *call)
{
  call->funcs->done (PP_SUBMIT_READY, NULL, NULL, call->user_data);
}

PpInfrastructureCall *
pp_simple_call (PpInfrastructure *infrastructure, GError *error, PpInfrastructureDoneFunc done,
                gpointer user_data)
{
  SimpleCall *call = call_new (infrastructure, tell_done, user_data);

  call->error = error;
  call->done = done;
  call->idle = g_idle_add (on_idle, call);
  return &call->base;
}

PpInfrastructureCall *
pp_simple_call_job (PpInfrastructure *infrastructure, PpJob *job, GError *error,
                    PpJobFunc inspected, gpointer user_data)
{
  SimpleCall *call = call_new (infrastructure, tell_job, user_data);

  call->job = job;
  call->error = error;
  call->inspected = inspected;
  call->idle = g_idle_add (on_idle, call);
  return &call->base;
}

PpInfrastructureCall *
pp_simple_call_no_jobs (PpInfrastructure *infrastructure, PpJobsFunc listed, gpointer user_data)
{
  SimpleCall *call = call_new (infrastructure, tell_no_jobs, user_data);

  call->listed = listed;
  call->idle = g_idle_add (on_idle, call);
  return &call->base;
}

PpInfrastructureCall *
pp_simple_call_follow (PpInfrastructure *infrastructure, PpFollowedFunc followed,
                       gpointer user_data)
{
  SimpleCall *call = call_new (infrastructure, tell_followed, user_data);

  call->followed = followed;
  return &call->base;
}

void
pp_simple_call_finish (PpInfrastructureCall *base)
{
  SimpleCall *call = (SimpleCall *)base;

  if (call->idle == 0)
    call->idle = g_idle_add (on_idle, call);
}

GError *
pp_simple_call_not_found (const char *id)
{
  return g_error_new (PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND,
                      "there is no job '%s'", id);
}

PpInfrastructureCall *
pp_simple_call_ready (PpInfrastructure *infrastructure, const PpSubmitFuncs *funcs,
                      gpointer user_data)
{
  SimpleCall *call = call_new (infrastructure, tell_ready, user_data);

  call->funcs = funcs;
  call->idle = g_idle_add (on_idle, call);
  return &call->base;
}

/* Watches a job by inspecting it again and again. */

typedef struct
{
  PpInfrastructureCall base;
  char *id;
  guint timer; /* 0: an inspection is in progress */
  PpInfrastructureCall *inspect;
  PpWatchedFunc watched;
  gpointer user_data;
} Watch;

static void
watch_free (PpInfrastructureCall *base)
{
  Watch *watch = (Watch *)base;

  g_clear_handle_id (&watch->timer, g_source_remove);
  pp_infrastructure_call_cancel (watch->inspect);
  g_free (watch->id);
  g_free (watch);
}

static gboolean on_look (gpointer user_data);

static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  Watch *watch = user_data;

  watch->inspect = NULL;
  if (job != NULL
          ? job->status.is_running
          : g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      watch->timer = g_timeout_add (LOOK_MS, on_look, watch);
      return;
    }
  watch->watched (FALSE, NULL, watch->user_data);
  watch_free (&watch->base);
}

static gboolean
on_look (gpointer user_data)
{
  Watch *watch = user_data;

  watch->timer = 0;
  watch->inspect
      = pp_infrastructure_inspect (watch->base.infrastructure, watch->id, on_inspected, watch);
  return G_SOURCE_REMOVE;
}

PpInfrastructureCall *
pp_simple_call_watch (PpInfrastructure *infrastructure, const char *id, PpWatchedFunc watched,
                      gpointer user_data)
{
  Watch *watch = g_new0 (Watch, 1);

  watch->base.infrastructure = infrastructure;
  watch->base.cancel = watch_free;
  watch->id = g_strdup (id);
  watch->watched = watched;
  watch->user_data = user_data;
  on_look (watch);
  return &watch->base;
}
