/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/infrastructure/job.h"

gboolean
pp_job_phase_is_alive (PpJobPhase phase)
{
  return phase == PP_JOB_READY || phase == PP_JOB_RUNNING || phase == PP_JOB_HELD;
}

gboolean
pp_job_phase_is_started (PpJobPhase phase)
{
  return phase != PP_JOB_ABSENT && phase != PP_JOB_CREATED && phase != PP_JOB_READY;
}

void
pp_job_end_clear (PpJobEnd *end)
{
  g_clear_pointer (&end->error, g_free);
}

void
pp_job_end_copy (PpJobEnd *copy, const PpJobEnd *end)
{
  pp_job_end_clear (copy);
  *copy = *end;
  copy->error = g_strdup (end->error);
}

PpJob *
pp_job_new (void)
{
  PpJob *job = g_new0 (PpJob, 1);

  job->references = 1;
  return job;
}

PpJob *
pp_job_ref (PpJob *job)
{
  job->references++;
  return job;
}

void
pp_job_unref (PpJob *job)
{
  if (job == NULL || --job->references > 0)
    return;
  g_free (job->ref.id);
  g_free (job->ref.name);
  g_free (job->ref.identity);
  g_free (job->ref.flow_run_id);
  g_free (job->ref.claim);
  g_free (job->ref.work_pool);
  pp_job_end_clear (&job->status.end);
  g_free (job);
}

gboolean
pp_job_is_of_claim (const PpJob *job, const char *claim)
{
  return job->ref.claim != NULL && claim != NULL && g_ascii_strcasecmp (job->ref.claim, claim) == 0;
}

gboolean
pp_job_is_owned_by (const PpJob *job, const PpJobRef *owner)
{
  return g_strcmp0 (job->ref.flow_run_id, owner->flow_run_id) == 0
         && g_strcmp0 (job->ref.identity, owner->identity) == 0
         && pp_job_is_of_claim (job, owner->claim);
}

gboolean
pp_job_is_better_candidate (const PpJob *job, const PpJob *other)
{
  gboolean alive = pp_job_phase_is_alive (job->status.phase);

  if (alive != pp_job_phase_is_alive (other->status.phase))
    return alive;
  if (job->status.created_at != other->status.created_at)
    return job->status.created_at > other->status.created_at;
  return other->status.phase == PP_JOB_CREATED;
}
