/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of infrastructure says of one job: a container, a process, a batch job. The worker
 * decides by these fields alone; how the kind came by them is its own affair. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  PP_JOB_ABSENT,  /* there is none */
  PP_JOB_CREATED, /* made, and not started since this host's boot */
  PP_JOB_READY,   /* about to start: its program may run by now */
  PP_JOB_RUNNING,
  PP_JOB_HELD, /* paused, stopping or restarting: it has not ended */
  PP_JOB_ENDED,
  PP_JOB_UNKNOWN, /* there is one; the kind does not say what it does */
} PpJobPhase;

/* True if a job in PHASE has not ended, as far as its kind knows, and may run. */
gboolean pp_job_phase_is_alive (PpJobPhase phase);
/* True if a job in PHASE was started since this host's boot. */
gboolean pp_job_phase_is_started (PpJobPhase phase);

/* Who tells the server of a run's states. */
typedef enum
{
  PP_REPORTER_UNKNOWN, /* the job was made by somebody else, or by version 0.1 */
  PP_REPORTER_WORKER,
  PP_REPORTER_PREFECT, /* Prefect, which runs inside the job */
} PpReporter;

/* How a job ended. */
typedef struct
{
  gint64 exit_code;
  gboolean never_ended;       /* it has no end: it was never started, or its end was lost; exit_code
                                 says nothing then */
  gboolean status_lost;       /* it never_ended because what keeps the exit status is gone */
  gboolean checkpointed;      /* it never_ended: it was checkpointed, which stops it */
  gboolean start_interrupted; /* its start got no answer; the worker's to say */
  gboolean host_restarted;    /* since it was started; the worker's to say */
  gboolean oom_killed;
  gint64 memory_limit; /* bytes; 0: none */
  char *error;         /* the other side's words, or NULL */
} PpJobEnd;

/* Sets COPY, which is cleared first, to END. */
void pp_job_end_copy (PpJobEnd *copy, const PpJobEnd *end);
void pp_job_end_clear (PpJobEnd *end);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpJobEnd, pp_job_end_clear)

/* Which job it is, and whose. All strings may be NULL but the id. */
typedef struct
{
  char *id;
  char *name;
  char *identity;    /* of the worker that made it (state/identity.h) */
  char *flow_run_id; /* a UUID */
  char *claim;       /* the transition id of the claim (PENDING) it was made for, a UUID; NULL of a
                        job of version 0.1 */
  char *work_pool;
  PpReporter reporter;
} PpJobRef;

typedef struct
{
  PpJobPhase phase;
  gboolean is_running;     /* it has not ended, and is known to have begun */
  gboolean never_started;  /* nothing of it ever ran; FALSE where that is not known (a list) */
  gboolean end_is_guessed; /* the kind, as it came up, found it dead and gave it its exit code and
                              the time of its end */
  gint64 created_at;       /* UNIX microseconds, as all times here; 0: not known */
  gint64 started_at;
  gint64 ended_at;
  PpJobEnd end;     /* of one that is not running */
  gboolean has_tty; /* its output is one stream */
} PpJobStatus;

/* One answer about one job; never changed once it was given out. */
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

/* True if JOB was made for CLAIM, a transition id (may be NULL). Never of a job of version 0.1. */
gboolean pp_job_is_of_claim (const PpJob *job, const char *claim);

/* True if JOB was made for OWNER's flow run and claim, by the worker of OWNER's identity. */
gboolean pp_job_is_owned_by (const PpJob *job, const PpJobRef *owner);

/* True if JOB is to be gone on with rather than OTHER, of the same run and claim: the one that is
 * alive, else the later made, else the one that was started. */
gboolean pp_job_is_better_candidate (const PpJob *job, const PpJob *other);

G_END_DECLS
