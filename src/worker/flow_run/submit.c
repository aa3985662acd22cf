/* SPDX-License-Identifier: Apache-2.0 */
/* A flow run's way from its description to the container: image, container, networks. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/failpoint-private.h"
#include "container_ownership-private.h"

#include <string.h>

/* Back-off of what is tried again: the three tries of the default outlast an engine's restart. */
static const guint back_off_seconds[] = { 2, 8, 30 };
/* Other containers that may have a run's name before something else is wrong. */
#define MAX_NAMES 1000
/* So many names are tried that others can foresee: kept containers may have them all. */
#define MAX_PLAIN_NAMES 20

char *
pp_flow_run_name_container (const PpFlowRun *run, const char *message)
{
  if (run->container_id == NULL || run->container_name == NULL
      || strstr (message, run->container_name) != NULL)
    return g_strdup (message);
  return g_strdup_printf ("Container '%s': %s", run->container_name, message);
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

/* SUBMITTING: image, container, networks. */

static void create_container (PpFlowRun *run);
static void check_image (PpFlowRun *run);
static void check_created (PpFlowRun *run);
static void connect_networks (PpFlowRun *run);
static void pull_image (PpFlowRun *run);

static void
on_progress (gboolean is_warning, const char *line, gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_flow_run_log (run, is_warning ? PP_LOG_WARNING : PP_LOG_INFO, "%s", line);
}

/* ERROR, of a look at what may be there, says nothing about that: the engine is asked again. */
static void
retry_without_answer (PpFlowRun *run, const GError *error, void (*again) (PpFlowRun *))
{
  g_autoptr (GError) passing = g_error_new_literal (
      PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, error->message);

  pp_flow_run_retry_or_fail (run, passing, again);
}

/* The image is here, and its pull has failed with REFUSAL. */
static void
use_local_image (PpFlowRun *run, const GError *refusal)
{
  if (run->spec->pull_is_implied)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "Image '%s' could not be pulled; the one of that name that is here is used, "
                     "which may be older than the registry's. Without an image_pull_policy the tag "
                     "latest, or none, is pulled before each run: IfNotPresent or Never goes "
                     "without, Always insists. %s",
                     run->spec->image, refusal->message);
  check_image (run);
}

/* Whether an image that was looked for, with ERROR, is there, if only for another platform. */
static gboolean
is_there (const GError *error)
{
  return error == NULL
         || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
}

static void
on_image_after_failed_pull (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  g_autoptr (GError) refusal = g_steal_pointer (&run->refusal);

  run->engine_call = NULL;
  if (is_there (error))
    {
      use_local_image (run, refusal);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      retry_without_answer (run, error, pull_image);
      return;
    }
  if (run->spec->pull_is_implied)
    {
      pp_flow_run_retry_or_fail (run, refusal, pull_image);
      return;
    }
  g_autoptr (GError) neither
      = g_error_new (refusal->domain, refusal->code,
                     "Image %s could neither be pulled (see the run's log) nor found locally: %s",
                     run->spec->image, error->message);
  pp_flow_run_retry_or_fail (run, neither, pull_image);
}

static void
on_pulled (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  run->pulling = FALSE;
  if (error == NULL)
    {
      check_image (run);
      return;
    }
  if (run->spec->pull_policy != PP_PULL_IF_POSSIBLE && !run->spec->pull_is_implied)
    {
      pp_flow_run_retry_or_fail (run, error, pull_image);
      return;
    }
  if (run->spec->pull_policy == PP_PULL_IF_POSSIBLE)
    pp_flow_run_log (
        run, PP_LOG_WARNING,
        "Image %s could not be pulled; image_pull_policy is IfPossible, so a local one "
        "is looked for: %s",
        run->spec->image, error->message);
  run->refusal = g_error_copy (error);
  run->engine_call = pp_infrastructure_check_image (run->context->infrastructure, run->spec,
                                                    on_image_after_failed_pull, run);
}

static void
on_platform_looked_at (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  /* To create says by itself that there is no image. */
  if (error == NULL
      || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    create_container (run);
  else if (!is_there (error))
    pp_flow_run_retry_or_fail (run, error, check_image);
  else if (run->spec->pull_policy == PP_PULL_IF_NOT_PRESENT && !run->pulled)
    {
      pp_flow_run_log (run, PP_LOG_INFO, "%s", error->message);
      pull_image (run);
    }
  else
    pp_flow_run_fail_submission (run, error->message);
}

/* Podman 4.3 runs the image it has, whichever platform was asked for. */
static void
check_image (PpFlowRun *run)
{
  if (run->spec->platform == NULL)
    create_container (run);
  else
    run->engine_call = pp_infrastructure_check_image (run->context->infrastructure, run->spec,
                                                      on_platform_looked_at, run);
}

static void
pull_image (PpFlowRun *run)
{
  if (pp_flow_run_is_cancelled (run))
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  run->pulled = TRUE;
  run->pulling = TRUE;
  pp_flow_run_log (run, PP_LOG_INFO, "Pulling image '%s'...", run->spec->image);
  run->engine_call
      = pp_infrastructure_pull (run->context->infrastructure, run->spec->image, run->spec->platform,
                                run->spec->registry_auth, on_progress, on_pulled, run);
}

/* True if JOB was made for RUN's present attempt. */
static gboolean
is_own (const PpFlowRun *run, const PpJob *job)
{
  return g_strcmp0 (job->ref.flow_run_id, run->id) == 0
         && g_strcmp0 (job->ref.identity, run->context->identity_name) == 0
         && pp_job_is_of_claim (job, run->transitions.claim);
}

gboolean
pp_flow_run_is_unstarted (const PpFlowRun *run, const PpJob *job)
{
  return is_own (run, job) && job->status.never_started;
}

static void
on_namesake (PpJob *job, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  /* It may be ours: the next name would leave it behind. */
  if (error != NULL
      && !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    {
      retry_without_answer (run, error, create_container);
      return;
    }
  if (error == NULL && pp_flow_run_is_unstarted (run, job))
    {
      run->container_id = g_strdup (job->ref.id);
      /* What the engine said of it was lost. */
      run->was_warned = TRUE;
      check_created (run);
      return;
    }
  if (error == NULL && is_own (run, job))
    {
      pp_flow_run_attach_started (run, job);
      return;
    }
  pp_flow_run_log (run, PP_LOG_INFO, "Container name '%s' is in use; retrying with the next...",
                   run->container_name);
  run->name_index++;
  create_container (run);
}

/* Something that CREATE needs is not there: the image, or a network. */
static void
on_image_looked_for (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  g_autoptr (GError) refusal = g_steal_pointer (&run->refusal);

  run->engine_call = NULL;
  if (is_there (error))
    pp_flow_run_retry_or_fail (run, refusal, create_container);
  else
    pull_image (run);
}

static void
on_created (const char *container_id, const GPtrArray *warnings, const GError *error,
            gpointer user_data)
{
  PpFlowRun *run = user_data;

  pp_failpoint ("engine", "created");
  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NAME_IN_USE)
      && run->name_index < MAX_NAMES)
    {
      run->engine_call = pp_infrastructure_inspect (run->context->infrastructure,
                                                    run->container_name, on_namesake, run);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
      && run->spec->pull_policy == PP_PULL_IF_NOT_PRESENT && !run->pulled)
    {
      run->refusal = g_error_copy (error);
      run->engine_call = pp_infrastructure_check_image (run->context->infrastructure, run->spec,
                                                        on_image_looked_for, run);
      return;
    }
  if (error != NULL)
    {
      pp_events_emit_worker (run->context->events, "prefect.docker.container.creation-failed",
                             pp_flow_run_related (run));
      if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
        {
          run->may_exist = TRUE;
          pp_flow_run_expect_late_container (run);
        }
      pp_flow_run_retry_or_fail (run, error, create_container);
      return;
    }
  run->container_id = g_strdup (container_id);
  for (guint i = 0; i < warnings->len; i++)
    pp_flow_run_log (run, PP_LOG_WARNING, "The engine warns about container '%s': %s",
                     run->container_name, (const char *)g_ptr_array_index (warnings, i));
  run->was_warned = warnings->len > 0;
  check_created (run);
}

static void
create_container (PpFlowRun *run)
{
  /* The peer lets the engine name what has no name; but then a lost answer loses the container. */
  const char *name = run->spec->name != NULL ? run->spec->name : run->id;

  g_free (run->container_name);
  if (run->name_index == 0)
    run->container_name = g_strdup (name);
  else if (run->name_index < MAX_PLAIN_NAMES)
    run->container_name = g_strdup_printf ("%s-%u", name, run->name_index);
  else
    run->container_name
        = g_strdup_printf ("%s-%.8s-%u", name, run->transitions.claim, run->name_index);
  run->engine_call = pp_infrastructure_create (run->context->infrastructure, run->spec,
                                               run->container_name, on_created, run);
}

static void
on_created_looked_at (const char *warning, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID))
    {
      pp_flow_run_fail_submission (run, error->message);
      return;
    }
  if (error != NULL)
    {
      retry_without_answer (run, error, check_created);
      return;
    }
  if (warning != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING, "%s", warning);
  connect_networks (run);
}

/* A limit that the engine dropped without a word would be missed when it is too late. */
static void
check_created (PpFlowRun *run)
{
  if (pp_container_spec_has_limits (run->spec))
    run->engine_call = pp_infrastructure_check_limits (run->context->infrastructure, run->spec,
                                                       run->container_id, run->was_warned,
                                                       on_created_looked_at, run);
  else
    connect_networks (run);
}

static void
on_network_connected (const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;

  run->engine_call = NULL;
  if (error != NULL)
    {
      pp_flow_run_retry_or_fail (run, error, connect_networks);
      return;
    }
  run->network_index++;
  connect_networks (run);
}

static void
connect_networks (PpFlowRun *run)
{
  if (pp_flow_run_is_cancelled (run))
    {
      pp_flow_run_report_cancelled (run);
      return;
    }
  if (run->network_index >= run->spec->networks->len)
    {
      pp_flow_run_move (run, PP_FLOW_RUN_CREATED);
      return;
    }
  run->engine_call = pp_infrastructure_connect_network (
      run->context->infrastructure, g_ptr_array_index (run->spec->networks, run->network_index),
      run->container_id, on_network_connected, run);
}

void
pp_flow_run_enter_submitting (PpFlowRun *run)
{
  /* A local image is the common case: creating says by itself when there is none. */
  if (run->spec->pull_policy == PP_PULL_ALWAYS || run->spec->pull_policy == PP_PULL_IF_POSSIBLE)
    pull_image (run);
  else
    check_image (run);
}
