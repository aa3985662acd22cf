/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the API's answer: JSON or not, errors of every shape, set_state's results, dates and
 * headers. The first line is the value of the headers Retry-After and Location; its first byte
 * selects the status. */
#include "prefect/api-private.h"

#include "prefect-podman/text/timestamp.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const int statuses[] = { 200, 201, 204, 302, 401, 403, 404, 422, 429, 500, 503 };

static PpApi *
make_api (void)
{
  static PpSettings settings = { .api_url = (char *)"http://user:pw@127.0.0.1:1/api",
                                 .api_key = (char *)"pnu_key",
                                 .client_max_retries = 5,
                                 .client_retry_jitter_factor = 0.2 };
  return pp_api_new (pp_http_new (), &settings);
}

/* Checks the error that the caller gets: its message is one line and holds no secret. */
static void
check_error (const GError *error)
{
  g_assert_nonnull (error);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_null (strstr (error->message, "pnu_key"));
  pp_api_error_is_transient (error);
  pp_api_error_may_pass (error);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static PpApi *api = NULL;
  if (api == NULL)
    api = make_api ();
  if (size == 0)
    return 0;

  g_autofree char *text = g_strndup ((const char *)data + 1, size - 1);
  gsize line = strcspn (text, "\n");
  g_autofree char *header = g_strndup (text, line);
  g_autoptr (GHashTable) headers = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (headers, (gpointer) "retry-after", header);
  g_hash_table_insert (headers, (gpointer) "location", header);
  gsize skip = MIN (line + 1, size - 1);
  g_autofree char *copy = g_malloc (size);
  memcpy (copy, data + 1 + skip, size - 1 - skip);
  copy[size - 1 - skip] = '\0';
  PpHttpResponse response = { .status = statuses[data[0] % G_N_ELEMENTS (statuses)],
                              .body = copy,
                              .body_length = size - 1 - skip,
                              .headers = headers };
  json_auto_t *body = NULL;
  g_autoptr (GError) error = NULL;

  pp_timestamp_parse (header);
  if (pp_api_read_answer (api, "GET", "/x", data[0] & 0x80 ? pp_api_is_resource : NULL, NULL,
                          &response, NULL, &body, &error))
    {
      PpSetStateResult result;
      pp_api_read_set_state (body, "PENDING", "5b721232-b5bc-4858-ae24-cbe6ad6f0610", &result);
      return 0;
    }
  check_error (error);
  for (PpApiPatience patience = PP_API_ONCE; patience <= PP_API_PERSIST; patience++)
    {
      PpApiCall call = { .api = api, .method = (char *)"GET", .patience = patience };
      double delay = 0;
      pp_api_decide_retry (&call, &response, error, &delay);
      g_assert_true (delay >= 0 && delay <= 2 * 3600);
    }
  return 0;
}
