/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's own settings for a run, for any infrastructure. A kind of infrastructure reads them
 * from the job configuration when it makes the job. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  PP_REPORT_AUTO,
  PP_REPORT_PREFECT,
  PP_REPORT_WORKER
} PpStateReporting;

typedef enum
{
  PP_FORWARD_AUTO,
  PP_FORWARD_ALWAYS,
  PP_FORWARD_NEVER
} PpForwardOutput;

typedef struct
{
  gboolean auto_remove;
  gboolean stream_output;
  PpForwardOutput forward_output;
  PpStateReporting state_reporting; /* never AUTO once the job is prepared */
  gboolean runs_prefect;            /* the command runs Prefect */
  gboolean has_limits;              /* the job has resource limits, perhaps one on memory */
  gboolean has_tty;                 /* its output is one stream */
  const char *failure_hint;         /* a line for the run's log if the job ends with a status other
                                       than 0. It names the variables that the job did not get:
                                       they may be the reason. Interned; NULL: none */
  guint stop_timeout;               /* seconds between SIGTERM and SIGKILL; default 30 */
  double timeout_seconds;           /* 0: none */
  double startup_timeout_seconds;   /* 0: none */
  guint infrastructure_retries;     /* default 3 */
} PpRunPolicy;

/* True if the output also goes to the run's log: as configured, or for PP_FORWARD_AUTO if the
 * worker reports the run's states. */
gboolean pp_run_policy_forwards_output (const PpRunPolicy *policy);

G_END_DECLS
