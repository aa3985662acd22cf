/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals and time limits for reading an object again after a request got no answer. */
#pragma once

#include <glib.h>

#define PP_LOOK_AGAIN_MS 1000
#define PP_MAX_LOOK_US (120 * G_USEC_PER_SEC)
#define PP_MAX_LOOK_DOUBLINGS 4

/* Returns how long to keep reading after a request got no answer for WAITED; both in microseconds.
 * A slow server may still carry out the request. */
static inline gint64
pp_look_time (gint64 waited)
{
  return MIN (2 * waited, PP_MAX_LOOK_US);
}

/* Returns the milliseconds until the next read. The delay doubles with each failed request in a
 * row, up to PP_MAX_LOOK_DOUBLINGS times. UNANSWERED is the number of these requests, 1 or more. A
 * random variation of 30 % helps if a server refuses every third request, for example: then it does
 * not always refuse the same worker. */
static inline guint
pp_look_delay (guint unanswered)
{
  guint milliseconds = PP_LOOK_AGAIN_MS << MIN (unanswered - 1, PP_MAX_LOOK_DOUBLINGS);

  return (guint)(milliseconds * g_random_double_range (0.7, 1.3));
}
