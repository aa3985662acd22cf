/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Docker's configuration without blocking the main loop: the home directory may be on a disk
 * that hangs. Private to src/infrastructure/containers. */
#pragma once

#include "docker_config-private.h"

G_BEGIN_DECLS

typedef struct PpDockerReader PpDockerReader;
typedef struct PpDockerRead PpDockerRead;

/* CONFIG is borrowed and never NULL. */
typedef void (*PpDockerReadFunc) (const PpDockerConfig *config, gpointer user_data);

PpDockerReader *pp_docker_reader_new (void);
/* Must not be called while a read is in progress. NULL is ignored. */
void pp_docker_reader_free (PpDockerReader *reader);

/* Reads the file in a thread; at most one thread runs at a time. FUNC is called once from the main
 * loop, after this function returns. If there is no result after 10 s, FUNC gets a configuration
 * without content; its TROUBLE says why. */
PpDockerRead *pp_docker_reader_read (PpDockerReader *reader, PpDockerReadFunc func,
                                     gpointer user_data);
/* Cancels the read: FUNC is not called. NULL is ignored. */
void pp_docker_read_cancel (PpDockerRead *read);

G_END_DECLS
