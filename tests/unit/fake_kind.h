/* SPDX-License-Identifier: Apache-2.0 */
/* An infrastructure kind for tests. It has no engine and runs nothing. A test sets how each call
 * ends, and reads which calls were made. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

/* The calls of infrastructure.h that have a result. */
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
  FAKE_KEEP,
  FAKE_LIST,
  FAKE_CALLS,
} FakeCall;

typedef struct
{
  PpJob *job;                 /* the only job; NULL if there is none */
  GString *calls;             /* names of the calls made so far, each followed by a blank */
  guint away[FAKE_CALLS];     /* how many calls of each kind get no answer first */
  guint fails[FAKE_CALLS];    /* how many calls of each kind then fail */
  PpInfrastructureError code; /* the error code of these failures */
  guint holds[FAKE_CALLS];    /* how many calls of each kind then wait for fake_go_on() */
  const char *output;         /* the whole output of the job; NULL if none */
  PpFollowEnd end;            /* what a successful follow reports at its end */
  guint stop_seconds;         /* between SIGTERM and SIGKILL in the last stop */
  gboolean status_lost;       /* what a watch reports at its end */
} Fake;

/* Returns a new infrastructure. Nothing fails, and a job that is created and started runs until
 * fake_end(). */
PpInfrastructure *fake_new (void);

/* Returns the settings and records of INFRASTRUCTURE; borrowed. */
Fake *fake_of (PpInfrastructure *infrastructure);

/* Returns the number of calls of KIND so far. */
guint fake_count (const PpInfrastructure *infrastructure, FakeCall kind);

/* Ends the job with EXIT_CODE. This also ends the calls that follow or watch it. */
void fake_end (PpInfrastructure *infrastructure, gint64 exit_code);

/* Ends the held calls. */
void fake_go_on (PpInfrastructure *infrastructure);

/* Sends NEWS to the caller that watches the job. */
void fake_tell (PpInfrastructure *infrastructure, PpWatchNews news);

/* Removes the job as somebody else would, also while it runs. The calls that follow or watch it are
 * told. */
void fake_vanish (PpInfrastructure *infrastructure);
