/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the log's frames and a pull's lines, split into pieces in every way. */
#include "tests/unit/tap.h"

#include "infrastructure/containers/engine-private.h"
#include "infrastructure/containers/frames-private.h"

#include <string.h>

typedef struct
{
  GString *out;
  GString *err;
  guint refuse_every; /* 0: refuse nothing */
  guint calls;
} Sink;

static gboolean
take (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  Sink *sink = user_data;

  if (sink->refuse_every != 0 && ++sink->calls % sink->refuse_every != 0)
    return FALSE;
  g_string_append_len (stream == PP_STREAM_STDOUT ? sink->out : sink->err, data, (gssize)length);
  return TRUE;
}

static void
append_frame (GString *log, int stream, const char *text)
{
  gsize n = strlen (text);
  const char header[8] = { (char)stream, 0, 0, 0, 0, 0, (char)(n >> 8), (char)(n & 0xff) };

  g_string_append_len (log, header, sizeof header);
  g_string_append (log, text);
}

static GString *
sample_log (void)
{
  GString *log = g_string_new (NULL);

  append_frame (log, 1, "first\n");
  append_frame (log, 2, "oops\n");
  append_frame (log, 1, "");
  append_frame (log, 0, "second\n");
  append_frame (log, 3, "docker says\n");
  append_frame (log, 1, "tail");
  return log;
}

/* Pushes like a stream: refused data is pushed again, in pieces of other sizes. */
static PpFramesResult
push_all (PpFrames *frames, const char *data, gsize length, gsize piece)
{
  gsize position = 0;
  guint again = 0;

  while (position < length)
    {
      gsize n = MIN (piece + again % 3, length - position);
      PpFramesResult result = pp_frames_push (frames, data + position, n);
      if (result == PP_FRAMES_MALFORMED)
        return result;
      if (result == PP_FRAMES_TAKEN)
        position += n;
      else
        again++;
      g_assert_cmpuint (again, <, 100000);
    }
  return PP_FRAMES_TAKEN;
}

static void
check_run (gsize piece, guint refuse_every)
{
  g_autoptr (GString) log = sample_log ();
  Sink sink = { g_string_new (NULL), g_string_new (NULL), refuse_every, 0 };
  PpFrames frames;

  pp_frames_init (&frames, PP_FRAMES_PLAIN, take, &sink);
  g_assert_cmpint (push_all (&frames, log->str, log->len, piece), ==, PP_FRAMES_TAKEN);
  g_assert_true (pp_frames_at_boundary (&frames));
  g_assert_cmpuint (frames.payload_bytes, ==, 22);
  g_assert_cmpint (frames.last_byte[0], ==, 'l');
  g_assert_cmpint (frames.last_byte[1], ==, '\n');
  g_assert_cmpstr (sink.out->str, ==, "first\nsecond\ntail");
  g_assert_cmpstr (sink.err->str, ==, "oops\n");
  g_assert_cmpstr (frames.engine_words, ==, "docker says\n");
  pp_frames_clear (&frames);
  g_string_free (sink.out, TRUE);
  g_string_free (sink.err, TRUE);
}

static void
test_every_split (void)
{
  for (gsize piece = 1; piece < 90; piece++)
    check_run (piece, 0);
}

static void
test_pause_loses_and_doubles_nothing (void)
{
  for (gsize piece = 1; piece < 90; piece++)
    for (guint refuse_every = 2; refuse_every < 5; refuse_every++)
      check_run (piece, refuse_every);
}

typedef struct
{
  PpFrames frames;
  Sink sink;
  GString *times;
} StampedSink;

/* Collects the payload with each entry's time before it. */
static gboolean
take_stamped (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  StampedSink *stamped = user_data;
  gint64 time = stamped->frames.time;

  if (!take (stream, data, length, &stamped->sink))
    return FALSE;
  for (gsize i = 0; i < length; i++)
    g_string_append_printf (stamped->times, "%c%d", data[i],
                            (int)(time % G_GINT64_CONSTANT (1000000000)));
  return TRUE;
}

#define STAMP(N) "2026-11-28T04:13:48.00000000" N "Z "

/* Checks three cases: lines in parts, where one part has only a stamp; lines that Docker repeats
 * when it continues with the next file, and lines that only look repeated; entries without a stamp.
 */
static void
check_stamped (gsize piece, guint refuse_every)
{
  g_autoptr (GString) log = g_string_new (NULL);
  StampedSink stamped = { .sink = { g_string_new (NULL), g_string_new (NULL), refuse_every, 0 },
                          .times = g_string_new (NULL) };

  append_frame (log, 1, STAMP ("1") "ab");
  append_frame (log, 1, STAMP ("1") "ab");
  append_frame (log, 1, STAMP ("1"));
  append_frame (log, 1, STAMP ("1") "c\n");
  append_frame (log, 2, STAMP ("2") "d\n");
  append_frame (log, 2, STAMP ("2") "d\n");
  append_frame (log, 2, STAMP ("2") "ee\n");
  append_frame (log, 1, STAMP ("2") "e\n");
  /* Repeated from here on, then new lines. */
  append_frame (log, 2, STAMP ("2") "ee\n");
  append_frame (log, 1, STAMP ("2") "e\n");
  append_frame (log, 1, STAMP ("3") "l\n");
  append_frame (log, 1, STAMP ("2") "e\n");
  append_frame (log, 1, STAMP ("3") "l\n");
  append_frame (log, 3, STAMP ("3") "f\n");
  append_frame (log, 1, "g");
  append_frame (log, 1, "h i\n");
  append_frame (log, 2, "2026-11-28T04:13:48.000000001Z-and-no-end-of-it-anywhere j\n");
  append_frame (log, 1, STAMP ("4") "k\n");
  pp_frames_init (&stamped.frames, PP_FRAMES_STAMPED, take_stamped, &stamped);
  g_assert_cmpint (push_all (&stamped.frames, log->str, log->len, piece), ==, PP_FRAMES_TAKEN);
  g_assert_true (pp_frames_at_boundary (&stamped.frames));
  g_assert_cmpstr (stamped.sink.out->str, ==, "ababc\ne\nl\ngh i\nk\n");
  g_assert_cmpstr (stamped.sink.err->str, ==,
                   "d\nee\n"
                   "2026-11-28T04:13:48.000000001Z-and-no-end-of-it-anywhere j\n");
  g_assert_true (g_str_has_prefix (stamped.times->str, "a1b1a1b1c1\n1d2\n2e2e2\n2e2\n2l3\n3"
                                                       "g0h0 0i0"));
  g_assert_true (g_str_has_suffix (stamped.times->str, "j0\n0k4\n4"));
  g_assert_cmpuint (stamped.frames.payload_bytes, ==,
                    stamped.sink.out->len + stamped.sink.err->len);
  pp_frames_clear (&stamped.frames);
  g_string_free (stamped.sink.out, TRUE);
  g_string_free (stamped.sink.err, TRUE);
  g_string_free (stamped.times, TRUE);
}

static void
test_stamped (void)
{
  for (gsize piece = 1; piece < 130; piece++)
    for (guint refuse_every = 0; refuse_every < 5; refuse_every++)
      if (refuse_every != 1)
        check_stamped (piece, refuse_every);
}

/* A long line in several parts that is repeated at the end of a burst. */
static void
test_long_line_comes_again (void)
{
  static const char *const parts[]
      = { STAMP ("1") "part", STAMP ("1") "part", STAMP ("1") "end\n" };
  g_autoptr (GString) log = g_string_new (NULL);
  Sink sink = { g_string_new (NULL), g_string_new (NULL), 0, 0 };
  PpFrames frames;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (parts); i++)
    append_frame (log, 1, parts[i % G_N_ELEMENTS (parts)]);
  append_frame (log, 1, STAMP ("2") "next\n");
  pp_frames_init (&frames, PP_FRAMES_STAMPED, take, &sink);
  g_assert_cmpint (push_all (&frames, log->str, log->len, 50), ==, PP_FRAMES_TAKEN);
  g_assert_cmpstr (sink.out->str, ==, "partpartend\nnext\n");
  pp_frames_clear (&frames);
  g_string_free (sink.out, TRUE);
  g_string_free (sink.err, TRUE);
}

/* A stream that ends inside a stamp. */
static void
test_stamp_broken_off (void)
{
  Sink sink = { g_string_new (NULL), g_string_new (NULL), 0, 0 };
  PpFrames frames;

  pp_frames_init (&frames, PP_FRAMES_STAMPED, take, &sink);
  g_assert_cmpint (pp_frames_push (&frames,
                                   "\1\0\0\0\0\0\0\50"
                                   "2026-11",
                                   15),
                   ==, PP_FRAMES_TAKEN);
  g_assert_false (pp_frames_at_boundary (&frames));
  g_assert_cmpuint (sink.out->len, ==, 0);
  g_string_free (sink.out, TRUE);
  g_string_free (sink.err, TRUE);
}

static void
test_tty (void)
{
  Sink sink = { g_string_new (NULL), g_string_new (NULL), 3, 0 };
  PpFrames frames;

  pp_frames_init (&frames, PP_FRAMES_RAW, take, &sink);
  g_assert_cmpint (push_all (&frames, "hi\r\n\1\0\0\0\0\0\0\4 end", 16, 3), ==, PP_FRAMES_TAKEN);
  g_assert_cmpmem (sink.out->str, sink.out->len, "hi\r\n\1\0\0\0\0\0\0\4 end", 16);
  g_assert_true (pp_frames_at_boundary (&frames));
  g_string_free (sink.out, TRUE);
  g_string_free (sink.err, TRUE);
}

static void
test_malformed_and_broken_off (void)
{
  Sink sink = { g_string_new (NULL), g_string_new (NULL), 0, 0 };
  PpFrames frames;

  pp_frames_init (&frames, PP_FRAMES_PLAIN, take, &sink);
  g_assert_cmpint (pp_frames_push (&frames, "hi\r\nthere", 9), ==, PP_FRAMES_MALFORMED);
  pp_frames_init (&frames, PP_FRAMES_PLAIN, take, &sink);
  g_assert_cmpint (pp_frames_push (&frames, "\1\0\0", 3), ==, PP_FRAMES_TAKEN);
  g_assert_false (pp_frames_at_boundary (&frames));
  pp_frames_init (&frames, PP_FRAMES_PLAIN, take, &sink);
  g_assert_cmpint (pp_frames_push (&frames, "\1\0\0\0\0\0\0\5hi", 10), ==, PP_FRAMES_TAKEN);
  g_assert_false (pp_frames_at_boundary (&frames));
  g_string_free (sink.out, TRUE);
  g_string_free (sink.err, TRUE);
}

/* Docker's error may be longer than the limit. The length shows whether it was cut. */
static void
test_long_words (void)
{
  g_autofree char *words = g_strnfill (PP_FRAMES_MAX_WORDS, 'x');
  g_autoptr (GString) log = g_string_new (NULL);
  PpFrames frames;

  append_frame (log, 3, words);
  pp_frames_init (&frames, PP_FRAMES_PLAIN, take, NULL);
  for (gsize round = 0; round < 3; round++)
    {
      g_assert_cmpint (pp_frames_push (&frames, log->str, log->len), ==, PP_FRAMES_TAKEN);
      g_assert_cmpuint (strlen (frames.engine_words), ==, PP_FRAMES_MAX_WORDS + (round > 0));
    }
  pp_frames_clear (&frames);
}

/* Shortened answers of Podman and Docker to real pulls. */
static const char podman_pull[]
    = "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"4a7450df8b98\"}\n"
      "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":500,\"total\":2000},"
      "\"progress\":\"...\",\"id\":\"4a7450df8b98\"}\n"
      "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"5d20c808ce19\"}\n"
      "{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"4a7450df8b98\"}\n"
      "{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"0a44f4f06ef4\"}\n";
static const char docker_pull[]
    = "{\"status\":\"Pulling from team/bb\",\"id\":\"1\"}\r\n"
      "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"4a7450df8b98\"}\r\n"
      "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":2000,\"total\":2000},"
      "\"progress\":\"...\",\"id\":\"4a7450df8b98\"}\r\n"
      "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"4a7450df8b98\"}\r\n"
      "{\"status\":\"Digest: sha256:79b4\"}\r\n"
      "{\"status\":\"Status: Downloaded newer image for 127.0.0.1:5871/team/bb:1\"}\r\n";

static void
keep_line (gboolean is_warning, const char *line, gpointer user_data)
{
  g_assert_false (is_warning);
  g_ptr_array_add (user_data, g_strdup (line));
}

static void
check_pull (const char *stream, gsize piece, const char *wanted, const char *wanted_error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PpPull) pull = pp_pull_new ("team/bb:1", keep_line, lines);
  g_autoptr (GError) error = NULL;
  gsize length = strlen (stream);

  for (gsize i = 0; i < length; i += piece)
    pp_pull_push (pull, stream + i, MIN (piece, length - i));
  g_assert_cmpint (pp_pull_finish (pull, &error), ==, wanted_error == NULL);
  if (wanted_error != NULL)
    {
      g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_FAILED);
      g_assert_cmpstr (error->message, ==, wanted_error);
      return;
    }
  g_assert_cmpuint (lines->len, ==, 1);
  g_assert_true (g_pattern_match_simple (wanted, g_ptr_array_index (lines, 0)));
}

static void
test_pull_lines (void)
{
  for (gsize piece = 1; piece < 200; piece++)
    {
      check_pull (podman_pull, piece, "Pulled image 'team/bb:1' in * s: 2 layers, 2.0*kB", NULL);
      check_pull (docker_pull, piece, "Pulled image 'team/bb:1' in * s: 1 layer, 2.0*kB", NULL);
      /* An error in a stream with status 200. */
      check_pull ("{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\n{\"progressDetail\":{},"
                  "\"errorDetail\":{\"message\":\"manifest\\nunknown\"},"
                  "\"error\":\"manifest\\nunknown\"}\n",
                  piece, NULL, "pull image 'team/bb:1': manifest unknown");
      check_pull ("{\"errorDetail\":{\"message\":\"denied\"}}", piece, NULL,
                  "pull image 'team/bb:1': denied");
    }
  check_pull ("not json\n[]\n{\"id\":3}\n", 4, "Pulled image *: 0 layers", NULL);
}

/* Messages of Podman 4.3 and Docker 20.10 for a registry that failed, and for one that refused.
 * Other versions' messages are below. */
static void
test_pull_that_may_pass (void)
{
  static const char *const passing[] = {
    "pinging container registry r:1: Get \"https://r:1/v2/\": connect: connection refused",
    "Get \"http://r/v2/\": read tcp 127.0.0.1:5->127.0.0.1:2: read: connection reset by peer",
    "pinging container registry r:1: invalid status code from registry 503 (Service Unavailable)",
    "reading manifest 1 in r:1/team/tool: received unexpected HTTP status: 500 ",
    "parsing image configuration: Error fetching blob: invalid status code from registry 502 ()",
    "parsing image configuration: too many requests to registry",
    "toomanyrequests: You have reached your pull rate limit.",
    "reading manifest 1 in r:1/team/tool: toomanyrequests: You have reached your pull rate limit.",
    "initializing source docker://r:1/team/tool:1: unexpected EOF",
    "Get \"https://r/v2/\": EOF",
    "pinging container registry r: Get \"https://r/v2/\": dial tcp 10.0.0.1:443: i/o timeout",
    "Get https://registry.example/v2/: net/http: TLS handshake timeout",
    "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
    "dial tcp: lookup r: Temporary failure in name resolution",
    "dial tcp: lookup r on 10.0.0.53:53: server misbehaving",
    "dial tcp 10.0.0.1:443: connect: no route to host",
    "error parsing HTTP 504 response body: invalid character '<'",
    "2 errors occurred while pulling: * reading manifest: manifest unknown * r/b:1: i/o timeout",
  };
  static const char *const lasting[] = {
    "reading manifest nowhere in r:500/team/tool: manifest unknown: manifest unknown",
    "manifest for r:5000/team/timeout-eof:nowhere not found: manifest unknown",
    "manifest for toomanyrequests:1 not found: manifest unknown",
    "reading manifest 1 in r:1/team/toomanyrequests: manifest unknown",
    "initializing source docker://r:1/toomanyrequests:1: reading manifest 1: manifest unknown",
    "unauthorized: authentication required",
    "reading manifest 1 in r:1/team/tool: denied",
    "pinging container registry r:1: invalid status code from registry 403 (Forbidden)",
    "dial tcp: lookup registry.invalid on 10.0.0.53:53: no such host",
    "writing blob: adding layer with blob: no space left on device",
    "http: server gave HTTP response to HTTPS client",
    "received unexpected HTTP status: 404 Not Found",
    "",
  };

  for (guint i = 0; i < G_N_ELEMENTS (passing); i++)
    g_assert_true (pp_pull_may_pass (passing[i]));
  for (guint i = 0; i < G_N_ELEMENTS (lasting); i++)
    g_assert_false (pp_pull_may_pass (lasting[i]));
}

static void
test_pull_line_without_end (void)
{
  g_autoptr (PpPull) pull = pp_pull_new ("x", NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *junk = g_strnfill (100000, 'x');

  for (int i = 0; i < 100; i++)
    pp_pull_push (pull, junk, 100000);
  pp_pull_push (pull, "\n{\"error\":\"after all\"}\n", 24);
  g_assert_false (pp_pull_finish (pull, &error));
  g_assert_cmpstr (error->message, ==, "pull image 'x': after all");
}

static void
add_tests (void)
{
  g_test_add_func ("/infrastructure/frames/every-split", test_every_split);
  g_test_add_func ("/infrastructure/frames/pause", test_pause_loses_and_doubles_nothing);
  g_test_add_func ("/infrastructure/frames/stamped", test_stamped);
  g_test_add_func ("/infrastructure/frames/long-line-comes-again", test_long_line_comes_again);
  g_test_add_func ("/infrastructure/frames/stamp-broken-off", test_stamp_broken_off);
  g_test_add_func ("/infrastructure/frames/tty", test_tty);
  g_test_add_func ("/infrastructure/frames/malformed", test_malformed_and_broken_off);
  g_test_add_func ("/infrastructure/frames/long-words", test_long_words);
  g_test_add_func ("/infrastructure/pull/lines", test_pull_lines);
  g_test_add_func ("/infrastructure/pull/may-pass", test_pull_that_may_pass);
  g_test_add_func ("/infrastructure/pull/line-without-end", test_pull_line_without_end);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
