/* SPDX-License-Identifier: Apache-2.0 */
/* Where the state directory is when the user has no home that can be written: a private directory
 * that is forgotten sooner. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One of the places, in the order in which they are tried. */
typedef struct
{
  char *path;          /* owned */
  const char *forgets; /* when it is gone: ends the sentence "It ..."; static */
  int lock_fd;         /* of the directory: keeps systemd-tmpfiles from it */
} PpStateFallback;

/* Looks for the directory of place N (0, 1, ...), which no other user can write or has made: in
 * XDG_RUNTIME_DIR, /run/user/UID, for root /run, /tmp, TMPDIR, /dev/shm. CREATE: makes it. Sets
 * EXISTS to whether there is a place N at all. NULL with ERROR (PP_STATE_ERROR) where it cannot be
 * had. */
PpStateFallback *pp_state_fallback_new (guint n, gboolean create, gboolean *exists, GError **error);

/* Gives the lock back; the directory stays. NULL is ignored. */
void pp_state_fallback_free (PpStateFallback *fallback);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpStateFallback, pp_state_fallback_free)

G_END_DECLS
