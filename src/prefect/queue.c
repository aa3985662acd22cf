/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which waiting call is sent next, and limits the calls in flight. */
#include "config.h"

#include "api-private.h"

/* The longest time that labels and events wait for a busy server. */
#define LAST_WAITS_US (10 * G_USEC_PER_SEC)

/* The most calls of each kind in flight, so that calls that hang leave slots for the others. */
static const guint shares[PP_API_URGENCIES] = {
  [PP_API_SHARED] = 6, [PP_API_STATE] = 5, [PP_API_NEEDED] = 5,
  [PP_API_LATER] = 5,  [PP_API_LAST] = 1,
};

static guint
under_way (const PpApi *api)
{
  guint count = 0;

  for (guint i = 0; i < PP_API_URGENCIES; i++)
    count += api->under_way[i];
  return count;
}

/* Returns the first call of URGENCY that can be sent now, or NULL. */
static PpApiCall *
find_ready (const PpApi *api, PpApiUrgency urgency)
{
  /* The last slot is reserved for calls that all runs wait for. */
  guint places = PP_API_MAX_UNDER_WAY - (urgency != PP_API_SHARED ? 1 : 0);

  if (under_way (api) >= places || api->under_way[urgency] >= shares[urgency])
    return NULL;
  for (GList *link = api->waiting[urgency].head; link != NULL; link = link->next)
    {
      PpApiCall *call = link->data;

      if (pp_api_csrf_ready (call->api, call->method))
        return call;
    }
  return NULL;
}

/* Returns the next call that a run waits for (PP_API_STATE or PP_API_NEEDED): of those that can be
 * sent now, the one that was queued first. Returns NULL if there is none. */
static PpApiCall *
find_needed (const PpApi *api)
{
  PpApiCall *state = find_ready (api, PP_API_STATE);
  PpApiCall *other = find_ready (api, PP_API_NEEDED);

  if (state == NULL || other == NULL)
    return state != NULL ? state : other;
  return state->queued <= other->queued ? state : other;
}

static gboolean
on_late (gpointer user_data)
{
  PpApi *api = user_data;

  api->late_timer = 0;
  pp_api_pump (api);
  return G_SOURCE_REMOVE;
}

/* Returns the next label or event call, or NULL. On a busy server, these calls must not delay the
 * calls that a run needs. So only one label or event call is in flight at a time. It is sent when
 * no call that a run needs is in flight, or after it has waited for LAST_WAITS_US. */
static PpApiCall *
find_last (PpApi *api)
{
  const PpApiCall *oldest = g_queue_peek_head (&api->waiting[PP_API_LAST]);
  guint needed = api->under_way[PP_API_SHARED] + api->under_way[PP_API_STATE]
                 + api->under_way[PP_API_NEEDED];
  gint64 left;

  if (oldest == NULL || api->under_way[PP_API_LAST] > 0)
    return NULL;
  left = oldest->queued + LAST_WAITS_US - g_get_monotonic_time ();
  if (needed == 0 || left <= 0)
    return find_ready (api, PP_API_LAST);
  if (api->late_timer == 0)
    api->late_timer = g_timeout_add ((guint)(left / 1000 + 1), on_late, api);
  return NULL;
}

PpApiCall *
pp_api_take_next (PpApi *api)
{
  PpApiCall *call = find_ready (api, PP_API_SHARED);

  /* If no log call is in flight, send one before the calls that one run waits for. So a busy
   * worker's logs arrive late, but do arrive. */
  if (call == NULL && api->under_way[PP_API_LATER] == 0)
    call = find_ready (api, PP_API_LATER);
  if (call == NULL)
    call = find_needed (api);
  if (call == NULL)
    call = find_ready (api, PP_API_LATER);
  if (call == NULL)
    call = find_last (api);
  if (call != NULL)
    g_queue_remove (&api->waiting[call->urgency], call);
  return call;
}
