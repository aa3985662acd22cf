/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "kind-private.h"
#include "simple_call-private.h"

PpInfrastructure *
pp_infrastructure_new (PpHttp *http, const char *place, GError **error)
{
  const PpInfrastructureKind *kind = pp_kind_for_place (place);

  /* If PLACE belongs to no kind, the first kind returns the error. */
  if (kind == NULL)
    kind = pp_kind_default ();
  return kind->new_ (http, place, error);
}

void
pp_infrastructure_free (PpInfrastructure *infrastructure)
{
  if (infrastructure != NULL)
    infrastructure->kind->free (infrastructure);
}

PpInfrastructureAbout
pp_infrastructure_about (const PpInfrastructure *infrastructure)
{
  if (infrastructure->kind->about == NULL)
    return (PpInfrastructureAbout){ 0 };
  return infrastructure->kind->about (infrastructure);
}

const PpKindWords *
pp_infrastructure_words (const PpInfrastructure *infrastructure)
{
  static const PpKindWords words = { .job = "job",
                                     .first_job = "Job",
                                     .host = "the infrastructure",
                                     .full_host = "the infrastructure",
                                     .first_full_host = "The infrastructure",
                                     .monitor = "The monitor" };

  return infrastructure->kind->words != NULL ? infrastructure->kind->words : &words;
}

char *
pp_infrastructure_explain_no_end (const PpInfrastructure *infrastructure, const PpJobEnd *end)
{
  const PpKindWords *words = pp_infrastructure_words (infrastructure);

  if (infrastructure->kind->explain_no_end != NULL)
    return infrastructure->kind->explain_no_end (end);
  return g_strdup_printf ("The %s is not running, and %s has no record of its end: %s%s%s.",
                          words->job, words->host,
                          end->host_restarted ? "the host was restarted while it ran"
                                              : "it was never started, or its exit status was lost",
                          end->error != NULL ? ": " : "", end->error != NULL ? end->error : "");
}

PpCapabilities
pp_infrastructure_capabilities (const PpInfrastructure *infrastructure)
{
  if (infrastructure->kind->capabilities == NULL)
    return (PpCapabilities){ 0 };
  return infrastructure->kind->capabilities (infrastructure);
}

char *
pp_infrastructure_pid (const PpInfrastructure *infrastructure, const char *job_id)
{
  if (infrastructure->kind->pid == NULL)
    return g_strconcat (infrastructure->kind->place, job_id, NULL);
  return infrastructure->kind->pid (infrastructure, job_id);
}

const char *
pp_infrastructure_trouble (const PpInfrastructure *infrastructure)
{
  return infrastructure->kind->trouble != NULL ? infrastructure->kind->trouble (infrastructure)
                                               : NULL;
}

gint64
pp_infrastructure_heard (const PpInfrastructure *infrastructure)
{
  return infrastructure->kind->heard != NULL ? infrastructure->kind->heard (infrastructure)
                                             : g_get_monotonic_time ();
}

PpInfrastructureCall *
pp_infrastructure_connect (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done,
                           gpointer user_data)
{
  if (infrastructure->kind->connect == NULL)
    return pp_simple_call (infrastructure, NULL, done, user_data);
  return infrastructure->kind->connect (infrastructure, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_ping (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done,
                        gpointer user_data)
{
  if (infrastructure->kind->ping == NULL)
    return pp_simple_call (infrastructure, NULL, done, user_data);
  return infrastructure->kind->ping (infrastructure, done, user_data);
}

PpJobSpec *
pp_infrastructure_prepare (PpInfrastructure *infrastructure, const json_t *configuration,
                           PpRunPolicy *policy, GPtrArray *warnings, GError **error)
{
  return infrastructure->kind->prepare (infrastructure, configuration, policy, warnings, error);
}

void
pp_infrastructure_set_owner (PpInfrastructure *infrastructure, PpJobSpec *spec,
                             const PpJobRef *owner)
{
  if (infrastructure->kind->set_owner != NULL)
    infrastructure->kind->set_owner (spec, owner);
}

void
pp_infrastructure_free_spec (PpInfrastructure *infrastructure, PpJobSpec *spec)
{
  if (spec != NULL && infrastructure->kind->free_spec != NULL)
    infrastructure->kind->free_spec (spec);
  else
    g_free (spec);
}

PpInfrastructureCall *
pp_infrastructure_submit (PpInfrastructure *infrastructure, PpJobSpec *spec, gboolean anew,
                          const PpSubmitFuncs *funcs, gpointer user_data)
{
  return infrastructure->kind->submit (infrastructure, spec, anew, funcs, user_data);
}

PpInfrastructureCall *
pp_infrastructure_start (PpInfrastructure *infrastructure, const char *container_id,
                         PpInfrastructureDoneFunc done, gpointer user_data)
{
  return infrastructure->kind->start (infrastructure, container_id, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_follow (PpInfrastructure *infrastructure, const char *container_id, gboolean tty,
                          const PpLogPlace *place, PpOutputFunc on_output, PpFollowedFunc followed,
                          gpointer user_data)
{
  if (infrastructure->kind->follow == NULL)
    return pp_simple_call_follow (infrastructure, followed, user_data);
  return infrastructure->kind->follow (infrastructure, container_id, tty, place, on_output,
                                       followed, user_data);
}

PpInfrastructureCall *
pp_infrastructure_read_log (PpInfrastructure *infrastructure, const char *container_id,
                            gboolean tty, const PpLogPlace *place, PpOutputFunc on_output,
                            PpFollowedFunc followed, gpointer user_data)
{
  if (infrastructure->kind->read_log == NULL)
    {
      PpInfrastructureCall *call = pp_simple_call_follow (infrastructure, followed, user_data);

      pp_simple_call_finish (call);
      return call;
    }
  return infrastructure->kind->read_log (infrastructure, container_id, tty, place, on_output,
                                         followed, user_data);
}

void
pp_infrastructure_follow_finish (PpInfrastructureCall *call)
{
  if (call->infrastructure->kind->follow == NULL)
    pp_simple_call_finish (call);
  else
    call->infrastructure->kind->follow_finish (call);
}

PpInfrastructureCall *
pp_infrastructure_inspect (PpInfrastructure *infrastructure, const char *container_id,
                           PpJobFunc inspected, gpointer user_data)
{
  return infrastructure->kind->inspect (infrastructure, container_id, inspected, user_data);
}

PpInfrastructureCall *
pp_infrastructure_watch (PpInfrastructure *infrastructure, const char *container_id,
                         PpWatchFunc news, PpWatchedFunc watched, gpointer user_data)
{
  if (infrastructure->kind->watch == NULL)
    return pp_simple_call_watch (infrastructure, container_id, watched, user_data);
  return infrastructure->kind->watch (infrastructure, container_id, news, watched, user_data);
}

PpInfrastructureCall *
pp_infrastructure_stop (PpInfrastructure *infrastructure, const char *container_id,
                        guint timeout_seconds, PpInfrastructureDoneFunc done, gpointer user_data)
{
  return infrastructure->kind->stop (infrastructure, container_id, timeout_seconds, done,
                                     user_data);
}

PpInfrastructureCall *
pp_infrastructure_unpause (PpInfrastructure *infrastructure, const char *container_id,
                           PpInfrastructureDoneFunc done, gpointer user_data)
{
  if (infrastructure->kind->unpause == NULL)
    return pp_simple_call (infrastructure, NULL, done, user_data);
  return infrastructure->kind->unpause (infrastructure, container_id, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_remove (PpInfrastructure *infrastructure, const char *container_id,
                          PpInfrastructureDoneFunc done, gpointer user_data)
{
  return infrastructure->kind->remove (infrastructure, container_id, TRUE, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_remove_unstarted (PpInfrastructure *infrastructure, const char *container_id,
                                    PpInfrastructureDoneFunc done, gpointer user_data)
{
  return infrastructure->kind->remove (infrastructure, container_id, FALSE, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_keep (PpInfrastructure *infrastructure, const char *container_id,
                        const char *name, PpInfrastructureDoneFunc done, gpointer user_data)
{
  if (infrastructure->kind->keep == NULL)
    return pp_simple_call (infrastructure, NULL, done, user_data);
  return infrastructure->kind->keep (infrastructure, container_id, name, done, user_data);
}

PpInfrastructureCall *
pp_infrastructure_list (PpInfrastructure *infrastructure, PpListScope scope, const char *claim,
                        PpJobsFunc listed, gpointer user_data)
{
  if (infrastructure->kind->list == NULL)
    return pp_simple_call_no_jobs (infrastructure, listed, user_data);
  return infrastructure->kind->list (infrastructure, scope, claim, listed, user_data);
}

void
pp_infrastructure_call_resume (PpInfrastructureCall *call)
{
  if (call->infrastructure->kind->call_resume != NULL)
    call->infrastructure->kind->call_resume (call);
}

void
pp_infrastructure_call_cancel (PpInfrastructureCall *call)
{
  if (call == NULL)
    return;
  if (call->cancel != NULL)
    call->cancel (call);
  else
    call->infrastructure->kind->call_cancel (call);
}
