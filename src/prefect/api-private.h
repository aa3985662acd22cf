/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by api.c and the files beside it: the client, a call, and the steps of an attempt. Private
 * to src/prefect. */
#pragma once

#include "prefect-podman/prefect/resources.h"

/* The priority of a call. Calls that all runs wait for come first, then calls that one run waits
 * for, then logs, labels and events. */
typedef enum
{
  PP_API_SHARED, /* polls, heartbeats, and reads of many runs at once, also for cancellations */
  PP_API_STATE,  /* sets a run's state, which may be slow for one deployment (a lock, a hook) */
  PP_API_NEEDED, /* other calls that a run waits for */
  PP_API_LATER,  /* logs: one at a time while other calls wait */
  PP_API_LAST, /* labels, events: wait for calls that a run needs, up to LAST_WAITS_US (queue.c) */
  PP_API_URGENCIES,
} PpApiUrgency;

struct PpApi
{
  PpHttp *http;
  const PpSettings *settings;
  char *url;                         /* without a trailing slash */
  char *display_url;                 /* like url, without user:password */
  GPtrArray *headers;                /* "Name: value", the same for all calls */
  GPtrArray *worker;                 /* attribution headers */
  GPtrArray *secrets;                /* strings that must not be in a message */
  GHashTable *calls;                 /* set of all PpApiCall */
  GQueue waiting[PP_API_URGENCIES];  /* calls without a slot, in order */
  guint under_way[PP_API_URGENCIES]; /* number of calls with a slot */
  guint late_timer;                  /* for the oldest PP_API_LAST call, or 0 */
  gboolean has_answer;               /* the API or something else has answered */
  gboolean heard;                    /* the API itself has answered */
  gboolean outage_said;              /* the outage was logged, and no call has succeeded since */
  gint64 clock_differed; /* last time the clocks differed, monotonic microseconds; 0: never */
  gint64 answered;       /* last success of any call, monotonic microseconds; 0: never */
  gint64 maintenance_until;
  gint64 rest_until;  /* end of a Retry-After for PP_API_TRY calls; monotonic microseconds */
  double wait_factor; /* factor for the delays before retries: 1, except in tests */

  /* csrf.c */
  gboolean csrf_enabled;
  char *csrf_client;
  char *csrf_token;          /* or NULL */
  gint64 csrf_renew;         /* time to fetch a new token, monotonic microseconds */
  PpHttpCall *csrf_fetching; /* or NULL */

  /* Set when an older server does not support the feature: no further requests for it. */
  gboolean no_labels;
  gboolean no_events;
};

/* True if JSON (NULL: no body) is a possible answer of the API to a call of PATH. The answer has
 * STATUS, a success. USER_DATA is that of the call. */
typedef gboolean (*PpApiShapeFunc) (const json_t *json, const char *path, long status,
                                    gconstpointer user_data);

struct PpApiCall
{
  PpApi *api;
  char *method;
  char *path;
  GBytes *body; /* or NULL */
  PpApiPatience patience;
  PpApiUrgency urgency;
  PpApiShapeFunc shape; /* NULL accepts any answer */
  PpApiDoneFunc done;
  PpApiRepeatFunc on_repeat; /* or NULL */
  gpointer user_data;
  GDestroyNotify destroy; /* frees user_data after DONE or a cancel; or NULL */
  int attempts;           /* number of attempts that count */
  int csrf_refusals;      /* number of 403 answers about the CSRF token */
  gint64 queued;          /* monotonic microseconds */
  PpHttpCall *under_way;  /* the attempt in flight, or NULL */
  gint64 started;         /* start of this attempt, monotonic microseconds */
  char *csrf_token;       /* the token of this attempt, or NULL */
  GSource *timer;         /* for the next attempt, or for calling DONE with error; or NULL */
  GError *error;          /* the error that the field timer delivers, or NULL */
  gboolean not_sent;      /* this attempt failed before the request was sent */
  gboolean nothing;       /* no request is sent: the field timer delivers a success */
};

/* api.c */

/* Like pp_api_call(). DESTROY (may be NULL) frees USER_DATA when the call is gone. */
PpApiCall *pp_api_call_full (PpApi *api, const char *method, const char *path, json_t *body,
                             PpApiPatience patience, PpApiUrgency urgency, PpApiDoneFunc done,
                             gpointer user_data, GDestroyNotify destroy);

/* Like pp_api_call(), for calls that all runs wait for (PP_API_SHARED). */
PpApiCall *pp_api_call_shared (PpApi *api, const char *method, const char *path, json_t *body,
                               PpApiPatience patience, PpApiDoneFunc done, gpointer user_data);

/* Sets the SHAPE that an answer to CALL must have to be a success. Returns CALL. Without it, a
 * server that answers 200 to every request could make the worker believe that a run is gone. */
PpApiCall *pp_api_expects (PpApiShapeFunc shape, PpApiCall *call);
gboolean pp_api_is_array (const json_t *json, const char *path, long status,
                          gconstpointer user_data);
/* True for an object with an "id". If PATH is /COLLECTION/UUID, the id must be that UUID. */
gboolean pp_api_is_resource (const json_t *json, const char *path, long status,
                             gconstpointer user_data);
/* True for an empty answer with status 204. */
gboolean pp_api_is_changed (const json_t *json, const char *path, long status,
                            gconstpointer user_data);

/* Starts a GET that must return a resource (pp_api_is_resource()). */
PpApiCall *pp_api_read_resource (PpApi *api, const char *path, PpApiPatience patience,
                                 PpApiDoneFunc done, gpointer user_data);

/* Starts a call that succeeds without a request, for a feature that the server does not support. */
PpApiCall *pp_api_call_nothing (PpApi *api, PpApiDoneFunc done, gpointer user_data);

/* Returns TEXT as a JSON string (new reference). Invalid UTF-8 is replaced. */
json_t *pp_api_text (const char *text);

/* Starts waiting calls while slots are free. */
void pp_api_pump (PpApi *api);

/* Sends one request. BODY_ONCE guarantees that libcurl does not send it twice (PpHttpRequest). */
PpHttpCall *pp_api_send (PpApi *api, const char *method, const char *path, GBytes *body,
                         const char *csrf_token, gboolean body_once, PpHttpDoneFunc done,
                         gpointer user_data);

/* queue.c: removes the next call to send from the waiting calls and returns it, or NULL. */
PpApiCall *pp_api_take_next (PpApi *api);

/* headers.c */

/* Sets api->headers and api->secrets from the settings. */
void pp_api_init_headers (PpApi *api);

/* Masks every secret of API in MESSAGE. Takes ownership of MESSAGE and returns it or a new
 * string. */
char *pp_api_mask (const PpApi *api, char *message);

/* transport.c */

/* Warns about settings that let others read the data sent to API. */
void pp_api_warn_of_transport (const PpApi *api);

/* Returns advice about HTTP_ERROR for the end of its message; new string, "" if there is none. */
char *pp_api_advise_without_answer (const PpApi *api, const GError *http_error);

/* answer.c */

/* Sets *BODY to the JSON of a success (new reference; NULL if the answer was empty). Otherwise
 * returns FALSE with ERROR. SHAPE is called with USER_DATA. If it returns FALSE, the body is not
 * the API's. If SHAPE is NULL, any body is accepted. Exactly one of RESPONSE and HTTP_ERROR is
 * NULL. */
gboolean pp_api_read_answer (PpApi *api, const char *method, const char *path, PpApiShapeFunc shape,
                             gconstpointer user_data, const PpHttpResponse *response,
                             const GError *http_error, json_t **body, GError **error);

/* bounds.c: returns the most bytes that an answer to PATH may use, its text and its parsed form
 * together. */
gsize pp_api_bound (const char *path);

/* True if RESPONSE, an error, has the API's own text. */
gboolean pp_api_is_own_error (const PpHttpResponse *response);

/* health.c */

/* Records that a call of API has succeeded. */
void pp_api_note_success (PpApi *api);

/* Warns that CALL gets no answer: it failed with ERROR and will be retried in DELAY seconds. Warns
 * only once until a call succeeds, and only if the retry comes PP_HTTP_SLOW_MS or more after CALL
 * was queued. Does not warn if only CALL is refused and other calls succeed. Returns TRUE if it has
 * warned now. */
gboolean pp_api_say_outage (const PpApiCall *call, const GError *error, double delay);

/* Warns once if the server's clock differs from this host's. RESPONSE (or NULL) has the Date; its
 * request was sent at STARTED (monotonic microseconds). */
void pp_api_check_clock (PpApi *api, const PpHttpResponse *response, gint64 started);

/* retry.c */

/* Counts the failed attempt of CALL. Returns TRUE if CALL is to be retried; then sets *DELAY to
 * seconds. RESPONSE is NULL if there was no answer. */
gboolean pp_api_decide_retry (PpApiCall *call, const PpHttpResponse *response, const GError *error,
                              double *delay);

/* True if CALL is retried as long as its failure may be temporary. */
gboolean pp_api_call_persists (const PpApiCall *call);

/* set_state_answer.c: reads BODY, the answer to a proposal of a state of TYPE with TRANSITION_ID,
 * into *RESULT, which borrows from it. Returns FALSE if no Prefect server gives such an answer. */
gboolean pp_api_read_set_state (const json_t *body, const char *type, const char *transition_id,
                                PpSetStateResult *result);

/* csrf.c */

/* True if a call with METHOD can be sent now. Otherwise it has to wait for a token: the token is
 * being fetched, and pp_api_pump() is called after the answer. */
gboolean pp_api_csrf_ready (PpApi *api, const char *method);

/* Returns the token to send with METHOD, borrowed, or NULL for none. */
const char *pp_api_csrf_token (PpApi *api, const char *method);

/* True if RESPONSE refuses the token of CALL. Then also forgets that token. */
gboolean pp_api_csrf_refused (PpApiCall *call, const PpHttpResponse *response);

/* api.c: called if the token could not be fetched. Fails one attempt of every call that waits for
 * the token. */
void pp_api_csrf_failed (PpApi *api, const PpHttpResponse *response, const GError *error);

gboolean pp_api_csrf_needed (const char *method);
