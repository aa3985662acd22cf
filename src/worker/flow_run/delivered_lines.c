/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the records of a run's output that the server has beyond the saved position. The earlier
 * worker may have been killed after the server's answer and before it saved the position. The count
 * is repeated until two counts agree, because a batch that was on its way may arrive now. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

#include "worker/recovery/late_requests-private.h"

/* The pause between two counts is COUNT_AGAIN_TIMES as long as the server's last answer took, and
 * at least COUNT_AGAIN_US. A batch that the server was storing when its sender was killed appears
 * within that pause: a server that stores slowly also answers slowly. */
#define COUNT_AGAIN_US G_USEC_PER_SEC
#define COUNT_AGAIN_TIMES 10

/* Records in one answer, if an answer with the server's default number is too large to read. */
#define FEW_RECORDS 10

static void ask_count (PpFlowRun *run);

/* Records from before the claim belong to an earlier attempt, not to this container. */
static gint64
count_after (const PpFlowRun *run)
{
  return MAX (run->position.last_timestamp, run->claimed_time);
}

/* True if the server may have lines of another attempt of RUN from after the claim: a retry that
 * another worker began, or an earlier attempt whose worker delivers late. */
static gboolean
may_have_other_attempt (const PpFlowRun *run)
{
  const json_t *run_count = json_object_get (run->json, "run_count");

  return pp_flow_run_is_over_on_server (run) || run->seen_run_count > 0 || run_count == NULL
         || json_integer_value (run_count) > 1;
}

/* True if RUN's position does not say what was sent last: it is damaged, it was lost with the
 * journal's entry, or the host was restarted and the last writes are missing. */
static gboolean
is_position_unsure (const PpFlowRun *run)
{
  return run->position.noted_at == PP_POSITION_DAMAGED || run->recovery.host_restarted
         || (run->recovery.attaches && run->position.noted_at == 0);
}

/* Returns the latest time, in UNIX microseconds, of a record of this container's output that the
 * earlier worker may have sent; G_MAXINT64: unknown. That worker wrote the time to the position
 * before it sent a batch, unless the disk was slow. So use it only if the server may have lines of
 * another attempt. */
static gint64
count_until (const PpFlowRun *run)
{
  return may_have_other_attempt (run) && !is_position_unsure (run) ? run->position.sent_until
                                                                   : G_MAXINT64;
}

/* True if the earlier worker sent a batch that the server does not have yet. The server stores a
 * batch as a whole. */
static gboolean
is_on_its_way (const PpFlowRun *run)
{
  return run->position.sent_until > MAX (run->position.last_timestamp, run->count.last_time)
         && g_get_monotonic_time () < run->count.until;
}

/* Logs once why the output of RUN does not go on yet: the counts agree, but a batch may still be on
 * its way. */
static void
say_wait (PpFlowRun *run)
{
  if (run->count.wait_said)
    return;
  run->count.wait_said = TRUE;
  pp_flow_run_log (run, PP_LOG_INFO,
                   "The server may still be storing lines of %s that the earlier worker sent. New "
                   "output follows after them, in %d s at the latest",
                   run->label,
                   (int)((run->count.until - g_get_monotonic_time ()) / G_USEC_PER_SEC) + 1);
}

/* True if RECORD, from the server, is a line of this container's output. A container that the
 * journal does not describe may be of any attempt. */
static gboolean
is_own_line (const PpFlowRun *run, const json_t *record)
{
  const char *logger = pp_json_string (record, "name");

  if (logger == NULL)
    return FALSE;
  return run->recovery.attaches ? g_str_has_prefix (logger, PP_OUTPUT_LOGGER)
                                : pp_output_has_logger (run->output, logger);
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
    const char *timestamp = pp_json_string (record, "timestamp");

    if (!is_own_line (run, record))
      continue;
    if (timestamp != NULL && pp_timestamp_parse (timestamp) > run->count.end)
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
                     "Could not find out how much output of %s the server already has. A few lines "
                     "may appear twice in the run's log: %s",
                     run->label, error->message);
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
  run->count.asked_at = g_get_monotonic_time ();
  run->count.call = pp_logs_read_after (run->context->api, run->id, count_after (run),
                                        run->count.offset, run->count.limit, on_counted, run);
}

void
pp_flow_run_count_delivered (PpFlowRun *run, PpFlowRunNextFunc next)
{
  gint64 patience = pp_late_patience (run->context->settings);
  /* The earlier worker saved the position when it sent the batch. */
  gint64 left = run->position.noted_at + patience - g_get_real_time ();

  run->count.end = count_until (run);
  if (run->count.end <= count_after (run))
    {
      next (run);
      return;
    }
  run->count.next = next;
  run->count.until = g_get_monotonic_time () + CLAMP (left, 0, patience);
  ask_count (run);
}
