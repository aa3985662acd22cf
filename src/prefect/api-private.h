/* SPDX-License-Identifier: Apache-2.0 */
/* What api.c and the files beside it share: the client, one call of it, and the steps of an
 * attempt. Private to src/prefect. */
#pragma once

#include "prefect-podman/prefect/resources.h"

/* What a run waits for goes before what only tells of it, and what all runs wait for before that.
 */
typedef enum
{
  PP_API_SHARED, /* polls, heartbeats, reads of many runs at once, cancellations among them */
  PP_API_STATE,  /* a run's state is set: a server may be slow at one deployment's (a lock, a hook)
                  */
  PP_API_NEEDED, /* anything else that a run waits for */
  PP_API_LATER,  /* logs: one at a time while others wait */
  PP_API_LAST, /* labels, events: when the server has nothing else to do for us, or after a while */
  PP_API_URGENCIES,
} PpApiUrgency;

struct PpApi
{
  PpHttp *http;
  const PpSettings *settings;
  char *url;                         /* without a trailing slash */
  char *display_url;                 /* as url, without user:password */
  GPtrArray *headers;                /* "Name: value", the same for every call */
  GPtrArray *worker;                 /* attribution headers */
  GPtrArray *secrets;                /* strings that must not be in a message */
  GHashTable *calls;                 /* set of every PpApiCall */
  GQueue waiting[PP_API_URGENCIES];  /* calls without a slot, first to go first */
  guint under_way[PP_API_URGENCIES]; /* calls with one */
  guint late_timer;                  /* for the oldest of PP_API_LAST; or 0 */
  gboolean has_answer;               /* anything answered once */
  gboolean heard;                    /* the API itself did */
  gboolean outage_said;              /* no call has succeeded since that was said */
  gint64 clock_differed;             /* the last time they did, monotonic microseconds; 0: never */
  gint64 answered;                   /* the last success of any call; monotonic microseconds */
  gint64 maintenance_until;
  gint64 rest_until;  /* Retry-After of what its callers make again (PP_API_TRY); monotonic */
  double wait_factor; /* of the time until a call is made again: 1, but in tests */

  /* csrf.c */
  gboolean csrf_enabled;
  char *csrf_client;
  char *csrf_token;          /* or NULL */
  gint64 csrf_renew;         /* when to fetch another, monotonic microseconds */
  PpHttpCall *csrf_fetching; /* or NULL */

  /* What an older server does not have is asked for once. */
  gboolean no_labels;
  gboolean no_events;
};

/* Whether JSON (or NULL), the body of a success with STATUS, is what the API gives to a call of
 * PATH.
 */
typedef gboolean (*PpApiShapeFunc) (const json_t *json, const char *path, long status);

struct PpApiCall
{
  PpApi *api;
  char *method;
  char *path;
  GBytes *body; /* or NULL */
  PpApiPatience patience;
  PpApiUrgency urgency;
  PpApiShapeFunc shape; /* NULL: any will do */
  PpApiDoneFunc done;
  gpointer user_data;
  GDestroyNotify destroy; /* for user_data, after DONE or a cancel; or NULL */
  int attempts;           /* made and counted */
  int csrf_refusals;      /* answers 403 "Invalid CSRF token" */
  gint64 queued;          /* monotonic microseconds */
  PpHttpCall *under_way;  /* or NULL */
  gint64 started;         /* of this attempt, monotonic microseconds */
  char *csrf_token;       /* that this attempt was made with, or NULL */
  GSource *timer;         /* of the next attempt, or of ERROR's delivery; or NULL */
  GError *error;          /* to deliver from TIMER; or NULL */
  gboolean not_sent;      /* this attempt failed before the request went out */
  gboolean nothing;       /* nothing is sent: TIMER delivers a success */
};

/* api.c */

/* As pp_api_call(); DESTROY (may be NULL) frees USER_DATA when the call is gone. */
PpApiCall *pp_api_call_full (PpApi *api, const char *method, const char *path, json_t *body,
                             PpApiPatience patience, PpApiUrgency urgency, PpApiDoneFunc done,
                             gpointer user_data, GDestroyNotify destroy);

/* pp_api_call() for what all runs wait for. */
PpApiCall *pp_api_call_shared (PpApi *api, const char *method, const char *path, json_t *body,
                               PpApiPatience patience, PpApiDoneFunc done, gpointer user_data);

/* CALL, whose success is one only with a body of SHAPE: something in the server's place that says
 * 200 to whatever it is asked is not believed that a run is gone. */
PpApiCall *pp_api_expects (PpApiShapeFunc shape, PpApiCall *call);
gboolean pp_api_is_array (const json_t *json, const char *path, long status);
/* An object with an "id": that of PATH, where it is /ROOM/UUID. */
gboolean pp_api_is_resource (const json_t *json, const char *path, long status);
gboolean pp_api_is_changed (const json_t *json, const char *path, long status); /* 204, empty */

/* GETs one of those. */
PpApiCall *pp_api_read_resource (PpApi *api, const char *path, PpApiPatience patience,
                                 PpApiDoneFunc done, gpointer user_data);

/* A call that succeeds without a word to the server: for what it is known not to have. */
PpApiCall *pp_api_call_nothing (PpApi *api, PpApiDoneFunc done, gpointer user_data);

/* TEXT as a JSON string (new reference); what is not UTF-8 in it is replaced. */
json_t *pp_api_text (const char *text);

/* Starts waiting calls as far as there are slots. */
void pp_api_pump (PpApi *api);

/* Sends METHOD on PATH once; for certain so with BODY_ONCE (PpHttpRequest). */
PpHttpCall *pp_api_send (PpApi *api, const char *method, const char *path, GBytes *body,
                         const char *csrf_token, gboolean body_once, PpHttpDoneFunc done,
                         gpointer user_data);

/* queue.c: takes the call that is to be sent now from those that wait; NULL: none is. */
PpApiCall *pp_api_take_next (PpApi *api);

/* headers.c */

/* Fills api->headers and api->secrets from the settings. */
void pp_api_init_headers (PpApi *api);

/* MESSAGE with every secret of API masked; takes MESSAGE and returns it or a new string. */
char *pp_api_mask (const PpApi *api, char *message);

/* transport.c */

/* Warns of settings that let others read what is sent to API. */
void pp_api_warn_of_transport (const PpApi *api);

/* What to do about HTTP_ERROR, for the end of its message; new string, "" for nothing. */
char *pp_api_advise_without_answer (const PpApi *api, const GError *http_error);

/* answer.c */

/* The JSON of a success into *BODY (new reference; NULL for an empty one), or FALSE with ERROR; a
 * body that is not of SHAPE (NULL: any) is not the API's. Exactly one of RESPONSE and HTTP_ERROR is
 * NULL. */
gboolean pp_api_read_answer (PpApi *api, const char *method, const char *path, PpApiShapeFunc shape,
                             const PpHttpResponse *response, const GError *http_error,
                             json_t **body, GError **error);

/* bounds.c: the most bytes of an answer to PATH, and of what its parse may take besides. */
gsize pp_api_bound (const char *path);

/* Whether RESPONSE, an error, is in the API's own words. */
gboolean pp_api_is_own_error (const PpHttpResponse *response);

/* health.c */

/* A call of API has succeeded. */
void pp_api_note_success (PpApi *api);

/* Says that CALL, which failed with ERROR and is made again in DELAY seconds, gets no answer: once
 * until any call succeeds, and no later than PP_HTTP_SLOW_MS after CALL was first wanted. True if
 * it was said now. */
gboolean pp_api_say_outage (const PpApiCall *call, const GError *error, double delay);

/* Says, once, that the server's clock (the Date of RESPONSE, which was asked for at STARTED,
 * monotonic microseconds; or NULL) is not this host's. */
void pp_api_check_clock (PpApi *api, const PpHttpResponse *response, gint64 started);

/* retry.c */

/* Whether the failed CALL is to be made again (then *DELAY is in seconds); counts the attempt.
 * RESPONSE is NULL when none came. */
gboolean pp_api_decide_retry (PpApiCall *call, const PpHttpResponse *response, const GError *error,
                              double *delay);

/* Whether CALL is made again for as long as its failure may pass. */
gboolean pp_api_call_persists (const PpApiCall *call);

/* flow_runs.c */

/* The BODY of set_state's answer into *RESULT, which borrows from it; TRANSITION_ID is the call's
 * own. FALSE when its status is none that is known. */
gboolean pp_api_read_set_state (const json_t *body, const char *transition_id,
                                PpSetStateResult *result);

/* csrf.c */

/* Whether METHOD can be sent now; if not, a token is on its way and pp_api_pump() follows. */
gboolean pp_api_csrf_ready (PpApi *api, const char *method);

/* The token METHOD is to be sent with, borrowed; NULL for none. */
const char *pp_api_csrf_token (PpApi *api, const char *method);

/* Whether RESPONSE refuses CALL's token; that token is then forgotten. */
gboolean pp_api_csrf_refused (PpApiCall *call, const PpHttpResponse *response);

/* api.c: no token could be had: an attempt of every call that waits for one has failed. */
void pp_api_csrf_failed (PpApi *api, const PpHttpResponse *response, const GError *error);

gboolean pp_api_csrf_needed (const char *method);
