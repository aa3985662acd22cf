/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a stranger sends to the health check. */
#include "worker/health-private.h"
#include "worker/host_lookup-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char *
find_illness (gpointer user_data G_GNUC_UNUSED)
{
  return NULL;
}

/* Lets the server do what it has to: take a connection, read, answer. */
static void
serve (void)
{
  for (int turns = 0; turns < 6; turns++)
    g_main_context_iteration (NULL, FALSE);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static PpHealth *health = NULL;
  static uint32_t connections = 0;
  const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
  const int late = 1;
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct sockaddr_in own = { .sin_family = AF_INET };

  if (health == NULL)
    {
      struct addrinfo *addresses = pp_host_addresses ("127.0.0.1", 0);

      health = pp_health_new ("127.0.0.1", 0, addresses, find_illness, NULL, NULL);
      freeaddrinfo (addresses);
    }
  address.sin_port = htons ((uint16_t)pp_health_port (health));
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);

  int fd = socket (AF_INET, SOCK_STREAM, 0);
  /* One fuzz run makes more connections than there are ports. If the server closes a connection
   * first, its port stays in TIME_WAIT. So the client uses all addresses of 127/16 in turn. */
  own.sin_addr.s_addr = htonl (INADDR_LOOPBACK + connections++ % 65000);
  setsockopt (fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  g_assert_cmpint (bind (fd, (struct sockaddr *)&own, sizeof own), ==, 0);
  if (connect (fd, (struct sockaddr *)&address, sizeof address) != 0)
    {
      g_assert_cmpint (errno, ==, EINTR); /* libFuzzer's timer signal */
      close (fd);
      return 0;
    }
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (size > 0)
    send (fd, data, size, MSG_NOSIGNAL);
  serve ();
  close (fd);
  serve ();
  return 0;
}
