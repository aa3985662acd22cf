/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to the run's log what helps users to find the cause of a failure: the last lines of the
 * container's output, and hints. */
#include "config.h"

#include "flow_run_inside-private.h"

/* If a run has several attempts, only the current one counts. */
gboolean
pp_flow_run_never_ran (const PpFlowRun *run, const json_t *flow_run)
{
  const char *type = pp_json_string (json_object_get (flow_run, "state"), "type");
  json_int_t run_count = json_integer_value (json_object_get (flow_run, "run_count"));

  return g_strcmp0 (type, "PENDING") == 0 || run_count <= run->seen_run_count;
}

/* Returns how the container ended, as a predicate for a sentence about it; new string. */
static char *
describe_end (const PpFlowRun *run)
{
  if (!run->end_known)
    return g_strdup_printf ("is gone from %s", run->words->host);
  if (run->end.never_ended)
    return g_strdup ("does not run and has no exit status");
  return g_strdup_printf ("exited with status %" G_GINT64_FORMAT, run->end.exit_code);
}

void
pp_flow_run_log_tail (PpFlowRun *run)
{
  const gboolean unreadable = run->watch.output_unreadable;
  g_autofree char *ended = describe_end (run);
  g_autofree char *tail = NULL;

  if (pp_output_is_forwarded (run->output))
    return;
  tail = pp_output_tail (run->output, PP_OUTPUT_TAIL_LINES);
  if (*tail != '\0')
    pp_flow_run_log (run, PP_LOG_ERROR, "%s %s. The last lines of its output:\n%s",
                     run->first_label, ended, tail);
  else
    pp_flow_run_log (run, PP_LOG_ERROR, "%s %s; %s%s.", run->first_label, ended,
                     unreadable ? "its output cannot be read from " : "it left no output",
                     unreadable ? run->words->host : "");
}

/* Prefect inside the container reports failed pull steps, but writes the cause only to standard
 * error. */
void
pp_flow_run_log_tail_of_failure (PpFlowRun *run, const char *type)
{
  if (run->report.never_ran
      && (g_strcmp0 (type, "CRASHED") == 0 || g_strcmp0 (type, "FAILED") == 0))
    pp_flow_run_log_tail (run);
}

/* Warns if a process was killed for lack of memory. Does so even if the run succeeded: the main
 * process may have gone on without the killed process. */
static void
log_memory (PpFlowRun *run)
{
  g_autofree char *memory
      = run->end_known ? pp_job_end_explain_memory (&run->end, run->words) : NULL;

  if (memory != NULL)
    pp_flow_run_log (run, PP_LOG_WARNING,
                     "A process in %s was killed for lack of memory (OOMKilled): %s", run->label,
                     memory);
}

static void
log_hint (PpFlowRun *run)
{
  if (!run->end_known || run->end.never_ended || run->end.exit_code == 0
      || run->stop_reason != PP_STOP_NONE)
    return;
  if (run->policy != NULL && run->policy->failure_hint != NULL)
    pp_flow_run_log (run, PP_LOG_INFO, "%s", run->policy->failure_hint);
}

void
pp_flow_run_explain_end (PpFlowRun *run)
{
  log_memory (run);
  log_hint (run);
}
