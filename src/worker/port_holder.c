/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "port_holder-private.h"

#include "prefect-podman/files/files.h"

#include <stdio.h>
#include <string.h>

/* TCP_LISTEN of the kernel's net/tcp_states.h, as /proc/net/tcp prints it. */
#define LISTENING "0A"
#define MAX_TABLE_BYTES ((gsize)16 * 1024 * 1024)

/* Returns the inode of the socket that listens on PORT, a new string, or NULL. TABLE is
 * /proc/net/tcp or /proc/net/tcp6 (proc(5)). */
static char *
listening_inode (const char *table, int port)
{
  gsize length;
  g_autofree char *text = pp_foreign_file_read (table, FALSE, MAX_TABLE_BYTES, &length, NULL);
  g_autofree char *suffix = g_strdup_printf (":%04X", (unsigned)port);

  if (text == NULL)
    return NULL;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      char local[64];
      char state[8];
      char inode[32];

      /* sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
      if (sscanf (*line, "%*s %63s %*s %7s %*s %*s %*s %*s %*s %31s", local, state, inode) == 3
          && strcmp (state, LISTENING) == 0 && g_str_has_suffix (local, suffix))
        return g_strdup (inode);
    }
  return NULL;
}

/* True if the process with the directory PROCESS (/proc/PID) has the socket LINK ("socket:[INODE]")
 * open. */
static gboolean
has_open (const char *process, const char *link)
{
  g_autofree char *folder = g_build_filename (process, "fd", NULL);
  g_autoptr (GDir) fds = pp_own_folder_read (folder);
  const char *name;

  while (fds != NULL && (name = g_dir_read_name (fds)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (g_strcmp0 (target, link) == 0)
        return TRUE;
    }
  return FALSE;
}

char *
pp_port_holder (int port)
{
  g_autofree char *inode = listening_inode ("/proc/net/tcp", port);
  if (inode == NULL)
    inode = listening_inode ("/proc/net/tcp6", port);
  if (inode == NULL)
    return NULL;
  g_autofree char *link = g_strdup_printf ("socket:[%s]", inode);
  g_autoptr (GDir) processes = pp_own_folder_read ("/proc");
  const char *pid;

  while (processes != NULL && (pid = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *process = g_build_filename ("/proc", pid, NULL);

      if (!g_ascii_isdigit (*pid) || !has_open (process, link))
        continue;
      g_autofree char *path = g_build_filename (process, "comm", NULL);
      gsize length;
      g_autofree char *name = pp_foreign_file_read (path, FALSE, 256, &length, NULL);
      return g_strdup_printf ("process %s (%s)", pid, name != NULL ? g_strstrip (name) : "?");
    }
  return NULL;
}
