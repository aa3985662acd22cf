/* SPDX-License-Identifier: Apache-2.0 */
/* A kind of infrastructure for tests: it has no engine and runs nothing. A test says how each call
 * ends, and reads which calls were made. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

/* The calls of infrastructure.h that have an end. */
typedef enum
{
  FAKE_CONNECT,
  FAKE_PING,
  FAKE_CHECK_IMAGE,
  FAKE_PULL,
  FAKE_CREATE,
  FAKE_CHECK_LIMITS,
  FAKE_CONNECT_NETWORK,
  FAKE_START,
  FAKE_FOLLOW,
  FAKE_INSPECT,
  FAKE_WATCH,
  FAKE_STOP,
  FAKE_UNPAUSE,
  FAKE_REMOVE,
  FAKE_LIST,
  FAKE_CALLS,
} FakeCall;

typedef struct
{
  PpJob *job;                 /* what it says of the one job there is; NULL: there is none */
  GString *calls;             /* names of the calls that were made, each with a blank after it */
  guint fails[FAKE_CALLS];    /* how many of these calls fail first */
  PpInfrastructureError code; /* with this */
  guint holds[FAKE_CALLS];    /* how many of these calls, after those, end with fake_go_on() only */
  const char *output;         /* the whole output of the job; NULL: none */
} Fake;

/* New; nothing fails, and a job that is created and started runs until fake_end(). */
PpInfrastructure *fake_new (void);

/* What INFRASTRUCTURE is told and tells. Borrowed. */
Fake *fake_of (PpInfrastructure *infrastructure);

/* How many calls of this kind INFRASTRUCTURE has had. */
guint fake_count (const PpInfrastructure *infrastructure, FakeCall kind);

/* The job ends with EXIT_CODE: whoever follows or watches it is told. */
void fake_end (PpInfrastructure *infrastructure, gint64 exit_code);

/* The calls that are held end. */
void fake_go_on (PpInfrastructure *infrastructure);
