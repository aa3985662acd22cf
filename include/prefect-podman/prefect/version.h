/* SPDX-License-Identifier: Apache-2.0 */
/* The Prefect this worker speaks as: servers decide by it what a client can do (leases of
 * concurrency slots from 3.4.11 on). */
#pragma once

#define PP_PREFECT_VERSION "3.8.8"
/* Of its API (client/constants.py SERVER_API_VERSION). */
#define PP_PREFECT_API_VERSION "0.8.4"

/* The image of a run that names none, where the server's version is not known. */
#define PP_PREFECT_IMAGE "docker.io/prefecthq/prefect:3-latest"
