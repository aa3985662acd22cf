/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "failpoint-private.h"

#ifdef PP_FAILPOINTS
#include <signal.h>
#include <string.h>
#include <unistd.h>

void
pp_failpoint (const char *name, const char *part)
{
  static guint64 passed = 0;
  const char *wanted = g_getenv ("PREFECT_PODMAN_FAILPOINT");
  g_autofree char *here = part != NULL ? g_strconcat (name, ".", part, NULL) : g_strdup (name);
  gsize length = strlen (here);
  guint64 turn = 1;

  if (wanted == NULL || strncmp (wanted, here, length) != 0
      || (wanted[length] != '\0' && wanted[length] != '='))
    return;
  if (wanted[length] == '=')
    turn = g_ascii_strtoull (wanted + length + 1, NULL, 10);
  if (++passed == turn)
    kill (getpid (), SIGKILL);
}
#endif
