/* SPDX-License-Identifier: Apache-2.0 */
/* Where a flow run runs. One interface; a kind is one file and one row in a table
 * (infrastructure.c). Every call is asynchronous: its callback runs on the main loop, never from
 * inside the call. */
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
  PP_INFRASTRUCTURE_ERROR_FAILED,      /* the engine refused: its own words are in the message */
  PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, /* the engine, or a pull's registry, does not answer, or says
                                          that it is busy: may pass; a call may have been carried
                                          out */
  PP_INFRASTRUCTURE_ERROR_NOT_FOUND,   /* no such container, image or network */
  PP_INFRASTRUCTURE_ERROR_NAME_IN_USE,
  PP_INFRASTRUCTURE_ERROR_INVALID,   /* a job configuration that cannot be made into a container:
                                        names the key */
  PP_INFRASTRUCTURE_ERROR_TOO_LARGE, /* the answer is larger, or would take more memory, than this
                                        program reads */
} PpInfrastructureError;

/* What the jobs run on, as it said of itself at the last connect. Borrowed; each may be NULL. */
typedef struct
{
  const char *name;    /* "Podman" */
  const char *version; /* "4.3.1" */
  const char *manner;  /* "rootless" */
  const char *place;   /* "unix:///run/podman/podman.sock", without a password */
} PpInfrastructureAbout;

/* The key of a configuration that says which variables of its `env` are secrets of the worker: an
 * object, name -> null: all of it; true: a URL, the user and password in it. */
#define PP_SECRET_ENVIRONMENT_KEY "secret_environment"

/* The infrastructure at PLACE (pp_kind_find_place() in kinds.h). New; NULL with ERROR for a place
 * of no kind. */
PpInfrastructure *pp_infrastructure_new (PpHttp *http, const char *place, GError **error);
void pp_infrastructure_free (PpInfrastructure *infrastructure); /* cancels what is in flight */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpInfrastructure, pp_infrastructure_free)

PpInfrastructureAbout pp_infrastructure_about (const PpInfrastructure *infrastructure);

/* When a call was answered last, monotonic microseconds; 0 when the last one that ended got no
 * answer (UNAVAILABLE). What a registry does is not the engine's. */
gint64 pp_infrastructure_heard (const PpInfrastructure *infrastructure);
/* What is wrong on this host with following containers, a sentence for the health endpoint; NULL
 * where nothing is. */
const char *pp_infrastructure_trouble (const PpInfrastructure *infrastructure);

/* The end of a call; ERROR is borrowed, and NULL where all went well. */
typedef void (*PpInfrastructureDoneFunc) (const GError *error, gpointer user_data);

/* The same with what was asked for, borrowed: NULL with ERROR. */
typedef void (*PpJobFunc) (PpJob *job, const GError *error, gpointer user_data);
/* JOBS: of PpJob. */
typedef void (*PpJobsFunc) (const GPtrArray *jobs, const GError *error, gpointer user_data);

/* What a follow has to tell at its end; the strings are parts of sentences, or NULL. */
typedef struct
{
  gboolean succeeded; /* the container has ended with status 0, says its engine; a local Podman's
                         only */
  char *output_lost;  /* output was thrown away before it was read: why and how much */
  char *damage;       /* part of the log could not be read: where and how much */
} PpFollowEnd;
typedef void (*PpFollowedFunc) (const PpFollowEnd *end, const GError *error, gpointer user_data);

/* STATUS_LOST: conmon is gone, and the engine may say "running" for ever; else inspect the
 * container for its status. */
typedef void (*PpWatchedFunc) (gboolean status_lost, const GError *error, gpointer user_data);

typedef enum
{
  PP_STREAM_STDOUT = 1,
  PP_STREAM_STDERR = 2
} PpStream;

/* How far a log was read (log_place.h). */
typedef struct PpLogPlace PpLogPlace;

/* Output of a container: LENGTH bytes of DATA, an entry of its log or a part of one. LOG_TIME: the
 * log's own time of that entry, nanoseconds UNIX time; 0: not known. BEGINS_LATE: the log's
 * beginning is known to be gone since before the call. Return FALSE for "not now" (none of DATA was
 * taken), then pp_infrastructure_call_resume(). */
typedef gboolean (*PpOutputFunc) (PpStream stream, const char *data, gsize length, gint64 log_time,
                                  gboolean begins_late, gpointer user_data);

/* Asks what answers and fills pp_infrastructure_about(). */
PpInfrastructureCall *pp_infrastructure_connect (PpInfrastructure *infrastructure,
                                                 PpInfrastructureDoneFunc done, gpointer user_data);
/* Whether the engine is there: UNAVAILABLE when it does not answer. */
PpInfrastructureCall *pp_infrastructure_ping (PpInfrastructure *infrastructure,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
/* A job as its kind has it: from the job configuration until the job is started. Only the kind can
 * look into it. */
typedef struct PpJobSpec PpJobSpec;

/* CONFIGURATION (as pp_template_prepare() gives it, with PP_SECRET_ENVIRONMENT_KEY) as a job, and
 * *POLICY, what it asks of the worker. WARNINGS, of new (char *), gets lines for the run's log.
 * New; NULL with ERROR (INVALID), which names the key. */
PpJobSpec *pp_infrastructure_prepare (PpInfrastructure *infrastructure, const json_t *configuration,
                                      PpRunPolicy *policy, GPtrArray *warnings, GError **error);
/* Has the job say whose it is: by the identity, run, claim, work pool and reporter of OWNER, over
 * what its configuration says. Before pp_infrastructure_submit(). */
void pp_infrastructure_set_owner (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                  const PpJobRef *owner);
/* SPEC may be NULL. */
void pp_infrastructure_free_spec (PpInfrastructure *infrastructure, PpJobSpec *spec);

/* How a submission ends. */
typedef enum
{
  PP_SUBMIT_READY,      /* the job is there, and runs when it is started */
  PP_SUBMIT_STARTED,    /* an earlier request has made and started it: JOB */
  PP_SUBMIT_GIVEN_UP,   /* MAY_GO_ON said no */
  PP_SUBMIT_REFUSED,    /* ERROR; if that is UNAVAILABLE, the step may be tried again */
  PP_SUBMIT_IMPOSSIBLE, /* ERROR: the job can never be as it is described */
} PpSubmitEnd;

/* What a submission tells. Strings are borrowed. None but DONE may end the submission. */
typedef struct
{
  /* LINE is for the run's log. */
  void (*log) (gboolean is_warning, const char *line, gpointer user_data);
  /* TRUE: what is done now leaves nothing of the job behind and may take long; it may be cancelled.
   * FALSE: it is over. */
  void (*pulling) (gboolean is_pulling, gpointer user_data);
  /* Asked before what takes long, and before the job is ready: FALSE if the run was cancelled. */
  gboolean (*may_go_on) (gpointer user_data);
  /* The job is about to be made by NAME. */
  void (*naming) (const char *name, gpointer user_data);
  /* It was not. MAY_EXIST: no answer came, so it may be made yet. */
  void (*not_created) (gboolean may_exist, gpointer user_data);
  /* It is there. */
  void (*created) (const char *id, gpointer user_data);
  /* The end. JOB, ERROR: as HOW says, else NULL; borrowed. */
  void (*done) (PpSubmitEnd how, const PpJob *job, const GError *error, gpointer user_data);
} PpSubmitFuncs;

/* How long a kind may take to make a job. To copy an image's files (vfs storage) takes minutes. */
#define PP_INFRASTRUCTURE_CREATE_SECONDS 600

/* Does all that SPEC takes to be a job that runs when it is started. ANEW: from its beginning, at
 * the first time and after the job was removed again; else from the step that ended with
 * PP_SUBMIT_REFUSED. FUNCS are called from inside this call too, but for DONE; MAY_GO_ON must say
 * yes then. SPEC, FUNCS and INFRASTRUCTURE must outlive the call. */
PpInfrastructureCall *pp_infrastructure_submit (PpInfrastructure *infrastructure, PpJobSpec *spec,
                                                gboolean anew, const PpSubmitFuncs *funcs,
                                                gpointer user_data);
PpInfrastructureCall *pp_infrastructure_start (PpInfrastructure *infrastructure,
                                               const char *container_id,
                                               PpInfrastructureDoneFunc done, gpointer user_data);
/* Follows the output of both streams from PLACE in the log (NULL: from its beginning; copied),
 * which was reached by a follow before, until the container ends (no error) or the
 * connection breaks (UNAVAILABLE). What END tells counts since PLACE, or since this call. TTY:
 * PpRunPolicy.has_tty, or PpJobStatus.has_tty. */
PpInfrastructureCall *pp_infrastructure_follow (PpInfrastructure *infrastructure,
                                                const char *container_id, gboolean tty,
                                                const PpLogPlace *place, PpOutputFunc on_output,
                                                PpFollowedFunc followed, gpointer user_data);
/* As pp_infrastructure_follow(), of a container that has ended, through the engine: reads the log
 * once, for where a follow was refused or has failed. */
PpInfrastructureCall *pp_infrastructure_read_log (PpInfrastructure *infrastructure,
                                                  const char *container_id, gboolean tty,
                                                  const PpLogPlace *place, PpOutputFunc on_output,
                                                  PpFollowedFunc followed, gpointer user_data);
/* The container of CALL, a follow, has ended, though the engine may not say so: CALL reads what the
 * log has, and is done. */
void pp_infrastructure_follow_finish (PpInfrastructureCall *call);
/* CONTAINER_ID may be a name. */
PpInfrastructureCall *pp_infrastructure_inspect (PpInfrastructure *infrastructure,
                                                 const char *container_id, PpJobFunc inspected,
                                                 gpointer user_data);

typedef enum
{
  PP_WATCH_CONMON_GONE,  /* the container's program runs on without conmon: its output is lost from
                            now on, and so is its exit status */
  PP_WATCH_PROGRAM_GONE, /* the container's program has ended, says the kernel of this host; the
                            engine may not know yet */
} PpWatchNews;
typedef void (*PpWatchFunc) (PpWatchNews news, gpointer user_data);

/* Watches a container that was started until it has ended or is gone, whatever becomes of its log
 * and of the engine's events. Where the kernel shows a local Podman's processes, NEWS (may be NULL)
 * is called when one of them ends, and the end is known within a second. Elsewhere the engine's
 * wait reports the end; without conmon that takes about 20 s. An engine that does not answer is
 * asked again: WATCHED gets no error for that. */
PpInfrastructureCall *pp_infrastructure_watch (PpInfrastructure *infrastructure,
                                               const char *container_id, PpWatchFunc news,
                                               PpWatchedFunc watched, gpointer user_data);
PpInfrastructureCall *pp_infrastructure_stop (PpInfrastructure *infrastructure,
                                              const char *container_id, guint timeout_seconds,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_infrastructure_unpause (PpInfrastructure *infrastructure,
                                                 const char *container_id,
                                                 PpInfrastructureDoneFunc done, gpointer user_data);
/* Removes with its anonymous volumes, by force. A container that is gone already is no error. */
PpInfrastructureCall *pp_infrastructure_remove (PpInfrastructure *infrastructure,
                                                const char *container_id,
                                                PpInfrastructureDoneFunc done, gpointer user_data);
/* The same for a container that was never started, without force: the engine refuses where it runs
 * by now, because a start that was given up was carried out late. */
PpInfrastructureCall *pp_infrastructure_remove_unstarted (PpInfrastructure *infrastructure,
                                                          const char *container_id,
                                                          PpInfrastructureDoneFunc done,
                                                          gpointer user_data);
/* Has a removal by pp_infrastructure_remove_unstarted() that is carried out late find nothing, for
 * a job that has run after all and is NAME's. Call it before such a job is followed. */
PpInfrastructureCall *pp_infrastructure_keep (PpInfrastructure *infrastructure,
                                              const char *container_id, const char *name,
                                              PpInfrastructureDoneFunc done, gpointer user_data);
/* Which containers a list is of. Those that have ended and were kept may be thousands. */
typedef enum
{
  PP_LIST_ALL,
  PP_LIST_NOT_ENDED,
  PP_LIST_NOT_STARTED,
} PpListScope;

/* The containers of SCOPE that workers have made; how they ended is not told. CLAIM: those of this
 * transition id; NULL: all. */
PpInfrastructureCall *pp_infrastructure_list (PpInfrastructure *infrastructure, PpListScope scope,
                                              const char *claim, PpJobsFunc listed,
                                              gpointer user_data);

void pp_infrastructure_call_resume (PpInfrastructureCall *call);
/* Ends CALL without a callback. */
void pp_infrastructure_call_cancel (PpInfrastructureCall *call);

G_END_DECLS
