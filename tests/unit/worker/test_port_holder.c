/* SPDX-License-Identifier: Apache-2.0 */
/* Tests finding the process that listens on a port. */
#include "tests/unit/tap.h"

#include "worker/port_holder-private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int
listen_on (int family, int *port)
{
  struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
  socklen_t length = family == AF_INET ? sizeof (struct sockaddr_in) : sizeof (struct sockaddr_in6);
  int fd = socket (family, SOCK_STREAM, 0);

  if (fd < 0 || bind (fd, (struct sockaddr *)&address, length) != 0)
    return -1;
  g_assert_cmpint (listen (fd, 1), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *)&address, &length), ==, 0);
  *port = ntohs (((struct sockaddr_in *)&address)->sin_port);
  return fd;
}

static void
assert_held_by_us (int family)
{
  g_autofree char *us = g_strdup_printf ("process %d (", (int)getpid ());
  int port = 0;
  int fd = listen_on (family, &port);

  if (fd < 0)
    {
      g_test_skip ("no such addresses here");
      return;
    }
  g_autofree char *holder = pp_port_holder (port);
  g_assert_nonnull (holder);
  g_assert_true (g_str_has_prefix (holder, us));
  close (fd);
  g_autofree char *nobody = pp_port_holder (port);
  g_assert_null (nobody);
}

static void
test_ipv4 (void)
{
  assert_held_by_us (AF_INET);
}

static void
test_ipv6 (void)
{
  assert_held_by_us (AF_INET6);
}

static void
add (void)
{
  g_test_add_func ("/port-holder/ipv4", test_ipv4);
  g_test_add_func ("/port-holder/ipv6", test_ipv6);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
