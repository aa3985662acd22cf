/* SPDX-License-Identifier: Apache-2.0 */
/* How the container of a flow run that is taken up is found: in the engine's list, or by what was
 * written down of it. */
#include "config.h"

#include "flow_run_inside-private.h"

#include "container_ownership-private.h"

#include <string.h>

/* After so long without a list, and without an answer about the container itself, the run goes on
 * as if the container had been started. */
#define MAX_REFUSED_US (60 * G_USEC_PER_SEC)

const char *
pp_flow_run_listed_name (const json_t *container)
{
  const json_t *name;
  size_t index;

  json_array_foreach (json_object_get (container, "Names"), index, name)
  {
    const char *text = json_string_value (name);

    if (text != NULL && *text == '/')
      text++;
    /* Docker also lists "OTHER/ALIAS", by which another container links to this one. */
    if (text != NULL && strchr (text, '/') == NULL)
      return text;
  }
  return NULL;
}

static void
note_found (PpFlowRun *run, const json_t *container, const char *status)
{
  run->found_status = g_strdup (status);
  run->found_reporting = g_strdup (pp_container_label (container, PP_STATE_REPORTING_LABEL));
}

void
pp_flow_run_take_up (PpFlowRun *run, const json_t *container)
{
  if (container != NULL)
    {
      g_free (run->container_id);
      run->container_id = g_strdup (pp_json_string (container, "Id"));
      note_found (run, container, pp_json_string (container, "State"));
      if (run->container_name == NULL)
        run->container_name = g_strdup (pp_flow_run_listed_name (container));
    }
  pp_flow_run_move (run, PP_FLOW_RUN_TAKEN_UP);
}

static void look_unlisted (PpFlowRun *run);

/* True if the engine has refused for long enough to inspect RUN's container, with ERROR. If its
 * start was written down it counts as started: it can be stopped, and its end is seen once the
 * engine answers. */
static gboolean
is_beyond_look (const PpFlowRun *run, const GError *error)
{
  return (g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED)
          || g_error_matches (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_TOO_LARGE))
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
    note_found (run, container, status);
  else if (error != NULL && !gone)
    {
      g_warning (
          "The container engine does not inspect container '%s' of flow run '%s', which goes "
          "on as if it had been started: %s",
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
