/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an answer: its JSON, or an error with the server's own text. */
#include "config.h"

#include "api-private.h"

#include "prefect-podman/text/cut.h"

#include <microhttpd.h>
#include <string.h>

/* The most bytes of the server's text in a one-line message. */
#define MAX_WORDS 500
#define MAX_FIRST_WORDS 80
/* The most bytes of the server's text that are read to make that line. */
#define MAX_READ ((gsize)64 * 1024)

G_DEFINE_QUARK (pp - api - error - quark, pp_api_error)

gboolean
pp_api_error_is_transient (const GError *error)
{
  if (error == NULL || error->domain != PP_API_ERROR)
    return FALSE;
  return error->code == PP_API_ERROR_NO_ANSWER || error->code == PP_API_ERROR_STRANGER
         || error->code == PP_API_ERROR_NO_ROUTE || error->code == 408 || error->code == 429
         || error->code >= 500;
}

gboolean
pp_api_error_may_be_done (const GError *error)
{
  if (error == NULL || error->domain != PP_API_ERROR)
    return FALSE;
  switch (error->code)
    {
    case PP_API_ERROR_NO_ANSWER:
    case PP_API_ERROR_TOO_MUCH:
    case 502:
    case 503:
    case 504:
    case 520:
    case 524:
      return TRUE;
    default:
      return FALSE;
    }
}

gboolean
pp_api_error_may_pass (const GError *error)
{
  /* Somebody will sooner or later correct the key or its permissions, on the server or here. An
   * answer that is too large may not be from the API, or may be about an object that somebody will
   * correct. */
  return pp_api_error_is_transient (error)
         || (error != NULL && error->domain == PP_API_ERROR
             && (error->code == 401 || error->code == 403 || error->code == PP_API_ERROR_TOO_MUCH));
}

/* Returns at most MAX bytes of TEXT as one line of UTF-8; new string. Each run of blanks and
 * control characters becomes one blank. Secrets are masked before TEXT is cut to MAX bytes, because
 * a part of a secret would not be recognized. */
static char *
one_line (const PpApi *api, const char *text, gsize length, gsize max)
{
  g_autofree char *masked = pp_api_mask (api, pp_text_cut (text, length, MAX_READ));
  g_autoptr (GString) line = g_string_new (NULL);

  for (const char *p = masked; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      if (!g_unichar_isspace (c) && !g_unichar_iscntrl (c))
        g_string_append_unichar (line, c);
      else if (line->len > 0 && line->str[line->len - 1] != ' ')
        g_string_append_c (line, ' ');
    }
  g_strchomp (line->str);
  return pp_text_cut (line->str, strlen (line->str), max);
}

/* Appends FastAPI's validation errors: "body.state.type: Input should be ...". Leaves out "input",
 * the data that was sent, because it may have secrets. */
static void
append_validation_errors (GString *words, const json_t *errors)
{
  size_t i, j;
  json_t *item, *part;

  json_array_foreach (errors, i, item)
  {
    const char *message = pp_json_string (item, "msg");
    if (message == NULL || words->len > MAX_WORDS)
      continue;
    if (words->len > 0)
      g_string_append (words, i == 0 ? ": " : "; ");
    json_array_foreach (json_object_get (item, "loc"), j, part)
    {
      if (json_is_string (part))
        g_string_append_printf (words, "%s%s", j > 0 ? "." : "", json_string_value (part));
      else if (json_is_integer (part))
        g_string_append_printf (words, "%s%" JSON_INTEGER_FORMAT, j > 0 ? "." : "",
                                json_integer_value (part));
    }
    if (json_array_size (json_object_get (item, "loc")) > 0)
      g_string_append (words, ": ");
    g_string_append (words, message);
  }
}

static void
append_words (GString *words, const json_t *value)
{
  if (json_is_array (value))
    append_validation_errors (words, value);
  else if (json_is_string (value))
    g_string_append_printf (words, "%s%s", words->len > 0 ? ": " : "", json_string_value (value));
}

/* Returns the server's own text in an error's BODY; new string, perhaps empty. */
static char *
server_words (const PpApi *api, const json_t *json, const char *body, gsize length)
{
  g_autoptr (GString) words = g_string_new (NULL);

  append_words (words, json_object_get (json, "exception_message"));
  append_words (words, json_object_get (json, "exception_detail"));
  append_words (words, json_object_get (json, "detail"));
  append_words (words, json_object_get (json, "messages"));
  if (words->len > 0)
    return one_line (api, words->str, words->len, MAX_WORDS);
  return one_line (api, body, length, MAX_FIRST_WORDS);
}

/* True if a TLS server complains about plain HTTP: nginx says "sent to HTTPS port", Go "to an HTTPS
 * server", Apache "to an SSL-enabled server port". */
static gboolean
wants_tls (const PpApi *api, const PpHttpResponse *response)
{
  return response->status == 400 && g_str_has_prefix (api->url, "http://")
         && (strstr (response->body, "to HTTPS port") != NULL
             || strstr (response->body, "to an HTTPS server") != NULL
             || strstr (response->body, "to an SSL-enabled server") != NULL);
}

#define PROXY_PASSWORD                                                                             \
  "the proxy that the environment names needs a password: http://user:password@host:port"

/* Returns the API's own text in an error, as the exception handlers in server/api/server.py and
 * FastAPI's HTTPException write it. Returns NULL if something else has answered, for example a
 * gateway or a login page. */
static const json_t *
own_words (const json_t *json)
{
  const json_t *words = json_object_get (json, "exception_message");

  if (words == NULL || json_is_null (words))
    words = json_object_get (json, "detail");
  return json_is_null (words) ? NULL : words;
}

/* True if WORDS, the API's own text with a 404, are about the object in PATH: "Flow run not found",
 * "Flow run with id ... not found", "Deployment not found", 'Work pool "..." not found.' (Prefect
 * 2.20.25 and 3.8.8). "Not Found" alone means that the route does not exist. */
static gboolean
is_about_object (const char *path, const char *words)
{
  static const struct
  {
    const char *path;
    const char *name;
  } objects[] = {
    { "/block_documents/", "block" },  { "/block_types/", "block" },
    { "/deployments/", "deployment" }, { "/flow_runs/filter", NULL },
    { "/flow_runs/", "flow run" },     { "/flows/", "flow" },
    { "/variables/", "variable" },     { "/work_pools/", "" },
  };
  g_autofree char *lower = g_ascii_strdown (words, -1);

  if (g_str_equal (lower, "not found") || strstr (lower, "not found") == NULL)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (objects); i++)
    if (g_str_has_prefix (path, objects[i].path))
      return objects[i].name != NULL && g_str_has_prefix (lower, objects[i].name);
  return FALSE;
}

/* Returns the error code for an answer with STATUS, 400 or more, and JSON (or NULL). While the
 * server is away, a gateway may answer in its place. A 404 from the gateway does not mean that a
 * deployment is gone. A 404 for a missing route does not mean this either: the server may be
 * starting or being changed. */
static int
code_of_refusal (const PpApi *api, const char *path, long status, const json_t *json)
{
  const json_t *words = own_words (json);

  if (status >= 500)
    return (int)status;
  if (words != NULL)
    {
      const char *text = json_is_string (words) ? json_string_value (words) : "";

      if (status == 405 || (status == 404 && !is_about_object (path, text)))
        return api->heard ? PP_API_ERROR_NO_ROUTE : PP_API_ERROR_SETUP;
      return (int)status;
    }
  switch (status)
    {
    case 401: /* from a proxy; retried like the API's own */
    case 408:
    case 413: /* too large for a gateway: a retry cannot help */
    case 429:
      return (int)status;
    case 400: /* from a TLS server */
    case 407:
      return api->heard ? PP_API_ERROR_STRANGER : (int)status;
    default:
      return PP_API_ERROR_STRANGER;
    }
}

#define RIGHT_URL "check PREFECT_API_URL, which must end in /api"

/* Returns advice for the end of the message; "" if there is none. IS_OWN is FALSE if the answer is
 * not the API's. (The proxy tinyproxy answers 401 to a wrong password, and 407 to no password.) */
static const char *
advice (const PpApi *api, const PpHttpResponse *response, int code, gboolean is_own)
{
  long status = response->status;

  if (wants_tls (api, response))
    return " (this server speaks TLS: PREFECT_API_URL must begin with https://)";
  if (status == 401 && is_own)
    return " (check PREFECT_API_KEY or PREFECT_API_AUTH_STRING)";
  if (status == 401)
    return " (not the API's own answer. Check PREFECT_API_KEY or PREFECT_API_AUTH_STRING. "
           "Or perhaps " PROXY_PASSWORD ")";
  if (status == 407)
    return " (" PROXY_PASSWORD ")";
  if (code == PP_API_ERROR_SETUP)
    return " (" RIGHT_URL ")";
  if (code == PP_API_ERROR_NO_ROUTE)
    return " (the server does not know this URL)";
  if (code == PP_API_ERROR_STRANGER)
    return api->heard ? " (not the API's own answer)"
                      : " (not the API's own answer: " RIGHT_URL ")";
  return "";
}

/* Takes ownership of MESSAGE. */
static gboolean
fail (PpApi *api, GError **error, int code, char *message)
{
  g_autofree char *masked = pp_api_mask (api, message);
  g_set_error_literal (error, PP_API_ERROR, code, masked);
  return FALSE;
}

static gboolean
fail_without_answer (PpApi *api, const GError *http_error, GError **error)
{
  int code = PP_API_ERROR_NO_ANSWER;
  gboolean tls = g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_TLS);
  g_autofree char *advice = pp_api_advise_without_answer (api, http_error);

  /* After an answer, a handshake may fail because the server restarts. Before any answer, the
   * settings are wrong. */
  if (!api->has_answer
      && (tls || g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_FAILED)))
    code = PP_API_ERROR_SETUP;
  else if (g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LARGE))
    code = PP_API_ERROR_TOO_MUCH;
  else if (g_error_matches (http_error, PP_HTTP_ERROR, PP_HTTP_ERROR_TOO_LONG))
    code = 414; /* what a server would answer: URI Too Long */
  return fail (api, error, code, g_strconcat (http_error->message, advice, NULL));
}

/* WHAT begins each message: "GET URL: 404 Not Found". */
static char *
describe_error (const PpApi *api, const char *what, const PpHttpResponse *response,
                const json_t *json, int code)
{
  g_autofree char *words = server_words (api, json, response->body, response->body_length);
  return g_strconcat (what, *words != '\0' ? ": " : "", words,
                      advice (api, response, code, own_words (json) != NULL), NULL);
}

static char *
describe_redirect (const PpApi *api, const char *what, const PpHttpResponse *response)
{
  const char *location = pp_http_response_header (response, "location");
  g_autofree char *display = pp_http_url_for_display (location != NULL ? location : "nowhere");
  g_autofree char *line = one_line (api, display, strcspn (display, "?#"), MAX_WORDS);
  return g_strdup_printf ("%s: redirected to %s, perhaps a login page or another server: "
                          "check PREFECT_API_URL",
                          what, line);
}

static char *
describe_page (const PpApi *api, const char *what, const PpHttpResponse *response, gboolean is_json)
{
  g_autofree char *words = one_line (api, response->body, response->body_length, MAX_FIRST_WORDS);
  g_autofree char *problem
      = response->body_length == 0
            ? g_strdup ("empty")
            : g_strdup_printf ("not %s; it begins \"%s\"",
                               is_json ? "what the API answers to this request" : "JSON", words);
  return g_strdup_printf ("%s, but the answer is %s: check that PREFECT_API_URL is the URL of "
                          "the API (it must end in /api) and that no login page is in front of it",
                          what, problem);
}

/* Returns the error code for an answer with STATUS and JSON (or NULL). Before the API itself has
 * answered, a page or a redirect means that PREFECT_API_URL is wrong. */
static int
error_code (const PpApi *api, const char *path, long status, const json_t *json)
{
  if (status >= 400)
    return code_of_refusal (api, path, status, json);
  return api->heard ? PP_API_ERROR_STRANGER : (int)status;
}

/* True if RESPONSE begins as JSON does. A page or megabytes of blanks do not: such an answer is not
 * the API's, whatever its size. */
static gboolean
begins_as_json (const PpHttpResponse *response)
{
  char first = response->body[strspn (response->body, " \t\r\n")];

  return first != '\0' && strchr ("{[\"-0123456789tfn", first) != NULL;
}

/* Returns the reason why the JSON of RESPONSE, an answer to PATH, must not be parsed; new string,
 * or NULL. With the copies that the parser may make, an answer uses at most twice its bound. */
static char *
why_too_much (const PpHttpResponse *response, const char *path)
{
  gsize bound = pp_api_bound (path);

  if (response->is_cut)
    return g_strdup_printf ("the answer is larger than %" G_GSIZE_FORMAT " bytes",
                            response->body_length);
  if (pp_json_fits (response->body, response->body_length, bound))
    return NULL;
  return g_strdup_printf ("the answer of %" G_GSIZE_FORMAT
                          " bytes would take more than %" G_GSIZE_FORMAT " MiB of memory",
                          response->body_length, bound / 1024 / 1024);
}

/* Returns the JSON of RESPONSE, an answer to PATH, or NULL. If it returns NULL because the answer
 * is too large for this program, it sets *TOO_MUCH to the reason, a new string. Otherwise *TOO_MUCH
 * is NULL. */
static json_t *
read_body (const PpHttpResponse *response, const char *path, char **too_much)
{
  json_error_t why = { 0 };
  json_t *json;

  *too_much = begins_as_json (response) ? why_too_much (response, path) : NULL;
  if (*too_much != NULL || response->is_cut)
    return NULL;
  json = pp_json_parse (response->body, response->body_length, JSON_DECODE_ANY, &why);
  if (json == NULL && strstr (why.text, "maximum parsing depth") != NULL)
    *too_much = g_strdup ("the answer is nested deeper than 2048 levels");
  /* Prefect Cloud answers a heartbeat with the worker's id without quotes. */
  if (json == NULL && response->status == 200 && g_uuid_string_is_valid (response->body))
    json = json_string (response->body);
  return json;
}

gboolean
pp_api_is_own_error (const PpHttpResponse *response)
{
  g_autofree char *too_much = NULL;
  json_auto_t *json = read_body (response, "", &too_much);

  return own_words (json) != NULL;
}

gboolean
pp_api_read_answer (PpApi *api, const char *method, const char *path, PpApiShapeFunc shape,
                    gconstpointer user_data, const PpHttpResponse *response,
                    const GError *http_error, json_t **body, GError **error)
{
  g_autofree char *too_much = NULL;
  json_auto_t *json = NULL;

  if (response == NULL)
    return fail_without_answer (api, http_error, error);
  if (response->body_length > 0)
    json = read_body (response, path, &too_much);

  int code = error_code (api, path, response->status, json);
  g_autofree char *shown = pp_text_cut (path, strlen (path), PP_TEXT_MAX_NAME);
  g_autofree char *what
      = g_strdup_printf ("%s %s%s: %ld %s", method, api->display_url, shown, response->status,
                         MHD_get_reason_phrase_for ((unsigned int)response->status));
  if (response->status >= 400)
    {
      g_autofree char *message = describe_error (api, what, response, json, code);

      if (own_words (json) != NULL && code != PP_API_ERROR_SETUP)
        api->heard = TRUE;
      return fail (api, error, code, g_steal_pointer (&message));
    }
  if (response->status >= 300)
    return fail (api, error, code, describe_redirect (api, what, response));
  if (too_much != NULL)
    return fail (api, error, PP_API_ERROR_TOO_MUCH, g_strconcat (what, ": ", too_much, NULL));
  if ((json == NULL && response->body_length > 0)
      || (shape != NULL && !shape (json, path, response->status, user_data)))
    return fail (api, error, code, describe_page (api, what, response, json != NULL));
  if (json != NULL)
    api->heard = TRUE;
  *body = g_steal_pointer (&json);
  return TRUE;
}
