/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps certificates and keys in memory. OpenSSL would read their files for each new connection,
 * on the loop: a disk that hangs, or a FIFO in a file's place, would block the loop. The first
 * read of a file blocks; it happens at the start. Later, a thread reads the file again every
 * minute and after a TLS error, because certificates are renewed. */
#include "config.h"

#include "call-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/files/thread.h"

#include <string.h>

/* libcurl accepts no larger file. A file of all public CAs has a quarter of a megabyte. */
#define MAX_PEM_BYTES ((gsize)8 * 1000 * 1000)
#define READ_AGAIN_US (60 * G_USEC_PER_SEC)
#define STACK_BYTES ((gsize)256 * 1024)

/* Belongs to the loop. While a thread reads the file, NEW_BYTES and ERROR belong to the thread. */
struct PpPem
{
  gint references;
  char *path;
  const char *marker;
  GBytes *bytes;   /* last valid content; empty if there was none yet */
  gint64 read_at;  /* when the last read began, monotonic microseconds */
  gboolean failed; /* the last read failed, and a warning was logged */
  gboolean is_reading;

  GBytes *new_bytes; /* the thread's result, or NULL if it failed */
  GError *error;     /* why it failed */
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

/* Checks TEXT, the content of the file at PATH. */
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
  g_autofree char *none = g_strdup_printf ("the file has no %s (in PEM form, it begins with a "
                                           "line -----BEGIN %s-----)",
                                           marker, marker);
  if (begins == 0)
    return fail (error, path, none);
  return begins == ends || fail (error, path, "the file is cut off: a line -----END is missing");
}

/* Reads and checks the file at PATH. Returns its content, or NULL with ERROR. Blocks. */
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

/* Replaces the content by the new content, or warns that the file could not be read. */
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
               g_bytes_get_size (pem->bytes) > 0 ? "the content that was read before stays in use"
                                                 : "the file is read again every minute");
  pem->failed = pem->error != NULL;
  g_clear_error (&pem->error);
}

static gboolean
on_read (gpointer user_data)
{
  PpPem *pem = user_data;

  pem->is_reading = FALSE;
  /* If this is the last reference, the PpHttp has been freed. */
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
  /* The thread holds a reference, which on_read() releases on the loop. */
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
