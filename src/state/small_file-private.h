/* SPDX-License-Identifier: Apache-2.0 */
/* Small files in a folder that only we can change. Reads have a size limit, and writes are durable.
 * Only for the files of the state directory (state_dir.c, state_fallback.c, identity*.c,
 * journal*.c). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* An open folder. The path is for messages. */
typedef struct
{
  int fd; /* -1: none */
  char *path;
} PpFolder;

/* Opens the folder NAME in PARENT. If PARENT is NULL, NAME is a path. Follows a symbolic link only
 * if PARENT is NULL. If CREATE is TRUE, creates the folder with mode 0700 if it does not exist.
 * Returns FALSE with ERROR (PP_STATE_ERROR). */
gboolean pp_folder_open (PpFolder *folder, const PpFolder *parent, const char *name,
                         gboolean create, GError **error);
void pp_folder_close (PpFolder *folder);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpFolder, pp_folder_close)

/* True if only we can change FOLDER. Otherwise returns FALSE with ERROR (PP_STATE_ERROR_UNSAFE): it
 * belongs to another user, or others may write there. */
gboolean pp_folder_check_owner (const PpFolder *folder, GError **error);

/* Returns the names in FOLDER, without "." and "..", sorted; new array. Returns NULL with ERROR. */
GPtrArray *pp_folder_list (const PpFolder *folder, GError **error);

/* Sets ERROR (PP_STATE_ERROR_GONE or _SYSTEM) to "FOLDER/NAME: WHAT: TEXT". TEXT is the system's
 * text for ERROR_NUMBER. NAME is NULL for the folder itself. */
void pp_folder_error (GError **error, const PpFolder *folder, const char *name, const char *what,
                      int error_number);

/* Reads the regular file NAME, at most MAX bytes. Does not follow links. Returns a new
 * NUL-terminated string, or NULL with ERROR: PP_STATE_ERROR_GONE, _DAMAGED (not a regular file, or
 * larger than MAX) or _SYSTEM. */
char *pp_small_file_read (const PpFolder *folder, const char *name, gsize max, gsize *length,
                          GError **error);

/* Opens NAME for locking, reading and writing. If NAME exists but cannot be written (EROFS,
 * EACCES), opens it for reading and sets *READ_ONLY. If CREATE is TRUE, creates it with mode 0600.
 * Returns the descriptor, or -1 with errno. */
int pp_small_file_open (const PpFolder *folder, const char *name, gboolean create,
                        gboolean *read_only);

/* Creates the file NAME with mode 0600 and begins to write TEXT to it. Replaces a file that a crash
 * left. Returns the descriptor, or -1 with errno. Uses no heap. */
int pp_small_file_begin (int folder_fd, const char *name, const char *text, gsize length);

/* Makes the data from pp_small_file_begin() durable and closes FD. Returns FALSE with errno. */
gboolean pp_small_file_end (int fd);

/* Durably replaces the file NAME with one that contains TEXT: temporary file, fsync, rename, fsync
 * of the folder. Blocks. Returns FALSE with ERROR. */
gboolean pp_small_file_write (const PpFolder *folder, const char *name, const char *text,
                              GError **error);

G_END_DECLS
