/* SPDX-License-Identifier: Apache-2.0 */
/* Submits a container: the image, the container, a check of its limits, its networks. Then the
 * container is ready to start. */
#include "config.h"

#include "submit-private.h"

#include "infrastructure/kind-private.h"

/* Tries at most this many names, without a pause. Must be more than MAX_PLAIN_NAMES. */
#define MAX_NAMES 30
/* Later names have a part of the claim, because kept containers may have all of the first names. */
#define MAX_PLAIN_NAMES 20

typedef struct Submission Submission;
typedef void (*Step) (Submission *submission);

/* The PpJobSpec of the containers kind: the description, and how far the submission is. */
struct Submission
{
  PpInfrastructureCall base; /* the call that the worker holds during a submission */
  const PpContainerCalls *calls;
  PpContainerSpec *spec;
  PpJobRef owner; /* its strings are owned */
  const PpSubmitFuncs *funcs;
  gpointer user_data;
  PpInfrastructureCall *call; /* the call in progress, or NULL */
  Step again;                 /* the step to repeat after an error */
  GError *refusal;            /* the engine's error, while its cause is looked for */
  char *name;                 /* of the container */
  char *id;                   /* NULL: not made yet */
  gboolean pulled;            /* a pull was begun */
  gboolean was_warned;        /* the engine gave warnings about the container */
  guint name_index;           /* number of names that were in use */
  guint network_index;
};

static void create_container (Submission *submission);
static void check_image (Submission *submission);
static void check_created (Submission *submission);
static void connect_networks (Submission *submission);
static void pull_image (Submission *submission);

static G_GNUC_PRINTF (3, 4) void log_line (Submission *submission, gboolean is_warning,
                                           const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *line = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  submission->funcs->log (is_warning, line, submission->user_data);
}

static void
end (Submission *submission, PpSubmitEnd how, const PpJob *job, const GError *error)
{
  submission->funcs->done (how, job, error, submission->user_data);
}

/* The engine has refused with ERROR. AGAIN is the step to repeat if the error may pass. */
static void
refuse (Submission *submission, const GError *error, Step again)
{
  submission->again = again;
  end (submission, PP_SUBMIT_REFUSED, NULL, error);
}

/* ERROR does not say if the image or container exists. As UNAVAILABLE, it causes a retry. */
static void
refuse_without_answer (Submission *submission, const GError *error, Step again)
{
  g_autoptr (GError) passing = g_error_new_literal (
      PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, error->message);

  refuse (submission, passing, again);
}

/* True if the run may still be submitted. Otherwise ends SUBMISSION. */
static gboolean
may_go_on (Submission *submission)
{
  if (submission->funcs->may_go_on (submission->user_data))
    return TRUE;
  end (submission, PP_SUBMIT_GIVEN_UP, NULL, NULL);
  return FALSE;
}

/* The image. */

static void
on_progress (gboolean is_warning, const char *line, gpointer user_data)
{
  log_line (user_data, is_warning, "%s", line);
}

/* The pull has failed with REFUSAL, but the image is on this host. */
static void
use_local_image (Submission *submission, const GError *refusal)
{
  if (submission->spec->pull_is_implied)
    log_line (submission, TRUE,
              "Image '%s' could not be pulled. The run uses the local image of that name, which "
              "may be older than the registry's. Without image_pull_policy, an image with the tag "
              "latest or no tag is pulled before each run. Set IfNotPresent or Never to avoid this "
              "pull, or Always to require it. %s",
              submission->spec->image, refusal->message);
  check_image (submission);
}

/* True if ERROR says that the image is there, even if it is for another platform. */
static gboolean
is_there (const GError *error)
{
  return error == NULL
         || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
}

static void
on_image_after_failed_pull (const GError *error, gpointer user_data)
{
  Submission *submission = user_data;
  g_autoptr (GError) refusal = g_steal_pointer (&submission->refusal);

  submission->call = NULL;
  if (is_there (error))
    {
      use_local_image (submission, refusal);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE))
    {
      refuse_without_answer (submission, error, pull_image);
      return;
    }
  if (submission->spec->pull_is_implied)
    {
      refuse (submission, refusal, pull_image);
      return;
    }
  g_autoptr (GError) neither = g_error_new (
      refusal->domain, refusal->code,
      "Image %s could not be pulled (see the run's log), and was not found locally: %s",
      submission->spec->image, error->message);
  refuse (submission, neither, pull_image);
}

static void
on_pulled (const GError *error, gpointer user_data)
{
  Submission *submission = user_data;
  const PpContainerSpec *spec = submission->spec;

  submission->call = NULL;
  submission->funcs->pulling (FALSE, submission->user_data);
  if (error == NULL)
    {
      check_image (submission);
      return;
    }
  if (spec->pull_policy != PP_PULL_IF_POSSIBLE && !spec->pull_is_implied)
    {
      refuse (submission, error, pull_image);
      return;
    }
  if (spec->pull_policy == PP_PULL_IF_POSSIBLE)
    log_line (submission, TRUE,
              "Image %s could not be pulled: %s. image_pull_policy is IfPossible, so the worker "
              "looks for a local image",
              spec->image, error->message);
  submission->refusal = g_error_copy (error);
  submission->call = submission->calls->check_image (submission->base.infrastructure, spec,
                                                     on_image_after_failed_pull, submission);
}

static void
on_platform_looked_at (const GError *error, gpointer user_data)
{
  Submission *submission = user_data;

  submission->call = NULL;
  /* The create call itself reports a missing image. */
  if (error == NULL
      || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    create_container (submission);
  else if (!is_there (error))
    refuse (submission, error, check_image);
  else if (submission->spec->pull_policy == PP_PULL_IF_NOT_PRESENT && !submission->pulled)
    {
      log_line (submission, FALSE, "%s", error->message);
      pull_image (submission);
    }
  else
    end (submission, PP_SUBMIT_IMPOSSIBLE, NULL, error);
}

/* Podman 4.3 runs the image that it has, whatever platform was asked for. So check it. */
static void
check_image (Submission *submission)
{
  if (submission->spec->platform == NULL)
    create_container (submission);
  else
    submission->call = submission->calls->check_image (
        submission->base.infrastructure, submission->spec, on_platform_looked_at, submission);
}

static void
pull_image (Submission *submission)
{
  const PpContainerSpec *spec = submission->spec;

  if (!may_go_on (submission))
    return;
  submission->pulled = TRUE;
  submission->funcs->pulling (TRUE, submission->user_data);
  log_line (submission, FALSE, "Pulling image '%s'...", spec->image);
  submission->call
      = submission->calls->pull (submission->base.infrastructure, spec->image, spec->platform,
                                 spec->registry_auth, on_progress, on_pulled, submission);
}

/* The container. */

static void
take_id (Submission *submission, const char *id)
{
  g_free (submission->id);
  submission->id = g_strdup (id);
  submission->funcs->created (id, submission->user_data);
}

static void
on_namesake (PpJob *job, const GError *error, gpointer user_data)
{
  Submission *submission = user_data;

  submission->call = NULL;
  /* The container may be ours. A try with the next name would then leave it behind. */
  if (error != NULL
      && !g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    {
      refuse_without_answer (submission, error, create_container);
      return;
    }
  if (error == NULL && pp_job_is_owned_by (job, &submission->owner) && job->status.never_started)
    {
      /* The engine's answer was lost, and with it any warnings. */
      submission->was_warned = TRUE;
      take_id (submission, job->ref.id);
      check_created (submission);
      return;
    }
  if (error == NULL && pp_job_is_owned_by (job, &submission->owner))
    {
      end (submission, PP_SUBMIT_STARTED, job, NULL);
      return;
    }
  log_line (submission, FALSE, "Container name '%s' is in use; retrying with the next...",
            submission->name);
  submission->name_index++;
  create_container (submission);
}

/* The create call did not find the image or a network. ERROR shows if the image is there. */
static void
on_image_looked_for (const GError *error, gpointer user_data)
{
  Submission *submission = user_data;
  g_autoptr (GError) refusal = g_steal_pointer (&submission->refusal);

  submission->call = NULL;
  if (is_there (error))
    refuse (submission, refusal, create_container);
  else
    pull_image (submission);
}

static void
on_not_created (Submission *submission, const GError *error)
{
  PpInfrastructure *infrastructure = submission->base.infrastructure;

  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NAME_IN_USE)
      && submission->name_index + 1 < MAX_NAMES)
    {
      submission->call
          = submission->calls->inspect (infrastructure, submission->name, on_namesake, submission);
      return;
    }
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND)
      && submission->spec->pull_policy == PP_PULL_IF_NOT_PRESENT && !submission->pulled)
    {
      submission->refusal = g_error_copy (error);
      submission->call = submission->calls->check_image (infrastructure, submission->spec,
                                                         on_image_looked_for, submission);
      return;
    }
  submission->funcs->not_created (
      g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE),
      submission->user_data);
  refuse (submission, error, create_container);
}

static void
on_created (const char *id, const GPtrArray *warnings, const GError *error, gpointer user_data)
{
  Submission *submission = user_data;

  submission->call = NULL;
  if (error != NULL)
    {
      on_not_created (submission, error);
      return;
    }
  take_id (submission, id);
  for (guint i = 0; i < warnings->len; i++)
    log_line (submission, TRUE, "The engine warns about container '%s': %s", submission->name,
              (const char *)g_ptr_array_index (warnings, i));
  submission->was_warned = warnings->len > 0;
  check_created (submission);
}

static void
create_container (Submission *submission)
{
  const PpJobRef *owner = &submission->owner;
  /* If the engine chose the name, as in Python's worker, a lost answer would lose the container. */
  const char *name = submission->spec->name != NULL ? submission->spec->name : owner->flow_run_id;

  g_free (submission->name);
  if (submission->name_index == 0)
    submission->name = g_strdup (name);
  else if (submission->name_index < MAX_PLAIN_NAMES)
    submission->name = g_strdup_printf ("%s-%u", name, submission->name_index);
  else
    submission->name = g_strdup_printf ("%s-%.8s-%u", name, owner->claim, submission->name_index);
  submission->funcs->naming (submission->name, submission->user_data);
  submission->call = submission->calls->create (submission->base.infrastructure, submission->spec,
                                                submission->name, on_created, submission);
}

/* The container's limits and networks. */

static void
on_created_looked_at (const char *warning, const GError *error, gpointer user_data)
{
  Submission *submission = user_data;

  submission->call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID))
    {
      end (submission, PP_SUBMIT_IMPOSSIBLE, NULL, error);
      return;
    }
  if (error != NULL)
    {
      refuse_without_answer (submission, error, check_created);
      return;
    }
  if (warning != NULL)
    log_line (submission, TRUE, "%s", warning);
  connect_networks (submission);
}

/* If the engine silently dropped a limit, that would show only when it is too late. */
static void
check_created (Submission *submission)
{
  if (pp_container_spec_has_limits (submission->spec))
    submission->call = submission->calls->check_limits (
        submission->base.infrastructure, submission->spec, submission->id, submission->was_warned,
        on_created_looked_at, submission);
  else
    connect_networks (submission);
}

static void
on_network_connected (const GError *error, gpointer user_data)
{
  Submission *submission = user_data;

  submission->call = NULL;
  if (error != NULL)
    {
      refuse (submission, error, connect_networks);
      return;
    }
  submission->network_index++;
  connect_networks (submission);
}

static void
connect_networks (Submission *submission)
{
  const GPtrArray *networks = submission->spec->networks;

  if (!may_go_on (submission))
    return;
  if (submission->network_index >= networks->len)
    {
      end (submission, PP_SUBMIT_READY, NULL, NULL);
      return;
    }
  submission->call = submission->calls->connect_network (
      submission->base.infrastructure, g_ptr_array_index (networks, submission->network_index),
      submission->id, on_network_connected, submission);
}

/* The functions of the kind. */

static void
cancel (PpInfrastructureCall *base)
{
  Submission *submission = (Submission *)base;

  g_clear_pointer (&submission->call, submission->calls->cancel);
  g_clear_error (&submission->refusal);
}

static void
begin (Submission *submission)
{
  submission->network_index = 0;
  submission->pulled = FALSE;
  /* Usually there is a local image; the create call itself reports a missing one. */
  if (submission->spec->pull_policy == PP_PULL_ALWAYS
      || submission->spec->pull_policy == PP_PULL_IF_POSSIBLE)
    pull_image (submission);
  else
    check_image (submission);
}

PpInfrastructureCall *
pp_container_submit (PpInfrastructure *infrastructure, PpJobSpec *spec, gboolean anew,
                     const PpSubmitFuncs *funcs, gpointer user_data)
{
  Submission *submission = (Submission *)spec;

  submission->base.infrastructure = infrastructure;
  submission->base.cancel = cancel;
  submission->funcs = funcs;
  submission->user_data = user_data;
  if (anew)
    begin (submission);
  else
    submission->again (submission);
  return &submission->base;
}

PpJobSpec *
pp_container_prepare (const PpContainerCalls *calls, const PpEngineInfo *engine,
                      const json_t *configuration, PpRunPolicy *policy, GPtrArray *warnings,
                      GError **error)
{
  PpContainerSpec *spec = pp_container_spec_new (configuration, engine, error);

  if (spec == NULL)
    return NULL;
  Submission *submission = g_new0 (Submission, 1);
  submission->calls = calls;
  submission->spec = spec;
  *policy = spec->policy;
  for (guint i = 0; i < spec->warnings->len; i++)
    g_ptr_array_add (warnings, g_strdup (g_ptr_array_index (spec->warnings, i)));
  return (PpJobSpec *)submission;
}

static void
clear_owner (PpJobRef *owner)
{
  g_free (owner->identity);
  g_free (owner->flow_run_id);
  g_free (owner->claim);
}

void
pp_container_set_owner (PpJobSpec *spec, const PpJobRef *owner)
{
  Submission *submission = (Submission *)spec;

  pp_container_spec_set_owner (submission->spec, owner);
  clear_owner (&submission->owner);
  submission->owner = (PpJobRef){ .identity = g_strdup (owner->identity),
                                  .flow_run_id = g_strdup (owner->flow_run_id),
                                  .claim = g_strdup (owner->claim) };
}

void
pp_container_free_spec (PpJobSpec *spec)
{
  Submission *submission = (Submission *)spec;

  pp_container_spec_free (submission->spec);
  clear_owner (&submission->owner);
  g_clear_error (&submission->refusal);
  g_free (submission->name);
  g_free (submission->id);
  g_free (submission);
}
