/*
 * More room for handles: the stubs' code mapped once more, with fresh data at
 * the same distance as in the library.
 *
 * The code comes from the library's own file, so that it costs no memory. The
 * file may be gone or replaced (an upgrade, a chroot); its bytes are compared
 * with the code that runs, and where they differ a memfd takes its place. A
 * memfd is written before it is mapped: nothing is ever writable and
 * executable at once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"

#define SPARE_SPACE ((size_t)64 << 20)

/* A copy of the code that can be had again and again; NULL until the file has failed us. */
static void *spare_code;

struct own_file {
	const char *path;
	off_t offset; /* of the code, bytes */
};

static int find_own_file(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	struct own_file *own = data;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		uintptr_t code = (uintptr_t)p11_arena_code;
		if (segment->p_type == PT_LOAD && code >= start && code < start + segment->p_filesz) {
			own->path = info->dlpi_name;
			own->offset = (off_t)(segment->p_offset + (code - start));
			return 1;
		}
	}
	return 0;
}

static bool map_from_file(void *where)
{
	struct own_file own = { 0 };
	if (!dl_iterate_phdr(find_own_file, &own) || !own.path || !*own.path)
		return false;
	int fd = open(own.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	void *code = MAP_FAILED;
	if (lseek(fd, 0, SEEK_END) >= own.offset + (off_t)P11_CODE_SIZE)
		code = mmap(where, P11_CODE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, own.offset);
	close(fd);
	if (code == MAP_FAILED)
		return false;
	bool same = memcmp(code, p11_arena_code, P11_CODE_SIZE) == 0;
	madvise(code, P11_CODE_SIZE, MADV_DONTNEED); /* the comparison touched every page */
	return same;
}

static void *make_spare_code(void)
{
	int fd = memfd_create("p11mux-stubs", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *code = MAP_FAILED;
	if (write(fd, p11_arena_code, P11_CODE_SIZE) == (ssize_t)P11_CODE_SIZE)
		code = mmap(NULL, P11_CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	return code == MAP_FAILED ? NULL : code;
}

static bool map_from_spare(void *where)
{
	if (!spare_code && !(spare_code = make_spare_code()))
		return false;
	/* An old size of zero asks for a second mapping of the same shared pages. */
	return mremap(spare_code, 0, P11_CODE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, where) != MAP_FAILED;
}

bool p11_arena_map(struct p11_arena *arena)
{
	/* The runtime ends the process where its heap cannot grow, so the last of the address space is left to it. */
	void *spare = mmap(NULL, SPARE_SPACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (spare == MAP_FAILED)
		return false;
	munmap(spare, SPARE_SPACE);
	size_t distance = (size_t)((const unsigned char *)&p11_arena_state - p11_arena_code);
	unsigned char *block = mmap(NULL, distance + P11_DATA_SIZE, PROT_NONE,
	                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (block == MAP_FAILED)
		return false;
	unsigned char *data = block + distance;
	if (mprotect(data, P11_DATA_SIZE, PROT_READ | PROT_WRITE) != 0 ||
	    (!map_from_file(block) && !map_from_spare(block))) {
		munmap(block, distance + P11_DATA_SIZE);
		return false;
	}
	munmap(block + P11_CODE_SIZE, distance - P11_CODE_SIZE);
	arena->code = block;
	arena->states = (struct p11_states *)data;
	arena->entries = (void **)(data + ((unsigned char *)p11_arena_entries - (unsigned char *)&p11_arena_state));
	arena->handles = data + (p11_arena_handles - (unsigned char *)&p11_arena_state);
	return true;
}
