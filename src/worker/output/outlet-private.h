/* SPDX-License-Identifier: Apache-2.0 */
/* The target of output: a pipe, a socket, a terminal or a file, which other processes may share.
 * Private to src/worker/output. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The most bytes per write. poll() guarantees that a pipe takes PIPE_BUF bytes without blocking.
 * O_NONBLOCK is not set, because it would affect every process that shares the descriptor. For a
 * terminal, poll() guarantees nothing: see pp_terminal_open(). */
#define PP_OUTLET_PIECE 4096

typedef struct
{
  int fd;       /* the descriptor to write to: `terminal` or `given` */
  int given;    /* the caller's descriptor; the caller closes it */
  int terminal; /* our own descriptor for a terminal, or -1 */
  gboolean is_socket;
  gboolean is_file; /* a regular file: the write thread writes to it (write_thread.h) */
} PpOutlet;

/* FD stays the caller's. The caller must call pp_outlet_leave_terminal() to close the outlet's own
 * descriptor. */
void pp_outlet_init (PpOutlet *outlet, int fd);

/* True if a write does not block. */
gboolean pp_outlet_is_ready (const PpOutlet *outlet);

/* Like write(). Does not block if pp_outlet_is_ready() was TRUE. LENGTH is at most
 * PP_OUTLET_PIECE. */
ssize_t pp_outlet_write (const PpOutlet *outlet, const char *text, gsize length);

/* Closes our own descriptor of the terminal and uses the given one. A hung-up terminal never works
 * again, but the given descriptor may get a new target. */
void pp_outlet_leave_terminal (PpOutlet *outlet);

G_END_DECLS
