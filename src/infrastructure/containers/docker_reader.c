/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "docker_reader-private.h"

#include "prefect-podman/files/thread.h"

#define MAX_SECONDS 10
#define STACK_BYTES ((gsize)256 * 1024)

/* The work of one thread. The thread uses only `paths` and `config`. */
typedef struct
{
  PpDockerReader *reader; /* NULL if it was freed */
  GList *waiting;         /* of PpDockerRead */
  char **paths;
  PpDockerConfig *config;
} Job;

struct PpDockerReader
{
  Job *job; /* the current job, or NULL */
};

struct PpDockerRead
{
  Job *job; /* NULL if no thread could be started */
  PpDockerReadFunc func;
  gpointer user_data;
  guint timer; /* the deadline */
};

PpDockerReader *
pp_docker_reader_new (void)
{
  return g_new0 (PpDockerReader, 1);
}

void
pp_docker_reader_free (PpDockerReader *reader)
{
  if (reader == NULL)
    return;
  if (reader->job != NULL)
    reader->job->reader = NULL;
  g_free (reader);
}

void
pp_docker_read_cancel (PpDockerRead *read)
{
  if (read == NULL)
    return;
  if (read->job != NULL)
    read->job->waiting = g_list_remove (read->job->waiting, read);
  g_clear_handle_id (&read->timer, g_source_remove);
  g_free (read);
}

/* Calls READ's function with CONFIG and frees READ. */
static void
end (PpDockerRead *read, const PpDockerConfig *config)
{
  PpDockerReadFunc func = read->func;
  gpointer user_data = read->user_data;

  pp_docker_read_cancel (read);
  func (config, user_data);
}

static gboolean
on_deadline (gpointer user_data)
{
  PpDockerRead *read = user_data;
  char trouble[] = "Docker's configuration (config.json) is not used: reading it took too long, or "
                   "the worker could not start a thread for it.";
  PpDockerConfig config = { .trouble = trouble };

  read->timer = 0;
  end (read, &config);
  return G_SOURCE_REMOVE;
}

static void
job_free (Job *job)
{
  pp_docker_config_free (job->config);
  g_strfreev (job->paths);
  g_free (job);
}

static gboolean
on_read (gpointer user_data)
{
  Job *job = user_data;

  /* Later calls of pp_docker_reader_read() read the file again. */
  if (job->reader != NULL)
    job->reader->job = NULL;
  job->reader = NULL;
  /* A callback may cancel other reads. */
  while (job->waiting != NULL)
    {
      PpDockerRead *read = job->waiting->data;

      job->waiting = g_list_delete_link (job->waiting, job->waiting);
      read->job = NULL;
      end (read, job->config);
    }
  job_free (job);
  return G_SOURCE_REMOVE;
}

static void *
read_in_thread (void *data)
{
  Job *job = data;

  job->config = pp_docker_config_read ((const char *const *)job->paths);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_read, job, NULL);
  return NULL;
}

/* Returns the current job, or a new one. Returns NULL if no thread can be started. */
static Job *
need_job (PpDockerReader *reader)
{
  if (reader->job != NULL)
    return reader->job;
  Job *job = g_new0 (Job, 1);
  job->reader = reader;
  job->paths = pp_docker_config_paths ();
  if (pp_file_thread_start (read_in_thread, job, STACK_BYTES, NULL) != 0)
    {
      job_free (job);
      return NULL;
    }
  reader->job = job;
  return job;
}

PpDockerRead *
pp_docker_reader_read (PpDockerReader *reader, PpDockerReadFunc func, gpointer user_data)
{
  PpDockerRead *read = g_new0 (PpDockerRead, 1);

  read->job = need_job (reader);
  read->func = func;
  read->user_data = user_data;
  if (read->job != NULL)
    read->job->waiting = g_list_append (read->job->waiting, read);
  read->timer = g_timeout_add (read->job != NULL ? MAX_SECONDS * 1000 : 0, on_deadline, read);
  return read;
}
