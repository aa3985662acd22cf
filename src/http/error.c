/* SPDX-License-Identifier: Apache-2.0 */
/* The error domain PP_HTTP_ERROR. */
#include "config.h"

#include "prefect-podman/http/http.h"

G_DEFINE_QUARK (pp - http - error - quark, pp_http_error)
