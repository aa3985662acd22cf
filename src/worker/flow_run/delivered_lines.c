/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a run's output the server has, where the worker that sent it was killed. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

#include "worker/recovery/late_requests-private.h"

/* A batch that the server had not finished when its sender was killed shows up within this, or
 * within as long as so many counts take: a server that is slow is so in both. */
#define COUNT_AGAIN_US G_USEC_PER_SEC
#define COUNT_AGAIN_TIMES 10

/* How much of the output is on the server beyond what was noted down: a worker may have been killed
 * between the server's word and its own note. Counted until two counts agree, since what was on its
 * way then may arrive now. */

/* Of records so large that an answer with all that the server gives at once is too much. */
#define FEW_RECORDS 10

static void ask_count (PpFlowRun *run);

/* The worker before had sent a batch, and the server, which takes it as a whole, has not got it
 * yet.
 */
static gboolean
is_on_its_way (const PpFlowRun *run)
{
  return run->position.sent_until > MAX (run->position.last_timestamp, run->count.last_time)
         && g_get_monotonic_time () < run->count.until;
}

/* Says once why the output of RUN does not go on: the counts agree, and a batch may be on its way.
 */
static void
say_wait (PpFlowRun *run)
{
  if (run->count.wait_said)
    return;
  run->count.wait_said = TRUE;
  pp_flow_run_log (run, PP_LOG_INFO,
                   "The server may still be taking lines that the worker before sent: output goes "
                   "on once they are there, in %d s at the latest",
                   (int)((run->count.until - g_get_monotonic_time ()) / G_USEC_PER_SEC) + 1);
}

static void
on_counted (json_t *body, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const json_t *record;
  size_t index;

  run->count.call = NULL;
  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH) && run->count.limit == 0)
    {
      run->count.limit = FEW_RECORDS;
      ask_count (run);
      return;
    }
  json_array_foreach (body, index, record)
  {
    const char *logger = pp_json_string (record, "name");
    const char *timestamp = pp_json_string (record, "timestamp");

    if (logger == NULL || !g_str_has_prefix (logger, PP_OUTPUT_LOGGER))
      continue;
    run->count.records++;
    if (timestamp == NULL)
      continue;
    run->count.last_time = MAX (run->count.last_time, pp_timestamp_parse (timestamp));
    pp_log_sender_go_on_after (run->context->logs, run->id, run->count.last_time);
  }
  if (json_array_size (body) > 0)
    {
      run->count.offset += (guint)json_array_size (body);
      ask_count (run);
      return;
    }
  if (error != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "How much of the output was delivered is not known, a few lines may come "
                     "twice: %s",
                     error->message);
  else if (is_on_its_way (run) || run->count.before != run->count.records + 1)
    {
      gint64 wait = COUNT_AGAIN_TIMES * (g_get_monotonic_time () - run->count.asked_at);

      if (run->count.before == run->count.records + 1)
        say_wait (run);
      run->count.before = run->count.records + 1;
      run->count.records = 0;
      run->count.offset = 0;
      pp_flow_run_after (run, (guint)(CLAMP (wait, COUNT_AGAIN_US, PP_MAX_LOOK_US) / 1000),
                         ask_count);
      return;
    }
  run->count.next (run);
}

static void
ask_count (PpFlowRun *run)
{
  /* What an attempt before this one has written is none of this container's. */
  gint64 after = MAX (run->position.last_timestamp, run->claimed_time);

  run->count.asked_at = g_get_monotonic_time ();
  run->count.call = pp_logs_read_after (run->context->api, run->id, after, run->count.offset,
                                        run->count.limit, on_counted, run);
}

void
pp_flow_run_count_delivered (PpFlowRun *run, PpFlowRunNextFunc next)
{
  gint64 patience = pp_late_patience (run->context->settings);
  /* The worker before noted the batch down as it sent it. */
  gint64 left = run->position.noted_at + patience - g_get_real_time ();

  run->count.next = next;
  run->count.until = g_get_monotonic_time () + CLAMP (left, 0, patience);
  ask_count (run);
}
