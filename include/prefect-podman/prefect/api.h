/* SPDX-License-Identifier: Apache-2.0 */
/* The Prefect REST API: authentication, CSRF, headers, retries. Prefect's own client is in
 * prefect/client/base.py. */
#pragma once

#include "prefect-podman/http/http.h"
#include "prefect-podman/json.h"
#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

typedef struct PpApi PpApi;
typedef struct PpApiCall PpApiCall;

/* Errors of calls. The code is the HTTP status or one of PpApiError. 404 means that the API itself
 * says that the call's object does not exist. 200 and 302 mean that something else has answered,
 * with a page or a redirect. The message is one line, such as "POST URL: 422 Unprocessable Entity:
 * TEXT" with the server's own text, and says what to do if there is something to do. It never
 * contains the API key. */
#define PP_API_ERROR (pp_api_error_quark ())
GQuark pp_api_error_quark (void);

typedef enum
{
  /* Connection refused, reset or timed out. */
  PP_API_ERROR_NO_ANSWER = 0,
  /* Retrying does not help. Either nothing has answered yet, and the URL is invalid or the
   * certificate is untrusted. Or the API has not answered yet, and the server does not know the
   * path of the call. */
  PP_API_ERROR_SETUP = -1,
  /* The API has answered earlier calls, but answers this one with 405, or with a 404 that is not
   * about the call's object. The API is starting, is being changed, or is an older version. */
  PP_API_ERROR_NO_ROUTE = -2,
  /* The answer is too large, needs too much memory, or is nested too deep for this program. Asking
   * for fewer objects at once may help. */
  PP_API_ERROR_TOO_MUCH = -3,
  /* Only pp_flow_run_states_read(): the list was empty. */
  PP_API_ERROR_NO_STATES = -5,
  /* Something else answered in place of the API. Its answer is a 4xx (403, 404, ...) without the
   * API's own text. If the API has answered earlier calls, the answer may also be a page or a
   * redirect. If other calls succeed, a gateway blocks this call. */
  PP_API_ERROR_STRANGER = -4,
} PpApiError;

/* True if ERROR may be temporary: no answer, an answer of something else (PP_API_ERROR_STRANGER),
 * no route, 408, 429, any 5xx. */
gboolean pp_api_error_is_transient (const GError *error);

/* True if ERROR may be temporary or may be corrected by somebody: pp_api_error_is_transient(), 401,
 * 403 and PP_API_ERROR_TOO_MUCH. */
gboolean pp_api_error_may_pass (const GError *error);

/* True if a call that failed with ERROR may have been carried out: no answer, an answer that cannot
 * be read (PP_API_ERROR_TOO_MUCH), or 502, 503, 504, 520 or 524 of a gateway. */
gboolean pp_api_error_may_be_done (const GError *error);

typedef enum
{
  /* One attempt: for probes, and for labels and events, which no run needs. */
  PP_API_ONCE,
  /* One attempt, and libcurl does not send its request twice (body_once in http.h). The caller
   * checks the result before it repeats the call. */
  PP_API_TRY,
  /* The retries of Prefect's client: PREFECT_CLIENT_MAX_RETRIES, back-off and Retry-After. */
  PP_API_RETRY,
  /* Retries as long as pp_api_error_may_pass() is true, but not after PP_API_ERROR_TOO_MUCH: the
   * caller can ask for less. */
  PP_API_PERSIST,
  /* Like PERSIST, with limits. If the API answers 403, or has no such route
   * (PP_API_ERROR_NO_ROUTE), the call ends after about 90 s. If the server answers other calls, a
   * 500, PP_API_ERROR_STRANGER or PP_API_ERROR_TOO_MUCH ends it after about 330 s. Used for objects
   * that a run does not need, and for objects without which a run cannot start. */
  PP_API_PERSIST_UNLESS_TOLD,
  /* Like PERSIST, for a call about many runs. The call ends at an error that one of the runs may
   * cause: a 500, PP_API_ERROR_TOO_MUCH, or repeated failures while the server answers other calls.
   * The caller can then ask for fewer runs. */
  PP_API_PERSIST_SHARED,
  /* Like PERSIST as long as it is certain that the call was not carried out. The call ends at an
   * error for which pp_api_error_may_be_done() is true, so that the caller can check the result. A
   * repeated refusal (not 408, 429, 503) while other calls succeed also ends it, because the call
   * itself may be the cause. */
  PP_API_PERSIST_REFUSED,
} PpApiPatience;

/* Called when a call has ended. BODY is the answer's JSON, or NULL for an empty answer. On failure
 * BODY is NULL and ERROR is set. Both are borrowed. */
typedef void (*PpApiDoneFunc) (json_t *body, const GError *error, gpointer user_data);

/* SETTINGS and HTTP must outlive the returned object. SETTINGS->api_url must be set. */
PpApi *pp_api_new (PpHttp *http, const PpSettings *settings);

/* Cancels all calls (no callbacks) and frees API. NULL is ignored. */
void pp_api_free (PpApi *api);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpApi, pp_api_free)

const char *pp_api_url (const PpApi *api);

/* True if the API is Prefect Cloud's. */
gboolean pp_api_is_cloud (const PpApi *api);

/* Tells the client that the API has answered at this URL earlier, for example to a previous worker
 * process. An answer that is not the API's then counts as a temporary error. Without this, such an
 * answer means a wrong URL, until the API answers. */
void pp_api_expect (PpApi *api);

/* Sets the attribution headers X-Prefect-Worker-Name and -Id of all later calls. NAME and ID are
 * copied; ID may be NULL. */
void pp_api_set_worker (PpApi *api, const char *name, const char *id);

/* The most calls in flight. Other calls wait in order; logs, labels and events wait behind calls
 * that a run needs. The limit exists because a server's database supports few concurrent writers,
 * and each call in flight is a connection. No kind of call can use all slots: if the server hangs
 * when it sets the states of some runs, polls, reads and logs continue. */
#define PP_API_MAX_UNDER_WAY 8

/* Calls METHOD on PATH. PATH starts with "/", is relative to the API URL, and is already
 * percent-encoded. BODY is sent as JSON; it may be NULL, and the call takes ownership. DONE may be
 * NULL. API owns the returned call, which is valid until DONE is called. */
PpApiCall *pp_api_call (PpApi *api, const char *method, const char *path, json_t *body,
                        PpApiPatience patience, PpApiDoneFunc done, gpointer user_data);

/* Called twice for each retry of a PP_API_PERSIST_REFUSED call. The first time, AGAIN is FALSE: an
 * attempt has just failed and was certainly not carried out. The second time, AGAIN is TRUE: the
 * next attempt is due, and waits for pp_api_call_go_on(). */
typedef void (*PpApiRepeatFunc) (gboolean again, gpointer user_data);

/* Sets FUNC as the function to call with the user_data of CALL. */
void pp_api_call_on_repeat (PpApiCall *call, PpApiRepeatFunc func);
void pp_api_call_go_on (PpApiCall *call);

/* Cancels CALL and frees it. DONE is not called. NULL is ignored. */
void pp_api_call_cancel (PpApiCall *call);

/* True if ERROR (not NULL) of a PP_API_TRY call may be temporary, so that the caller may repeat the
 * call: pp_api_error_may_pass(), or one of PREFECT_CLIENT_RETRY_EXTRA_CODES. */
gboolean pp_api_may_try_again (const PpApi *api, const GError *error);

/* Returns the milliseconds to wait before repeating a PP_API_TRY call: MILLISECONDS, or more if the
 * server asked for more (Retry-After). */
guint pp_api_rest_ms (const PpApi *api, guint milliseconds);

/* Multiplies the delays before retries by FACTOR; for tests. */
void pp_api_hurry (PpApi *api, double factor);

/* Returns the number of calls that wait for an answer or a retry. */
guint pp_api_pending (const PpApi *api);

/* Returns the time of the last successful call in microseconds of g_get_monotonic_time(), or 0 if
 * none succeeded. */
gint64 pp_api_answered (const PpApi *api);

/* Returns the end of the latest maintenance pause that the server asked for (Prefect-Maintenance:
 * true, with Retry-After), in microseconds of g_get_monotonic_time(), or 0 if there was none. */
gint64 pp_api_maintenance_until (const PpApi *api);

G_END_DECLS
