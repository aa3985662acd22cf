/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/fake_kind.h"

#include "infrastructure/containers/submit-private.h"
#include "infrastructure/kind-private.h"

#include <string.h>

#define ID "cafe"

typedef struct
{
  PpInfrastructure base;
  Fake fake;
  PpEngineInfo info;
  GList *calls; /* of Call, in progress */
  guint counts[FAKE_CALLS];
} FakeInfrastructure;

typedef struct
{
  PpInfrastructureCall base;
  FakeInfrastructure *owner;
  FakeCall kind;
  guint idle;
  gboolean fails;
  PpInfrastructureError code; /* of the failure */
  char *name;                 /* the job's new one, for FAKE_KEEP */
  gboolean is_held;
  PpWatchFunc news;
  PpOutputFunc output;
  union
  {
    PpInfrastructureDoneFunc plain;
    PpJobFunc job;
    PpJobsFunc jobs;
    PpCreatedFunc created;
    PpCheckedFunc checked;
    PpFollowedFunc followed;
    PpWatchedFunc watched;
  } done;
  gpointer user_data;
} Call;

static const char *const names[FAKE_CALLS]
    = { "connect",         "ping",   "check_image", "pull",    "create", "check_limits",
        "connect_network", "start",  "follow",      "inspect", "watch",  "stop",
        "unpause",         "remove", "keep",        "list" };

/* Leaves CALL in its owner's list. */
static void
free_call (Call *call)
{
  g_clear_handle_id (&call->idle, g_source_remove);
  g_free (call->name);
  g_free (call);
}

/* Changes the job as a successful call does. */
static void
carry_out (Call *call)
{
  PpJob *job = call->owner->fake.job;

  switch (call->kind)
    {
    case FAKE_CREATE:
      pp_job_unref (job);
      job = call->owner->fake.job = pp_job_new ();
      job->ref.id = g_strdup (ID);
      job->status.phase = PP_JOB_CREATED;
      job->status.never_started = TRUE;
      break;
    case FAKE_START:
      job->status.phase = PP_JOB_RUNNING;
      job->status.is_running = TRUE;
      job->status.never_started = FALSE;
      job->status.started_at = g_get_real_time ();
      break;
    case FAKE_STOP:
      fake_end (&call->owner->base, 143);
      break;
    case FAKE_REMOVE:
      fake_vanish (&call->owner->base);
      break;
    case FAKE_KEEP:
      g_free (job->ref.name);
      job->ref.name = g_steal_pointer (&call->name);
      break;
    default:
      break;
    }
}

static GError *
error_of (const Call *call)
{
  const Fake *fake = &call->owner->fake;
  gboolean is_gone = fake->job == NULL && (call->kind == FAKE_INSPECT || call->kind == FAKE_START);

  if (!call->fails && !is_gone)
    return NULL;
  return g_error_new (PP_INFRASTRUCTURE_ERROR,
                      (int)(call->fails ? call->code : PP_INFRASTRUCTURE_ERROR_NOT_FOUND),
                      "%s: the fake fails", names[call->kind]);
}

static void
tell (Call *call, const GError *error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  Fake *fake = &call->owner->fake;

  switch (call->kind)
    {
    case FAKE_CREATE:
      call->done.created (error == NULL ? ID : NULL, list, error, call->user_data);
      break;
    case FAKE_CHECK_LIMITS:
      call->done.checked (NULL, error, call->user_data);
      break;
    case FAKE_FOLLOW:
      call->done.followed (error == NULL ? &fake->end : NULL, error, call->user_data);
      break;
    case FAKE_INSPECT:
      call->done.job (error == NULL ? fake->job : NULL, error, call->user_data);
      break;
    case FAKE_WATCH:
      call->done.watched (fake->status_lost, error, call->user_data);
      break;
    case FAKE_LIST:
      if (fake->job != NULL)
        g_ptr_array_add (list, fake->job);
      call->done.jobs (error == NULL ? list : NULL, error, call->user_data);
      break;
    default:
      call->done.plain (error, call->user_data);
    }
}

static gboolean
on_idle (gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (GError) error = error_of (call);

  call->idle = 0;
  if (error == NULL)
    carry_out (call);
  call->owner->calls = g_list_remove (call->owner->calls, call);
  if (call->kind == FAKE_FOLLOW && error == NULL && call->owner->fake.output != NULL)
    call->output (PP_STREAM_STDOUT, call->owner->fake.output, strlen (call->owner->fake.output), 0,
                  FALSE, call->user_data);
  tell (call, error);
  free_call (call);
  return G_SOURCE_REMOVE;
}

/* True if CALL ends with its job (a follow or a watch). Other calls end in the next iteration of
 * the loop. */
static gboolean
waits (const Call *call)
{
  const PpJob *job = call->owner->fake.job;

  return (call->kind == FAKE_FOLLOW || call->kind == FAKE_WATCH) && !call->fails && job != NULL
         && job->status.is_running;
}

static Call *
begin (PpInfrastructure *infrastructure, FakeCall kind, gpointer user_data)
{
  FakeInfrastructure *owner = (FakeInfrastructure *)infrastructure;
  Call *call = g_new0 (Call, 1);

  call->base.infrastructure = infrastructure;
  call->owner = owner;
  call->kind = kind;
  call->user_data = user_data;
  owner->calls = g_list_append (owner->calls, call);
  owner->counts[kind]++;
  g_string_append_printf (owner->fake.calls, "%s ", names[kind]);
  if (owner->fake.away[kind] > 0)
    {
      owner->fake.away[kind]--;
      call->fails = TRUE;
      call->code = PP_INFRASTRUCTURE_ERROR_UNAVAILABLE;
    }
  else if (owner->fake.fails[kind] > 0)
    {
      owner->fake.fails[kind]--;
      call->fails = TRUE;
      call->code = owner->fake.code;
    }
  else if (owner->fake.holds[kind] > 0)
    {
      owner->fake.holds[kind]--;
      call->is_held = TRUE;
      return call;
    }
  if (!waits (call))
    call->idle = g_idle_add (on_idle, call);
  return call;
}

static PpInfrastructureCall *
begin_plain (PpInfrastructure *infrastructure, FakeCall kind, PpInfrastructureDoneFunc done,
             gpointer user_data)
{
  Call *call = begin (infrastructure, kind, user_data);

  call->done.plain = done;
  return &call->base;
}

static PpInfrastructureCall *
fake_connect (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_CONNECT, done, user_data);
}

static PpInfrastructureCall *
fake_ping (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_PING, done, user_data);
}

static PpInfrastructureCall *
fake_check_image (PpInfrastructure *infrastructure, const PpContainerSpec *spec G_GNUC_UNUSED,
                  PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_CHECK_IMAGE, done, user_data);
}

static PpInfrastructureCall *
fake_pull (PpInfrastructure *infrastructure, const char *image G_GNUC_UNUSED,
           const char *platform G_GNUC_UNUSED, const char *registry_auth G_GNUC_UNUSED,
           PpPullProgressFunc progress G_GNUC_UNUSED, PpInfrastructureDoneFunc done,
           gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_PULL, done, user_data);
}

static PpInfrastructureCall *
fake_create (PpInfrastructure *infrastructure, const PpContainerSpec *spec G_GNUC_UNUSED,
             const char *name G_GNUC_UNUSED, PpCreatedFunc created, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_CREATE, user_data);

  call->done.created = created;
  return &call->base;
}

static PpInfrastructureCall *
fake_check_limits (PpInfrastructure *infrastructure, const PpContainerSpec *spec G_GNUC_UNUSED,
                   const char *container_id G_GNUC_UNUSED, gboolean was_warned G_GNUC_UNUSED,
                   PpCheckedFunc checked, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_CHECK_LIMITS, user_data);

  call->done.checked = checked;
  return &call->base;
}

static PpInfrastructureCall *
fake_connect_network (PpInfrastructure *infrastructure, const char *network G_GNUC_UNUSED,
                      const char *container_id G_GNUC_UNUSED, PpInfrastructureDoneFunc done,
                      gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_CONNECT_NETWORK, done, user_data);
}

static PpInfrastructureCall *
fake_start (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
            PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_START, done, user_data);
}

static PpInfrastructureCall *
fake_follow (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
             gboolean tty G_GNUC_UNUSED, const PpLogPlace *place G_GNUC_UNUSED,
             PpOutputFunc on_output, PpFollowedFunc followed, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_FOLLOW, user_data);

  call->output = on_output;
  call->done.followed = followed;
  return &call->base;
}

static void
fake_follow_finish (PpInfrastructureCall *base)
{
  Call *call = (Call *)base;

  if (call->idle == 0)
    call->idle = g_idle_add (on_idle, call);
}

static PpInfrastructureCall *
fake_inspect (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
              PpJobFunc inspected, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_INSPECT, user_data);

  call->done.job = inspected;
  return &call->base;
}

static PpInfrastructureCall *
fake_watch (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
            PpWatchFunc news, PpWatchedFunc watched, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_WATCH, user_data);

  call->news = news;
  call->done.watched = watched;
  return &call->base;
}

static PpInfrastructureCall *
fake_stop (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
           guint timeout_seconds, PpInfrastructureDoneFunc done, gpointer user_data)
{
  fake_of (infrastructure)->stop_seconds = timeout_seconds;
  return begin_plain (infrastructure, FAKE_STOP, done, user_data);
}

static PpInfrastructureCall *
fake_unpause (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
              PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_UNPAUSE, done, user_data);
}

static PpInfrastructureCall *
fake_remove (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
             gboolean force G_GNUC_UNUSED, PpInfrastructureDoneFunc done, gpointer user_data)
{
  return begin_plain (infrastructure, FAKE_REMOVE, done, user_data);
}

static PpInfrastructureCall *
fake_keep (PpInfrastructure *infrastructure, const char *container_id G_GNUC_UNUSED,
           const char *name, PpInfrastructureDoneFunc done, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_KEEP, user_data);

  call->done.plain = done;
  call->name = g_strdup (name);
  return &call->base;
}

static PpInfrastructureCall *
fake_list (PpInfrastructure *infrastructure, PpListScope scope G_GNUC_UNUSED,
           const char *claim G_GNUC_UNUSED, PpJobsFunc listed, gpointer user_data)
{
  Call *call = begin (infrastructure, FAKE_LIST, user_data);

  call->done.jobs = listed;
  return &call->base;
}

static void
fake_free (PpInfrastructure *infrastructure)
{
  FakeInfrastructure *owner = (FakeInfrastructure *)infrastructure;

  for (const GList *link = owner->calls; link != NULL; link = link->next)
    free_call (link->data);
  g_list_free (owner->calls);
  pp_job_unref (owner->fake.job);
  g_string_free (owner->fake.calls, TRUE);
  g_free (owner);
}

static PpInfrastructureAbout
fake_about (const PpInfrastructure *infrastructure)
{
  const PpEngineInfo *info = &((const FakeInfrastructure *)infrastructure)->info;

  return (
      PpInfrastructureAbout){ .name = info->name, .version = info->version, .place = info->url };
}

static gint64
fake_heard (const PpInfrastructure *infrastructure G_GNUC_UNUSED)
{
  return g_get_monotonic_time ();
}

static const char *
fake_trouble (const PpInfrastructure *infrastructure G_GNUC_UNUSED)
{
  return NULL;
}

static void
fake_resume (PpInfrastructureCall *call G_GNUC_UNUSED)
{
}

static void
fake_cancel (PpInfrastructureCall *call)
{
  FakeInfrastructure *owner = (FakeInfrastructure *)call->infrastructure;

  owner->calls = g_list_remove (owner->calls, call);
  free_call ((Call *)call);
}

static PpCapabilities
fake_capabilities (const PpInfrastructure *infrastructure G_GNUC_UNUSED)
{
  return (PpCapabilities){ .refuses_interrupted_start = TRUE };
}

static char *
fake_pid (const PpInfrastructure *infrastructure G_GNUC_UNUSED, const char *job_id)
{
  return g_strconcat ("fake:", job_id, NULL);
}

static const PpContainerCalls container_calls = {
  .cancel = fake_cancel,
  .check_image = fake_check_image,
  .pull = fake_pull,
  .create = fake_create,
  .check_limits = fake_check_limits,
  .connect_network = fake_connect_network,
  .inspect = fake_inspect,
};

/* The fake's jobs are containers. They are prepared like those of an engine. */
static PpJobSpec *
fake_prepare (PpInfrastructure *infrastructure, const json_t *configuration, PpRunPolicy *policy,
              GPtrArray *warnings, GError **error)
{
  return pp_container_prepare (&container_calls, &((FakeInfrastructure *)infrastructure)->info,
                               configuration, policy, warnings, error);
}

static const PpKindWords words = { .job = "container",
                                   .first_job = "Container",
                                   .host = "the engine",
                                   .full_host = "the container engine",
                                   .first_full_host = "The container engine",
                                   .monitor = "conmon" };

static const PpInfrastructureKind fake_kind = {
  .words = &words,
  .free = fake_free,
  .about = fake_about,
  .capabilities = fake_capabilities,
  .pid = fake_pid,
  .heard = fake_heard,
  .trouble = fake_trouble,
  .connect = fake_connect,
  .ping = fake_ping,
  .prepare = fake_prepare,
  .set_owner = pp_container_set_owner,
  .free_spec = pp_container_free_spec,
  .submit = pp_container_submit,
  .start = fake_start,
  .follow = fake_follow,
  .read_log = fake_follow,
  .follow_finish = fake_follow_finish,
  .inspect = fake_inspect,
  .watch = fake_watch,
  .stop = fake_stop,
  .unpause = fake_unpause,
  .remove = fake_remove,
  .keep = fake_keep,
  .list = fake_list,
  .call_resume = fake_resume,
  .call_cancel = fake_cancel,
};

PpInfrastructure *
fake_new (void)
{
  FakeInfrastructure *owner = g_new0 (FakeInfrastructure, 1);

  owner->base.kind = &fake_kind;
  owner->info = (PpEngineInfo){ .kind = PP_ENGINE_PODMAN,
                                .name = (char *)"Podman",
                                .version = (char *)"5.4.0",
                                .api_version = (char *)"1.41",
                                .url = (char *)"unix:///fake",
                                .base_url = (char *)"http+docker://localhost" };
  owner->fake.calls = g_string_new (NULL);
  return &owner->base;
}

Fake *
fake_of (PpInfrastructure *infrastructure)
{
  return &((FakeInfrastructure *)infrastructure)->fake;
}

void
fake_end (PpInfrastructure *infrastructure, gint64 exit_code)
{
  FakeInfrastructure *owner = (FakeInfrastructure *)infrastructure;
  PpJob *job = owner->fake.job;

  if (job == NULL || !job->status.is_running || job->status.phase == PP_JOB_READY)
    return;
  job->status.phase = PP_JOB_ENDED;
  job->status.is_running = FALSE;
  job->status.ended_at = g_get_real_time ();
  job->status.end.exit_code = exit_code;
  for (GList *link = owner->calls; link != NULL; link = link->next)
    {
      Call *call = link->data;

      if (call->idle == 0 && (call->kind == FAKE_FOLLOW || call->kind == FAKE_WATCH))
        call->idle = g_idle_add (on_idle, call);
    }
}

guint
fake_count (const PpInfrastructure *infrastructure, FakeCall kind)
{
  return ((const FakeInfrastructure *)infrastructure)->counts[kind];
}

void
fake_go_on (PpInfrastructure *infrastructure)
{
  for (GList *link = ((FakeInfrastructure *)infrastructure)->calls; link != NULL; link = link->next)
    {
      Call *call = link->data;

      if (call->is_held && call->idle == 0)
        call->idle = g_idle_add (on_idle, call);
    }
}

void
fake_tell (PpInfrastructure *infrastructure, PpWatchNews news)
{
  for (const GList *link = ((FakeInfrastructure *)infrastructure)->calls; link != NULL;
       link = link->next)
    {
      const Call *call = link->data;

      if (call->kind == FAKE_WATCH)
        call->news (news, call->user_data);
    }
}

void
fake_vanish (PpInfrastructure *infrastructure)
{
  fake_end (infrastructure, 137);
  g_clear_pointer (&fake_of (infrastructure)->job, pp_job_unref);
}
