/* SPDX-License-Identifier: Apache-2.0 */
/* Where output goes: a pipe, a socket, a terminal or a file that others may share. Used inside the
 * room only. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* poll() promises no more than this for a pipe without blocking (PIPE_BUF); the descriptor stays as
 * it was given to us, because O_NONBLOCK would be seen by everyone who shares it. Of a terminal it
 * promises nothing: pp_terminal_open(). */
#define PP_OUTLET_PIECE 4096

typedef struct
{
  int fd;       /* what is written to: TERMINAL, or what was given */
  int given;    /* by the caller, and the caller's to close */
  int terminal; /* of our own, or -1 */
  gboolean is_socket;
  gboolean is_file; /* a regular one: its writes are for the write thread (write-thread.h) */
} PpOutlet;

/* FD stays the caller's; pp_outlet_leave_terminal() closes what is opened here. */
void pp_outlet_init (PpOutlet *outlet, int fd);

/* Whether something can be written without waiting. */
gboolean pp_outlet_is_ready (const PpOutlet *outlet);

/* As write(), without waiting where pp_outlet_is_ready(). LENGTH: PP_OUTLET_PIECE at most. */
ssize_t pp_outlet_write (const PpOutlet *outlet, const char *text, gsize length);

/* Goes back to what was given: a terminal that was hung up stays so, and what was given may become
 * something else. */
void pp_outlet_leave_terminal (PpOutlet *outlet);

G_END_DECLS
