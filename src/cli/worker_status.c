/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman worker status: prints the content of the state directory. Sends no requests to the
 * server or the engine. */
#include "config.h"

#include "cli/commands-private.h"
#include "cli/print-private.h"
#include "prefect-podman/json.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/text/visible.h"
#include "prefect-podman/state/identity_list.h"
#include "prefect-podman/state/journal_entry.h"
#include "prefect-podman/state/state_dir.h"
#include "prefect-podman/state/state_fallback.h"
#include "prefect-podman/text/timestamp.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  gboolean json;
} Options;

static const PpOption options[] = {
  { "json", 0, PP_OPTION_SWITCH, G_STRUCT_OFFSET (Options, json), "Print JSON" },
  { NULL },
};

/* A state directory and the workers in it. */
typedef struct
{
  char *state_dir;
  GPtrArray *infos; /* of PpIdentityInfo */
} Place;

/* Ranks running workers first, then workers that have left runs, problems or set-aside files. */
static int
rank (const PpIdentityInfo *info)
{
  if (info->state == PP_IDENTITY_LIVING)
    return 0;
  return info->entries->len + info->problems->len + info->set_aside > 0 ? 1 : 2;
}

static gint
compare_workers (gconstpointer a, gconstpointer b)
{
  const PpIdentityInfo *one = *(const PpIdentityInfo *const *)a;
  const PpIdentityInfo *other = *(const PpIdentityInfo *const *)b;

  return rank (one) != rank (other) ? rank (one) - rank (other) : strcmp (one->name, other->name);
}

/* Takes ownership of INFOS. */
static Place *
place_new (const char *state_dir, GPtrArray *infos)
{
  Place *place = g_new0 (Place, 1);

  g_ptr_array_sort (infos, compare_workers);
  place->state_dir = g_strdup (state_dir);
  place->infos = infos;
  return place;
}

static void
place_free (gpointer data)
{
  Place *place = data;

  g_free (place->state_dir);
  g_ptr_array_unref (place->infos);
  g_free (place);
}

/* True if the state directory shows that the container has started. */
static gboolean
has_started (const PpJournalEntry *entry)
{
  return entry->is_followed || entry->undescribed;
}

/* Returns what the run waits for, according to the journal; new string. */
static char *
waits_for (const PpIdentityInfo *info, const PpJournalEntry *entry)
{
  gint64 early = entry->scheduled_time - g_get_real_time ();

  if (info->state != PP_IDENTITY_LIVING)
    return g_strdup ("a worker that recovers it");
  if (entry->phase == PP_JOURNAL_REPORTING)
    return g_strdup ("its end to be reported and its logs delivered");
  if (entry->phase == PP_JOURNAL_STARTING)
    return g_strdup (has_started (entry) ? "its container's end and its report"
                                         : "its container's start");
  if (early < G_USEC_PER_SEC)
    return g_strdup ("its claim, its image and its container");
  /* The image and the container are prepared before the scheduled time. */
  g_autofree char *left = pp_duration_text (early);
  return g_strdup_printf ("its scheduled time, in %s", left);
}

/* ---- JSON ---- */

/* Sets KEY of OBJECT if VALUE is not NULL. */
static void
set_string (json_t *object, const char *key, const char *value)
{
  if (value != NULL)
    json_object_set_new (object, key, json_string (value));
}

static void
set_time (json_t *object, const char *key, gint64 unix_microseconds)
{
  if (unix_microseconds <= 0)
    return;
  g_autofree char *text = pp_timestamp_text (unix_microseconds);
  set_string (object, key, text);
}

static json_t *
run_to_json (const PpIdentityInfo *info, const PpJournalEntry *entry)
{
  json_t *run = json_object ();
  g_autofree char *waits = waits_for (info, entry);

  set_string (run, "id", entry->flow_run_id);
  set_string (run, "name", entry->flow_run_name);
  set_string (run, "phase", pp_journal_phase_word (entry->phase, has_started (entry)));
  set_string (run, "waits_for", waits);
  set_time (run, "claimed_at", entry->claimed_at);
  set_time (run, "started_at", has_started (entry) ? entry->started_at : 0);
  set_string (run, "container_id", entry->container_id);
  set_string (run, "container_name", pp_journal_entry_shown_name (entry));
  set_string (run, "report_type", entry->report_type);
  set_string (run, "report_message", entry->report_message);
  return run;
}

static json_t *
worker_to_json (const char *state_dir, const PpIdentityInfo *info)
{
  json_t *worker = json_object ();
  json_t *runs = json_array ();
  json_t *problems = json_array ();

  set_string (worker, "identity", info->name);
  set_string (worker, "state_dir", state_dir);
  set_string (worker, "name", info->worker_name);
  json_object_set_new (worker, "alive", json_boolean (info->state == PP_IDENTITY_LIVING));
  if (info->pid > 0)
    json_object_set_new (worker, "pid", json_integer (info->pid));
  set_time (worker, "started_at", info->started_at);
  set_string (worker, "work_pool", info->work_pool);
  set_string (worker, "api_url", info->api_url);
  set_string (worker, "engine_url", info->engine_url);
  set_string (worker, "host", info->host);
  for (guint i = 0; i < info->entries->len; i++)
    json_array_append_new (runs, run_to_json (info, g_ptr_array_index (info->entries, i)));
  for (guint i = 0; i < info->problems->len; i++)
    json_array_append_new (problems, json_string (g_ptr_array_index (info->problems, i)));
  json_object_set_new (worker, "runs", runs);
  json_object_set_new (worker, "problems", problems);
  json_object_set_new (worker, "set_aside", json_integer (info->set_aside));
  return worker;
}

static void
print_json (const GPtrArray *places)
{
  json_auto_t *workers = json_array ();
  json_auto_t *root = json_object ();

  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = g_ptr_array_index (places, i);

      for (guint j = 0; j < place->infos->len; j++)
        json_array_append_new (
            workers, worker_to_json (place->state_dir, g_ptr_array_index (place->infos, j)));
    }
  set_string (root, "state_dir", ((const Place *)g_ptr_array_index (places, 0))->state_dir);
  json_object_set (root, "workers", workers);
  char *text = json_dumps (root, JSON_INDENT (2));
  g_autofree char *visible = pp_text_visible_json (text);
  g_print ("%s\n", visible);
  free (text);
}

/* ---- Text ---- */

/* Prints the flow runs of the worker INFO. */
static void
print_runs (const PpIdentityInfo *info)
{
  static const PpColumn columns[] = {
    { "FLOW RUN" }, { "NAME", TRUE },      { "AGE" },
    { "PHASE" },    { "CONTAINER", TRUE }, { "WAITS FOR", TRUE },
  };
  g_autoptr (PpTable) table = pp_table_new (columns, G_N_ELEMENTS (columns), 2);

  if (info->entries->len == 0)
    {
      g_print ("  no runs in flight\n");
      return;
    }
  for (guint i = 0; i < info->entries->len; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (info->entries, i);
      g_autofree char *age = pp_age_text (entry->claimed_at);
      g_autofree char *waits = waits_for (info, entry);
      const char *const cells[] = { entry->flow_run_id,
                                    entry->flow_run_name,
                                    age,
                                    pp_journal_phase_word (entry->phase, has_started (entry)),
                                    pp_journal_entry_shown_name (entry),
                                    waits };

      pp_table_add (table, cells);
    }
  pp_table_print (table);
}

static void
print_problem (const char *text)
{
  g_autofree char *clean = pp_printable_text (text);
  g_autofree char *mark = pp_color_text (PP_COLOR_RED, "!");

  g_print ("  %s %s\n", mark, clean);
}

static void
print_worker (const char *state_dir, const PpIdentityInfo *info)
{
  g_autofree char *plain_name
      = pp_printable_text (info->worker_name != NULL ? info->worker_name : info->name);
  g_autofree char *name = pp_color_text (PP_COLOR_BOLD, plain_name);
  g_autofree char *running = pp_color_text (PP_COLOR_GREEN, "running");
  g_autofree char *not_running = pp_color_text (PP_COLOR_YELLOW, "not running");
  g_autofree char *pool = pp_printable_text (info->work_pool);
  g_autofree char *api = pp_printable_text (info->api_url);
  g_autofree char *engine = pp_printable_text (info->engine_url);
  g_autofree char *host = pp_printable_text (info->host);
  g_autofree char *since = pp_age_text (info->started_at);

  if (info->state == PP_IDENTITY_LIVING)
    g_print ("%s: %s for %s, pid %" G_GINT64_FORMAT " on %s\n", name, running, since, info->pid,
             host);
  else
    g_print ("%s: %s (was pid %" G_GINT64_FORMAT " on %s, started %s ago)\n", name, not_running,
             info->pid, host, since);
  g_print ("  pool %s, API %s, engine %s\n", pool, api, engine);
  print_runs (info);
  for (guint i = 0; i < info->problems->len; i++)
    print_problem (g_ptr_array_index (info->problems, i));
  if (info->set_aside > 0)
    {
      g_autofree char *note
          = g_strdup_printf ("%u %s could not be used and %s moved to %s/%s/set-aside",
                             info->set_aside, info->set_aside == 1 ? "file" : "files",
                             info->set_aside == 1 ? "was" : "were", state_dir, info->name);
      print_problem (note);
    }
}

static void
print_text (const GPtrArray *places)
{
  guint printed = 0;

  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = g_ptr_array_index (places, i);
      g_autofree char *path = pp_printable_text (place->state_dir);

      for (guint j = 0; j < place->infos->len; j++)
        {
          if (printed++ > 0)
            g_print ("\n");
          print_worker (path, g_ptr_array_index (place->infos, j));
        }
    }
  if (printed > 0)
    return;
  g_autofree char *path
      = pp_printable_text (((const Place *)g_ptr_array_index (places, 0))->state_dir);
  g_print ("No worker has stored anything in %s\n"
           "Workers of other users, and workers with another --state-dir, use other directories.\n",
           path);
}

/* Adds the fallback directories, which workers use if the default directory is not writable. */
static void
add_fallbacks (GPtrArray *places)
{
  gboolean exists = TRUE;

  for (guint n = 0; exists; n++)
    {
      g_autoptr (PpStateFallback) fallback = pp_state_fallback_new (n, FALSE, &exists, NULL);
      GPtrArray *infos = fallback != NULL ? pp_identity_list (fallback->path, NULL) : NULL;

      if (infos != NULL)
        g_ptr_array_add (places, place_new (fallback->path, infos));
    }
}

static int
run (const PpCommandLine *line, PpSession *session, GError **error)
{
  const Options *given = line->options;
  g_autofree char *state_dir = pp_state_dir_default (line->shared.state_dir);
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) infos = pp_identity_list (state_dir, &local);
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func (place_free);

  (void)session;
  /* The default directory does not have to exist. */
  if (g_error_matches (local, PP_STATE_ERROR, PP_STATE_ERROR_GONE)
      && !pp_state_dir_is_named (line->shared.state_dir))
    infos = g_ptr_array_new ();
  if (infos != NULL)
    g_ptr_array_add (places, place_new (state_dir, g_steal_pointer (&infos)));
  if (!pp_state_dir_is_named (line->shared.state_dir))
    add_fallbacks (places);
  if (places->len == 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return PP_EXIT_FAILED;
    }
  if (given->json)
    print_json (places);
  else
    print_text (places);
  return PP_EXIT_DONE;
}

const PpCommand pp_command_worker_status = {
  .words = { "worker", "status" },
  .summary = "show this host's workers and their runs",
  .description = "Lists the workers of this host and the flow runs they have in flight. Does "
                 "not contact the server or the engine.",
  .exit_codes = "Exit codes: 0 done, 1 DIR cannot be read or is not a state directory, 2 wrong "
                "usage.",
  .options = options,
  .options_size = sizeof (Options),
  .shared = PP_SHARE_STATE_DIR,
  .session = PP_SESSION_NONE,
  .run = run,
};
