/* SPDX-License-Identifier: Apache-2.0 */
/* The Prefect version that this worker reports. Servers use it to decide what a client supports:
 * leases of concurrency slots, for example, need 3.4.11 or later. */
#pragma once

#define PP_PREFECT_VERSION "3.8.8"
/* The version of the API (SERVER_API_VERSION in client/constants.py). */
#define PP_PREFECT_API_VERSION "0.8.4"

/* The default image of a run if the server's version is unknown. */
#define PP_PREFECT_IMAGE "docker.io/prefecthq/prefect:3-latest"
