/* SPDX-License-Identifier: Apache-2.0 */
/* Only two source files open files (contrib/check-format.sh checks it). foreign_file.c opens files
 * that others control: containers, the engine, users. own_file.c opens our own files. No open waits
 * for the other end of a FIFO, except pp_foreign_file_read() with MAY_STREAM, and
 * pp_own_file_write(). Every descriptor is closed on exec. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Errors about a file, or about what is in its place. */
#define PP_FILE_ERROR (pp_file_error_quark ())
GQuark pp_file_error_quark (void);
typedef enum
{
  PP_FILE_ERROR_SYSTEM,  /* the message has the system's error text */
  PP_FILE_ERROR_MISSING, /* no such file */
  PP_FILE_ERROR_TOO_LARGE,
  PP_FILE_ERROR_REFUSED, /* must not be read: a link, a FIFO, a device, another user's file */
} PpFileError;

/* foreign_file.c */

/* Opens the folder at the relative PATH below the descriptor ROOT. The new descriptor has O_PATH:
 * it only serves as a starting point. No symbolic link is followed, and a ".." that leaves ROOT is
 * refused. Returns -1 with ERROR. */
int pp_foreign_folder_open (int root, const char *path, GError **error);

/* Opens the file NAME in FOLDER for reading. It must be a regular file of OWNER with at most one
 * hard link. (It has no hard link if another file has just replaced it.) No symbolic link is
 * followed. May block on a disk that hangs. Returns -1 with ERROR. */
int pp_foreign_file_open (int folder, const char *name, uid_t owner, GError **error);

/* Reads the file at PATH, at most MAX bytes. Links are followed, because users may link their own
 * files. The file must be regular; if MAY_STREAM, it may also be a pipe or a device, and the call
 * waits for its end. Returns a new string of *LENGTH bytes and a NUL after them, or NULL with
 * ERROR. ERROR's message has no file name; the caller adds it. */
char *pp_foreign_file_read (const char *path, gboolean may_stream, gsize max, gsize *length,
                            GError **error);

/* own_file.c */

/* As openat(), for a file or folder that only we use; never waits for the other end of a FIFO.
 * MODE is the mode of a file that FLAGS creates. Returns -1 with errno. */
int pp_own_open (int folder, const char *name, int flags, mode_t mode);
/* Opens the terminal behind FD again, as a descriptor of our own that never blocks. A blocking
 * write could hang even after poll(), which promises room for one byte only. O_NONBLOCK on FD
 * itself would affect every process that shares FD. Returns -1 if FD is no terminal or cannot be
 * opened again. */
int pp_terminal_open (int fd);
/* True if FD is a terminal that understands escape sequences: TERM is set, and is not "dumb". */
gboolean pp_terminal_obeys (int fd);

/* Opens the folder at PATH to list it. It is one of our own folders, or one in /proc. Returns a new
 * GDir, or NULL if the folder cannot be read. */
GDir *pp_own_folder_read (const char *path);

/* Writes TEXT to the file at PATH and replaces its content. A new file is for its owner only. PATH
 * may be a pipe or a device. If PATH names a descriptor of this process (/dev/stdout, /dev/fd/3),
 * TEXT is written there, behind what was written before. Returns FALSE with ERROR. */
gboolean pp_own_file_write (const char *path, const char *text, GError **error);

G_END_DECLS
