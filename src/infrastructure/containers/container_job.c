/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "container_job-private.h"

#include "prefect-podman/json.h"
#include "prefect-podman/text/timestamp.h"

#include <string.h>

/* When dockerd starts, it gives this exit status to a container that ran when dockerd ended. */
#define DOCKER_LOST 255
/* The exit status that Podman gives to a container whose conmon is gone (5.4's
 * Container.WaitForExit). */
#define PODMAN_LOST (-1)

/* Status words of both engines. "initialized" is Podman's: the runtime has made the container and
 * may have begun its program. */
static const struct
{
  const char *word;
  PpJobPhase phase;
} phases[] = {
  { "created", PP_JOB_CREATED }, { "configured", PP_JOB_CREATED }, { "initialized", PP_JOB_READY },
  { "running", PP_JOB_RUNNING }, { "paused", PP_JOB_HELD },        { "stopping", PP_JOB_HELD },
  { "restarting", PP_JOB_HELD }, { "exited", PP_JOB_ENDED },       { "stopped", PP_JOB_ENDED },
  { "dead", PP_JOB_ENDED },      { "removing", PP_JOB_ENDED },
};

static PpJobPhase
parse_phase (const char *status)
{
  if (status == NULL)
    return PP_JOB_UNKNOWN;
  for (gsize i = 0; i < G_N_ELEMENTS (phases); i++)
    if (g_str_equal (phases[i].word, status))
      return phases[i].phase;
  return PP_JOB_UNKNOWN;
}

/* For an event that has not happened, engines write Go's zero time, which is in the year 1. */
static gint64
parse_time (const char *timestamp)
{
  return MAX (pp_timestamp_parse (timestamp), 0);
}

static PpReporter
parse_reporter (const char *word)
{
  if (word == NULL)
    return PP_REPORTER_UNKNOWN;
  return g_str_equal (word, "worker") ? PP_REPORTER_WORKER : PP_REPORTER_PREFECT;
}

static void
read_labels (PpJobRef *ref, const json_t *labels)
{
  const char *claim = pp_json_string (labels, PP_CLAIM_LABEL);

  ref->identity = g_strdup (pp_json_string (labels, PP_IDENTITY_LABEL));
  ref->flow_run_id = g_strdup (pp_json_string (labels, PP_FLOW_RUN_LABEL));
  ref->work_pool = g_strdup (pp_json_string (labels, PP_WORK_POOL_LABEL));
  ref->reporter = parse_reporter (pp_json_string (labels, PP_REPORTER_LABEL));
  if (claim != NULL && g_uuid_string_is_valid (claim))
    ref->claim = g_strdup (claim);
}

/* Docker writes a slash before each name. It also lists "OTHER/ALIAS", by which another container
 * links to this one. That is no name of this container itself. */
static const char *
plain_name (const char *name)
{
  if (name != NULL && *name == '/')
    name++;
  return name != NULL && strchr (name, '/') == NULL ? name : NULL;
}

static const char *
listed_name (const json_t *names)
{
  const json_t *name;
  size_t index;

  json_array_foreach (names, index, name)
  {
    const char *plain = plain_name (json_string_value (name));

    if (plain != NULL)
      return plain;
  }
  return NULL;
}

static void
read_end (PpJobStatus *status, const json_t *inspect, const json_t *state)
{
  PpJobEnd *end = &status->end;
  const char *error = pp_json_string (state, "Error");
  const char *finished = pp_json_string (state, "FinishedAt");
  /* Engines give the exit status 0 even to a container that has not ended. */
  gboolean has_no_end = status->phase == PP_JOB_CREATED || status->phase == PP_JOB_READY
                        || (finished != NULL && g_str_has_prefix (finished, "0001-"));

  end->exit_code = json_integer_value (json_object_get (state, "ExitCode"));
  end->status_lost = !status->is_running && end->exit_code == PODMAN_LOST;
  end->never_started = status->never_started;
  end->checkpointed = !status->is_running && json_is_true (json_object_get (state, "Checkpointed"));
  end->never_ended = end->status_lost || end->checkpointed || (!status->is_running && has_no_end);
  end->oom_killed = json_is_true (json_object_get (state, "OOMKilled"));
  end->memory_limit
      = json_integer_value (json_object_get (json_object_get (inspect, "HostConfig"), "Memory"));
  end->error = error != NULL && *error != '\0' ? g_strdup (error) : NULL;
  status->end_is_guessed = end->exit_code == DOCKER_LOST;
}

PpJob *
pp_container_job_from_inspect (const json_t *inspect)
{
  const char *id = pp_json_string (inspect, "Id");
  const json_t *config = json_object_get (inspect, "Config");
  const json_t *state = json_object_get (inspect, "State");
  g_autoptr (PpJob) job = pp_job_new ();
  PpJobStatus *status = &job->status;

  if (id == NULL)
    return NULL;
  job->ref.id = g_strdup (id);
  job->ref.name = g_strdup (plain_name (pp_json_string (inspect, "Name")));
  read_labels (&job->ref, json_object_get (config, "Labels"));
  status->phase = parse_phase (pp_json_string (state, "Status"));
  status->created_at = parse_time (pp_json_string (inspect, "Created"));
  status->started_at = parse_time (pp_json_string (state, "StartedAt"));
  status->ended_at = parse_time (pp_json_string (state, "FinishedAt"));
  status->has_tty = json_is_true (json_object_get (config, "Tty"));
  status->is_running = json_is_true (json_object_get (state, "Running"))
                       || json_is_true (json_object_get (state, "Paused"))
                       || pp_job_phase_is_alive (status->phase);
  /* If Podman is killed while it starts a container, Podman later reports that container as
   * "created", even after the container has run to its end. Podman also reports no start time. Only
   * the pid of the container's process still shows that it ran. */
  status->never_started = (status->phase == PP_JOB_CREATED || status->phase == PP_JOB_READY)
                          && json_integer_value (json_object_get (state, "Pid")) == 0
                          && status->started_at == 0;
  read_end (status, inspect, state);
  return g_steal_pointer (&job);
}

static PpJob *
job_from_entry (const json_t *entry)
{
  PpJob *job = pp_job_new ();

  job->ref.id = g_strdup (pp_json_string (entry, "Id"));
  job->ref.name = g_strdup (listed_name (json_object_get (entry, "Names")));
  read_labels (&job->ref, json_object_get (entry, "Labels"));
  job->status.phase = parse_phase (pp_json_string (entry, "State"));
  job->status.is_running = pp_job_phase_is_alive (job->status.phase);
  job->status.created_at = json_integer_value (json_object_get (entry, "Created")) * G_USEC_PER_SEC;
  return job;
}

GPtrArray *
pp_container_jobs_from_list (const json_t *list)
{
  GPtrArray *jobs = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_job_unref);
  const json_t *entry;
  size_t index;

  json_array_foreach (list, index, entry)
  {
    if (pp_json_string (entry, "Id") != NULL)
      g_ptr_array_add (jobs, job_from_entry (entry));
  }
  return jobs;
}
