/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the source files of the kind for Podman and Docker (engine_api.c). */
#pragma once

#include "credential_helper-private.h"
#include "docker_reader-private.h"
#include "engine-private.h"
#include "frames-private.h"
#include "infrastructure/kind-private.h"
#include "log_file-private.h"

G_BEGIN_DECLS

typedef struct Engine Engine;
typedef struct EngineCall EngineCall;
typedef struct EngineEvents EngineEvents;
typedef struct FileFollow FileFollow;
typedef struct EngineWatch EngineWatch;

/* The path of Podman's own API. */
#define PP_LIBPOD "/v4.0.0/libpod"

#define PP_ENGINE_CONNECT_TIMEOUT_MS 10000
/* The time limit of most requests. It is this long because the engine may be busy with fifty other
 * containers. */
#define PP_ENGINE_QUICK_SECONDS 120
/* For requests that copy or remove an image's files. */
#define PP_ENGINE_SLOW_SECONDS PP_INFRASTRUCTURE_CREATE_SECONDS
/* An answer about one container, or the list of all containers, is far smaller. */
#define PP_ENGINE_MAX_RESPONSE_BYTES ((gsize)16 * 1024 * 1024)

/* The longest time without progress in a pull. While data arrives from the registry, however
 * slowly, Podman and Docker report progress at least every second (tested on 4.3 and 20.10). No
 * progress has one of two causes. The registry is stuck: the engine would wait forever. Or Podman
 * unpacks a layer: this takes minutes for tens of GB on a slow disk. */
#define PP_ENGINE_PULL_SILENCE_SECONDS (30 * 60)

/* Handles the engine's answer to a request of CALL; its status reports success. Sends the next
 * request or ends the call. */
typedef void (*AnswerFunc) (EngineCall *call, const PpHttpResponse *response);

/* Reports the end of CALL to its user. JSON is the engine's answer, if there is one; ERROR is the
 * failure. Both may be NULL. */
typedef void (*DeliverFunc) (EngineCall *call, json_t *json, const GError *error);

/* TLS files for an engine at a TCP address. If all are NULL, the system's CAs are trusted and no
 * client certificate is sent. */
typedef struct
{
  char *ca_file;
  char *cert_file;
  char *key_file;
} PpEngineTls;

struct Engine
{
  PpInfrastructure base;
  PpHttp *http;
  char *url;         /* for messages: without a password */
  char *socket_path; /* or NULL */
  char *base_url;    /* "http://localhost"; a secret if it has a password */
  PpEngineTls tls;
  PpEngineNames names;
  char *prefix;                 /* "/v1.41"; "" before connect */
  PpEngineInfo *info;           /* NULL before connect */
  char *server;                 /* the "Server" header of the answer that INFO came from, or NULL */
  PpInfrastructureCall *asking; /* a repeated connect in progress */
  GHashTable *calls;            /* set of EngineCall */
  gint64 heard;                 /* see pp_infrastructure_heard() */
  char *log_root;               /* directory of a local Podman's containers, or NULL */
  EngineEvents *events;
  PpDockerReader *docker;
  char *docker_trouble; /* the last warning about Docker's configuration, or NULL */
};

struct EngineCall
{
  PpInfrastructureCall base;
  Engine *engine;
  char *what; /* "start container '...'", the start of its error messages */
  PpHttpCall *http_call;
  long success; /* of the current request, see EngineRequest */
  AnswerFunc answer;
  DeliverFunc deliver;
  union
  {
    PpInfrastructureDoneFunc plain;
    PpJobFunc job;
    PpJobsFunc jobs;
    PpCreatedFunc created;
    PpCheckedFunc checked;
    PpFollowedFunc followed;
    PpWatchedFunc watched;
  } done; /* the callback; DELIVER uses the member of its kind */
  gpointer user_data;
  gboolean creates;       /* a create request is under way: the engine may refuse its name */
  gboolean gone_is_fine;  /* a 404 counts as success */
  gboolean ended_is_fine; /* a refusal to kill an ended container counts as success */
  gboolean same_is_fine;  /* a 304 counts as success: the container runs or has ended already */
  gboolean may_be_large;  /* the engine's own answer may be too large: error TOO_LARGE */
  gboolean may_refuse;    /* ANSWER is also called for status 500 */
  gboolean takes_refusal; /* ANSWER is also called for a refusal (..._ERROR_FAILED) */
  gboolean asks_engine;   /* asks for the engine's version, or pings it */
  gboolean is_news; /* the answer may come from another engine than the one that INFO describes */
  gboolean ended;   /* cancelled, or DONE was called */
  guint busy;       /* number of user callbacks of this call on the stack */

  json_t *body;       /* create: the body to send */
  json_t *env;        /* create: the variables that the job sets or removes */
  json_t *made;       /* create: the engine's answer, while the new container is inspected */
  char *network;      /* create: the network whose gateway is requested, or NULL */
  char *path;         /* create, pull, follow: the request's path; remove, keep: a name */
  PpEngineInfo *info; /* connect: filled in step by step */
  char *image;        /* pull */
  PpDockerRead *docker_read;
  PpCredentialHelper *helper; /* pull */
  char *registry_auth;        /* pull: used if the helper has no credentials; a secret, or NULL */
  PpPull *pull;
  PpPullProgressFunc progress;
  PpFrames frames;  /* follow */
  PpLogPass pass;   /* follow, through the engine: skips what was delivered before */
  PpLogPlace place; /* follow: how far the log was read */
  PpOutputFunc output;
  FileFollow *file;   /* follow, through the log file */
  char *container_id; /* follow: escaped for a URL; start, remove, keep: not escaped */
  gboolean has_place; /* follow: the caller gave a place */
  guint wait; /* source of the next attempt to open the file (follow), or of the next check (start);
                 0 if none */
  gboolean finishes;     /* the container ended during WAIT */
  PpHttpCall *look;      /* a check of the container, in parallel to the stream or the start */
  gint64 look_sent;      /* monotonic microseconds */
  gint64 trusted_until;  /* monotonic microseconds; log data that arrives until then is complete */
  gboolean held_is_good; /* a check of the container has shown that the waiting piece is complete */
  gboolean guarded;      /* the stream is Podman's followed log */
  gboolean reads_rest;   /* the followed stream has ended; what is missing in it is being read */
  gboolean is_held;      /* the user takes no output now */
  gint64 heard_at;       /* monotonic microseconds of the stream's last data */
  guint cut_timer;       /* ends a stream that outlasts its container */
  PpFollowEnd end;       /* follow */
  EngineWatch *watch;    /* watch */
  gboolean status_lost;  /* watch */
  const PpContainerSpec *spec; /* check_image, check_limits; borrowed */
  gboolean was_warned;         /* check_limits */
};

/* engine_call.c */

/* Returns a new call. DELIVER reports its end through a member of `done`. Takes ownership of
 * WHAT. */
EngineCall *pp_engine_call_new (Engine *engine, char *what, DeliverFunc deliver,
                                gpointer user_data);
/* Like pp_engine_call_new(), for a call without a result. */
EngineCall *pp_engine_call_new_plain (Engine *engine, char *what, PpInfrastructureDoneFunc done,
                                      gpointer user_data);

typedef struct
{
  const char *method;
  const char *path;          /* below the API's version */
  const json_t *body;        /* or NULL */
  const char *registry_auth; /* or NULL */
  guint timeout_seconds;     /* 0: no limit */
  guint silence_seconds;     /* 0: no limit */
  PpHttpDataFunc on_data;    /* NULL: collect the whole answer */
  gboolean unversioned;
  long success; /* the status with which Docker and Podman report success; 0: 200 */
} EngineRequest;

/* Sends REQUEST for CALL. ANSWER gets the answer. */
void pp_engine_call_send (EngineCall *call, const EngineRequest *request, AnswerFunc answer);

/* Ends CALL with JSON, with ERROR, or with neither. Frees CALL. */
void pp_engine_call_end (EngineCall *call, json_t *json, const GError *error);

/* An AnswerFunc that ends the call successfully, without a result. */
void pp_engine_end_plain (EngineCall *call, const PpHttpResponse *response);

/* Ends CALL with a new error of CODE. The error's message is CALL's `what` and the formatted
 * text. */
void pp_engine_call_fail (EngineCall *call, PpInfrastructureError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* Ends CALL: its answer, with STATUS, is from another program in the engine's place. WHY says what
 * in the answer shows this. The engine itself may have done what was asked. */
void pp_engine_call_fail_stranger (EngineCall *call, long status, const char *why);

/* Returns the JSON of RESPONSE, a new reference. If it is not JSON, ends CALL and returns NULL. */
json_t *pp_engine_call_json (EngineCall *call, const PpHttpResponse *response);

/* Call these before and after a user callback while CALL continues. The callback may cancel CALL or
 * free the infrastructure. pp_engine_call_leave() then returns FALSE, and CALL must not be used any
 * more. */
void pp_engine_call_enter (EngineCall *call);
gboolean pp_engine_call_leave (EngineCall *call);

/* See pp_infrastructure_call_cancel() and pp_infrastructure_call_resume(). */
void pp_engine_call_cancel (PpInfrastructureCall *base);
void pp_engine_call_resume (PpInfrastructureCall *base);

/* engine_requests.c */

/* Sends a GET request that belongs to no call. PATH is below the API's version. If ON_DATA is NULL,
 * collects the whole answer. */
PpHttpCall *pp_engine_get (const Engine *engine, const char *path, PpHttpDataFunc on_data,
                           PpHttpDoneFunc done, gpointer user_data);

/* True if ENGINE has Podman's own API, which reports more about a container than Docker's:
 * State.ConmonPid, and "initialized" apart from "created". */
gboolean pp_engine_has_own_api (const Engine *engine);

/* Sends METHOD for TAIL ("/json", "/wait") of container CONTAINER_ID, by Podman's own API if there
 * is one. The request belongs to no call. IS_LONG removes the time limit. */
PpHttpCall *pp_engine_ask (const Engine *engine, const char *method, const char *container_id,
                           const char *tail, gboolean is_long, PpHttpDoneFunc done,
                           gpointer user_data);

void pp_engine_info_free (PpEngineInfo *info);

/* engine_tls.c */

/* Sets up TLS for the engine at URL, a TCP address, if the environment asks for it. Reads
 * DOCKER_TLS_VERIFY and DOCKER_CERT_PATH like docker-py's kwargs_from_env(), but always verifies
 * the engine's certificate. Fills TLS and changes *BASE_URL to https://. Returns FALSE with ERROR
 * if a file cannot be used. */
gboolean pp_engine_tls_find (const char *url, char **base_url, PpEngineTls *tls, GError **error);
void pp_engine_tls_clear (PpEngineTls *tls);

/* engine_refusal.c */

/* Returns the engine's message in the body of RESPONSE, an error, on one line; new string. */
char *pp_engine_words (const PpHttpResponse *response);
/* True if RESPONSE says that the engine is there but busy: Podman's SQLite database was locked for
 * longer than Podman waits. The same request succeeds a moment later. As with a lost answer, the
 * engine may have carried out a part of the request. */
gboolean pp_engine_is_busy (const PpHttpResponse *response);
/* True if RESPONSE is a 404 in which the engine itself reports a missing object. */
gboolean pp_engine_says_gone (const PpHttpResponse *response);
/* True if RESPONSE, Docker's answer to a removal, says that the container is already being
 * removed. */
gboolean pp_engine_says_removing (const PpHttpResponse *response);

/* True if RESPONSE is Docker's refusal to kill a container that has ended: 409, "container ID is
 * not running". */
gboolean pp_engine_says_not_running (const PpHttpResponse *response);
/* Returns the error code for RESPONSE, an error that the engine sent to CALL with the message
 * WORDS. Uses the status, the engine's own words, and their place in the message. The place
 * matters, because an engine quotes the job in its messages (a device, an entrypoint, a mount, a
 * user). */
PpInfrastructureError pp_engine_error_code (const EngineCall *call, const PpHttpResponse *response,
                                            const char *words);
/* Returns advice about RESPONSE, an error that the engine sent to CALL, or "" if there is none. */
const char *pp_engine_advice (const EngineCall *call, const PpHttpResponse *response);

/* engine_ends.c */
/* See pp_infrastructure_explain_no_end(). */
char *pp_engine_explain_no_end (const PpJobEnd *end);

/* engine_watch.c */
PpInfrastructureCall *pp_engine_watch (PpInfrastructure *infrastructure, const char *container_id,
                                       PpWatchFunc news, PpWatchedFunc watched, gpointer user_data);
/* Stops the watch. Memory that a running callback needs is kept until pp_engine_watch_free(). Both
 * ignore NULL. */
void pp_engine_watch_stop (EngineWatch *watch);
void pp_engine_watch_free (EngineWatch *watch);

/* engine_events.c, engine_log_file.c */
EngineEvents *pp_engine_events_new (Engine *engine);
void pp_engine_events_free (EngineEvents *events);
/* Opens the event stream before a container starts, so that the container's end is not missed. */
void pp_engine_events_expect (Engine *engine);
/* Makes CALL follow the container's log file. Returns FALSE if that is not possible. If the file
 * turns out to be unreadable, calls pp_engine_follow_stream(). */
gboolean pp_engine_follow_file (EngineCall *call, const char *container_id,
                                const PpLogPlace *place);
void pp_engine_follow_file_resume (FileFollow *follow);
/* Call this when the container has ended: the log file then has all its output. */
void pp_engine_follow_file_finish (FileFollow *follow);
/* Stops following. Memory that a running callback needs is kept until
 * pp_engine_follow_file_free(). */
void pp_engine_follow_file_stop (FileFollow *follow);
void pp_engine_follow_file_free (FileFollow *follow);
/* See pp_infrastructure_trouble(). */
const char *pp_engine_trouble (const PpInfrastructure *infrastructure);

/* engine_connect.c */
PpInfrastructureCall *pp_engine_connect (PpInfrastructure *infrastructure,
                                         PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_ping (PpInfrastructure *infrastructure,
                                      PpInfrastructureDoneFunc done, gpointer user_data);
/* Returns the first IPv4 gateway in the answer of GET /networks/NAME, borrowed, or NULL. */
const char *pp_engine_network_gateway (const json_t *network);

/* engine_pull.c */
PpInfrastructureCall *pp_engine_pull (PpInfrastructure *infrastructure, const char *image,
                                      const char *platform, const char *registry_auth,
                                      PpPullProgressFunc progress, PpInfrastructureDoneFunc done,
                                      gpointer user_data);

/* engine_stream.c */
PpInfrastructureCall *pp_engine_follow (PpInfrastructure *infrastructure, const char *container_id,
                                        gboolean tty, const PpLogPlace *place,
                                        PpOutputFunc on_output, PpFollowedFunc followed,
                                        gpointer user_data);
/* Makes CALL, from pp_engine_follow(), follow through the engine. */
void pp_engine_follow_stream (EngineCall *call);
PpInfrastructureCall *pp_engine_read_log (PpInfrastructure *infrastructure,
                                          const char *container_id, gboolean tty,
                                          const PpLogPlace *place, PpOutputFunc on_output,
                                          PpFollowedFunc followed, gpointer user_data);
void pp_engine_follow_finish (PpInfrastructureCall *call);

/* engine_create.c */
PpInfrastructureCall *pp_engine_create (PpInfrastructure *infrastructure,
                                        const PpContainerSpec *spec, const char *name,
                                        PpCreatedFunc created, gpointer user_data);

/* engine_containers.c */
/* Escapes TEXT for a URL; new string. */
char *pp_engine_escape (const char *text);
/* Returns a new call about container ID, which may be a name. VERB is for its errors. */
EngineCall *pp_engine_container_call (PpInfrastructure *infrastructure, const char *verb,
                                      const char *id, PpInfrastructureDoneFunc done,
                                      gpointer user_data);
/* Sends METHOD for TAIL ("/start") of container ID, which may be a name. */
void pp_engine_send_container (EngineCall *call, const char *method, const char *id,
                               const char *tail, guint timeout_seconds, AnswerFunc answer);
/* An AnswerFunc that ends the call with an answer that has a container's id. */
void pp_engine_end_with_container (EngineCall *call, const PpHttpResponse *response);
PpInfrastructureCall *pp_engine_connect_network (PpInfrastructure *infrastructure,
                                                 const char *network, const char *container_id,
                                                 PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_check_image (PpInfrastructure *infrastructure,
                                             const PpContainerSpec *spec,
                                             PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_check_limits (PpInfrastructure *infrastructure,
                                              const PpContainerSpec *spec, const char *container_id,
                                              gboolean was_warned, PpCheckedFunc checked,
                                              gpointer user_data);
PpInfrastructureCall *pp_engine_start (PpInfrastructure *infrastructure, const char *container_id,
                                       PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_inspect (PpInfrastructure *infrastructure, const char *container_id,
                                         PpJobFunc inspected, gpointer user_data);
PpInfrastructureCall *pp_engine_stop (PpInfrastructure *infrastructure, const char *container_id,
                                      guint timeout_seconds, PpInfrastructureDoneFunc done,
                                      gpointer user_data);
PpInfrastructureCall *pp_engine_unpause (PpInfrastructure *infrastructure, const char *container_id,
                                         PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_list (PpInfrastructure *infrastructure, PpListScope scope,
                                      const char *claim, PpJobsFunc listed, gpointer user_data);

/* engine_remove.c */
PpInfrastructureCall *pp_engine_remove (PpInfrastructure *infrastructure, const char *container_id,
                                        gboolean force, PpInfrastructureDoneFunc done,
                                        gpointer user_data);
/* See pp_infrastructure_keep(). */
PpInfrastructureCall *pp_engine_keep (PpInfrastructure *infrastructure, const char *container_id,
                                      const char *name, PpInfrastructureDoneFunc done,
                                      gpointer user_data);

/* created.c */

/* Checks that IMAGE, the engine's answer about it, is for the platform that SPEC asks for, if any.
 * Returns FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names both platforms. */
gboolean pp_container_spec_check_image (const PpContainerSpec *spec, const json_t *image,
                                        const PpEngineInfo *engine, GError **error);
/* Checks that CONTAINER, the engine's answer about it, has the limits that SPEC asks for.
 * WAS_WARNED is TRUE if the engine gave warnings when it created the container: a missing limit
 * that is only a hint (created.c) is then no error. Returns FALSE with ERROR
 * (PP_INFRASTRUCTURE_ERROR_INVALID), which names the limits, the engine and its version. Sets
 * *WARNING to a new string for the run's log, or NULL. */
gboolean pp_container_spec_check_created (const PpContainerSpec *spec, const json_t *container,
                                          gboolean was_warned, const PpEngineInfo *engine,
                                          char **warning, GError **error);

G_END_DECLS
