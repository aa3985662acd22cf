/* Taking up a flow run where the engine gives no list of its containers. */
#define G_LOG_DOMAIN "prefect.worker.podman"

#include "flow_run_private.h"

#include "ownership.h"

/* A container that the engine would not tell of for so long, while there is no list either, is gone
 * on with as well as can be. */
#define MAX_REFUSED_US (60 * G_USEC_PER_SEC)

static void look_unlisted (PpFlowRun *run);

/* True if ERROR is the engine's word on RUN's container alone, for long enough. A container whose
 * start was announced is taken for one that was started then: it can be stopped, and seen to its
 * end once the engine tells of that. */
static gboolean
is_beyond_look (const PpFlowRun *run, const GError *error)
{
  return g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED)
         && run->phase != PP_JOURNAL_CLAIMED && run->no_answer_since != 0
         && g_get_monotonic_time () - run->no_answer_since > MAX_REFUSED_US;
}

static void
on_unlisted (json_t *container, const GError *error, gpointer user_data)
{
  PpFlowRun *run = user_data;
  const char *status = pp_json_string (json_object_get (container, "State"), "Status");
  gboolean gone
      = g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_NOT_FOUND);

  run->engine_call = NULL;
  if (error != NULL && !gone && !is_beyond_look (run, error))
    {
      pp_flow_run_ask_again (run, error, look_unlisted);
      return;
    }
  run->no_answer_since = 0;
  if (error == NULL && pp_flow_run_owns_container (run, container))
    {
      run->found_status = g_strdup (status);
      run->found_reporting = g_strdup (pp_container_label (container, PP_STATE_REPORTING_LABEL));
    }
  else if (error != NULL && !gone)
    {
      g_warning ("The container engine does not tell how container '%s' of flow run '%s' is. It is "
                 "taken for one that was started: %s",
                 run->container_name, run->name, error->message);
      run->found_status = g_strdup ("unknown");
    }
  pp_flow_run_move (run, PP_FLOW_RUN_TAKEN_UP);
}

static void
look_unlisted (PpFlowRun *run)
{
  run->engine_call = pp_infrastructure_inspect (run->context->infrastructure, run->container_id,
                                                on_unlisted, run);
}

void
pp_flow_run_take_up_unlisted (PpFlowRun *run)
{
  if (run->container_id != NULL)
    look_unlisted (run);
  else
    pp_flow_run_move (run, PP_FLOW_RUN_TAKEN_UP);
}
