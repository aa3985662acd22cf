/* SPDX-License-Identifier: Apache-2.0 */
/* Events: /events. */
#include "config.h"

#include "api-private.h"

/* The callback of a call that an older server may not support. */
typedef struct
{
  PpApi *api;
  PpApiDoneFunc done;
  gpointer user_data;
} Events;

static void
on_events (json_t *body, const GError *error, gpointer user_data)
{
  const Events *events = user_data;

  /* Prefect 2.20 answers 404 "Events are not enabled."; older servers do not have the route. */
  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_ROUTE))
    events->api->no_events = TRUE;
  if (events->done != NULL)
    events->done (body, error, events->user_data);
}

PpApiCall *
pp_events_create (PpApi *api, json_t *events, PpApiDoneFunc done, gpointer user_data)
{
  if (api->no_events)
    {
      json_decref (events);
      return pp_api_call_nothing (api, done, user_data);
    }
  Events *closure = g_new0 (Events, 1);
  closure->api = api;
  closure->done = done;
  closure->user_data = user_data;
  return pp_api_call_full (api, "POST", "/events", events, PP_API_ONCE, PP_API_LAST, on_events,
                           closure, g_free);
}
