/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of a folder that is ours alone: read with bounds, written durably. For the files of
 * the state directory only (state_dir.c, identity*.c, journal*.c). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* An open folder and its path, for messages. */
typedef struct
{
  int fd; /* -1: none */
  char *path;
} PpFolder;

/* Opens the folder NAME of PARENT (NULL: NAME is a path); a symbolic link is followed only where
 * PARENT is NULL. CREATE: makes it, mode 0700, when it is not there. FALSE with ERROR
 * (PP_STATE_ERROR). */
gboolean pp_folder_open (PpFolder *folder, const PpFolder *parent, const char *name,
                         gboolean create, GError **error);
void pp_folder_close (PpFolder *folder);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpFolder, pp_folder_close)

/* Whether FOLDER is one that only we can change: sets ERROR (PP_STATE_ERROR_UNSAFE) when it is
 * somebody else's, or others may write there. */
gboolean pp_folder_check_owner (const PpFolder *folder, GError **error);

/* The names in FOLDER, without "." and "..", sorted; new array. NULL with ERROR. */
GPtrArray *pp_folder_list (const PpFolder *folder, GError **error);

/* Sets ERROR to "FOLDER/NAME: WHAT: the system's words for ERROR_NUMBER" (PP_STATE_ERROR_GONE or
 * _SYSTEM). NAME may be NULL for the folder itself. */
void pp_folder_error (GError **error, const PpFolder *folder, const char *name, const char *what,
                      int error_number);

/* Reads the regular file NAME, at most MAX bytes; links are not followed. Returns a new
 * NUL-terminated string, or NULL with ERROR: PP_STATE_ERROR_GONE, _DAMAGED (no regular file, larger
 * than MAX) or _SYSTEM. */
char *pp_small_file_read (const PpFolder *folder, const char *name, gsize max, gsize *length,
                          GError **error);

/* Opens NAME to be locked, read and written; where that is not possible (EROFS, EACCES) and it is
 * there, to be read only, which is kept in READ_ONLY. CREATE: makes it, mode 0600. Returns its
 * descriptor, or -1 with errno. */
int pp_small_file_open (const PpFolder *folder, const char *name, gboolean create,
                        gboolean *read_only);

/* Begins to write TEXT into the new file NAME, mode 0600, in place of one that a crash has left
 * there. Returns its descriptor, or -1 with errno. Needs no heap. */
int pp_small_file_begin (int folder_fd, const char *name, const char *text, gsize length);

/* Makes durable what pp_small_file_begin() has begun, and closes FD. FALSE with errno. */
gboolean pp_small_file_end (int fd);

/* Replaces the file NAME by one with TEXT, durably: temporary file, fsync, rename, fsync of the
 * folder. Blocks. FALSE with ERROR. */
gboolean pp_small_file_write (const PpFolder *folder, const char *name, const char *text,
                              GError **error);

G_END_DECLS
