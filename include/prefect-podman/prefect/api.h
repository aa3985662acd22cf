/* SPDX-License-Identifier: Apache-2.0 */
/* The Prefect REST API: authentication, CSRF, headers, retries (the peer: prefect/client/base.py).
 */
#pragma once

#include "prefect-podman/http/http.h"
#include "prefect-podman/json.h"
#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

typedef struct PpApi PpApi;
typedef struct PpApiCall PpApiCall;

/* Errors of calls. The code is the HTTP status (422, ...; 404 only where the API itself says that
 * the object of the call is not there; 200 or 302 when the answer is not the API's: a page, a
 * redirect) or one of PpApiError. The message is one line: "POST URL: 422 Unprocessable Entity: the
 * server's words", where there is something to do with what to do. It never holds the key. */
#define PP_API_ERROR (pp_api_error_quark ())
GQuark pp_api_error_quark (void);

typedef enum
{
  PP_API_ERROR_NO_ANSWER = 0,  /* refused, reset, timed out */
  PP_API_ERROR_SETUP = -1,     /* waiting does not help: a certificate that is not trusted (before
                                  any call succeeded), a URL that is none or has no such route
                                  (before the API was heard) */
  PP_API_ERROR_NO_ROUTE = -2,  /* 405, or a 404 that does not speak of the object of the call, of an
                                  API that was heard before: one that is being started or changed,
                                  or an older one */
  PP_API_ERROR_TOO_MUCH = -3,  /* the answer is larger, would take more memory, or is nested deeper
                                  than this program reads: for fewer things at once it may do */
  PP_API_ERROR_NO_STATES = -5, /* of pp_flow_run_states_read() only: the list was empty */
  PP_API_ERROR_STRANGER = -4,  /* something else answered in the API's place: a 4xx (403, 404, ...)
                                  without the API's own words; once the API was heard also a page or
                                  a redirect. Of one call among others that are answered well, that
                                  is a gateway which does not let it through */
} PpApiError;

/* Whether ERROR may pass by itself: no answer, a stranger's, no route, 408, 429, any 5xx. */
gboolean pp_api_error_is_transient (const GError *error);

/* Whether ERROR may pass by itself or by what somebody does: these, 401 and 403. */
gboolean pp_api_error_may_pass (const GError *error);

/* Whether what has failed with ERROR may have been carried out all the same: no answer, or the
 * 502, 503, 504, 520 or 524 of a gateway. */
gboolean pp_api_error_may_be_done (const GError *error);

typedef enum
{
  PP_API_ONCE,    /* one attempt: what only decorates (labels, events), and probes */
  PP_API_TRY,     /* one attempt, which libcurl does not make a second one of either (http.h,
                     body_once): the caller looks what became of it before he makes it again */
  PP_API_RETRY,   /* the peer's retries: PREFECT_CLIENT_MAX_RETRIES with back-off and Retry-After */
  PP_API_PERSIST, /* again for as long as the failure may pass (pp_api_error_may_pass()) */
  PP_API_PERSIST_UNLESS_TOLD, /* as PERSIST; but what the API itself says, 403 or no route, ends it
                                 after a minute and a half, and a 500, or a stranger's answer, after
                                 five and a half while the server answers other calls: for what a
                                 run can do without, or cannot begin without */
  PP_API_PERSIST_SHARED,  /* as PERSIST, for a call about many runs: what may be the fault of one of
                             them ends it (500; or it fails again and again while the server answers
                             other calls), so that the caller can ask for fewer */
  PP_API_PERSIST_REFUSED, /* as PERSIST while it is certain that it was not done; what may have been
                             done (pp_api_error_may_be_done()) ends it, for the caller to look at;
                             so does a refusal, said again while other calls are answered well, of
                             which the call may be the reason (not 408, 429, 503) */
} PpApiPatience;

/* The end of a call: BODY is the answer's JSON (NULL for an empty answer) or NULL with ERROR; both
 * borrowed. */
typedef void (*PpApiDoneFunc) (json_t *body, const GError *error, gpointer user_data);

/* SETTINGS and HTTP must outlive the returned object. SETTINGS->api_url must be set. */
PpApi *pp_api_new (PpHttp *http, const PpSettings *settings);

/* Cancels what is in flight (no callbacks) and frees. NULL is ignored. */
void pp_api_free (PpApi *api);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpApi, pp_api_free)

const char *pp_api_url (const PpApi *api);

/* Whether the API is Prefect Cloud's. */
gboolean pp_api_is_cloud (const PpApi *api);

/* The API was there before, under this URL: what does not look like it is something in its place,
 * or the API out of order, and may pass. Otherwise that is a wrong URL until the API is heard. */
void pp_api_expect (PpApi *api);

/* Attribution headers X-Prefect-Worker-Name / -Id on every later call; copied; ID may be NULL. */
void pp_api_set_worker (PpApi *api, const char *name, const char *id);

/* How many calls may be under way at once; the rest waits in order, logs, labels and events behind
 * what a run waits for. A server's database bears few writers, and each call under way is a
 * connection. No one kind of call takes all places: where the server does not answer when the
 * states of some runs are set, polls, reads and logs go on. */
#define PP_API_MAX_UNDER_WAY 8

/* Calls METHOD on PATH (starts with "/", relative to the API URL, already percent-encoded). BODY is
 * sent as JSON; it is stolen, and may be NULL. The returned call is owned by API and valid until
 * DONE was called. DONE may be NULL. */
PpApiCall *pp_api_call (PpApi *api, const char *method, const char *path, json_t *body,
                        PpApiPatience patience, PpApiDoneFunc done, gpointer user_data);

/* Ends CALL without a callback; CALL is gone after it. NULL is ignored. */
void pp_api_call_cancel (PpApiCall *call);

/* Whether ERROR (not NULL), of a PP_API_TRY that its caller makes again, may pass:
 * pp_api_error_may_pass(), or one of PREFECT_CLIENT_RETRY_EXTRA_CODES. */
gboolean pp_api_may_try_again (const PpApi *api, const GError *error);

/* MILLISECONDS to the next try of a PP_API_TRY, or more where the server asked for more
 * (Retry-After). */
guint pp_api_rest_ms (const PpApi *api, guint milliseconds);

/* Has calls be made again after FACTOR of the time that they would wait otherwise: for tests. */
void pp_api_hurry (PpApi *api, double factor);

/* How many calls wait for an answer or a retry. */
guint pp_api_pending (const PpApi *api);

/* When a call was last answered well, as g_get_monotonic_time() microseconds; 0: none was. */
gint64 pp_api_answered (const PpApi *api);

/* End of the latest maintenance back-off the server asked for (Prefect-Maintenance: true with
 * Retry-After), as g_get_monotonic_time() microseconds; 0 when there was none. */
gint64 pp_api_maintenance_until (const PpApi *api);

G_END_DECLS
