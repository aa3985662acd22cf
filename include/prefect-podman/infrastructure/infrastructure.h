/* SPDX-License-Identifier: Apache-2.0 */
/* The infrastructure that flow runs run on. There is one interface. A kind is one file and one row
 * in a table (kinds.c). Every call is asynchronous: its callback runs on the main loop, and, unless
 * its comment says otherwise, never from inside the call. */
#pragma once

#include "prefect-podman/http/http.h"
#include "prefect-podman/infrastructure/job.h"
#include "prefect-podman/infrastructure/policy.h"
#include "prefect-podman/json.h"

G_BEGIN_DECLS

typedef struct PpInfrastructure PpInfrastructure;
typedef struct PpInfrastructureCall PpInfrastructureCall;

#define PP_INFRASTRUCTURE_ERROR (pp_infrastructure_error_quark ())
GQuark pp_infrastructure_error_quark (void);
typedef enum
{
  PP_INFRASTRUCTURE_ERROR_FAILED,      /* the engine refused; the message has its own words */
  PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, /* the engine, or a pull's registry, does not answer or is
                                          busy. A retry may succeed; the engine may have carried out
                                          the first request */
  PP_INFRASTRUCTURE_ERROR_NOT_FOUND,   /* no such container, image or network */
  PP_INFRASTRUCTURE_ERROR_NAME_IN_USE,
  PP_INFRASTRUCTURE_ERROR_INVALID,   /* the job configuration cannot be made into a container; the
                                        message names the key */
  PP_INFRASTRUCTURE_ERROR_TOO_LARGE, /* only of an inspection or a list: the answer is larger, or
                                        needs more memory, than this program reads */
} PpInfrastructureError;

/* What the infrastructure reported about itself at the last connect. Borrowed; each may be NULL. */
typedef struct
{
  const char *name;    /* "Podman" */
  const char *version; /* "4.3.1" */
  const char *manner;  /* "rootless" */
  const char *place;   /* "unix:///run/podman/podman.sock", without a password */
} PpInfrastructureAbout;

/* The words that messages use for the things of a kind. */
typedef struct
{
  const char *job;             /* "container" */
  const char *first_job;       /* "Container": at the beginning of a sentence */
  const char *host;            /* "the engine" */
  const char *full_host;       /* "the container engine" */
  const char *first_full_host; /* "The container engine" */
  const char *monitor;         /* "conmon": the process that keeps the output and exit status */
  const char *resource;        /* "prefect.docker.container": begins the ids of jobs in events.
                                  NULL: there are no such events */
  const char *running_event;
  const char *ended_event;
  const char *not_created_event;
} PpKindWords;

/* A key of the job configuration. It lists the variables in `env` that hold secrets of the worker.
 * Its value is an object that maps the name of each variable to null (the whole value is secret) or
 * true (the value is a URL, and its user and password are secret). */
#define PP_SECRET_ENVIRONMENT_KEY "secret_environment"

/* A key of the job configuration. Its value is the job's name before its characters were replaced.
 * Masking finds secrets in this value, but not in `name`. */
#define PP_NAME_TEXT_KEY "name_text"

/* Returns the infrastructure at PLACE (see pp_kind_find_place() in kinds.h). New; NULL with ERROR
 * if PLACE belongs to no kind. */
PpInfrastructure *pp_infrastructure_new (PpHttp *http, const char *place, GError **error);
void pp_infrastructure_free (PpInfrastructure *infrastructure); /* cancels calls in flight */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpInfrastructure, pp_infrastructure_free)

PpInfrastructureAbout pp_infrastructure_about (const PpInfrastructure *infrastructure);

/* Never NULL; static. */
const PpKindWords *pp_infrastructure_words (const PpInfrastructure *infrastructure);

/* END must have `never_ended` set. Returns why there is no exit status, and what to do; new string.
 */
char *pp_infrastructure_explain_no_end (const PpInfrastructure *infrastructure,
                                        const PpJobEnd *end);

/* Returns the time of the last answer to a call, in monotonic microseconds. Returns 0 if the last
 * call that ended got no answer (UNAVAILABLE). Failures of a registry do not count. */
gint64 pp_infrastructure_heard (const PpInfrastructure *infrastructure);
/* Returns why this host cannot follow containers as it should, as a sentence for the health
 * endpoint. NULL if nothing is wrong. */
const char *pp_infrastructure_trouble (const PpInfrastructure *infrastructure);

/* Called at the end of a call. ERROR is borrowed, and NULL on success. */
typedef void (*PpInfrastructureDoneFunc) (const GError *error, gpointer user_data);

/* As PpInfrastructureDoneFunc, with the requested JOB (borrowed), or NULL with ERROR. */
typedef void (*PpJobFunc) (PpJob *job, const GError *error, gpointer user_data);
/* JOBS is an array of PpJob. */
typedef void (*PpJobsFunc) (const GPtrArray *jobs, const GError *error, gpointer user_data);

/* The result of a follow. The strings are parts of sentences, or NULL. */
typedef struct
{
  gboolean succeeded; /* the engine reported that the container ended with status 0; only a local
                         Podman reports this */
  char *output_lost;  /* output was discarded before it was read: why and how much */
  char *damage;       /* part of the log could not be read: where and how much */
} PpFollowEnd;
typedef void (*PpFollowedFunc) (const PpFollowEnd *end, const GError *error, gpointer user_data);

/* STATUS_LOST is TRUE if conmon is gone and the engine may report "running" forever. Otherwise
 * inspect the container for its status. */
typedef void (*PpWatchedFunc) (gboolean status_lost, const GError *error, gpointer user_data);

typedef enum
{
  PP_STREAM_STDOUT = 1,
  PP_STREAM_STDERR = 2
} PpStream;

/* How far a log was read (log_place.h). */
typedef struct PpLogPlace PpLogPlace;

/* Called with output of a container: LENGTH bytes of DATA, an entry of its log or a part of one.
 * LOG_TIME is the log's own time of that entry, in nanoseconds UNIX time, or 0 if unknown.
 * BEGINS_LATE is TRUE if the log's beginning was already gone before the call. Return FALSE to take
 * none of DATA for now, and call pp_infrastructure_call_resume() later. */
typedef gboolean (*PpOutputFunc) (PpStream stream, const char *data, gsize length, gint64 log_time,
                                  gboolean begins_late, gpointer user_data);

/* Identifies the engine that answers and fills pp_infrastructure_about(). */
PpInfrastructureCall *pp_infrastructure_connect (PpInfrastructure *infrastructure,
                                                 PpInfrastructureDoneFunc done, gpointer user_data);
/* Checks if the engine answers; UNAVAILABLE if it does not. */
PpInfrastructureCall *pp_infrastructure_ping (PpInfrastructure *infrastructure,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
/* The description of a job, in a form that only its kind can read. The worker makes it from
 * the job configuration and keeps it until the job is started. */
typedef struct PpJobSpec PpJobSpec;

/* Makes the description of a job from CONFIGURATION (from pp_template_prepare(), with
 * PP_SECRET_ENVIRONMENT_KEY). Fills *POLICY with the worker's settings. Adds lines for the run's
 * log, new (char *), to WARNINGS. New; NULL with ERROR (INVALID), which names the key. */
PpJobSpec *pp_infrastructure_prepare (PpInfrastructure *infrastructure, const json_t *configuration,
                                      PpRunPolicy *policy, GPtrArray *warnings, GError **error);
/* Sets the owner of the job: identity, run, claim, work pool and reporter of OWNER. They override
 * the configuration. Call this before pp_infrastructure_submit(). */
void pp_infrastructure_set_owner (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                  const PpJobRef *owner);
/* SPEC may be NULL. */
void pp_infrastructure_free_spec (PpInfrastructure *infrastructure, PpJobSpec *spec);

/* How a submission ended. */
typedef enum
{
  PP_SUBMIT_READY,      /* the job exists, and runs once it is started */
  PP_SUBMIT_STARTED,    /* an earlier request has created and started the job: JOB */
  PP_SUBMIT_GIVEN_UP,   /* MAY_GO_ON returned FALSE */
  PP_SUBMIT_REFUSED,    /* a step failed with ERROR; if UNAVAILABLE, it may be retried */
  PP_SUBMIT_IMPOSSIBLE, /* ERROR: the job can never be created as described */
} PpSubmitEnd;

/* The callbacks of a submission. Strings are borrowed. Only DONE may cancel the submission or free
 * its PpJobSpec. */
typedef struct
{
  /* Called with a LINE for the run's log. */
  void (*log) (gboolean is_warning, const char *line, gpointer user_data);
  /* Called with TRUE when a step begins that may take long. If it is cancelled, it leaves nothing
   * of the job behind. Called with FALSE when that step is over. */
  void (*pulling) (gboolean is_pulling, gpointer user_data);
  /* Called before a long step and before the job is ready. Return FALSE if the run was
   * cancelled. */
  gboolean (*may_go_on) (gpointer user_data);
  /* Called before the job is created with NAME. */
  void (*naming) (const char *name, gpointer user_data);
  /* Called if the job was not created. MAY_EXIST: no answer came, so the job may still be
   * created. */
  void (*not_created) (gboolean may_exist, gpointer user_data);
  /* Called when the job was created. */
  void (*created) (const char *id, gpointer user_data);
  /* Called at the end. JOB and ERROR are borrowed. The comments of PpSubmitEnd say
   * which of the two is set; otherwise both are NULL. */
  void (*done) (PpSubmitEnd how, const PpJob *job, const GError *error, gpointer user_data);
} PpSubmitFuncs;

/* The most seconds that a kind may take to create a job. Copying an image's files (vfs storage)
 * takes minutes. */
#define PP_INFRASTRUCTURE_CREATE_SECONDS 600

/* Does everything until the job of SPEC is ready to start. Pass ANEW at the first call, and after
 * the job was removed: the submission then begins with the first step. Without ANEW, it repeats the
 * step that ended with PP_SUBMIT_REFUSED, and continues from there. FUNCS except DONE may be called
 * from inside this call; MAY_GO_ON must return TRUE then. SPEC, FUNCS and INFRASTRUCTURE must
 * outlive the call. */
PpInfrastructureCall *pp_infrastructure_submit (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                                gboolean anew, const PpSubmitFuncs *funcs,
                                                gpointer user_data);
PpInfrastructureCall *pp_infrastructure_start (PpInfrastructure *infrastructure,
                                               const char *container_id,
                                               PpInfrastructureDoneFunc done, gpointer user_data);
/* Follows the output of both streams. Begins at PLACE in the log, where an earlier follow stopped
 * (copied; NULL: at the beginning of the log). Ends when the container ends (no error) or the
 * connection breaks (UNAVAILABLE). END reports output that was lost since PLACE or, if PLACE is
 * NULL, since this call. TTY is PpRunPolicy.has_tty or PpJobStatus.has_tty. */
PpInfrastructureCall *pp_infrastructure_follow (PpInfrastructure *infrastructure,
                                                const char *container_id, gboolean tty,
                                                const PpLogPlace *place, PpOutputFunc on_output,
                                                PpFollowedFunc followed, gpointer user_data);
/* Like pp_infrastructure_follow() for a container that has ended: reads the log once, through the
 * engine. Use it if a follow was refused or has failed. */
PpInfrastructureCall *pp_infrastructure_read_log (PpInfrastructure *infrastructure,
                                                  const char *container_id, gboolean tty,
                                                  const PpLogPlace *place, PpOutputFunc on_output,
                                                  PpFollowedFunc followed, gpointer user_data);
/* Ends CALL, a follow of a container that has ended, even if the engine does not report the end.
 * CALL reads the rest of the log first. */
void pp_infrastructure_follow_finish (PpInfrastructureCall *call);
/* CONTAINER_ID may be a name. */
PpInfrastructureCall *pp_infrastructure_inspect (PpInfrastructure *infrastructure,
                                                 const char *container_id, PpJobFunc inspected,
                                                 gpointer user_data);

typedef enum
{
  PP_WATCH_CONMON_GONE,  /* the container's program runs on without conmon; its further output and
                            its exit status are lost */
  PP_WATCH_PROGRAM_GONE, /* the kernel of this host reports that the container's program has ended;
                            the engine may not know yet */
} PpWatchNews;
typedef void (*PpWatchFunc) (PpWatchNews news, gpointer user_data);

/* Watches a started container until it has ended or is gone, whatever happens to its log and to the
 * engine's events. If the kernel shows a local Podman's processes, NEWS (may be NULL) is called
 * when one of them ends, and the end is known within a second. Otherwise the engine's wait reports
 * the end; without conmon that takes about 20 s. If the engine does not answer, the watch asks
 * again; WATCHED gets no error for that. */
PpInfrastructureCall *pp_infrastructure_watch (PpInfrastructure *infrastructure,
                                               const char *container_id, PpWatchFunc news,
                                               PpWatchedFunc watched, gpointer user_data);
PpInfrastructureCall *pp_infrastructure_stop (PpInfrastructure *infrastructure,
                                              const char *container_id, guint timeout_seconds,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_infrastructure_unpause (PpInfrastructure *infrastructure,
                                                 const char *container_id,
                                                 PpInfrastructureDoneFunc done, gpointer user_data);
/* Removes a container with its anonymous volumes, by force. It is no error if the container is
 * already gone. */
PpInfrastructureCall *pp_infrastructure_remove (PpInfrastructure *infrastructure,
                                                const char *container_id,
                                                PpInfrastructureDoneFunc done, gpointer user_data);
/* As pp_infrastructure_remove(), for a container that was never started, and without force. The
 * engine refuses if the container now runs: the engine may carry out a start late, after the worker
 * has stopped waiting for it. */
PpInfrastructureCall *pp_infrastructure_remove_unstarted (PpInfrastructure *infrastructure,
                                                          const char *container_id,
                                                          PpInfrastructureDoneFunc done,
                                                          gpointer user_data);
/* Protects a job that has run after all. A worker has requested its removal with
 * pp_infrastructure_remove_unstarted(), and the engine may carry out that request late. After this
 * call, the late request finds no job to remove. NAME is the job's name. Call this before the job
 * is followed. */
PpInfrastructureCall *pp_infrastructure_keep (PpInfrastructure *infrastructure,
                                              const char *container_id, const char *name,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
/* Which containers to list. A host may keep thousands of containers that have ended. */
typedef enum
{
  PP_LIST_ALL,
  PP_LIST_NOT_ENDED,
  PP_LIST_NOT_STARTED,
} PpListScope;

/* Lists the containers of SCOPE that workers have created. The list does not say how they ended.
 * CLAIM is the transition id of their claim; NULL lists all. */
PpInfrastructureCall *pp_infrastructure_list (PpInfrastructure *infrastructure, PpListScope scope,
                                              const char *claim, PpJobsFunc listed,
                                              gpointer user_data);

void pp_infrastructure_call_resume (PpInfrastructureCall *call);
/* Cancels CALL. Its callbacks are not called. NULL is ignored. */
void pp_infrastructure_call_cancel (PpInfrastructureCall *call);

G_END_DECLS
