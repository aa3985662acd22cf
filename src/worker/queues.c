/* SPDX-License-Identifier: Apache-2.0 */
/* Checks which of the worker's named work queues exist. */
#include "config.h"

#include "queues-private.h"

#include "prefect-podman/prefect/resources.h"

#include <string.h>

/* How often the warning about a missing queue is repeated. */
#define SAY_AGAIN_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

typedef struct
{
  char *name;      /* as given on the command line */
  char *trimmed;   /* without blanks around it */
  char *served_as; /* the queue's name on the server, or NULL while it is missing */
  gboolean paused;
  gint64 missing_said; /* monotonic microseconds; 0 if the queue existed at the last check */
} Queue;

struct PpQueues
{
  PpApi *api;
  const char *pool;
  gint64 look_us;
  GPtrArray *named;   /* of Queue */
  GPtrArray *present; /* of char *, borrowed from named; NULL-terminated */
  gint64 looked;      /* monotonic microseconds of the last answer, or 0 */
  guint missing;
  gboolean doubted;
  PpQueuesDoneFunc done;
  gpointer user_data;
};

static void
free_queue (gpointer data)
{
  Queue *queue = data;

  g_free (queue->name);
  g_free (queue->trimmed);
  g_free (queue->served_as);
  g_free (queue);
}

static gboolean
has_name (gconstpointer queue, gconstpointer name)
{
  return g_str_equal (((const Queue *)queue)->name, name);
}

PpQueues *
pp_queues_new (PpApi *api, const char *pool, const char *const *names, double look_seconds)
{
  PpQueues *queues = g_new0 (PpQueues, 1);

  queues->api = api;
  queues->pool = pool;
  queues->look_us = (gint64)(look_seconds * G_USEC_PER_SEC);
  queues->named = g_ptr_array_new_with_free_func (free_queue);
  queues->present = g_ptr_array_new ();
  for (; names != NULL && *names != NULL; names++)
    if (!g_ptr_array_find_with_equal_func (queues->named, *names, has_name, NULL))
      {
        Queue *queue = g_new0 (Queue, 1);

        queue->name = g_strdup (*names);
        queue->trimmed = g_strstrip (g_strdup (*names));
        g_ptr_array_add (queues->named, queue);
      }
  g_ptr_array_add (queues->present, NULL);
  return queues;
}

void
pp_queues_free (PpQueues *queues)
{
  if (queues == NULL)
    return;
  g_ptr_array_unref (queues->named);
  g_ptr_array_unref (queues->present);
  g_free (queues);
}

gboolean
pp_queues_are_named (const PpQueues *queues)
{
  return queues->named->len > 0;
}

const char *const *
pp_queues_present (const PpQueues *queues)
{
  return queues->named->len > 0 ? (const char *const *)queues->present->pdata : NULL;
}

gboolean
pp_queues_want_look (const PpQueues *queues)
{
  return queues->named->len > 0
         && (queues->looked == 0 || queues->doubted || queues->missing > 0
             || g_get_monotonic_time () - queues->looked >= queues->look_us);
}

void
pp_queues_doubt (PpQueues *queues)
{
  queues->doubted = TRUE;
}

/* Returns the entry of NAME in ANSWER, or NULL. */
static const json_t *
find (const json_t *answer, const char *name)
{
  const json_t *item;
  size_t index;

  json_array_foreach (answer, index, item)
  {
    if (g_strcmp0 (pp_json_string (item, "name"), name) == 0)
      return item;
  }
  return NULL;
}

static void
say_missing (const PpQueues *queues, Queue *queue)
{
  gint64 now = g_get_monotonic_time ();

  if (queue->missing_said != 0 && now - queue->missing_said < SAY_AGAIN_US)
    return;
  queue->missing_said = now;
  g_warning ("Work pool '%s' has no work queue '%s': no runs come from it. Create it (prefect "
             "work-queue create --pool '%s' '%s') or correct --work-queue; this worker serves its "
             "other queues and looks for this one at every poll",
             queues->pool, queue->name, queues->pool, queue->trimmed);
}

static void
say_pause (const Queue *queue, gboolean paused)
{
  if (paused)
    g_message ("Work queue '%s' is paused: no runs come from it until it is resumed",
               queue->served_as);
  else
    g_message ("Work queue '%s' is not paused any more", queue->served_as);
}

static void
read_answer (PpQueues *queues, Queue *queue, const json_t *answer)
{
  const json_t *item = find (answer, queue->name);
  const char *name;
  gboolean paused;

  if (item == NULL)
    item = find (answer, queue->trimmed);
  name = pp_json_string (item, "name");
  g_free (queue->served_as);
  queue->served_as = g_strdup (name);
  if (name == NULL)
    {
      say_missing (queues, queue);
      return;
    }
  if (queue->missing_said != 0)
    g_message ("Work queue '%s' exists now and is served", name);
  else if (queues->looked == 0 && !g_str_equal (name, queue->name))
    g_message ("There is no work queue '%s'; this worker serves '%s' instead", queue->name, name);
  queue->missing_said = 0;
  paused = json_is_true (json_object_get (item, "is_paused"));
  if (paused != queue->paused)
    say_pause (queue, paused);
  queue->paused = paused;
}

static gboolean
is_same (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b) == 0;
}

static void
fill_present (PpQueues *queues)
{
  g_ptr_array_set_size (queues->present, 0);
  queues->missing = 0;
  for (guint i = 0; i < queues->named->len; i++)
    {
      const Queue *queue = g_ptr_array_index (queues->named, i);

      if (queue->served_as == NULL)
        queues->missing++;
      else if (!g_ptr_array_find_with_equal_func (queues->present, queue->served_as, is_same, NULL))
        g_ptr_array_add (queues->present, queue->served_as);
    }
  g_ptr_array_add (queues->present, NULL);
  queues->looked = g_get_monotonic_time ();
  queues->doubted = FALSE;
}

/* Used if the server has no route to read queues. Assumes that all queues exist; a poll fails if
 * one does not. */
static void
believe_in_all (PpQueues *queues)
{
  for (guint i = 0; i < queues->named->len; i++)
    {
      Queue *queue = g_ptr_array_index (queues->named, i);

      g_free (queue->served_as);
      queue->served_as = g_strdup (queue->name);
    }
}

static void
on_looked (json_t *body, const GError *error, gpointer user_data)
{
  PpQueues *queues = user_data;

  if (error == NULL)
    for (guint i = 0; i < queues->named->len; i++)
      read_answer (queues, g_ptr_array_index (queues->named, i), body);
  else if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_ROUTE))
    {
      believe_in_all (queues);
      error = NULL;
    }
  if (error == NULL)
    fill_present (queues);
  queues->done (error, queues->user_data);
}

PpWorkQueuesRead *
pp_queues_look (PpQueues *queues, PpQueuesDoneFunc done, gpointer user_data)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < queues->named->len; i++)
    {
      const Queue *queue = g_ptr_array_index (queues->named, i);

      g_ptr_array_add (names, queue->name);
      if (!g_str_equal (queue->trimmed, queue->name))
        g_ptr_array_add (names, queue->trimmed);
    }
  g_ptr_array_add (names, NULL);
  queues->done = done;
  queues->user_data = user_data;
  return pp_work_queues_read (queues->api, queues->pool, (const char *const *)names->pdata,
                              on_looked, queues);
}
