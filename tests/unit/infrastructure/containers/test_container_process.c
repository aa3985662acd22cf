/* SPDX-License-Identifier: Apache-2.0 */
/* Tests finding a container's processes, with a simulated /proc and with real children. */
#include "infrastructure/containers/container_process-private.h"

#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "7b6726c788a364d4381f22961d16bdd8391c53b05009d381c25c904408dbcf12"
#define OTHER "0000000000000000000000000000000000000000000000000000000000000000"
#define CONMON "/usr/bin/conmon\0--api-version\0001\0-c\0" ID "\0-u\0" ID
#define CONMON_PID 40
#define PID 41

/* Fields 4 to 22 of a /proc/PID/stat, including unused ones. */
#define STAT_REST "%d 41 41 0 -1 4194560 1171 176 0 0 4 1 0 0 20 0 %d 0 %s 2322432\n"

typedef struct
{
  char *proc;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->proc = g_dir_make_tmp ("proc-XXXXXX", NULL);
  g_assert_nonnull (fixture->proc);
}

static void
remove_tree (const char *path)
{
  GDir *folder = g_dir_open (path, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *below = g_build_filename (path, name, NULL);

      remove_tree (below);
    }
  g_clear_pointer (&folder, g_dir_close);
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  remove_tree (fixture->proc);
  g_free (fixture->proc);
}

static void
put (const Fixture *fixture, int pid, const char *name, const char *text, gssize length)
{
  g_autofree char *folder = g_strdup_printf ("%s/%d", fixture->proc, pid);
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_mkdir (folder, 0755);
  g_assert_true (g_file_set_contents (path, text, length, NULL));
}

static void
put_process (const Fixture *fixture, int pid, int parent, char state, int threads,
             const char *started)
{
  g_autofree char *rest = g_strdup_printf (STAT_REST, parent, threads, started);
  /* The process name looks like the end of the name field and what follows it. */
  g_autofree char *stat = g_strdup_printf ("%d (a) Z 1 (b) %c %s", pid, state, rest);

  put (fixture, pid, "stat", stat, -1);
}

static void
put_conmon (const Fixture *fixture)
{
  put_process (fixture, CONMON_PID, 1, 'S', 1, "500");
  put (fixture, CONMON_PID, "cmdline", CONMON, sizeof CONMON);
}

static void
forget (const Fixture *fixture, int pid)
{
  g_autofree char *folder = g_strdup_printf ("%s/%d", fixture->proc, pid);

  remove_tree (folder);
}

static gboolean
find (const Fixture *fixture, const char *id, PpContainerProcess *process)
{
  json_auto_t *inspect = json_pack ("{s:{s:i, s:i}}", "State", "Pid", PID, "ConmonPid", CONMON_PID);

  return pp_container_process_find (fixture->proc, id, inspect, process);
}

static void
test_conmon_names_the_container (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpContainerProcess process;

  put_conmon (fixture);
  put_process (fixture, PID, CONMON_PID, 'S', 1, "68130");
  g_assert_true (find (fixture, ID, &process));
  g_assert_cmpint (process.program.pid, ==, PID);
  g_assert_cmpuint (process.program.started, ==, 68130);
  g_assert_cmpint (process.conmon.pid, ==, CONMON_PID);
  g_assert_cmpuint (process.conmon.started, ==, 500);
}

/* An engine on another host, whose pids belong to other processes here. */
static void
test_processes_of_others (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PpContainerProcess process;

  g_assert_false (find (fixture, ID, &process));
  put_conmon (fixture);
  g_assert_false (find (fixture, ID, &process)); /* no program */
  put_process (fixture, PID, 1, 'S', 1, "68130");
  g_assert_false (find (fixture, ID, &process)); /* not conmon's child */
  put_process (fixture, PID, CONMON_PID, 'S', 1, "68130");
  g_assert_false (find (fixture, OTHER, &process));
  /* The beginning of an id is not enough. */
  g_assert_false (find (fixture, "7b6726c788a3", &process));
  put (fixture, CONMON_PID, "cmdline", "/usr/bin/conmon\0-c\0" ID "0", 84);
  g_assert_false (find (fixture, ID, &process));
}

/* conmon has exited. A worker that starts later recognises the program by its control group. */
static void
test_control_group_names_the_container (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char cgroup[] = "8:pids:/libpod_parent/libpod-" ID "\n0::/\n";
  PpContainerProcess process;

  put_process (fixture, PID, 1, 'S', 1, "68130");
  put (fixture, PID, "cgroup", cgroup, -1);
  g_assert_true (find (fixture, ID, &process));
  g_assert_cmpint (process.program.pid, ==, PID);
  g_assert_cmpint (process.conmon.pid, ==, 0);
  /* Another process has conmon's pid now. */
  put_process (fixture, CONMON_PID, 1, 'S', 1, "70000");
  put (fixture, CONMON_PID, "cmdline", "sleep\0001", 8);
  g_assert_true (find (fixture, ID, &process));
  g_assert_cmpint (process.conmon.pid, ==, 0);
  g_assert_false (find (fixture, OTHER, &process));
}

/* Gives the container's first process the command line COMMAND (SIZE bytes). Returns TRUE if the
 * container then has no conmon that would watch its start. */
static gboolean
lacks_conmon (const Fixture *fixture, const char *command, gssize size)
{
  json_auto_t *inspect = json_pack ("{s:{s:i, s:i}}", "State", "Pid", PID, "ConmonPid", CONMON_PID);

  put (fixture, PID, "cmdline", command, size);
  return pp_container_process_lacks_conmon (fixture->proc, ID, inspect);
}

/* Podman was killed, and its conmon with it. The runtime waits for a start that no conmon would
 * watch. */
static void
test_start_without_conmon (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char cgroup[] = "0::/machine.slice/libpod-" ID ".scope\n";
  static const char runc[] = "runc\0init";
  static const char runc_by_path[] = "/usr/bin/runc\0init";
  static const char crun[] = "/usr/bin/crun\0--systemd-cgroup\0create\0--bundle\0/b\0" ID;
  static const char program[] = "python\0-m\0prefect.engine";
  static const char own_create[] = "podman\0create\0--name\0" OTHER;

  put_process (fixture, PID, 1, 'S', 1, "68130");
  put (fixture, PID, "cgroup", cgroup, -1);
  g_assert_true (lacks_conmon (fixture, runc, sizeof runc));
  g_assert_true (lacks_conmon (fixture, runc_by_path, sizeof runc_by_path));
  g_assert_true (lacks_conmon (fixture, crun, sizeof crun));
  /* The program has begun, so it must not run again. */
  g_assert_false (lacks_conmon (fixture, program, sizeof program));
  g_assert_false (lacks_conmon (fixture, own_create, sizeof own_create));
  g_assert_false (lacks_conmon (fixture, "runc", 5));
  g_assert_false (lacks_conmon (fixture, "init", 5));
  g_assert_false (lacks_conmon (fixture, "", 0));

  /* conmon is there, or the container has no process on this host. */
  put_conmon (fixture);
  g_assert_false (lacks_conmon (fixture, runc, sizeof runc));
  forget (fixture, CONMON_PID);
  put (fixture, PID, "cgroup", "0::/user.slice\n", -1);
  g_assert_false (lacks_conmon (fixture, runc, sizeof runc));
}

/* Docker's control groups have the id too, but its containers have no conmon that could exit. */
static void
test_engine_without_conmon (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  json_auto_t *inspect = json_pack ("{s:{s:i}}", "State", "Pid", PID);
  PpContainerProcess process;

  put_process (fixture, PID, 1, 'S', 1, "68130");
  put (fixture, PID, "cgroup", "8:pids:/docker/" ID "\n", -1);
  g_assert_false (pp_container_process_find (fixture->proc, ID, inspect, &process));
}

static void
test_alive (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const PpProcess process = { PID, 68130 };

  g_assert_false (pp_process_is_alive (fixture->proc, &process));
  put_process (fixture, PID, 1, 'S', 1, "68130");
  g_assert_true (pp_process_is_alive (fixture->proc, &process));
  put_process (fixture, PID, 1, 'Z', 1, "68130");
  g_assert_false (pp_process_is_alive (fixture->proc, &process));
  /* The first thread has ended, the others have not. */
  put_process (fixture, PID, 1, 'Z', 4, "68130");
  g_assert_true (pp_process_is_alive (fixture->proc, &process));
  /* Another process has the pid. */
  put_process (fixture, PID, 1, 'S', 1, "68131");
  g_assert_false (pp_process_is_alive (fixture->proc, &process));
  put (fixture, PID, "stat", "41 (sh", -1);
  g_assert_false (pp_process_is_alive (fixture->proc, &process));
}

static void
count (gpointer user_data)
{
  ++*(guint *)user_data;
}

static void
wait_for_count (const guint *ended)
{
  while (*ended == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (*ended, ==, 1);
}

static void
test_watch_by_looks (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const PpProcess process = { PID, 68130 };
  guint ended = 0;

  put_process (fixture, PID, 1, 'S', 1, "68130");
  PpProcessWatch *watch = pp_process_watch_new (fixture->proc, &process, count, &ended);
  g_assert_false (g_main_context_iteration (NULL, FALSE));
  forget (fixture, PID);
  wait_for_count (&ended);
  pp_process_watch_free (watch);

  /* The process ended before the watch began: this is still reported from the loop. */
  ended = 0;
  watch = pp_process_watch_new (fixture->proc, &process, count, &ended);
  g_assert_cmpuint (ended, ==, 0);
  wait_for_count (&ended);
  pp_process_watch_free (watch);
}

/* Returns the start time of the running process PID. */
static guint64
start_of (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) fields = g_strsplit (strrchr (text, ')'), " ", -1);
  return g_ascii_strtoull (fields[20], NULL, 10);
}

static void
test_watch_of_a_child (Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  guint ended = 0;
  pid_t pid = fork ();

  if (pid == 0)
    for (;;)
      pause ();
  PpProcess process = { pid, start_of (pid) };
  PpProcessWatch *watch = pp_process_watch_new ("/proc", &process, count, &ended);
  g_assert_false (g_main_context_iteration (NULL, FALSE));
  g_assert_true (pp_process_is_alive ("/proc", &process));
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  /* A zombie, because nobody has waited for it. */
  wait_for_count (&ended);
  g_assert_false (pp_process_is_alive ("/proc", &process));
  pp_process_watch_free (watch);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

/* Another process has the pid: the watched process has ended. */
static void
test_watch_of_a_number_given_again (Fixture *fixture G_GNUC_UNUSED,
                                    gconstpointer data G_GNUC_UNUSED)
{
  const PpProcess process = { getpid (), start_of (getpid ()) - 1 };
  guint ended = 0;
  PpProcessWatch *watch = pp_process_watch_new ("/proc", &process, count, &ended);

  wait_for_count (&ended);
  pp_process_watch_free (watch);
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "/container-process/conmon", test_conmon_names_the_container },
    { "/container-process/others", test_processes_of_others },
    { "/container-process/control-group", test_control_group_names_the_container },
    { "/container-process/start-without-conmon", test_start_without_conmon },
    { "/container-process/engine-without-conmon", test_engine_without_conmon },
    { "/container-process/alive", test_alive },
    { "/container-process/watch-by-looks", test_watch_by_looks },
    { "/container-process/watch-of-a-child", test_watch_of_a_child },
    { "/container-process/number-given-again", test_watch_of_a_number_given_again },
  };

  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
