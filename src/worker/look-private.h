/* SPDX-License-Identifier: Apache-2.0 */
/* What got no answer is looked for: how soon, and for how long. */
#pragma once

#include <glib.h>

#define PP_LOOK_AGAIN_MS 1000
#define PP_MAX_LOOK_US (120 * G_USEC_PER_SEC)
#define PP_MAX_LOOK_DOUBLINGS 4

/* How long (microseconds) to look, after WAITED of them for the answer: a server that is slow does
 * it yet. */
static inline gint64
pp_look_time (gint64 waited)
{
  return MIN (2 * waited, PP_MAX_LOOK_US);
}

/* Milliseconds to the first look, twice as long at each of UNANSWERED (1 or more) calls in a row,
 * 30 % more or less: a server that refuses every third call is not to be called at every third. */
static inline guint
pp_look_delay (guint unanswered)
{
  guint milliseconds = PP_LOOK_AGAIN_MS << MIN (unanswered - 1, PP_MAX_LOOK_DOUBLINGS);

  return (guint)(milliseconds * g_random_double_range (0.7, 1.3));
}
