/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: where workers keep what must outlive them. One folder a worker identity in
 * it (identity.h), one small file a flow run in flight in that (journal.h). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_STATE_ERROR (pp_state_error_quark ())
GQuark pp_state_error_quark (void);

/* Of everything that is done in the state directory. Messages name the path and have the system's
 * words. */
typedef enum
{
  PP_STATE_ERROR_SYSTEM,  /* the system refused: no space, read-only, no permission ... */
  PP_STATE_ERROR_GONE,    /* it is not there */
  PP_STATE_ERROR_DAMAGED, /* a file that is there cannot be understood */
  PP_STATE_ERROR_NEWER,   /* ... because a later version of the program wrote it */
  PP_STATE_ERROR_UNSAFE,  /* others than us may write there */
  PP_STATE_ERROR_FOREIGN, /* no worker has made it */
} PpStateError;

/* The file in it that pp_state_dir_id() makes. */
#define PP_STATE_DIR_ID_FILE "id"

/* The state directory's path: OPTION (--state-dir), else VARIABLE (PREFECT_PODMAN_STATE_DIR), else
 * /var/lib/prefect-podman for root, else XDG_STATE_HOME/prefect-podman where that is absolute (as
 * the XDG base directory specification has it), else HOME/.local/state/prefect-podman (a HOME that
 * is no absolute path: "/"). NULL and "" are not given. New string, absolute. Pure but for the
 * current directory. */
char *pp_state_dir_find (const char *option, const char *variable, gboolean root,
                         const char *xdg_state_home, const char *home);

/* The same from this process's environment. New string. */
char *pp_state_dir_default (const char *option);

/* True if OPTION or the environment names the state directory: no other may take its place. */
gboolean pp_state_dir_is_named (const char *option);

/* True if PATH is there and belongs to this process's user. */
gboolean pp_state_dir_is_ours (const char *path);

/* Makes PATH (and its parents) a folder of mode 0700 when it is not there, and looks whether it is
 * ours alone: refused when it is another user's or when others may write there, a warning when they
 * may read there. FALSE with ERROR, whose message says what to do. */
gboolean pp_state_dir_prepare (const char *path, GError **error);

/* The directory's own id, a UUID: made once, and kept when the directory moves. What two state
 * directories on one host say of the same pool differs by it. New string, or NULL with ERROR. */
char *pp_state_dir_id (const char *path, GError **error);

/* The id of this boot of the host, "" when the system does not say. New string. */
char *pp_boot_id (void);

/* Microseconds since this boot of the host, sleep included; no step of the wall clock changes it. 0
 * when the system does not say. */
gint64 pp_uptime (void);

/* When this boot of the host was, UNIX microseconds; 0 when the system does not say. */
gint64 pp_booted_at (void);

G_END_DECLS
