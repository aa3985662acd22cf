/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that a container's log reaches two readers completely and once, while workers are killed,
 * streams break and the log loses its beginning. */
#include "worker/output/resume_point-private.h"

#include "prefect-podman/http/http.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define RUN "11111111-2222-3333-4444-555555555555"
#define FIRST_TIME G_GINT64_CONSTANT (1764300000000000000)

typedef struct
{
  gint64 time;
  PpStream stream;
  char *text;
} Entry;

typedef struct
{
  Server *server;
  PpHttp *http;
  PpApi *api;
  PpSettings settings;
  char *url;
  GMainLoop *loop;
  guint requests; /* handled so far */

  GArray *log;        /* of Entry, all that were ever written */
  guint start;        /* index of the first entry that is left */
  gboolean says_late; /* the log reports a lost beginning, as conmon's log does */
  gboolean timeless;

  PpPosition position;
  GPtrArray *told; /* messages on the server */
  GString *shown;

  /* The worker. */
  int read_fd;
  int write_fd;
  PpStdout *out;
  PpLogSender *sender;
  PpOutput *output;
  PpDelivery *delivery;
  guint64 counted;
  guint next; /* index of the next entry to read */
  PpLogPass pass;
} World;

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
        gpointer data G_GNUC_UNUSED)
{
  return server_reply (fd, 201, "", "");
}

static void
clear_entry (gpointer entry)
{
  g_free (((Entry *)entry)->text);
}

static void
set_up (World *world, gconstpointer data G_GNUC_UNUSED)
{
  world->loop = g_main_loop_new (NULL, FALSE);
  world->server = server_new (NULL, answer, NULL);
  world->url = server_url (world->server, "/api");
  world->http = pp_http_new ();
  world->settings = (PpSettings){
    .api_url = world->url,
    .api_request_timeout = 60,
    .logging_to_api_max_log_size = 1000000,
    .logging_to_api_batch_size = 1000000,
    .logging_to_api_batch_interval = 60,
  };
  world->api = pp_api_new (world->http, &world->settings);
  world->log = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (world->log, clear_entry);
  world->told = g_ptr_array_new_with_free_func (g_free);
  world->shown = g_string_new (NULL);
}

static void
tear_down (World *world, gconstpointer data G_GNUC_UNUSED)
{
  g_string_free (world->shown, TRUE);
  g_ptr_array_unref (world->told);
  g_array_unref (world->log);
  pp_api_free (world->api);
  pp_http_free (world->http);
  server_free (world->server);
  g_main_loop_unref (world->loop);
  g_free (world->url);
}

static void
write_entry (World *world, gint64 time, PpStream stream, const char *text)
{
  const Entry entry = { time, stream, g_strdup (text) };

  g_array_append_val (world->log, entry);
}

static void
on_room (gpointer user_data G_GNUC_UNUSED)
{
}

static void
follow (World *world)
{
  world->next = world->start;
  pp_log_pass_init (&world->pass, pp_delivery_place (world->delivery));
}

static void
start_worker (World *world)
{
  int fds[2];

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_set_fd_nonblocking (fds[0], TRUE, NULL));
  world->read_fd = fds[0];
  world->write_fd = fds[1];
  world->out = pp_stdout_new (fds[1]);
  world->sender = pp_log_sender_new (world->api, &world->settings);
  world->output = pp_output_new (RUN, world->out, world->sender, on_room, NULL);
  world->delivery = pp_delivery_new (world->output, &world->position, TRUE);
  world->counted = world->told->len - world->position.records;
  pp_delivery_set_counted (world->delivery, world->counted);
  follow (world);
}

static void
kill_worker (World *world)
{
  pp_delivery_free (world->delivery);
  pp_output_free (world->output);
  pp_log_sender_free (world->sender);
  pp_stdout_free (world->out);
  close (world->read_fd);
  close (world->write_fd);
}

/* Reads the next entry, sometimes in two pieces. Returns FALSE at the log's end. */
static gboolean
read_entry (World *world)
{
  if (world->next == world->log->len)
    return FALSE;
  const Entry *entry = &g_array_index (world->log, Entry, world->next++);
  gsize length = strlen (entry->text);
  gsize first = (gsize)g_test_rand_int_range (1, (gint32)length + 1);
  gint64 time = world->timeless ? 0 : entry->time;
  gboolean late = world->says_late && world->start > 0;

  for (gsize done = 0, piece = first; done < length; done += piece, piece = length - done)
    {
      gsize passed = pp_log_pass_over (&world->pass, time, late, piece);

      g_assert_true (passed == piece
                     || pp_delivery_take (world->delivery, entry->stream, time, late,
                                          entry->text + done + passed, piece - passed));
      pp_log_pass_done (&world->pass, passed);
    }
  return TRUE;
}

static void
on_delivered (gpointer user_data)
{
  g_main_loop_quit (user_data);
}

/* Delivers all entries that were read to the server. NOTED is TRUE if the worker lives long enough
 * to record that. */
static void
deliver (World *world, gboolean noted)
{
  guint before = world->told->len;

  pp_log_sender_flush (world->sender);
  pp_log_sender_when (world->sender, NULL, FALSE, on_delivered, world->loop);
  g_main_loop_run (world->loop);
  for (; world->requests < server_requests (world->server); world->requests++)
    {
      const Request *request = server_request (world->server, world->requests);
      json_auto_t *records = json_loads (request->body->str, 0, NULL);

      for (gsize i = 0; i < json_array_size (records); i++)
        g_ptr_array_add (world->told, g_strdup (json_string_value (json_object_get (
                                          json_array_get (records, i), "message"))));
    }
  if (!noted || world->told->len == before)
    return;
  world->position.records += world->counted + world->told->len - before;
  world->counted = 0;
  pp_delivery_note (world->delivery);
}

/* Shows all entries that were read on standard output. */
static void
show (World *world)
{
  char buffer[65536];
  ssize_t count;

  do
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      count = read (world->read_fd, buffer, sizeof buffer);
      if (count > 0)
        g_string_append_len (world->shown, buffer, count);
    }
  while (count > 0);
  world->position.stdout_bytes
      = MAX (world->position.stdout_bytes, pp_output_shown (world->output));
  pp_delivery_note (world->delivery);
}

/* Reads to the log's end, which is the container's end. */
static void
read_rest (World *world)
{
  while (read_entry (world))
    ;
  pp_output_finish (world->output);
  show (world);
  deliver (world, TRUE);
}

/* Compares the result with that of the whole log. */
static void
assert_exact (World *world)
{
  g_autoptr (GPtrArray) told = g_steal_pointer (&world->told);
  g_autofree char *shown = g_strdup (world->shown->str);

  world->told = g_ptr_array_new_with_free_func (g_free);
  world->position = (PpPosition){ 0 };
  world->start = 0;
  g_string_truncate (world->shown, 0);
  start_worker (world);
  read_rest (world);
  kill_worker (world);
  g_assert_cmpuint (told->len, ==, world->told->len);
  for (guint i = 0; i < told->len; i++)
    g_assert_cmpstr (g_ptr_array_index (told, i), ==, g_ptr_array_index (world->told, i));
  /* g_assert_cmpstr() would print the long texts. */
  g_assert_true (g_str_equal (shown, world->shown->str));
}

/* Writes COUNT lines on both streams, some of them in parts. In conmon's log, data of one read()
 * has one time. In Docker's log, each line has its own time, not quite in the log's order, and
 * parts have the time of their line's first part. */
static void
write_log (World *world, guint count, gboolean docker)
{
  gint64 now = FIRST_TIME;
  gint64 line_time[2] = { 0, 0 };

  for (guint i = 0; i < count; i++)
    {
      guint stream = (guint)g_test_rand_int_range (0, 2);
      gboolean ends = i >= count - 20 || g_test_rand_int_range (0, 4) != 0;
      g_autofree char *text = g_strdup_printf ("%u of %u%s", i, stream, ends ? "\n" : "...");
      gint64 time;

      now += docker || g_test_rand_int_range (0, 4) == 0 ? g_test_rand_int_range (2, 1000) : 0;
      if (line_time[stream] == 0)
        line_time[stream] = now;
      /* This time is earlier than that of the other stream's entry before. */
      time = docker ? line_time[stream] : now;
      if (docker && ends)
        line_time[stream] = g_test_rand_bit () ? now + 1 : 0;
      write_entry (world, time, stream == 0 ? PP_STREAM_STDOUT : PP_STREAM_STDERR, text);
    }
}

/* True if entry I of a Docker log is a part of a line but not its first. */
static gboolean
is_later_part (const World *world, guint i)
{
  const Entry *entry = &g_array_index (world->log, Entry, i);

  for (guint before = 0; before < i; before++)
    if (g_array_index (world->log, Entry, before).time == entry->time)
      return TRUE;
  return FALSE;
}

/* Removes up to COUNT entries from the log's beginning. In a log that does not report a lost
 * beginning (Docker's), cuts only before the first part of a line: all parts of a line have the
 * same time, so the loss of some could not be detected. */
static void
cut (World *world, guint count)
{
  guint start = count > 0 ? (guint)g_test_rand_int_range (0, (gint32)count) : 0;

  while (!world->says_late && start > 0 && is_later_part (world, start))
    start--;
  world->start = MAX (world->start, start);
}

/* Returns the number of entries up to the last one with the time of the position. */
static guint
until_place (const World *world)
{
  guint i = world->log->len;

  while (i > 0 && g_array_index (world->log, Entry, i - 1).time != world->position.log_time)
    i--;
  return i;
}

/* Returns the number of entries before the first one with the time of the worker's own place; 0 if
 * there is none. */
static guint
before_own_place (const World *world)
{
  guint i = 0;

  while (i < world->log->len
         && g_array_index (world->log, Entry, i).time != pp_delivery_place (world->delivery)->time)
    i++;
  return i < world->log->len ? i : 0;
}

static void
live_a_while (World *world, guint entries)
{
  for (guint i = 0; i < entries && read_entry (world); i++)
    switch (g_test_rand_int_range (0, 12))
      {
      case 0:
        deliver (world, TRUE);
        break;
      case 1:
        show (world);
        break;
      case 2:
        /* The stream breaks. Entries that were read may be gone when the log is read again. */
        cut (world, MIN (before_own_place (world), until_place (world)));
        follow (world);
        break;
      default:
        break;
      }
}

static void
check_lives (gboolean docker)
{
  World world = { .says_late = !docker };

  set_up (&world, NULL);
  write_log (&world, 300, docker);
  for (guint lives = 0; lives < 12; lives++)
    {
      start_worker (&world);
      live_a_while (&world, (guint)g_test_rand_int_range (0, 300));
      g_assert_false (pp_delivery_has_gap (world.delivery) && world.next == world.log->len);
      if (g_test_rand_bit ())
        deliver (&world, FALSE);
      kill_worker (&world);
      if (g_test_rand_bit ())
        cut (&world, until_place (&world));
    }
  start_worker (&world);
  read_rest (&world);
  g_assert_false (pp_delivery_has_gap (world.delivery));
  kill_worker (&world);
  assert_exact (&world);
  tear_down (&world, NULL);
}

static void
test_conmon (void)
{
  for (guint i = 0; i < 30; i++)
    check_lives (FALSE);
}

static void
test_docker (void)
{
  for (guint i = 0; i < 30; i++)
    check_lives (TRUE);
}

static void
write_lines (World *world, guint from, guint until)
{
  for (guint i = from; i <= until; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u\n", i);
      write_entry (world, FIRST_TIME + i, PP_STREAM_STDOUT, text);
    }
}

/* Runs a worker that reads and delivers everything and is then killed. */
static void
live_and_be_killed (World *world)
{
  start_worker (world);
  while (read_entry (world))
    ;
  show (world);
  deliver (world, TRUE);
  kill_worker (world);
}

static void
assert_told (World *world, const char *lines)
{
  g_ptr_array_add (world->told, NULL);
  g_autofree char *told = g_strjoinv (" ", (char **)world->told->pdata);

  g_ptr_array_remove_index (world->told, world->told->len - 1);
  g_assert_cmpstr (told, ==, lines);
}

/* If the place is gone, the rest is delivered and the gap is reported. Counting then continues. */
static void
test_gap (World *world, gconstpointer data)
{
  world->says_late = GPOINTER_TO_INT (data);
  write_lines (world, 1, 4);
  live_and_be_killed (world);
  write_lines (world, 5, 8);
  world->start = 6;
  start_worker (world);
  while (read_entry (world))
    ;
  g_assert_true (pp_delivery_has_gap (world->delivery));
  deliver (world, TRUE);
  show (world);
  kill_worker (world);
  write_lines (world, 9, 9);
  world->start = 6;
  live_and_be_killed (world);
  assert_told (world, "1 2 3 4 7 8 9");
  g_assert_cmpstr (world->shown->str, ==, "1\n2\n3\n4\n7\n8\n9\n");
}

/* Nothing is missing between the place and the rest: the last line is delivered twice, and no loss
 * is reported. */
static void
test_gap_of_nothing (World *world, gconstpointer data G_GNUC_UNUSED)
{
  write_lines (world, 1, 4);
  live_and_be_killed (world);
  world->start = 3;
  start_worker (world);
  read_rest (world);
  g_assert_false (pp_delivery_has_gap (world->delivery));
  kill_worker (world);
  assert_told (world, "1 2 3 4 4");
}

/* A log that lost its beginning before it was first read. */
static void
test_late_from_the_first (World *world, gconstpointer data G_GNUC_UNUSED)
{
  world->says_late = TRUE;
  write_lines (world, 1, 4);
  world->start = 2;
  live_and_be_killed (world);
  write_lines (world, 5, 6);
  start_worker (world);
  read_rest (world);
  kill_worker (world);
  assert_told (world, "3 4 5 6");
}

/* Without times, output is counted from the log's first byte. */
static void
test_timeless (World *world, gconstpointer data G_GNUC_UNUSED)
{
  world->timeless = TRUE;
  write_lines (world, 1, 4);
  live_and_be_killed (world);
  g_assert_cmpint (world->position.log_first, ==, 0);
  g_assert_cmpint (world->position.log_time, ==, 0);
  write_lines (world, 5, 6);
  start_worker (world);
  read_entry (world);
  follow (world);
  read_rest (world);
  kill_worker (world);
  assert_told (world, "1 2 3 4 5 6");
}

/* The clock is set back while a container runs: later output still counts as newer. */
static void
test_clock_is_set_back (World *world, gconstpointer data G_GNUC_UNUSED)
{
  write_entry (world, FIRST_TIME, PP_STREAM_STDOUT, "0\n");
  write_entry (world, FIRST_TIME + 100, PP_STREAM_STDOUT, "1\n");
  write_entry (world, FIRST_TIME + 200, PP_STREAM_STDOUT, "2\n");
  write_entry (world, FIRST_TIME + 50, PP_STREAM_STDOUT, "3\n");
  live_and_be_killed (world);
  g_assert_cmpint (world->position.log_time, ==, FIRST_TIME + 200);
  write_entry (world, FIRST_TIME + 60, PP_STREAM_STDERR, "4\n");
  write_entry (world, FIRST_TIME + 220, PP_STREAM_STDOUT, "5\n");
  world->start = 1;
  live_and_be_killed (world);
  assert_told (world, "0 1 2 3 4 5");
}

/* Of many places that wait for their delivery only some are kept, but the last one is near the
 * end. */
static void
test_many_places (World *world, gconstpointer data G_GNUC_UNUSED)
{
  write_lines (world, 1, 2900);
  start_worker (world);
  while (read_entry (world))
    ;
  show (world);
  deliver (world, TRUE);
  g_assert_cmpuint (world->position.log_records, >, 2850);
  g_assert_cmpuint (world->position.log_bytes, >, 2850 * 4);
  g_assert_cmpint (world->position.log_time, ==, FIRST_TIME + (gint64)world->position.log_records);
  g_assert_cmpint (world->position.log_next, ==, world->position.log_time + 1);
  kill_worker (world);
}

static void
add_tests (void)
{
  g_test_add_func ("/delivery/conmon", test_conmon);
  g_test_add_func ("/delivery/docker", test_docker);
  g_test_add ("/delivery/gap", World, GINT_TO_POINTER (FALSE), set_up, test_gap, tear_down);
  g_test_add ("/delivery/gap-said", World, GINT_TO_POINTER (TRUE), set_up, test_gap, tear_down);
  g_test_add ("/delivery/gap-of-nothing", World, NULL, set_up, test_gap_of_nothing, tear_down);
  g_test_add ("/delivery/late-from-the-first", World, NULL, set_up, test_late_from_the_first,
              tear_down);
  g_test_add ("/delivery/timeless", World, NULL, set_up, test_timeless, tear_down);
  g_test_add ("/delivery/clock-is-set-back", World, NULL, set_up, test_clock_is_set_back,
              tear_down);
  g_test_add ("/delivery/many-places", World, NULL, set_up, test_many_places, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
