/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys, held in memory. OpenSSL would read their files for each new connection, on
 * the loop: one on a disk that hangs, or replaced by a FIFO, would block it. A file is read once
 * when it is first named, which is at the start, and from then on by a thread: now and then, and
 * after an error of TLS, for certificates are renewed. */
#include "config.h"

#include "call-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/files/thread.h"

#include <string.h>

/* libcurl takes no more. The CAs of all the world are a quarter of a megabyte. */
#define MAX_PEM_BYTES ((gsize)8 * 1000 * 1000)
#define READ_AGAIN_US (60 * G_USEC_PER_SEC)
#define STACK_BYTES ((gsize)256 * 1024)

/* The loop's, and its thread's while one reads. */
struct PpPem
{
  gint references;
  char *path;
  const char *marker;
  GBytes *bytes;   /* the last that were whole; empty: none yet */
  gint64 read_at;  /* when the last read was begun, monotonic microseconds */
  gboolean failed; /* it did, and that was said */
  gboolean is_reading;

  GBytes *new_bytes; /* what the thread has read, or NULL and */
  GError *error;     /* why not */
};

static void
unref (PpPem *pem)
{
  if (!g_atomic_int_dec_and_test (&pem->references))
    return;
  g_clear_pointer (&pem->bytes, g_bytes_unref);
  g_clear_pointer (&pem->new_bytes, g_bytes_unref);
  g_clear_error (&pem->error);
  g_free (pem->path);
  g_free (pem);
}

static gboolean
fail (GError **error, const char *path, const char *problem)
{
  g_set_error (error, PP_HTTP_ERROR, PP_HTTP_ERROR_TLS, "%s: %s", path, problem);
  return FALSE;
}

/* Checks TEXT, of the file at PATH. */
static gboolean
check_text (const char *path, const char *text, const char *marker, GError **error)
{
  g_autofree char *tail = g_strconcat (marker, "-----", NULL);
  guint begins = 0, ends = 0;

  if (*text == '\0')
    return fail (error, path, "the file is empty");
  for (const char *line = strstr (text, "-----"); line != NULL; line = strstr (line + 1, "-----"))
    {
      gsize length = strcspn (line, "\r\n");
      gboolean is_marked = g_strrstr_len (line, (gssize)length, tail) != NULL;

      if (is_marked && g_str_has_prefix (line, "-----BEGIN "))
        begins++;
      if (is_marked && g_str_has_prefix (line, "-----END "))
        ends++;
    }
  g_autofree char *none = g_strdup_printf ("there is no %s in it (PEM: it begins with a line "
                                           "-----BEGIN %s-----)",
                                           marker, marker);
  if (begins == 0)
    return fail (error, path, none);
  return begins == ends || fail (error, path, "it is cut off: a line -----END is missing");
}

/* What the file at PATH holds, once it was checked; NULL with ERROR. Blocks. */
static GBytes *
read_pem (const char *path, const char *marker, GError **error)
{
  g_autoptr (GError) local = NULL;
  gsize length;
  g_autofree char *text = pp_foreign_file_read (path, FALSE, MAX_PEM_BYTES, &length, &local);

  if (text == NULL)
    {
      fail (error, path, local->message);
      return NULL;
    }
  if (!check_text (path, text, marker, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&text), length);
}

gboolean
pp_http_check_pem (const char *path, const char *marker, GError **error)
{
  g_autoptr (GBytes) bytes = read_pem (path, marker, error);

  return bytes != NULL;
}

/* Takes what was read over. */
static void
take (PpPem *pem)
{
  if (pem->new_bytes != NULL)
    {
      g_clear_pointer (&pem->bytes, g_bytes_unref);
      pem->bytes = g_steal_pointer (&pem->new_bytes);
    }
  else if (!pem->failed && pem->error != NULL)
    g_warning ("%s; %s", pem->error->message,
               g_bytes_get_size (pem->bytes) > 0 ? "what was read of it before stays in use"
                                                 : "it is read again every minute");
  pem->failed = pem->error != NULL;
  g_clear_error (&pem->error);
}

static gboolean
on_read (gpointer user_data)
{
  PpPem *pem = user_data;

  pem->is_reading = FALSE;
  /* Its PpHttp may be gone. */
  if (g_atomic_int_get (&pem->references) > 1)
    take (pem);
  unref (pem);
  return G_SOURCE_REMOVE;
}

static void *
read_in_thread (void *data)
{
  PpPem *pem = data;

  pem->new_bytes = read_pem (pem->path, pem->marker, &pem->error);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_read, pem, NULL);
  return NULL;
}

static void
read_again (PpPem *pem)
{
  if (pem->is_reading)
    return;
  pem->read_at = g_get_monotonic_time ();
  if (pp_file_thread_start (read_in_thread, pem, STACK_BYTES, NULL) != 0)
    return;
  /* The thread's reference: on_read(), on this thread, gives it back. */
  pem->is_reading = TRUE;
  g_atomic_int_inc (&pem->references);
}

GHashTable *
pp_http_pems_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)unref);
}

GBytes *
pp_http_pem (PpHttp *http, const char *path, const char *marker)
{
  GHashTable *pems = pp_http_pems (http);
  PpPem *pem = g_hash_table_lookup (pems, path);

  if (pem == NULL)
    {
      pem = g_new0 (PpPem, 1);
      pem->references = 1;
      pem->path = g_strdup (path);
      pem->marker = marker;
      pem->bytes = g_bytes_new_static ("", 0);
      pem->read_at = g_get_monotonic_time ();
      pem->new_bytes = read_pem (path, marker, &pem->error);
      take (pem);
      g_hash_table_insert (pems, pem->path, pem);
    }
  else if (g_get_monotonic_time () - pem->read_at > READ_AGAIN_US)
    read_again (pem);
  return pem->bytes;
}

void
pp_http_pems_doubt (PpHttp *http)
{
  GHashTableIter iter;
  gpointer pem;

  g_hash_table_iter_init (&iter, pp_http_pems (http));
  while (g_hash_table_iter_next (&iter, NULL, &pem))
    read_again (pem);
}
