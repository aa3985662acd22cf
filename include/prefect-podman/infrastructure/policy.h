/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker itself does with a run, whatever infrastructure the run is on. A kind of
 * infrastructure reads it from the job configuration, together with the job that it makes of the
 * rest. */
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
  gboolean runs_prefect;            /* by its command */
  gboolean has_limits;              /* to what it may use, memory perhaps */
  gboolean has_tty;                 /* its output is one stream */
  guint stop_timeout;               /* seconds between SIGTERM and SIGKILL, 30 */
  double timeout_seconds;           /* 0: none */
  double startup_timeout_seconds;   /* 0: none */
  guint infrastructure_retries;     /* 3 */
} PpRunPolicy;

/* True if the output goes to the run's log as well: as configured, and for PP_FORWARD_AUTO if the
 * worker reports the run's states. */
gboolean pp_run_policy_forwards_output (const PpRunPolicy *policy);

G_END_DECLS
