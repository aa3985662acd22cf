/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings about the server as a whole: it does not answer, or its clock differs. */
#include "config.h"

#include "api-private.h"

#include <curl/curl.h>

/* If the clocks differ by more than this, in seconds, the difference is logged. */
#define MAX_SKEW_SECONDS 60
/* A difference is logged again if the clocks have agreed for this long. Two servers behind one name
 * may have different clocks and answer in turn. */
#define AGREED_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)
/* The Date of an answer that took longer than this is too old to compare. */
#define MAX_AGE_US (5 * G_USEC_PER_SEC)

void
pp_api_note_success (PpApi *api)
{
  api->answered = g_get_monotonic_time ();
  api->rest_until = 0;
  if (api->outage_said)
    g_message ("The Prefect API at %s answers correctly again", api->display_url);
  api->outage_said = FALSE;
}

gint64
pp_api_answered (const PpApi *api)
{
  return api->answered;
}

gboolean
pp_api_say_outage (const PpApiCall *call, const GError *error, double delay)
{
  PpApi *api = call->api;
  double waited = (double)(g_get_monotonic_time () - call->queued) / G_USEC_PER_SEC;

  /* Only this call is refused; other calls succeed. */
  if (error->code != PP_API_ERROR_NO_ANSWER && api->answered > call->queued)
    return FALSE;
  if (api->outage_said || (waited + delay) * 1000 < PP_HTTP_SLOW_MS)
    return FALSE;
  api->outage_said = TRUE;
  g_warning ("%s; asking again in %.0f s", error->message, delay);
  return TRUE;
}

/* Returns the seconds by which the Date header of RESPONSE is ahead of this host's clock; 0 without
 * a Date. */
static double
skew_of (const PpHttpResponse *response)
{
  const char *date = pp_http_response_header (response, "date");
  time_t server = date != NULL ? curl_getdate (date, NULL) : (time_t)-1;

  if (server == (time_t)-1 || pp_http_response_header (response, "age") != NULL)
    return 0;
  return difftime (server, g_get_real_time () / G_USEC_PER_SEC);
}

void
pp_api_check_clock (PpApi *api, const PpHttpResponse *response, gint64 started)
{
  double skew;

  if (response == NULL || g_get_monotonic_time () - started > MAX_AGE_US)
    return;
  skew = skew_of (response);
  if (ABS (skew) <= MAX_SKEW_SECONDS)
    return;
  gint64 now = g_get_monotonic_time ();
  gboolean was_said = api->clock_differed != 0 && now - api->clock_differed < AGREED_US;
  api->clock_differed = now;
  if (was_said)
    return;
  g_warning ("This host's clock is %.0f s %s the clock of the Prefect API at %s (its Date: %s), "
             "so scheduled runs start that much too %s. Set both clocks by NTP",
             ABS (skew), skew > 0 ? "behind" : "ahead of", api->display_url,
             pp_http_response_header (response, "date"), skew > 0 ? "late" : "early");
}
