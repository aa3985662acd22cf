/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's identity across restarts, and its state directory. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/state/identity_list.h"
#include "signals-private.h"
#include "prefect-podman/state/state_dir.h"

#include <unistd.h>

/* How long to wait for a worker that is stopping: a little more than STOP_US in worker.c. */
#define WAIT_FOR_STOP_US (10 * G_USEC_PER_SEC)
#define WAIT_STEP_US ((gulong)50000)

static char *
make_up_name (const char *type)
{
  g_autofree char *uuid = g_uuid_string_random ();

  return g_strdup_printf ("%s %s", pp_kind_worker_word (type), uuid);
}

/* Waits for a stopping worker that holds the identity. When it exits, it releases the identity with
 * its name and runs, and this worker gets them. A signal ends the wait. */
static void
wait_for_the_one_before (const char *state_dir, const PpIdentityKey *key)
{
  gint64 deadline = g_get_monotonic_time () + WAIT_FOR_STOP_US;

  if (!pp_identity_is_stopping (state_dir, key))
    return;
  g_message ("An earlier worker is still stopping: waiting up to %d s for its end",
             (int)(WAIT_FOR_STOP_US / G_USEC_PER_SEC));
  while (pp_identity_is_stopping (state_dir, key) && g_get_monotonic_time () < deadline
         && !pp_signals_are_pending ())
    g_usleep (WAIT_STEP_US);
}

/* Takes an identity in STATE_DIR and opens its journal. Returns FALSE with ERROR. */
static gboolean
try_state_dir (PpWorker *worker, const char *state_dir, GError **error)
{
  PpIdentityKey key = {
    .api_url = worker->settings->api_url,
    .work_pool = worker->options->work_pool,
    .engine_url = worker->place,
  };

  if (!pp_state_dir_prepare (state_dir, error))
    return FALSE;
  pp_state_dir_warn_of_readers (state_dir);
  wait_for_the_one_before (state_dir, &key);
  worker->identity = pp_identity_take (state_dir, &key, error);
  if (worker->identity == NULL)
    return FALSE;
  worker->context.journal = pp_journal_new (worker->identity, error);
  if (worker->context.journal == NULL)
    {
      g_clear_pointer (&worker->identity, pp_identity_free);
      return FALSE;
    }
  worker->state_dir = g_strdup (state_dir);
  return TRUE;
}

/* True if another directory may replace STATE_DIR, which failed with ERROR. FALSE for a directory
 * that the user named, and for our own directory if only its permissions are unsafe: the runs in it
 * would be forgotten. */
static gboolean
may_fall_back (const PpWorker *worker, const char *state_dir, const GError *error)
{
  if (pp_state_dir_is_named (worker->options->state_dir))
    return FALSE;
  return !g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE)
         || !pp_state_dir_is_ours (state_dir);
}

static gboolean
fall_back (PpWorker *worker, const GError *why, GError **error)
{
  g_autoptr (GString) tried = g_string_new (why->message);
  gboolean exists = TRUE;

  for (guint n = 0; exists; n++)
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (PpStateFallback) fallback = pp_state_fallback_new (n, TRUE, &exists, &local);

      if (fallback != NULL && try_state_dir (worker, fallback->path, &local))
        {
          g_warning ("%s. Using %s instead, for now. It %s; then this worker's runs in flight are "
                     "forgotten",
                     why->message, fallback->path, fallback->forgets);
          worker->state_fallback = g_steal_pointer (&fallback);
          return TRUE;
        }
      if (local != NULL)
        g_string_append_printf (tried, "; %s", local->message);
    }
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_SYSTEM,
               "No state directory can be written. Name one with --state-dir. Tried: %s",
               tried->str);
  return FALSE;
}

/* Warns about runs in the fallback directories, which an earlier worker used because its state
 * directory was not writable. */
static void
warn_of_runs_elsewhere (void)
{
  gboolean exists = TRUE;

  for (guint n = 0; exists; n++)
    {
      g_autoptr (PpStateFallback) fallback = pp_state_fallback_new (n, FALSE, &exists, NULL);
      g_autoptr (GPtrArray) infos
          = fallback != NULL ? pp_identity_list (fallback->path, NULL) : NULL;
      guint runs = 0;

      for (guint i = 0; infos != NULL && i < infos->len; i++)
        {
          const PpIdentityInfo *info = g_ptr_array_index (infos, i);

          runs += info->state == PP_IDENTITY_FREE ? info->entries->len : 0;
        }
      if (runs > 0)
        g_warning ("%u flow %s left in %s by a worker that could not write its usual state "
                   "directory. Start a worker with --state-dir %s to recover %s",
                   runs, runs == 1 ? "run is" : "runs are", fallback->path, fallback->path,
                   runs == 1 ? "it" : "them");
    }
}

/* Sets the worker's name: the given name, else its earlier name, else a generated one. */
static void
take_name (PpWorker *worker)
{
  const PpWorkerOptions *options = worker->options;
  g_autoptr (GError) not_written = NULL;

  if (options->name != NULL)
    worker->name = g_strdup (options->name);
  else if (pp_identity_earlier_name (worker->identity) != NULL)
    worker->name = g_strdup (pp_identity_earlier_name (worker->identity));
  else
    worker->name = make_up_name (options->type);
  worker->has_served = pp_identity_has_served (worker->identity);
  if (!pp_identity_write (worker->identity, worker->name, options->name == NULL, worker->has_served,
                          &not_written))
    g_warning ("Could not save this worker's name, so `worker status` will not show it: %s",
               not_written->message);
}

gboolean
pp_worker_take_identity (PpWorker *worker, GError **error)
{
  g_autofree char *state_dir = pp_state_dir_default (worker->options->state_dir);
  g_autoptr (GError) local = NULL;

  if (!try_state_dir (worker, state_dir, &local))
    {
      if (!may_fall_back (worker, state_dir, local))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (!fall_back (worker, local, error))
        return FALSE;
    }
  else if (!pp_state_dir_is_named (worker->options->state_dir))
    warn_of_runs_elsewhere ();
  take_name (worker);
  worker->boot_id = pp_boot_id ();
  worker->context.identity_name = pp_identity_name (worker->identity);
  worker->context.boot_id = worker->boot_id;
  return TRUE;
}

typedef struct
{
  PpIdentity *identity; /* a reference */
  char *worker_name;
  gboolean is_made_up;
  GError *error;
} Served;

static void
write_served (gpointer data)
{
  Served *served = data;

  pp_identity_write (served->identity, served->worker_name, served->is_made_up, TRUE,
                     &served->error);
}

static void
free_served (gpointer data)
{
  Served *served = data;

  if (served->error != NULL)
    g_debug ("Could not save that this worker has served its pool: %s", served->error->message);
  g_clear_error (&served->error);
  pp_identity_free (served->identity);
  g_free (served->worker_name);
  g_free (served);
}

void
pp_worker_note_served (PpWorker *worker)
{
  Served *served;

  if (worker->has_served)
    return;
  worker->has_served = TRUE;
  served = g_new0 (Served, 1);
  served->identity = pp_identity_ref (worker->identity);
  served->worker_name = g_strdup (worker->name);
  served->is_made_up = worker->options->name == NULL;
  pp_journal_work (worker->context.journal, write_served, served, free_served, NULL, NULL);
}

static void
say_stopping (gpointer identity)
{
  pp_identity_say_stopping (identity);
}

void
pp_worker_say_stopping (PpWorker *worker)
{
  pp_journal_work (worker->context.journal, say_stopping, pp_identity_ref (worker->identity),
                   (GDestroyNotify)pp_identity_free, NULL, NULL);
}
