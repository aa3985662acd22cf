/* SPDX-License-Identifier: Apache-2.0 */
/* Puts back a final state that was overwritten. The state is set by force, so a repeated request
 * would also undo later changes. Therefore the run's states are read and judged again before each
 * further attempt. That read waits while the server is away. So only attempts at a server that
 * answers are counted. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* The most attempts: half an hour, plus the delays that the server requests with Retry-After. */
#define TRIES 120

static void
on_put_back (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  PpPutBack *put_back = user_data;
  PpFlowRun *run = put_back->run;
  PpApi *api = run->context->api;

  run->api_call = NULL;
  if (error == NULL && result->status == PP_SET_STATE_ACCEPT)
    {
      put_back->over (run);
      return;
    }
  gboolean is_open
      = error != NULL ? pp_api_may_try_again (api, error) : pp_set_state_is_open (result);
  if (is_open && put_back->tries < TRIES)
    {
      pp_flow_run_after (run, pp_api_rest_ms (api, pp_look_delay (put_back->tries)),
                         put_back->again);
      return;
    }
  g_warning ("A late request or claim has overwritten the final state of flow run '%s' (%s), and "
             "the worker could not restore it: %s",
             run->name, run->id,
             error != NULL            ? error->message
             : result->reason != NULL ? result->reason
                                      : "the server does not accept the state");
  put_back->over (run);
}

void
pp_flow_run_put_back (PpFlowRun *run, PpPutBack *put_back, json_t *state, PpFlowRunNextFunc again,
                      PpFlowRunNextFunc over)
{
  put_back->run = run;
  put_back->tries++;
  put_back->again = again;
  put_back->over = over;
  run->api_call
      = pp_flow_run_restore_state (run->context->api, run->id, state, on_put_back, put_back);
}

void
pp_flow_run_give_up_end (PpFlowRun *run)
{
  g_warning ("A late request has overwritten the final state of flow run '%s' (%s). The worker "
             "does not restore it, because the state has changed since, or cannot be read",
             run->name, run->id);
  pp_flow_run_move (run, PP_FLOW_RUN_REPORTED);
}
