/* SPDX-License-Identifier: Apache-2.0 */
/* Polls the queues of the work pool one by one, after the poll of all queues has failed. */
#include "config.h"

#include "poll_parts-private.h"

#include "prefect-podman/prefect/resources.h"

#include "queues-private.h"

struct PpPollParts
{
  PpWorker *worker;
  GError *error; /* the error of the poll of all queues */
  PpApiDoneFunc done;
  gpointer user_data;
  GPtrArray *names; /* of the queues */
  guint next;       /* index of the next queue to poll */
  gboolean one_run; /* ask only for the first run of the queue */
  json_t *found;
  guint answered;           /* number of queues that answered */
  GString *failed;          /* "'a', 'b'" */
  PpWorkQueuesRead *queues; /* being read */
  PpApiCall *call;
};

static void poll_next (PpPollParts *parts);
static void poll_queue (PpPollParts *parts, guint index);

void
pp_poll_parts_free (PpPollParts *parts)
{
  pp_work_queues_read_cancel (parts->queues);
  pp_api_call_cancel (parts->call);
  g_clear_error (&parts->error);
  g_ptr_array_unref (parts->names);
  g_string_free (parts->failed, TRUE);
  json_decref (parts->found);
  g_free (parts);
}

static void
finish (PpPollParts *parts)
{
  PpWorker *worker = parts->worker;

  if (parts->failed->len > 0)
    pp_worker_find_spoilers (worker);
  else
    pp_worker_stop_finding_spoilers (worker);
  if (parts->answered == 0 && json_array_size (parts->found) == 0)
    {
      parts->done (NULL, parts->error, parts->user_data);
      return;
    }
  if (!worker->polls_in_parts && parts->failed->len > 0)
    g_warning (
        "The server fails at the poll of work pool '%s', but answers polls of single queues. "
        "The worker polls the queues one by one. From %s it gets one run at a time or none: %s",
        worker->options->work_pool, parts->failed->str, parts->error->message);
  worker->polls_in_parts = TRUE;
  parts->done (parts->found, NULL, parts->user_data);
}

static void
on_polled (json_t *body, const GError *error, gpointer user_data)
{
  PpPollParts *parts = user_data;

  parts->call = NULL;
  if (!parts->one_run
      && (g_error_matches (error, PP_API_ERROR, 500)
          || g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH)))
    {
      /* The queue's first run may still be readable. */
      parts->one_run = TRUE;
      poll_queue (parts, parts->next - 1);
      return;
    }
  if (error == NULL)
    json_array_extend (parts->found, body);
  if (error == NULL && !parts->one_run)
    parts->answered++;
  else
    g_string_append_printf (parts->failed, "%s'%s'", parts->failed->len > 0 ? ", " : "",
                            (const char *)g_ptr_array_index (parts->names, parts->next - 1));
  poll_next (parts);
}

static void
poll_queue (PpPollParts *parts, guint index)
{
  PpWorker *worker = parts->worker;
  const char *names[] = { g_ptr_array_index (parts->names, index), NULL };

  worker->polled_before = pp_worker_poll_before (worker);
  parts->call = pp_work_pool_get_scheduled_flow_runs (
      worker->context.api, worker->options->work_pool, names, worker->polled_before,
      parts->one_run ? 1 : pp_worker_poll_limit (worker), on_polled, parts);
}

static void
poll_next (PpPollParts *parts)
{
  if (parts->next >= parts->names->len)
    {
      finish (parts);
      return;
    }
  parts->one_run = FALSE;
  poll_queue (parts, parts->next++);
}

static void
on_queues (json_t *body, const GError *error, gpointer user_data)
{
  PpPollParts *parts = user_data;
  const json_t *queue;
  size_t index;

  parts->queues = NULL;
  if (error != NULL)
    {
      parts->done (NULL, parts->error, parts->user_data);
      return;
    }
  json_array_foreach (body, index, queue)
  {
    const char *name = pp_json_string (queue, "name");

    if (name != NULL && !json_is_true (json_object_get (queue, "is_paused")))
      g_ptr_array_add (parts->names, g_strdup (name));
  }
  poll_next (parts);
}

PpPollParts *
pp_poll_parts_start (PpWorker *worker, const GError *error, PpApiDoneFunc done, gpointer user_data)
{
  PpPollParts *parts = g_new0 (PpPollParts, 1);

  parts->worker = worker;
  parts->error = g_error_copy (error);
  parts->done = done;
  parts->user_data = user_data;
  parts->names = g_ptr_array_new_with_free_func (g_free);
  parts->found = json_array ();
  parts->failed = g_string_new (NULL);
  parts->queues = pp_work_queues_read (worker->context.api, worker->options->work_pool,
                                       pp_queues_present (worker->queues), on_queues, parts);
  return parts;
}
