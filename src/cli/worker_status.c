/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman worker status: what the state directory says, without a server or an engine. */
#include "config.h"

#include "prefect-podman/cli/cli.h"
#include "prefect-podman/json.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/text/visible.h"
#include "prefect-podman/state/identity_list.h"
#include "prefect-podman/state/journal_entry.h"
#include "prefect-podman/state/state_dir.h"
#include "prefect-podman/state/state_fallback.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  char *state_dir;
  gboolean json;
} Arguments;

/* A state directory and the workers in it. */
typedef struct
{
  char *state_dir;
  GPtrArray *infos; /* of PpIdentityInfo */
} Place;

/* INFOS is stolen. */
static Place *
place_new (const char *state_dir, GPtrArray *infos)
{
  Place *place = g_new0 (Place, 1);

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

static gboolean
parse_arguments (int argc, char **argv, Arguments *arguments, GError **error)
{
  const GOptionEntry entries[] = {
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &arguments->state_dir,
      "The workers' state directory (default: PREFECT_PODMAN_STATE_DIR, /var/lib/prefect-podman "
      "for root, $XDG_STATE_HOME/prefect-podman)",
      "DIR" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments->json, "Print JSON", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_summary (
      context, "Lists the workers of this host and the flow runs they have in flight. Asks neither "
               "the server nor the engine.");
  g_option_context_set_description (
      context, "Exit codes: 0 done, 1 the state directory cannot be read, 2 wrong usage.\n"
               "See also prefect-podman(1).\n");
  if (!g_option_context_parse (context, &argc, &argv, error))
    return FALSE;
  if (argc > 1)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 "\"%s\" is no option: worker status takes options only", argv[1]);
  else if (arguments->state_dir != NULL && *arguments->state_dir == '\0')
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                         PP_COMMAND_EMPTY_STATE_DIR);
  else
    return TRUE;
  return FALSE;
}

/* "3 d 4 h", "2 h 5 min", "17 min", "8 s"; new string. */
static char *
duration (gint64 microseconds)
{
  gint64 seconds = MAX (microseconds / G_USEC_PER_SEC, 0);
  gint64 minutes = seconds / 60;

  if (minutes == 0)
    return g_strdup_printf ("%" G_GINT64_FORMAT " s", seconds);
  if (minutes < 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT " min", minutes);
  if (minutes < 24L * 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT " h %" G_GINT64_FORMAT " min", minutes / 60,
                            minutes % 60);
  return g_strdup_printf ("%" G_GINT64_FORMAT " d %" G_GINT64_FORMAT " h", minutes / 60 / 24,
                          minutes / 60 % 24);
}

/* What a run waits for, as far as the journal knows; new string. */
static char *
waits_for (const PpIdentityInfo *info, const PpJournalEntry *entry)
{
  gint64 early = entry->scheduled_time - g_get_real_time ();

  if (info->state != PP_IDENTITY_LIVING)
    return g_strdup ("a worker to take it up again");
  if (entry->phase == PP_JOURNAL_REPORTING)
    return g_strdup ("its end to be reported and its logs delivered");
  if (entry->phase == PP_JOURNAL_STARTING)
    return g_strdup (entry->started_at == 0 && !entry->undescribed
                         ? "its container's start"
                         : "its container's end and its report");
  if (early < G_USEC_PER_SEC)
    return g_strdup ("the server's word, its image and its container");
  /* Its image and its container are made meanwhile. */
  g_autofree char *left = duration (early);
  return g_strdup_printf ("its time, in %s", left);
}

/* JSON. */

/* OBJECT gets KEY only where there is a VALUE. */
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
  g_autofree char *text = pp_api_timestamp (unix_microseconds);
  set_string (object, key, text);
}

static json_t *
run_to_json (const PpIdentityInfo *info, const PpJournalEntry *entry)
{
  json_t *run = json_object ();
  g_autofree char *waits = waits_for (info, entry);

  set_string (run, "id", entry->flow_run_id);
  set_string (run, "name", entry->flow_run_name);
  set_string (run, "phase", pp_journal_phase_name (entry->phase));
  set_string (run, "waits_for", waits);
  set_time (run, "claimed_at", entry->claimed_at);
  set_time (run, "started_at", entry->started_at);
  set_string (run, "container_id", entry->container_id);
  set_string (run, "container_name", entry->container_name);
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

/* Text. */

/* TEXT for a terminal: what a server or a file says must not move its cursor. New string. */
static char *
printable (const char *text)
{
  GString *clean = g_string_new (NULL);
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "-", -1);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar character = g_utf8_get_char (at);
      gboolean is_safe = g_unichar_isprint (character) && !pp_text_is_control (character);
      g_string_append_unichar (clean, is_safe ? character : '?');
    }
  return g_string_free (clean, FALSE);
}

/* How long ago SINCE (UNIX microseconds) was; new string. */
static char *
age (gint64 since)
{
  return since > 0 ? duration (g_get_real_time () - since) : g_strdup ("-");
}

/* Adds TEXT and blanks up to WIDTH characters, and one between columns. */
static void
add_column (GString *line, const char *text, glong width)
{
  g_autofree char *clean = printable (text);

  g_string_append (line, clean);
  for (glong length = g_utf8_strlen (clean, -1); length < width; length++)
    g_string_append_c (line, ' ');
  g_string_append (line, "  ");
}

#define ID_WIDTH 36
#define NAME_WIDTH 20
#define AGE_WIDTH 11
#define PHASE_WIDTH 9
#define CONTAINER_WIDTH 20

static void
print_run (const char *id, const char *name, const char *run_age, const char *phase,
           const char *container, const char *waits)
{
  g_autoptr (GString) line = g_string_new ("  ");

  add_column (line, id, ID_WIDTH);
  add_column (line, name, NAME_WIDTH);
  add_column (line, run_age, AGE_WIDTH);
  add_column (line, phase, PHASE_WIDTH);
  add_column (line, container, CONTAINER_WIDTH);
  g_print ("%s%s\n", line->str, waits);
}

static void
print_runs (const PpIdentityInfo *info)
{
  if (info->entries->len > 0)
    print_run ("FLOW RUN", "NAME", "AGE", "PHASE", "CONTAINER", "WAITS FOR");
  else
    g_print ("  no runs in flight\n");
  for (guint i = 0; i < info->entries->len; i++)
    {
      const PpJournalEntry *entry = g_ptr_array_index (info->entries, i);
      g_autofree char *run_age = age (entry->claimed_at);
      g_autofree char *waits = waits_for (info, entry);

      print_run (entry->flow_run_id, entry->flow_run_name, run_age,
                 pp_journal_phase_name (entry->phase), entry->container_name, waits);
    }
}

static void
print_worker (const char *state_dir, const PpIdentityInfo *info)
{
  g_autofree char *name = printable (info->worker_name != NULL ? info->worker_name : info->name);
  g_autofree char *pool = printable (info->work_pool);
  g_autofree char *api = printable (info->api_url);
  g_autofree char *engine = printable (info->engine_url);
  g_autofree char *host = printable (info->host);
  g_autofree char *since = age (info->started_at);

  if (info->state == PP_IDENTITY_LIVING)
    g_print ("%s: running for %s, pid %" G_GINT64_FORMAT " on %s\n", name, since, info->pid, host);
  else
    g_print ("%s: not running (was pid %" G_GINT64_FORMAT " on %s, started %s ago)\n", name,
             info->pid, host, since);
  g_print ("  pool %s, API %s, engine %s\n", pool, api, engine);
  print_runs (info);
  for (guint i = 0; i < info->problems->len; i++)
    {
      g_autofree char *problem = printable (g_ptr_array_index (info->problems, i));
      g_print ("  ! %s\n", problem);
    }
  if (info->set_aside > 0)
    g_print ("  ! %u files that could not be used were set aside: %s/%s/set-aside\n",
             info->set_aside, state_dir, info->name);
}

static void
print_text (const GPtrArray *places)
{
  guint printed = 0;

  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = g_ptr_array_index (places, i);
      g_autofree char *path = printable (place->state_dir);

      for (guint j = 0; j < place->infos->len; j++)
        {
          if (printed++ > 0)
            g_print ("\n");
          print_worker (path, g_ptr_array_index (place->infos, j));
        }
    }
  if (printed > 0)
    return;
  g_autofree char *path = printable (((const Place *)g_ptr_array_index (places, 0))->state_dir);
  g_print ("No worker has left anything in %s\n"
           "Another user's workers, and those with another --state-dir, keep theirs elsewhere.\n",
           path);
}

/* The directories that workers fall back to where the first one cannot be written. */
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
show (const char *state_dir, const Arguments *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = pp_identity_list (state_dir, &error);

  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func (place_free);

  /* Where nobody said that there is one, none is no error. */
  if (g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE) && arguments->state_dir == NULL)
    infos = g_ptr_array_new ();
  if (infos != NULL)
    g_ptr_array_add (places, place_new (state_dir, g_steal_pointer (&infos)));
  if (!pp_state_dir_is_named (arguments->state_dir))
    add_fallbacks (places);
  if (places->len == 0)
    {
      pp_command_fail ("worker status: %s", error->message);
      return 1;
    }
  if (arguments->json)
    print_json (places);
  else
    print_text (places);
  return 0;
}

int
pp_command_worker_status (int argc, char **argv, const char *profile)
{
  Arguments arguments = { 0 };
  g_autoptr (GError) error = NULL;

  (void)profile; /* nothing in it is asked for */
  if (!parse_arguments (argc, argv, &arguments, &error))
    {
      g_free (arguments.state_dir);
      return pp_command_fail ("worker status: %s (see worker status --help)", error->message);
    }
  g_autofree char *state_dir = pp_state_dir_default (arguments.state_dir);
  int code = show (state_dir, &arguments);
  g_free (arguments.state_dir);
  return code;
}
