/* The worker's standard output, written without ever blocking the loop: what a slow reader does not
 * take waits here, bounded. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpStdout PpStdout;

PpStdout *pp_stdout_new (int fd);

/* Writes what is left as far as it is taken without blocking. NULL is ignored. */
void pp_stdout_flush (PpStdout *out);

/* Writes what is left without blocking and frees; FD stays open. */
void pp_stdout_free (PpStdout *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpStdout, pp_stdout_free)

/* Queues LENGTH bytes. */
void pp_stdout_write (PpStdout *out, const char *data, gsize length);

/* FALSE while so much waits that a producer who can wait should. */
gboolean pp_stdout_has_room (const PpStdout *out);

/* Calls FUNC once, as soon as there is room; never from inside the call. */
void pp_stdout_when_room (PpStdout *out, void (*func) (gpointer), gpointer user_data);
void pp_stdout_forget (PpStdout *out, gpointer user_data);

/* Bytes that wait. */
gsize pp_stdout_pending (const PpStdout *out);

G_END_DECLS
