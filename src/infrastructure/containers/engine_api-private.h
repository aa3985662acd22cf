/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the engine API kind: what its files share. */
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

/* Podman's own API, beside Docker's. */
#define PP_LIBPOD "/v4.0.0/libpod"

/* How long a pull may go without a line of progress. While bytes come from the registry, Podman and
 * Docker write one a second or more, however slow it is (seen on 4.3 and 20.10); what is silent is
 * a registry that is stuck, for which they would wait for ever, and Podman that unpacks a layer:
 * minutes for tens of GB on a slow disk. */
#define PP_ENGINE_PULL_SILENCE_SECONDS (30 * 60)

/* The engine's answer to a call's request, its status below 400. Goes on with another request, or
 * ends the call. */
typedef void (*AnswerFunc) (EngineCall *call, const PpHttpResponse *response);

/* Tells the user of CALL its end. JSON: the engine's answer, where there is one; else ERROR, or
 * none of both. */
typedef void (*DeliverFunc) (EngineCall *call, json_t *json, const GError *error);

/* Files of TLS to an engine at a TCP address; all NULL: the system's CAs, no certificate of ours.
 */
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
  char *url;         /* to be shown: without a password */
  char *socket_path; /* or NULL */
  char *base_url;    /* "http://localhost"; a secret where it has a password */
  PpEngineTls tls;
  PpEngineNames names;
  char *prefix;                 /* "/v1.41"; "" before connect */
  PpEngineInfo *info;           /* NULL before connect */
  char *server;                 /* the header "Server" of the answer that INFO is from, or NULL */
  PpInfrastructureCall *asking; /* connect, once more */
  GHashTable *calls;            /* set of EngineCall */
  gint64 heard;                 /* as pp_infrastructure_heard() */
  char *log_root;               /* folder of a local Podman's containers, or NULL */
  EngineEvents *events;
  PpDockerReader *docker;
  char *docker_trouble; /* what was said last of docker's configuration, or NULL */
};

struct EngineCall
{
  PpInfrastructureCall base;
  Engine *engine;
  char *what; /* "start container '...'", the head of its errors */
  PpHttpCall *http_call;
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
  } done; /* as DELIVER calls it */
  gpointer user_data;
  gboolean creates;      /* a conflict is one of the name */
  gboolean gone_is_fine; /* a 404 is as good as success */
  gboolean may_refuse;   /* ANSWER is called for a 500 too */
  gboolean asks_engine;  /* what it is, or whether it is there */
  gboolean is_news;      /* its answer may be another engine's than INFO tells of */
  gboolean ended;        /* cancelled, or DONE was called */
  guint busy;            /* depth of callbacks of the user's below us on the stack */

  json_t *body;       /* create: to be sent */
  json_t *env;        /* create: what the job sets and takes out */
  char *network;      /* create: whose gateway is asked for; or NULL */
  char *path;         /* create, pull, follow: below the prefix */
  PpEngineInfo *info; /* connect: being filled */
  char *image;        /* pull */
  PpDockerRead *docker_read;
  PpCredentialHelper *helper; /* pull */
  char *registry_auth;        /* pull: where the helper has none; a secret, or NULL */
  PpPull *pull;
  PpPullProgressFunc progress;
  PpFrames frames;  /* follow */
  PpLogPass pass;   /* follow, through the engine: what was delivered before */
  PpLogPlace place; /* how far it has got */
  PpOutputFunc output;
  FileFollow *file;      /* follow, through the log file */
  char *container_id;    /* follow: as it stands in a URL; start */
  gboolean has_place;    /* follow: PLACE was given */
  guint wait;            /* source of the next try to open the file (follow), or of the next look
                            (start), or 0 */
  gboolean finishes;     /* the container ended during that wait */
  PpHttpCall *look;      /* at the container, beside the stream, or the start */
  gint64 look_sent;      /* monotonic, microseconds */
  gint64 trusted_until;  /* what the stream gives before is the log's; same clock */
  gboolean held_is_good; /* so is the piece that was refused last */
  gboolean guarded;      /* the stream is Podman's followed log */
  gboolean reads_rest;   /* the followed stream is over: what it left out is read */
  gboolean is_held;      /* the user takes nothing now */
  gint64 heard_at;       /* when the stream gave something last, monotonic microseconds */
  guint cut_timer;       /* to the end of a stream that outlasts its container */
  PpFollowEnd end;       /* follow */
  EngineWatch *watch;    /* watch */
  gboolean status_lost;  /* the same */
  const PpContainerSpec *spec; /* check_image, check_limits; borrowed */
  gboolean was_warned;         /* check_limits */
};

/* A new call, whose end DELIVER tells, by the field of `done` that it is for; WHAT is stolen. */
EngineCall *pp_engine_call_new (Engine *engine, char *what, DeliverFunc deliver,
                                gpointer user_data);
/* The same of a call that has nothing to tell but an error. */
EngineCall *pp_engine_call_new_plain (Engine *engine, char *what, PpInfrastructureDoneFunc done,
                                      gpointer user_data);

typedef struct
{
  const char *method;
  const char *path;          /* below the API's version */
  const json_t *body;        /* or NULL */
  const char *registry_auth; /* or NULL */
  guint timeout_seconds;     /* 0: none */
  guint silence_seconds;     /* 0: none */
  PpHttpDataFunc on_data;    /* NULL: the answer as a whole */
  gboolean unversioned;
} EngineRequest;

/* Sends REQUEST for CALL; its answer goes to ANSWER. */
void pp_engine_call_send (EngineCall *call, const EngineRequest *request, AnswerFunc answer);

/* Ends CALL: one of JSON and ERROR, or none. CALL is gone after it. */
void pp_engine_call_end (EngineCall *call, json_t *json, const GError *error);

/* The AnswerFunc of a call that ends well with any answer, and has no result. */
void pp_engine_end_plain (EngineCall *call, const PpHttpResponse *response);

/* Ends CALL with a new error of CODE, its text after CALL's what. */
void pp_engine_call_fail (EngineCall *call, PpInfrastructureError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* The JSON of RESPONSE, new reference; NULL (CALL has ended) when it is none. */
json_t *pp_engine_call_json (EngineCall *call, const PpHttpResponse *response);

/* Around a callback of the user's made while CALL goes on: it may cancel CALL or free the
 * infrastructure. pp_engine_call_leave() returns FALSE when it did; CALL is gone then. */
void pp_engine_call_enter (EngineCall *call);
gboolean pp_engine_call_leave (EngineCall *call);

/* GETs PATH below the API's version, outside any call: for the engine's own use. ON_DATA NULL: the
 * answer as a whole. */
PpHttpCall *pp_engine_get (const Engine *engine, const char *path, PpHttpDataFunc on_data,
                           PpHttpDoneFunc done, gpointer user_data);

/* engine_tls.c */

/* Where the environment asks for TLS to the engine at URL, a TCP address (DOCKER_TLS_VERIFY or
 * DOCKER_CERT_PATH, as docker-py's kwargs_from_env() reads them; but the engine's certificate is
 * always checked): fills TLS, and makes *BASE_URL https://. FALSE with ERROR for a file that cannot
 * be used. */
gboolean pp_engine_tls_find (const char *url, char **base_url, PpEngineTls *tls, GError **error);
void pp_engine_tls_clear (PpEngineTls *tls);

/* Whether ENGINE has Podman's own API, which knows more of a container than Docker's: "initialized"
 * of "created", State.ConmonPid. */
gboolean pp_engine_has_own_api (const Engine *engine);

/* METHOD on TAIL ("/json", "/wait") of container CONTAINER_ID, by Podman's own API where there is
 * one; outside any call. IS_LONG: without a limit of time. */
PpHttpCall *pp_engine_ask (const Engine *engine, const char *method, const char *container_id,
                           const char *tail, gboolean is_long, PpHttpDoneFunc done,
                           gpointer user_data);

void pp_engine_info_free (PpEngineInfo *info);

/* engine_refusal.c */

/* The engine's own words in the body of RESPONSE, an error, on one line; new string. */
char *pp_engine_words (const PpHttpResponse *response);
/* True if the engine is there and has no time: Podman's database (SQLite) was in use for longer
 * than Podman waits for it, and the same request is carried out a moment later. It may have been
 * carried out in part, like one whose answer was lost. */
gboolean pp_engine_is_busy (long status, const char *words);
/* Whether RESPONSE is a 404 in which the engine itself says that what was asked for is not there.
 */
gboolean pp_engine_says_gone (const PpHttpResponse *response);
PpInfrastructureError pp_engine_error_code (const EngineCall *call, const PpHttpResponse *response,
                                            const char *words);
/* What to do about WORDS, of RESPONSE to CALL, that do not say it themselves; "" where there is
 * nothing to say. */
const char *pp_engine_advice (const EngineCall *call, const PpHttpResponse *response,
                              const char *words);

/* engine_watch.c */
PpInfrastructureCall *pp_engine_watch (PpInfrastructure *infrastructure, const char *container_id,
                                       PpWatchFunc news, PpWatchedFunc watched, gpointer user_data);
/* Stops; what a callback of its on the stack still needs stays until it is freed. NULL is ignored,
 * by both. */
void pp_engine_watch_stop (EngineWatch *watch);
void pp_engine_watch_free (EngineWatch *watch);

/* engine_events.c, engine_log_file.c */
EngineEvents *pp_engine_events_new (Engine *engine);
void pp_engine_events_free (EngineEvents *events);
/* A container is about to start: its end should not be missed. */
void pp_engine_events_expect (Engine *engine);
/* Has CALL follow through the container's log file; FALSE where that cannot be. Where the file
 * turns out to be none that is read, pp_engine_follow_stream() is called. */
gboolean pp_engine_follow_file (EngineCall *call, const char *container_id,
                                const PpLogPlace *place);
/* NULL until it is open. */
const PpLogFile *pp_engine_follow_file_log (const FileFollow *follow);
void pp_engine_follow_file_resume (FileFollow *follow);
/* The container has ended: what is in the file is all there is. */
void pp_engine_follow_file_finish (FileFollow *follow);
/* Stops; what a callback of its on the stack still needs stays until it is freed. */
void pp_engine_follow_file_stop (FileFollow *follow);
void pp_engine_follow_file_free (FileFollow *follow);
/* As pp_infrastructure_trouble(). */
const char *pp_engine_trouble (const PpInfrastructure *infrastructure);

/* engine_connect.c */
PpInfrastructureCall *pp_engine_connect (PpInfrastructure *infrastructure,
                                         PpInfrastructureDoneFunc done, gpointer user_data);
PpInfrastructureCall *pp_engine_ping (PpInfrastructure *infrastructure,
                                      PpInfrastructureDoneFunc done, gpointer user_data);
/* The first IPv4 gateway in the answer of GET /networks/NAME, borrowed, or NULL. */
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
/* Has CALL, which was made by pp_engine_follow(), follow through the engine. */
void pp_engine_follow_stream (EngineCall *call);
PpInfrastructureCall *pp_engine_read_log (PpInfrastructure *infrastructure,
                                          const char *container_id, gboolean tty,
                                          const PpLogPlace *place, PpOutputFunc on_output,
                                          PpFollowedFunc followed, gpointer user_data);
void pp_engine_follow_finish (PpInfrastructureCall *call);
gint64 pp_engine_log_time (const PpInfrastructureCall *call);
gboolean pp_engine_log_begins_late (const PpInfrastructureCall *call);

/* engine_containers.c */
PpInfrastructureCall *pp_engine_create (PpInfrastructure *infrastructure,
                                        const PpContainerSpec *spec, const char *name,
                                        PpCreatedFunc created, gpointer user_data);
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
PpInfrastructureCall *pp_engine_remove (PpInfrastructure *infrastructure, const char *container_id,
                                        gboolean force, PpInfrastructureDoneFunc done,
                                        gpointer user_data);
PpInfrastructureCall *pp_engine_list (PpInfrastructure *infrastructure, PpListScope scope,
                                      const char *claim, PpJobsFunc listed, gpointer user_data);

/* created.c */

/* Whether IMAGE (the engine's answer about it) is for the platform that SPEC asks for, if any.
 * FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names both. */
gboolean pp_container_spec_check_image (const PpContainerSpec *spec, const json_t *image,
                                        const PpEngineInfo *engine, GError **error);
/* Whether CONTAINER (the engine's answer about it) has the limits that SPEC asks for. WAS_WARNED:
 * the engine had warnings when it made the container; then a preference that it dropped is let
 * pass. FALSE with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID), which names the limits, the engine and
 * its version. *WARNING: a new string for the run's log, or NULL. */
gboolean pp_container_spec_check_created (const PpContainerSpec *spec, const json_t *container,
                                          gboolean was_warned, const PpEngineInfo *engine,
                                          char **warning, GError **error);

G_END_DECLS
