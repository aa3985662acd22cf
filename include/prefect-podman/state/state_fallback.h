/* SPDX-License-Identifier: Apache-2.0 */
/* Fallback state directories, for a user without a writable home: private directories with a
 * shorter life. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A fallback directory that can be used. */
typedef struct
{
  char *path;          /* owned */
  const char *forgets; /* when the directory is lost; completes the sentence "It ..."; static */
  int lock_fd; /* lock on the directory, so that systemd-tmpfiles does not remove it; or -1 */
} PpStateFallback;

/* Opens the fallback directory N (0, 1, ...) in XDG_RUNTIME_DIR, /run/user/UID, /run (root only),
 * /tmp, TMPDIR or /dev/shm. The directory must be ours, and no other user may be able to write to
 * it or replace it. If CREATE is TRUE, creates it and locks it. Sets *EXISTS to TRUE if there is a
 * place N, else to FALSE. Returns NULL with ERROR (PP_STATE_ERROR) if the directory cannot be
 * used, and NULL without ERROR if there is no place N. */
PpStateFallback *pp_state_fallback_new (guint n, gboolean create, gboolean *exists, GError **error);

/* Releases the lock; the directory stays. NULL is ignored. */
void pp_state_fallback_free (PpStateFallback *fallback);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpStateFallback, pp_state_fallback_free)

G_END_DECLS
