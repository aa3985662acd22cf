/* SPDX-License-Identifier: Apache-2.0 */
/* The signals that stop the worker, as main loop events. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpSignals PpSignals;

/* NUMBER is SIGTERM, SIGINT, SIGQUIT or SIGHUP. */
typedef void (*PpSignalFunc) (int number, gpointer user_data);

/* Blocks SIGTERM, SIGINT, SIGQUIT and SIGHUP, and calls FUNC for each that arrives, from the
 * default main context. A signal that this process inherited as ignored (nohup, a background job of
 * a script, trap '' in a shell) stays ignored. A signal that it inherited as blocked is handled.
 * Call this before starting any thread, so that threads inherit the blocked signals. Never returns
 * NULL. */
PpSignals *pp_signals_new (PpSignalFunc func, gpointer user_data);

/* Logs which of these signals are ignored, if any. */
void pp_signals_say_ignored (const PpSignals *signals);

/* True if one of these signals has arrived and waits for the main loop. */
gboolean pp_signals_are_pending (void);

/* Stops the calls of FUNC. The signals stay blocked. NULL is ignored. */
void pp_signals_free (PpSignals *signals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpSignals, pp_signals_free)

/* Returns the name of the signal NUMBER, such as "SIGTERM"; static string. */
const char *pp_signal_name (int number);

G_END_DECLS
