/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory, where workers keep what must outlive them. It has one folder for each worker
 * identity (identity.h), and that folder has one small file for each flow run in flight
 * (journal.h). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_STATE_ERROR (pp_state_error_quark ())
GQuark pp_state_error_quark (void);

/* Errors of all operations in the state directory. Messages have the path and the system's error
 * text. */
typedef enum
{
  PP_STATE_ERROR_SYSTEM,  /* the system refused: no space, read-only, no permission ... */
  PP_STATE_ERROR_GONE,    /* it does not exist */
  PP_STATE_ERROR_DAMAGED, /* the content of a file is invalid */
  PP_STATE_ERROR_NEWER,   /* a later version of the program wrote the file */
  PP_STATE_ERROR_UNSAFE,  /* other users may write there */
  PP_STATE_ERROR_FOREIGN, /* no worker has created it */
} PpStateError;

/* The name of the file that pp_state_dir_id() creates in the state directory. */
#define PP_STATE_DIR_ID_FILE "id"

/* Returns the path of the state directory: the first of OPTION (--state-dir), VARIABLE
 * (PREFECT_PODMAN_STATE_DIR), /var/lib/prefect-podman for root, XDG_STATE_HOME/prefect-podman if
 * that is absolute (as the XDG base directory specification requires), and
 * HOME/.local/state/prefect-podman. A HOME that is not absolute counts as "/". NULL and "" mean
 * "not given". New string, absolute. Pure, except that it reads the current directory. */
char *pp_state_dir_find (const char *option, const char *variable, gboolean root,
                         const char *xdg_state_home, const char *home);

/* The same with the environment of this process. New string. */
char *pp_state_dir_default (const char *option);

/* True if OPTION or the environment names the state directory: then no other directory may replace
 * it. */
gboolean pp_state_dir_is_named (const char *option);

/* True if PATH exists and belongs to this process's user. */
gboolean pp_state_dir_is_ours (const char *path);

/* Creates PATH with mode 0700, and its parents, if it does not exist. Returns FALSE with ERROR if
 * PATH belongs to another user or others may write there; the message says what to do. */
gboolean pp_state_dir_prepare (const char *path, GError **error);

/* Warns if other users may read in the state directory PATH. */
void pp_state_dir_warn_of_readers (const char *path);

/* Returns the directory's own id, a UUID. It is created once, and stays the same when the directory
 * is moved. It distinguishes two state directories on one host that serve the same pool. New
 * string, or NULL with ERROR. */
char *pp_state_dir_id (const char *path, GError **error);

/* Returns the id of the host's current boot, or "" if the system does not provide it. New
 * string. */
char *pp_boot_id (void);

/* Returns microseconds since the host's boot, including sleep. Changes of the wall clock do not
 * affect it. Returns 0 if the system does not provide it. */
gint64 pp_uptime (void);

/* Returns the time of the host's boot in UNIX microseconds, or 0 if the system does not provide
 * it. */
gint64 pp_booted_at (void);

G_END_DECLS
