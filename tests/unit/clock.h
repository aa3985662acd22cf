/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that a test can set forward, so that a wait of minutes takes no time. A program with this
 * file has its own g_get_monotonic_time(), g_get_real_time(), g_timeout_add() and similar
 * functions. g_timeout_source_new() and the threads of GLib use the host's clock. */
#pragma once

#include <glib.h>

/* Sets the clock forward to the timer that ends first. Returns FALSE if there is no timer. */
gboolean clock_jump (void);

/* Sets the clock forward by MICROSECONDS. May be called on any thread. */
void clock_add (gint64 microseconds);

/* Returns by how much the clock was set forward in total, in microseconds. */
gint64 clock_skipped (void);
