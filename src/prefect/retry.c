/* SPDX-License-Identifier: Apache-2.0 */
/* When a failed call is made again (the peer: PrefectHttpxAsyncClient in client/base.py). */
#include "config.h"

#include "api-private.h"

#include <curl/curl.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* Longest wait between attempts of a call that is never given up. */
#define PERSIST_MAX_DELAY 30.0
/* How often the API has to say no to what is PP_API_PERSIST_UNLESS_TOLD: 91 s, less jitter. */
#define TOLD_ATTEMPTS 8
/* How often a server that answers other calls may fail at such a call (500): for five minutes and a
 * half. A server that runs short of something fails now and then at any call. */
#define FAILED_ATTEMPTS 16
/* What a server may ask for with Retry-After: past five minutes we rather ask again. */
#define MAX_RETRY_AFTER 300.0
/* The least pause, whatever the server asks for. A date may be past for this host's clock. */
#define MIN_RETRY_AFTER 0.1
/* A shared call that has failed so often, or waited so long for an answer, while the server
 * answered other calls, may fail for one of its members. */
#define SHARED_ATTEMPTS 2
#define SHARED_WAIT_US (5 * G_USEC_PER_SEC)
/* An answer to another call that is no older than this when a call is made says that the server is
 * there. */
#define RECENT_US (10 * G_USEC_PER_SEC)
/* A jitter factor may be any number; eleven days are as good as never. */
#define MAX_DELAY 1e6

static gboolean
is_extra_code (const PpSettings *settings, int status)
{
  for (const int *code = settings->client_retry_extra_codes; code != NULL && *code != 0; code++)
    if (*code == status)
      return TRUE;
  return FALSE;
}

/* Whether the peer's client makes a call again after ERROR. Connect errors count only once the
 * server has answered: a wrong URL is to be told at once. */
static gboolean
peer_retries (const PpApi *api, const PpHttpResponse *response, const GError *error)
{
  if (response == NULL)
    return error->code == PP_API_ERROR_NO_ANSWER;
  switch (response->status)
    {
    case 408:
    case 429:
    case 502:
    case 503:
      return TRUE;
    default:
      return is_extra_code (api->settings, (int)response->status);
    }
}

/* Seconds of a Retry-After header (RFC 9110: seconds or a date), or -1. */
static double
parse_retry_after (const char *value)
{
  char *end;

  if (value == NULL)
    return -1;
  double seconds = g_ascii_strtod (value, &end);
  if (end == value || *end != '\0')
    {
      time_t date = curl_getdate (value, NULL);
      if (date == (time_t)-1)
        return -1;
      seconds = difftime (date, time (NULL));
    }
  if (!isfinite (seconds))
    return -1;
  return CLAMP (seconds, 0, MAX_RETRY_AFTER);
}

/* SECONDS, up to FACTOR longer, and as much shorter unless it is a minimum. */
static double
with_jitter (double seconds, double factor, gboolean minimum)
{
  if (seconds <= 0 || factor <= 0)
    return seconds;
  return g_random_double_range (minimum ? seconds : seconds * MAX (0, 1 - factor),
                                seconds * (1 + factor));
}

gboolean
pp_api_call_persists (const PpApiCall *call)
{
  return call->patience == PP_API_PERSIST || call->patience == PP_API_PERSIST_REFUSED
         || call->patience == PP_API_PERSIST_UNLESS_TOLD || call->patience == PP_API_PERSIST_SHARED;
}

static double
back_off (const PpApiCall *call)
{
  /* 30 doublings are past any limit below. */
  double seconds = ldexp (1, MIN (call->attempts, 30));
  if (pp_api_call_persists (call))
    seconds = MIN (seconds / 2, PERSIST_MAX_DELAY);
  return seconds;
}

/* Seconds until CALL is made again; ASKED is the server's wish, or -1. What is made again for as
 * long as it takes never is so sooner than without that wish: "at once" would be at once for ever.
 */
static double
pause_before_retry (const PpApiCall *call, double asked)
{
  double factor = call->api->settings->client_retry_jitter_factor;
  double seconds = back_off (call);

  if (asked >= 0)
    seconds = MAX (asked, pp_api_call_persists (call) ? seconds : MIN_RETRY_AFTER);
  return MIN (with_jitter (seconds, factor, asked >= 0), MAX_DELAY) * call->api->wait_factor;
}

/* True if CALL, which failed with RESPONSE (NULL: none came) or ERROR, may have been carried out.
 * 503 is also what Envoy says where the connection broke off, and then not in the API's own words.
 */
static gboolean
may_be_done (const PpApiCall *call, const PpHttpResponse *response, const GError *error)
{
  if (response == NULL)
    return !call->not_sent;
  return pp_api_error_may_be_done (error)
         && !(response->status == 503 && pp_api_is_own_error (response));
}

/* True if the failure of CALL, which asks for many things at once, may be the fault of one of them.
 * A server that is busy or will not have our key says so of every call. */
static gboolean
may_be_one_members_fault (const PpApiCall *call, const GError *error)
{
  const PpApi *api = call->api;

  switch (error->code)
    {
    case 500:
      return TRUE;
    case 401:
    case 403:
    case 408:
    case 429:
    case 503:
      return FALSE;
    default:
      break;
    }
  if (g_get_monotonic_time () - call->started > SHARED_WAIT_US)
    return api->answered > call->started;
  return call->attempts >= SHARED_ATTEMPTS && api->answered > call->queued;
}

/* True if the server has failed at CALL, or a gateway has not let it through, ATTEMPTS times, and
 * other calls were answered well meanwhile. */
static gboolean
fails_at_this_call (const PpApiCall *call, const GError *error, int attempts)
{
  return (error->code == 500 || error->code == PP_API_ERROR_STRANGER) && call->attempts >= attempts
         && call->api->answered > call->queued;
}

/* True if CALL was refused with ERROR twice, other calls were answered well, and that server is not
 * merely busy: one log record that a gateway does not let through, say. */
static gboolean
is_refused_alone (const PpApiCall *call, const GError *error)
{
  switch (error->code)
    {
    case PP_API_ERROR_NO_ANSWER:
    case 408:
    case 429:
    case 503:
      return FALSE;
    default:
      return call->attempts >= SHARED_ATTEMPTS && call->api->answered > 0
             && call->api->answered > call->queued - RECENT_US;
    }
}

guint
pp_api_rest_ms (const PpApi *api, guint milliseconds)
{
  gint64 left = (api->rest_until - g_get_monotonic_time ()) / 1000;

  return (guint)CLAMP (left, (gint64)milliseconds, (gint64)(MAX_RETRY_AFTER * 1000));
}

void
pp_api_hurry (PpApi *api, double factor)
{
  api->wait_factor = factor;
}

gboolean
pp_api_may_try_again (const PpApi *api, const GError *error)
{
  return pp_api_error_may_pass (error)
         || (error->domain == PP_API_ERROR && is_extra_code (api->settings, error->code));
}

static gboolean
may_try_again (const PpApiCall *call, const PpHttpResponse *response, const GError *error)
{
  const PpApi *api = call->api;

  switch (call->patience)
    {
    case PP_API_RETRY:
      return call->attempts <= api->settings->client_max_retries
             && peer_retries (api, response, error);
    case PP_API_PERSIST_UNLESS_TOLD:
      if ((error->code == 403 || error->code == PP_API_ERROR_NO_ROUTE)
          && call->attempts >= TOLD_ATTEMPTS)
        return FALSE;
      /* A block document that the server cannot write out, say. */
      if (fails_at_this_call (call, error, FAILED_ATTEMPTS))
        return FALSE;
      break;
    case PP_API_PERSIST_REFUSED:
      if (may_be_done (call, response, error) || is_refused_alone (call, error))
        return FALSE;
      break;
    case PP_API_PERSIST_SHARED:
      if (may_be_one_members_fault (call, error))
        return FALSE;
      break;
    case PP_API_PERSIST:
      break;
    default:
      return FALSE;
    }
  return pp_api_may_try_again (api, error);
}

gboolean
pp_api_decide_retry (PpApiCall *call, const PpHttpResponse *response, const GError *error,
                     double *delay)
{
  PpApi *api = call->api;
  const char *maintenance
      = response != NULL ? pp_http_response_header (response, "prefect-maintenance") : NULL;
  gboolean in_maintenance = g_strcmp0 (maintenance, "true") == 0;

  /* Attempts that met a server in maintenance do not count (the peer goes on for as long). */
  if (!in_maintenance || pp_api_call_persists (call))
    call->attempts++;

  if (response != NULL && pp_api_csrf_refused (call, response))
    {
      /* Once at once, with a new token; a server that refuses that too is asked as any other. */
      *delay = 0;
      if (++call->csrf_refusals == 1)
        return TRUE;
      *delay = back_off (call);
      return pp_api_call_persists (call)
             || (call->patience == PP_API_RETRY
                 && call->csrf_refusals <= api->settings->client_max_retries);
    }
  double asked = parse_retry_after (
      response != NULL ? pp_http_response_header (response, "retry-after") : NULL);
  if (call->patience == PP_API_TRY && asked > 0)
    api->rest_until = g_get_monotonic_time () + (gint64)(asked * G_USEC_PER_SEC);
  if (!may_try_again (call, response, error))
    return FALSE;

  *delay = pause_before_retry (call, asked);
  if (in_maintenance)
    api->maintenance_until = g_get_monotonic_time () + (gint64)(*delay * G_USEC_PER_SEC);
  return TRUE;
}
