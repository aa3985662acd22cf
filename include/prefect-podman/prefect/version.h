/* The Prefect this worker speaks as: servers decide by it what a client can do (leases of
 * concurrency slots from 3.4.11 on). */
#pragma once

#define PP_PREFECT_VERSION "3.8.8"
#define PP_PREFECT_API_VERSION "0.8.4"

/* Where a docker pool's run names no image (the peer: prefect/utilities/dockerutils.py
 * get_prefect_image_name, which also pins the Python version it runs on). */
#define PP_PREFECT_IMAGE "docker.io/prefecthq/prefect:3-latest"
