/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "outlet-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/files/write_thread.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void
pp_outlet_init (PpOutlet *outlet, int fd)
{
  struct stat info;

  outlet->given = fd;
  outlet->terminal = pp_terminal_open (fd);
  outlet->fd = outlet->terminal >= 0 ? outlet->terminal : fd;
  outlet->is_socket = fstat (fd, &info) == 0 && S_ISSOCK (info.st_mode);
  outlet->is_file = pp_write_thread_is_for (fd);
}

void
pp_outlet_leave_terminal (PpOutlet *outlet)
{
  if (outlet->terminal < 0)
    return;
  close (outlet->terminal);
  outlet->terminal = -1;
  outlet->fd = outlet->given;
}

gboolean
pp_outlet_is_ready (const PpOutlet *outlet)
{
  struct pollfd descriptor = { .fd = outlet->fd, .events = POLLOUT };

  return poll (&descriptor, 1, 0) == 1;
}

ssize_t
pp_outlet_write (const PpOutlet *outlet, const char *text, gsize length)
{
  if (outlet->is_socket)
    return send (outlet->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return write (outlet->fd, text, length);
}
