/* SPDX-License-Identifier: Apache-2.0 */
/* Every file that is opened is opened by one of these two sources (contrib/run-tests.sh checks
 * that): foreign_file.c for what others can shape (files of containers, of the engine, of users),
 * own_file.c for what is ours. No open waits for the other end of a FIFO, and every descriptor is
 * closed on exec. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* What stands where a file should. */
#define PP_FILE_ERROR (pp_file_error_quark ())
GQuark pp_file_error_quark (void);
typedef enum
{
  PP_FILE_ERROR_SYSTEM,  /* the system's own words are in the message */
  PP_FILE_ERROR_MISSING, /* there is none */
  PP_FILE_ERROR_TOO_LARGE,
  PP_FILE_ERROR_REFUSED, /* a link, a FIFO, a device, somebody else's: not to be read */
} PpFileError;

/* foreign_file.c */

/* Opens the folder PATH, relative, below ROOT (a descriptor), to be used as a starting point only.
 * No symbolic link is followed, and ".." is refused. Returns -1 with ERROR. */
int pp_foreign_folder_open (int root, const char *path, GError **error);

/* Opens the file NAME in FOLDER to be read. It must be a regular file of OWNER that has one name
 * or, once it was replaced, none; no link is followed. May block on a disk that hangs. Returns -1
 * with ERROR. */
int pp_foreign_file_open (int folder, const char *name, uid_t owner, GError **error);

/* Reads the file at PATH, at most MAX bytes; links are followed, for users may link their own
 * files. It must be a regular file; MAY_STREAM: or a pipe or a terminal, which is waited for.
 * Returns a new string with a NUL behind its *LENGTH bytes, or NULL with ERROR, whose message is to
 * stand behind the file's name. */
char *pp_foreign_file_read (const char *path, gboolean may_stream, gsize max, gsize *length,
                            GError **error);

/* own_file.c */

/* As openat(), for a file or folder that is ours alone; never waits for a FIFO's other end. MODE:
 * of a file that FLAGS has created. Returns -1 with errno. */
int pp_own_open (int folder, const char *name, int flags, mode_t mode);
/* A descriptor of our own for the terminal that FD is, which never blocks: poll() tells of a
 * terminal only that it takes one byte, and O_NONBLOCK on FD itself would be seen by all who share
 * it. -1 where FD is no terminal, or cannot be opened again. */
int pp_terminal_open (int fd);
/* Whether FD is a terminal that obeys escape sequences: TERM is set, and not "dumb". */
gboolean pp_terminal_obeys (int fd);

/* The names in the folder at PATH, one of ours or of /proc; NULL where it cannot be read. */
GDir *pp_own_folder_read (const char *path);

/* Writes TEXT to the file at PATH, which may be a pipe or a device, in place of what is there.
 * FALSE with ERROR. */
gboolean pp_own_file_write (const char *path, const char *text, GError **error);

G_END_DECLS
