/* SPDX-License-Identifier: Apache-2.0 */
/* Containers without a journal entry, because a journal was lost. The worker recovers a container
 * if the server still waits for its run. It leaves other containers alone, because their users
 * wanted to keep them. */
#include "config.h"

#include "worker/flow_run/container_ownership-private.h"
#include "prefect-podman/state/state_look.h"
#include "worker/worker_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

#include <string.h>
#include <unistd.h>

/* A container is created after its run was claimed. But the time of the Submitting state may be
 * slightly later than the container's. */
#define CREATED_SLACK_US (10 * G_USEC_PER_SEC)

struct PpOrphan
{
  PpWorker *worker;
  char *id;              /* the flow run's id */
  GPtrArray *candidates; /* the listed containers with that flow run id */
  PpJob *job;            /* the run's container among the candidates, once known */
  PpJobPhase phase;      /* the container's phase at the last check */
  json_t *flow_run;      /* the run, as read from the server */
  char *claim;           /* transition id of the claim that the container was created for */
  char *running;         /* transition id of the RUNNING state; NULL if unknown */
  gint64 started_at;     /* the container's start in UNIX microseconds; 0: not started */
  PpStateRead *read;
  PpApiCall *states_call;
  PpInfrastructureCall *inspect_call;
  PpJournalPut *put;
  const PpRunLook *look; /* the result of look_for_sibling(), while it is in progress */
};

static void
free_orphan (gpointer data)
{
  PpOrphan *orphan = data;

  pp_state_read_cancel (orphan->read);
  pp_api_call_cancel (orphan->states_call);
  pp_infrastructure_call_cancel (orphan->inspect_call);
  pp_journal_put_cancel (orphan->put);
  if (orphan->candidates != NULL)
    g_ptr_array_unref (orphan->candidates);
  pp_job_unref (orphan->job);
  json_decref (orphan->flow_run);
  g_free (orphan->claim);
  g_free (orphan->running);
  g_free (orphan->id);
  g_free (orphan);
}

/* Ends the check of ORPHAN: the run was recovered or is left alone. */
static void
end_look (PpOrphan *orphan)
{
  PpWorker *worker = orphan->worker;

  worker->orphans = g_list_remove (worker->orphans, orphan);
  free_orphan (orphan);
  /* A label check in progress relies on these locks and has not locked the identities itself. So
   * keep the locks until it ends. */
  if (worker->orphans == NULL && worker->list_put == NULL)
    g_hash_table_remove_all (worker->held);
}

static void
look_again (PpOrphan *orphan, const GError *error)
{
  g_warning ("Could not check a container of flow run %s that has no entry in the state directory. "
             "The worker checks it again later: %s",
             orphan->id, error->message);
  pp_worker_list_later (orphan->worker);
  end_look (orphan);
}

/* Checks if another worker's journal has the run, then calls DONE. */
static void
look_for_sibling (PpOrphan *orphan, PpJournalDoneFunc done)
{
  PpRunLook *look = pp_run_look_new (orphan->worker->identity, orphan->id);

  orphan->look = look;
  orphan->put = pp_journal_work (orphan->worker->context.journal, pp_run_look, look,
                                 pp_run_look_free, done, orphan);
}

/* Takes the result of look_for_sibling(). True if this worker or another one has the run. */
static gboolean
is_known (PpOrphan *orphan)
{
  gboolean is_siblings = orphan->look->found;

  orphan->put = NULL;
  orphan->look = NULL;
  return is_siblings || g_hash_table_contains (orphan->worker->runs, orphan->id);
}

/* True if the run was claimed again after the container had ended, and the server does not know the
 * new attempt's container yet. The PENDING and RUNNING states of an attempt come before its
 * container ends, if the clocks of server and host agree. Only for containers without a claim
 * label. */
static gboolean
is_of_earlier_attempt (const json_t *flow_run, const PpJobStatus *status)
{
  const json_t *state = json_object_get (flow_run, "state");
  gint64 since = pp_timestamp_parse (pp_json_string (state, "timestamp"));

  if (status->phase == PP_JOB_RUNNING
      || g_strcmp0 (pp_json_string (state, "type"), "CANCELLING") == 0)
    return FALSE;
  if (status->ended_at > 0)
    return since > status->ended_at;
  return status->started_at == 0 && status->created_at > 0
         && since > status->created_at + CREATED_SLACK_US;
}

/* Returns a journal entry with the known values. They suffice to recover the run, or to detect that
 * its container is gone. The strings are borrowed. */
static PpJournalEntry
describe (const PpOrphan *orphan)
{
  const char *transition_id = pp_state_transition_id (json_object_get (orphan->flow_run, "state"));
  gint64 scheduled = pp_timestamp_parse (pp_json_string (orphan->flow_run, "expected_start_time"));

  if (transition_id != NULL && !g_uuid_string_is_valid (transition_id))
    transition_id = NULL;
  return (PpJournalEntry){
    .flow_run_id = orphan->id,
    .flow_run_name = (char *)pp_json_string (orphan->flow_run, "name"),
    .phase = PP_JOURNAL_STARTING,
    .container_id = orphan->job->ref.id,
    .container_name = orphan->job->ref.name,
    .undescribed = TRUE,
    /* Use the id of the current state, even if another worker requested it: a later claim has
     * another id. */
    .claim_transition_id = orphan->claim != NULL ? orphan->claim : (char *)transition_id,
    .submitting_transition_id = orphan->claim != NULL ? (char *)transition_id : NULL,
    .running_transition_id = orphan->running,
    .scheduled_time = MAX (scheduled, 0),
    .claimed_at = orphan->job->status.created_at,
    .started_at = orphan->started_at,
    .boot_id = orphan->worker->boot_id,
  };
}

static void
on_written (const GError *error, gpointer user_data)
{
  PpOrphan *orphan = user_data;
  PpWorker *worker = orphan->worker;
  const PpJournalEntry entry = describe (orphan);

  orphan->put = NULL;
  if (error != NULL)
    g_warning ("Could not save that this worker has flow run '%s'. If the worker stops now, nobody "
               "will know: %s",
               orphan->id, error->message);
  if (!g_hash_table_contains (worker->runs, orphan->id))
    pp_flow_run_recover (pp_worker_take_into_hands (worker, &entry), orphan->job, orphan->phase);
  end_look (orphan);
}

/* Records the run in the journal, so that other workers find it there. */
static void
write_down (PpOrphan *orphan)
{
  const PpJournalEntry entry = describe (orphan);

  orphan->put = pp_journal_put (orphan->worker->context.journal, &entry, on_written, orphan);
}

/* Checks a second time, because the requests to the engine and the server took time. */
static void
on_sibling_looked_for_again (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpOrphan *orphan = user_data;

  if (is_known (orphan))
    end_look (orphan);
  else
    write_down (orphan);
}

static void
on_inspected (PpJob *job, const GError *error, gpointer user_data)
{
  PpOrphan *orphan = user_data;

  orphan->inspect_call = NULL;
  if (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND))
    end_look (orphan);
  else if (error != NULL)
    look_again (orphan, error);
  else if (orphan->claim == NULL && is_of_earlier_attempt (orphan->flow_run, &job->status))
    end_look (orphan);
  else
    {
      /* This answer is newer than the list. */
      if (job->status.phase != PP_JOB_UNKNOWN)
        orphan->phase = job->status.phase;
      orphan->started_at = job->status.started_at;
      look_for_sibling (orphan, on_sibling_looked_for_again);
    }
}

/* True if FLOW_RUN, an object of the API, may wait for the end of a container in PHASE. */
static gboolean
is_open (const json_t *flow_run, PpJobPhase phase)
{
  static const char *const open[] = { "PENDING", "RUNNING", "CANCELLING", NULL };
  const json_t *state = json_object_get (flow_run, "state");
  const char *type = pp_json_string (state, "type");

  if (pp_flow_run_waits_in_container (flow_run))
    return pp_job_phase_is_alive (phase);
  return (type != NULL && g_strv_contains (open, type))
         || pp_flow_run_is_paused_in_container (state);
}

/* Returns the transition id of the RUNNING state after CLAIM in STATES (oldest first), borrowed, or
 * NULL. Only for runs whose states a worker reports. */
static const char *
find_running (const json_t *states, const json_t *claim)
{
  gboolean after = FALSE;
  const json_t *state;
  size_t index;

  json_array_foreach (states, index, state)
  {
    if (after && g_strcmp0 (pp_json_string (state, "type"), "RUNNING") == 0)
      return pp_state_transition_id (state);
    after = after || state == claim;
  }
  return NULL;
}

/* True if the server's states show that JOB is the container of ORPHAN's run: it was created for
 * the last claim in STATES. A container of version 0.1 has no claim label, and the job itself may
 * have set its flow run id. For such a container, the server must know the container's id. */
static gboolean
is_of_run (const PpOrphan *orphan, const json_t *states, const PpJob *job)
{
  const char *pid = pp_json_string (orphan->flow_run, "infrastructure_pid");

  if (job->ref.claim != NULL)
    return pp_states_find_claim (states, job->ref.claim) != NULL;
  return pid != NULL && g_str_has_suffix (pid, job->ref.id);
}

/* True if JOB is the container that the server knows for ORPHAN's run, and it has run. */
static gboolean
is_servers_choice (const PpOrphan *orphan, const PpJob *job)
{
  return pp_json_string (orphan->flow_run, "infrastructure_pid") != NULL
         && !pp_flow_run_is_in_other_container (orphan->flow_run, job->ref.id)
         && job->status.phase != PP_JOB_CREATED;
}

/* True if JOB is a better choice for ORPHAN's run than OTHER. The container that the server knows
 * comes first: an image that was made from it (podman commit) has all of its labels, and so has
 * each container of that image. */
static gboolean
is_better_choice (const PpOrphan *orphan, const PpJob *job, const PpJob *other)
{
  gboolean is_first = is_servers_choice (orphan, job);

  if (is_first != is_servers_choice (orphan, other))
    return is_first;
  return pp_job_is_better_candidate (job, other);
}

/* Chooses ORPHAN's container by STATES, the run's states on the server. Returns FALSE if there is
 * none. */
static gboolean
choose_container (PpOrphan *orphan, const json_t *states)
{
  PpJob *found = NULL;

  for (guint i = 0; i < orphan->candidates->len; i++)
    {
      PpJob *job = g_ptr_array_index (orphan->candidates, i);

      if (is_of_run (orphan, states, job)
          && (found == NULL || is_better_choice (orphan, job, found)))
        found = job;
    }
  if (found == NULL)
    return FALSE;
  orphan->job = pp_job_ref (found);
  orphan->phase = found->status.phase;
  orphan->claim = g_strdup (found->ref.claim);
  if (orphan->claim != NULL && found->ref.reporter == PP_REPORTER_WORKER)
    orphan->running
        = g_strdup (find_running (states, pp_states_find_claim (states, orphan->claim)));
  return TRUE;
}

static void
on_states (json_t *states, const GError *error, gpointer user_data)
{
  PpOrphan *orphan = user_data;

  orphan->states_call = NULL;
  if (error != NULL && !g_error_matches (error, PP_API_ERROR, 404))
    look_again (orphan, error);
  else if (error != NULL || !choose_container (orphan, states)
           || !is_open (orphan->flow_run, orphan->phase)
           || pp_flow_run_is_in_other_container (orphan->flow_run, orphan->job->ref.id))
    end_look (orphan);
  else
    orphan->inspect_call = pp_infrastructure_inspect (orphan->worker->context.infrastructure,
                                                      orphan->job->ref.id, on_inspected, orphan);
}

/* True if the run is in this worker's pool. Runs of other pools belong to other workers, even if
 * the labels of their containers name this worker. If only the run's states can be read, the pool
 * is unknown, and the container's claim must suffice. */
static gboolean
is_of_our_pool (const PpOrphan *orphan, const json_t *flow_run)
{
  return json_object_get (flow_run, "work_pool_name") == NULL
         || g_strcmp0 (pp_json_string (flow_run, "work_pool_name"),
                       orphan->worker->options->work_pool)
                == 0;
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  PpOrphan *orphan = user_data;

  orphan->read = NULL;
  if (error != NULL && !g_error_matches (error, PP_API_ERROR, 404))
    look_again (orphan, error);
  else if (error != NULL || !is_of_our_pool (orphan, body))
    end_look (orphan);
  else
    {
      orphan->flow_run = json_incref (body);
      orphan->states_call
          = pp_flow_run_states_read (orphan->worker->context.api, orphan->id, on_states, orphan);
    }
}

/* True if NAME is our identity, or if we lock it until all orphaned containers are checked. A
 * worker that takes the identity afterwards finds the recovered runs in our journal. */
static gboolean
is_held (const PpWorker *worker, const char *name)
{
  return name != NULL
         && (g_str_equal (name, worker->context.identity_name)
             || g_hash_table_contains (worker->held, name));
}

gboolean
pp_worker_has_to_hold (const PpWorker *worker, const PpJob *job)
{
  const char *identity = job->ref.identity;
  const char *id = job->ref.flow_run_id;

  return identity != NULL && id != NULL && !is_held (worker, identity)
         && g_hash_table_contains (worker->adopted, identity)
         && !g_hash_table_contains (worker->runs, id);
}

/* Takes over the locks in LOOK. */
static void
hold (PpWorker *worker, PpLabelsLook *look)
{
  GHashTableIter iter;
  gpointer name, lock;

  g_hash_table_iter_init (&iter, look->locks);
  while (g_hash_table_iter_next (&iter, &name, &lock))
    if (GPOINTER_TO_INT (lock) >= 0 && !is_held (worker, name))
      {
        g_hash_table_insert (worker->held, g_strdup (name), lock);
        g_hash_table_iter_remove (&iter);
      }
}

/* Returns the containers in JOBS with our identity, or with an identity that we have locked; new
 * array. */
static GPtrArray *
find_candidates (const PpWorker *worker, const GPtrArray *jobs)
{
  GPtrArray *candidates = g_ptr_array_new_with_free_func ((GDestroyNotify)pp_job_unref);

  for (guint i = 0; i < jobs->len; i++)
    {
      PpJob *job = g_ptr_array_index (jobs, i);

      if (is_held (worker, job->ref.identity))
        g_ptr_array_add (candidates, pp_job_ref (job));
    }
  return candidates;
}

static void
on_sibling_looked_for (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpOrphan *orphan = user_data;

  if (is_known (orphan))
    end_look (orphan);
  else
    orphan->read
        = pp_state_reader_read (orphan->worker->context.states, orphan->id, on_read, orphan);
}

static gint
has_id (gconstpointer orphan, gconstpointer id)
{
  return strcmp (((const PpOrphan *)orphan)->id, id);
}

static void
look_at (PpWorker *worker, const char *id, const GPtrArray *jobs)
{
  g_autoptr (GPtrArray) candidates = find_candidates (worker, jobs);
  PpOrphan *orphan;

  if (candidates->len == 0 || g_list_find_custom (worker->orphans, id, has_id) != NULL)
    return;
  orphan = g_new0 (PpOrphan, 1);
  orphan->worker = worker;
  orphan->id = g_strdup (id);
  worker->orphans = g_list_prepend (worker->orphans, orphan);
  orphan->candidates = g_steal_pointer (&candidates);
  /* Check this first: another worker reports a run's end to the server before it forgets the
   * run. */
  look_for_sibling (orphan, on_sibling_looked_for);
}

void
pp_worker_look_at_orphans (PpWorker *worker, GHashTable *groups, PpLabelsLook *look)
{
  GHashTableIter iter;
  gpointer id, containers;

  hold (worker, look);
  g_hash_table_iter_init (&iter, groups);
  while (g_hash_table_iter_next (&iter, &id, &containers))
    if (!g_hash_table_contains (worker->runs, id))
      look_at (worker, id, containers);
  if (worker->orphans == NULL)
    g_hash_table_remove_all (worker->held);
}

static void
close_lock (gpointer fd)
{
  close (GPOINTER_TO_INT (fd));
}

void
pp_worker_expect_orphans (PpWorker *worker)
{
  worker->adopted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  worker->held = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, close_lock);
}

void
pp_worker_leave_orphans (PpWorker *worker)
{
  g_list_free_full (g_steal_pointer (&worker->orphans), free_orphan);
  g_clear_pointer (&worker->held, g_hash_table_unref);
}
