/* SPDX-License-Identifier: Apache-2.0 */
/* Repeats a refused final state without the text that its message quotes. */
#include "config.h"

#include "flow_run_inside-private.h"

/* If a final state is refused this many times while other calls succeed, the text that its message
 * quotes may be the reason: a gateway may treat this text as an attack. The state is then reported
 * without the container's lines. After twice as many refusals it is reported without any message.
 * */
#define REFUSALS_WITH_LINES 3

/* True if ERROR, a refusal of a final state, may be caused by its message. A server that is busy,
 * or that refuses our API key, refuses any final state. */
static gboolean
may_be_for_message (const GError *error)
{
  switch (error->code)
    {
    case 401:
    case 408:
    case 429:
    case 503:
      return FALSE;
    default:
      return TRUE;
    }
}

/* Removes the quoted lines from the message of RUN's final state. Removes the whole message if ALL
 * is TRUE, or if it quotes no lines. */
static void
shorten_message (PpFlowRun *run, gboolean all)
{
  char *rest = all ? NULL : pp_job_end_without_lines (run->report.message);

  g_warning ("The server did not accept the final state of flow run '%s' (%s), perhaps because of "
             "its message. The worker reports the state again without %s",
             run->name, run->id, rest != NULL ? "the container's last lines" : "a message");
  g_free (run->report.message);
  run->report.message = rest;
}

void
pp_flow_run_note_refusal (PpFlowRun *run, const GError *error)
{
  gboolean is_barred = g_get_monotonic_time () < run->report.barred_until;

  run->report.is_refused = !is_barred && (error == NULL || may_be_for_message (error));
}

void
pp_flow_run_reconsider_message (PpFlowRun *run)
{
  gboolean answered = pp_api_answered (run->context->api) > run->report.sent_at;

  if (!run->report.is_refused || !answered || run->report.message == NULL)
    return;
  run->report.is_refused = FALSE;
  if (++run->report.refusals % REFUSALS_WITH_LINES == 0)
    shorten_message (run, run->report.refusals > REFUSALS_WITH_LINES);
}

gboolean
pp_flow_run_drop_invalid_message (PpFlowRun *run, const GError *error)
{
  if (run->report.message == NULL
      || !(g_error_matches (error, PP_API_ERROR, 400) || g_error_matches (error, PP_API_ERROR, 413)
           || g_error_matches (error, PP_API_ERROR, 422)))
    return FALSE;
  shorten_message (run, TRUE);
  return TRUE;
}
