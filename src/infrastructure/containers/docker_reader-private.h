/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's configuration, read without blocking the loop: a home folder may be on a disk that
 * hangs. Used inside the room only. */
#pragma once

#include "docker_config-private.h"

G_BEGIN_DECLS

typedef struct PpDockerReader PpDockerReader;
typedef struct PpDockerRead PpDockerRead;

/* CONFIG is borrowed, and never NULL. */
typedef void (*PpDockerReadFunc) (const PpDockerConfig *config, gpointer user_data);

PpDockerReader *pp_docker_reader_new (void);
/* To be called once no read is under way. NULL is ignored. */
void pp_docker_reader_free (PpDockerReader *reader);

/* Reads the file as it is now, by a thread of which there is one at a time. FUNC is called once,
 * later, from the main loop: after 10 s at the latest, then with a trouble. */
PpDockerRead *pp_docker_reader_read (PpDockerReader *reader, PpDockerReadFunc func,
                                     gpointer user_data);
/* FUNC will not be called. NULL is ignored. */
void pp_docker_read_cancel (PpDockerRead *read);

G_END_DECLS
