/* SPDX-License-Identifier: Apache-2.0 */
/* Decides if and when a failed call is retried (Prefect's client: PrefectHttpxAsyncClient in
 * client/base.py). */
#include "config.h"

#include "api-private.h"

#include <curl/curl.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* The longest delay between attempts of a call that is retried without end, in seconds. */
#define PERSIST_MAX_DELAY 30.0
/* The number of refusals by the API after which a PP_API_PERSIST_UNLESS_TOLD call ends: after 91 s,
 * without jitter. */
#define TOLD_ATTEMPTS 8
/* The number of failures (fails_at_this_call()) after which such a call ends, if the server answers
 * other calls: after five and a half minutes. A server that lacks a resource may fail at any call
 * for a while. */
#define FAILED_ATTEMPTS 16
/* The longest pause after a Retry-After, jitter included, in seconds. Then the call is retried. */
#define MAX_RETRY_AFTER 300.0
/* The shortest delay in seconds, whatever the server asks for. A date may be in the past by this
 * host's clock. */
#define MIN_RETRY_AFTER 0.1
/* If a shared call failed this often, or waited this long for an answer, and the server answered
 * other calls meanwhile, one of the call's members may be the cause of the failure. */
#define SHARED_ATTEMPTS 2
#define SHARED_WAIT_US (5 * G_USEC_PER_SEC)
/* If another call succeeded at most this long before a call was queued, the server counts as
 * available. */
#define RECENT_US (10 * G_USEC_PER_SEC)
/* The longest delay of any call, in seconds (about eleven days). The jitter factor may be any
 * number, so the delay needs a limit. */
#define MAX_DELAY 1e6

static gboolean
is_extra_code (const PpSettings *settings, int status)
{
  for (const int *code = settings->client_retry_extra_codes; code != NULL && *code != 0; code++)
    if (*code == status)
      return TRUE;
  return FALSE;
}

/* True if Prefect's client retries a call after ERROR. False for PP_API_ERROR_SETUP, so that wrong
 * settings are reported at once. */
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

/* Returns the seconds of VALUE, a Retry-After header (RFC 9110: seconds or a date), or -1. VALUE
 * may be NULL. */
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

/* Returns the seconds that RESPONSE asks to wait before the next attempt, or -1. As in Prefect's
 * client, the Retry-After of an answer that is not retried is ignored: a gateway's 401 with a long
 * Retry-After must not delay all flow runs. */
static double
requested_pause (const PpApi *api, const PpHttpResponse *response, const GError *error)
{
  if (response == NULL || !peer_retries (api, response, error))
    return -1;
  return parse_retry_after (pp_http_response_header (response, "retry-after"));
}

/* Returns SECONDS with jitter: a random delay of at most SECONDS * (1 + FACTOR). It is at least
 * SECONDS if MINIMUM is TRUE, else at least SECONDS * (1 - FACTOR) and never negative. */
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
  /* 30 doublings exceed every limit below. */
  double seconds = ldexp (1, MIN (call->attempts, 30));
  if (pp_api_call_persists (call))
    seconds = MIN (seconds / 2, PERSIST_MAX_DELAY);
  return seconds;
}

/* Returns the seconds until CALL is retried. ASKED is the server's Retry-After, or -1. A call that
 * is retried without end waits at least its back-off, because "Retry-After: 0" would otherwise make
 * it retry at once, forever. */
static double
pause_before_retry (const PpApiCall *call, double asked)
{
  double factor = call->api->settings->client_retry_jitter_factor;
  double longest = asked >= 0 ? MAX_RETRY_AFTER : MAX_DELAY;
  double seconds = back_off (call);

  if (asked >= 0)
    seconds = MAX (asked, pp_api_call_persists (call) ? seconds : MIN_RETRY_AFTER);
  return MIN (with_jitter (seconds, factor, asked >= 0), longest) * call->api->wait_factor;
}

/* True if CALL, which failed with ERROR and RESPONSE (NULL: no answer), may have been carried out.
 * Envoy answers 503 if its connection to the server broke; that answer does not have the API's own
 * text. */
static gboolean
may_be_done (const PpApiCall *call, const PpHttpResponse *response, const GError *error)
{
  if (call->not_sent)
    return FALSE;
  if (response == NULL)
    return TRUE;
  return pp_api_error_may_be_done (error)
         && !(response->status == 503 && pp_api_is_own_error (response));
}

/* True if one of the many objects of CALL may be the cause of its failure. A busy server and a
 * refused key fail every call, so they do not count. */
static gboolean
may_be_one_members_fault (const PpApiCall *call, const GError *error)
{
  const PpApi *api = call->api;

  switch (error->code)
    {
    case 500:
    case PP_API_ERROR_TOO_MUCH:
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

/* True if the server or a gateway has failed CALL ATTEMPTS times, and other calls succeeded
 * meanwhile. */
static gboolean
fails_at_this_call (const PpApiCall *call, const GError *error, int attempts)
{
  return (error->code == 500 || error->code == PP_API_ERROR_STRANGER
          || error->code == PP_API_ERROR_TOO_MUCH)
         && call->attempts >= attempts && call->api->answered > call->queued;
}

/* True if CALL was refused with ERROR twice, other calls succeeded, and the server is not merely
 * busy. An example is a log record that a gateway blocks. */
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
      /* An example is a block document that the server cannot serialize. */
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
      if (error->code == PP_API_ERROR_TOO_MUCH)
        return FALSE;
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

  /* For a call with limited retries, attempts during the server's maintenance do not count.
   * Prefect's client does the same. */
  if (!in_maintenance || pp_api_call_persists (call))
    call->attempts++;

  if (response != NULL && pp_api_csrf_refused (call, response))
    {
      /* After the first refusal, retry immediately with a new token. If the server refuses that
       * token too, retry like any other call. */
      *delay = 0;
      if (++call->csrf_refusals == 1)
        return TRUE;
      *delay = back_off (call);
      return pp_api_call_persists (call)
             || (call->patience == PP_API_RETRY
                 && call->csrf_refusals <= api->settings->client_max_retries);
    }
  double asked = requested_pause (api, response, error);
  if (call->patience == PP_API_TRY && asked > 0)
    api->rest_until = g_get_monotonic_time () + (gint64)(asked * G_USEC_PER_SEC);
  if (!may_try_again (call, response, error))
    return FALSE;

  *delay = pause_before_retry (call, asked);
  if (in_maintenance)
    api->maintenance_until = g_get_monotonic_time () + (gint64)(*delay * G_USEC_PER_SEC);
  return TRUE;
}
