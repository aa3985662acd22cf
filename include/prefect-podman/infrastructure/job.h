/* SPDX-License-Identifier: Apache-2.0 */
/* The status of one job as a kind of infrastructure reports it: a container, a process, a batch
 * job. The worker decides by these fields alone. Where they come from is up to the kind. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  PP_JOB_ABSENT,  /* there is no job */
  PP_JOB_CREATED, /* created, but not started since this host's boot */
  PP_JOB_READY,   /* about to start; its program may run by now */
  PP_JOB_RUNNING,
  PP_JOB_HELD, /* paused, stopping or restarting; it has not ended */
  PP_JOB_ENDED,
  PP_JOB_UNKNOWN, /* there is a job, but the kind does not know its phase */
} PpJobPhase;

/* True if a job in PHASE has not ended, as far as its kind knows, and may run. */
gboolean pp_job_phase_is_alive (PpJobPhase phase);
/* True if a job in PHASE was started since this host's boot. An UNKNOWN job counts as started. */
gboolean pp_job_phase_is_started (PpJobPhase phase);

/* Who reports a run's states to the server. */
typedef enum
{
  PP_REPORTER_UNKNOWN, /* somebody else, or version 0.1, created the job */
  PP_REPORTER_WORKER,
  PP_REPORTER_PREFECT, /* Prefect, which runs inside the job */
} PpReporter;

/* How a job ended. */
typedef struct
{
  gint64 exit_code;
  gboolean never_ended; /* there is no end: it was never started, its end was lost, or a checkpoint
                           has stopped it; exit_code is meaningless then */
  gboolean status_lost; /* never_ended, because the process that keeps the exit status is gone */
  gboolean never_started;     /* never_ended, because nothing of it ever ran */
  gboolean checkpointed;      /* never_ended, because a checkpoint has stopped it */
  gboolean start_interrupted; /* its start got no answer; set by the worker */
  gboolean host_restarted;    /* the host was restarted since the job's start; set by the worker */
  gboolean oom_killed;
  gint64 memory_limit; /* bytes; 0: none */
  char *error;         /* the infrastructure's own words, or NULL */
} PpJobEnd;

/* Clears COPY, then sets it to a copy of END. */
void pp_job_end_copy (PpJobEnd *copy, const PpJobEnd *end);
void pp_job_end_clear (PpJobEnd *end);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpJobEnd, pp_job_end_clear)

/* The identity of a job and of its owner. All strings except the id may be NULL. */
typedef struct
{
  char *id;
  char *name;
  char *identity;    /* identity of the worker that created it (state/identity.h) */
  char *flow_run_id; /* a UUID */
  char *claim; /* the transition id of the claim (PENDING) that it was created for, a UUID; NULL for
                  a job of version 0.1 */
  char *work_pool;
  PpReporter reporter;
} PpJobRef;

typedef struct
{
  PpJobPhase phase;
  gboolean is_running;     /* it has not ended, and it has begun or may have begun */
  gboolean never_started;  /* nothing of it ever ran; FALSE if that is unknown (in a list) */
  gboolean end_is_guessed; /* exit_code may be invented. If the infrastructure finds a job dead
                              after its own restart, it sets this exit code and an end time. A
                              program may also end with this exit code by itself */
  gint64 created_at;       /* UNIX microseconds, like all times here; 0: unknown */
  gint64 started_at;
  gint64 ended_at;
  PpJobEnd end;     /* valid if the job is not running */
  gboolean has_tty; /* its output is one stream */
} PpJobStatus;

/* One answer about one job. It is never changed after it was returned. */
typedef struct
{
  PpJobRef ref;
  PpJobStatus status;
  guint references;
} PpJob;

PpJob *pp_job_new (void);
PpJob *pp_job_ref (PpJob *job);
void pp_job_unref (PpJob *job); /* NULL is ignored */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpJob, pp_job_unref)

/* True if JOB was created for CLAIM, a transition id (may be NULL). Always FALSE for a job of
 * version 0.1. */
gboolean pp_job_is_of_claim (const PpJob *job, const char *claim);

/* True if JOB was created for OWNER's flow run and claim, by the worker with OWNER's identity. */
gboolean pp_job_is_owned_by (const PpJob *job, const PpJobRef *owner);

/* True if the worker should continue with JOB rather than with OTHER, of the same run and claim.
 * Prefers the one that is alive, then the one created later, then the one that was started. */
gboolean pp_job_is_better_candidate (const PpJob *job, const PpJob *other);

G_END_DECLS
