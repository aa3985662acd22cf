/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that a test sets forward. A program with this file has g_get_monotonic_time(),
 * g_get_real_time() and g_timeout_add() with its like of its own, so that what waits for minutes is
 * seen at once. g_timeout_source_new() and the threads of GLib keep the host's clock. */
#pragma once

#include <glib.h>

/* Sets the clock forward to the end of the timer that ends first. FALSE: there is no timer. */
gboolean clock_jump (void);

/* Sets the clock forward by MICROSECONDS. May be called on any thread. */
void clock_add (gint64 microseconds);

/* How long all jumps together were, microseconds. */
gint64 clock_skipped (void);
