/* SPDX-License-Identifier: Apache-2.0 */
/* Submits a flow run: the infrastructure turns the run's description into a job that waits for its
 * start. Meanwhile, this file decides if the run goes on, retries or fails. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "worker/failpoint-private.h"
#include "container_ownership-private.h"

#include <string.h>

/* The delays before the retries. By default there are three retries: enough to outlast a restart of
 * the engine. */
static const guint back_off_seconds[] = { 2, 8, 30 };

char *
pp_flow_run_name_container (const PpFlowRun *run, const char *message)
{
  if (run->container_id == NULL || run->shown_name == NULL
      || strstr (message, run->shown_name) != NULL)
    return g_strdup (message);
  return g_strdup_printf ("%s: %s", run->first_label, message);
}

char *
pp_flow_run_sentence (const char *words)
{
  static const char *const ends[] = { ".", "!", "?", "\xe2\x80\xa6" };

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    if (g_str_has_suffix (words, ends[i]))
      return g_strdup (words);
  return g_strconcat (words, ".", NULL);
}

void
pp_flow_run_retry_or_fail (PpFlowRun *run, const GError *error, void (*again) (PpFlowRun *run))
{
  if (pp_flow_run_is_cancelled (run))
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE)
      && run->retries < run->policy->infrastructure_retries)
    {
      guint seconds = back_off_seconds[MIN (run->retries, G_N_ELEMENTS (back_off_seconds) - 1)];

      g_autofree char *what = pp_flow_run_name_container (run, error->message);
      g_autofree char *sentence = pp_flow_run_sentence (what);

      run->retries++;
      pp_flow_run_log (run, PP_LOG_WARNING, "%s Trying again in %u s (%u of %u).", sentence,
                       seconds, run->retries, run->policy->infrastructure_retries);
      pp_flow_run_after (run, seconds * 1000, again);
      return;
    }
  pp_flow_run_fail_submission (run, error->message);
}

/* True if JOB was created for RUN's current attempt and was never started. */
gboolean
pp_flow_run_is_unstarted (const PpFlowRun *run, const PpJob *job)
{
  const PpJobRef owner = { .identity = (char *)run->context->identity_name,
                           .flow_run_id = run->id,
                           .claim = (char *)run->transitions.claim };

  return pp_job_is_owned_by (job, &owner) && job->status.never_started;
}

void
pp_flow_run_drop_spec (PpFlowRun *run)
{
  pp_infrastructure_free_spec (run->context->infrastructure, g_steal_pointer (&run->spec));
}

/* SUBMITTING: the infrastructure reports the progress of the job. */

static void go_on (PpFlowRun *run);

static void
on_log (gboolean is_warning, const char *line, gpointer user_data)
{
  pp_flow_run_log (user_data, is_warning ? PP_LOG_WARNING : PP_LOG_INFO, "%s", line);
}

static void
on_pulling (gboolean is_pulling, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->pulling = is_pulling;
}

static gboolean
may_go_on (gpointer user_data)
{
  return !pp_flow_run_is_cancelled (user_data);
}

static void
on_naming (const char *name, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_flow_run_name_job (run, name);
}

static void
on_not_created (gboolean may_exist, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "created");
  pp_flow_run_emit (run, run->words->not_created_event);
  if (!may_exist)
    return;
  run->may_exist = TRUE;
  pp_flow_run_expect_late_container (run);
}

static void
on_created (const char *id, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "created");
  run->container_id = g_strdup (id);
}

static void
on_submitted (PpSubmitEnd end, const PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  switch (end)
    {
    case PP_SUBMIT_READY:
      pp_flow_run_move (run, PP_FLOW_RUN_CREATED);
      return;
    case PP_SUBMIT_STARTED:
      pp_flow_run_attach_started (run, job);
      return;
    case PP_SUBMIT_GIVEN_UP:
      pp_flow_run_report_cancelled (run);
      return;
    case PP_SUBMIT_REFUSED:
      pp_flow_run_retry_or_fail (run, error, go_on);
      return;
    case PP_SUBMIT_IMPOSSIBLE:
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
}

static void
submit (PpFlowRun *run, gboolean anew)
{
  static const PpSubmitFuncs funcs = { .log = on_log,
                                       .pulling = on_pulling,
                                       .may_go_on = may_go_on,
                                       .naming = on_naming,
                                       .not_created = on_not_created,
                                       .created = on_created,
                                       .done = on_submitted };

  if (pp_flow_run_is_cancelled (run))
    pp_flow_run_report_cancelled (run);
  else
    run->engine_call
        = pp_infrastructure_submit (run->context->infrastructure, run->spec, anew, &funcs, run);
}

static void
go_on (PpFlowRun *run)
{
  submit (run, FALSE);
}

void
pp_flow_run_enter_submitting (PpFlowRun *run)
{
  submit (run, TRUE);
}
