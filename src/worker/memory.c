/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "memory-private.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif

/* Releases the code pages of one library. libcurl and libmicrohttpd load about forty libraries
 * whose initialisers touch pages that are never used again. Only read-only segments are released:
 * their pages can be read from the file again. */
static int
let_go (struct dl_phdr_info *object, size_t size G_GNUC_UNUSED, void *user_data)
{
  ElfW (Addr) page = *(const ElfW (Addr) *)user_data;

  for (guint i = 0; i < object->dlpi_phnum; i++)
    {
      const ElfW (Phdr) *segment = &object->dlpi_phdr[i];
      ElfW (Addr) begin = object->dlpi_addr + segment->p_vaddr;
      ElfW (Addr) end = (begin + segment->p_filesz) & ~(page - 1);

      begin &= ~(page - 1);
      if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) && begin < end)
        madvise ((void *)begin, end - begin, MADV_DONTNEED); /* best effort */
    }
  return 0;
}

/* True if the object's code was relocated in memory (DT_TEXTREL) and so differs from its file. */
static int
has_relocated_code (struct dl_phdr_info *object, size_t size G_GNUC_UNUSED,
                    void *user_data G_GNUC_UNUSED)
{
  for (guint i = 0; i < object->dlpi_phnum; i++)
    {
      const ElfW (Phdr) *segment = &object->dlpi_phdr[i];
      const ElfW (Dyn) *entry = (const void *)(object->dlpi_addr + segment->p_vaddr);

      if (segment->p_type != PT_DYNAMIC)
        continue;
      for (; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_TEXTREL
            || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
          return 1;
    }
  return 0;
}

void
pp_memory_give_back (void)
{
#ifdef HAVE_MALLOC_TRIM
  malloc_trim (0);
#endif
}

void
pp_memory_settle (void)
{
  long page = sysconf (_SC_PAGESIZE);
  ElfW (Addr) page_size = page > 0 ? (ElfW (Addr))page : 4096;

  pp_memory_give_back ();
  if (dl_iterate_phdr (has_relocated_code, NULL) == 0)
    dl_iterate_phdr (let_go, &page_size);
}
