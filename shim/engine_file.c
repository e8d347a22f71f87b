/* The engine's file: where it is, which build it is, and how to load it once more in a forked child. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "note.h"

#ifndef P11_ENGINE_FILE
#define P11_ENGINE_FILE "p11mux/engine.so" /* seen from the directory of the library */
#endif

/* The library's own path, if the loader knows it only relative to a directory that the host may leave. */
static char own_path[PATH_MAX];

__attribute__((constructor)) static void remember_own_path(void)
{
	Dl_info info;
	if (dladdr(own_path, &info) && info.dli_fname && info.dli_fname[0] != '/') {
		if (!realpath(info.dli_fname, own_path))
			own_path[0] = '\0';
	}
}

static bool beside(const char *library, char *path, size_t size)
{
	const char *slash = strrchr(library, '/');
	if (!slash)
		return false;
	int len = snprintf(path, size, "%.*s/%s", (int)(slash - library), library, P11_ENGINE_FILE);
	return len > 0 && (size_t)len < size && access(path, R_OK) == 0;
}

/* Finds the engine beside the library, or beside the file that the library's name leads to. */
bool p11_engine_path(char *path, size_t size)
{
	Dl_info info;
	const char *library = own_path;
	if (!*library) {
		if (!dladdr(own_path, &info) || !info.dli_fname)
			return false;
		library = info.dli_fname;
	}
	if (beside(library, path, size))
		return true;
	static char resolved[PATH_MAX]; /* guarded by the load lock */
	if (realpath(library, resolved) && beside(resolved, path, size))
		return true;
	beside(library, path, size); /* for the message: the place where it should be */
	return false;
}

static bool find_build_id(const unsigned char *notes, size_t len, struct p11_build_id *id)
{
	size_t size;
	const void *desc = p11_find_note(notes, len, "GNU", sizeof "GNU", NT_GNU_BUILD_ID, &size);
	if (!desc || size > sizeof id->bytes)
		return false;
	memcpy(id->bytes, desc, size);
	id->len = size;
	return true;
}

/* Reads the build id of an ELF file; false if it has none or is no such file. */
bool p11_build_id(int fd, struct p11_build_id *id)
{
	ElfW(Ehdr) header;
	id->len = 0;
	if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr)))
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		ElfW(Phdr) segment;
		unsigned char notes[1024];
		if (pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)) !=
		    (ssize_t)sizeof segment)
			return false;
		if (segment.p_type != PT_NOTE || segment.p_filesz > sizeof notes)
			continue;
		if (pread(fd, notes, segment.p_filesz, (off_t)segment.p_offset) == (ssize_t)segment.p_filesz &&
		    find_build_id(notes, segment.p_filesz, id))
			return true;
	}
	return false;
}

static bool copy_file(int from, int to)
{
	struct stat info;
	if (fstat(from, &info) != 0)
		return false;
	void *content = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	if (content == MAP_FAILED)
		return false;
	const unsigned char *at = content;
	size_t left = (size_t)info.st_size;
	while (left > 0) {
		ssize_t n = write(to, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += n;
		left -= (size_t)n;
	}
	munmap(content, (size_t)info.st_size);
	return left == 0;
}

/* True if the linker has loaded an object by this path before. */
static bool is_loaded(const char *path)
{
	void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (handle)
		dlclose(handle);
	return handle != NULL;
}

/*
 * Loads what a descriptor names. The dynamic linker takes a path for the object
 * that it loaded by that path before, even though the descriptor is another
 * one by now, so the path is lengthened until the linker finds it new.
 */
static void *open_descriptor(int fd)
{
	static char path[PATH_MAX]; /* guarded by the load lock */
	char dots[1024] = "";
	for (size_t i = 0; i + 3 < sizeof dots; i += 2) {
		snprintf(path, sizeof path, "/proc/self/%sfd/%d", dots, fd);
		if (!is_loaded(path))
			return dlopen(path, RTLD_NOW | RTLD_LOCAL);
		memcpy(dots + i, "./", 3);
	}
	return NULL;
}

static void *open_temporary(int fd)
{
	static const char *const directories[] = { "/dev/shm", "/tmp", "/var/tmp" };
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		char path[64];
		snprintf(path, sizeof path, "%s/p11mux-engine-XXXXXX", directories[i]);
		int copy = mkostemp(path, O_CLOEXEC);
		if (copy < 0)
			continue;
		void *handle = !is_loaded(path) && copy_file(fd, copy) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
		unlink(path);
		close(copy);
		if (handle)
			return handle;
	}
	return NULL;
}

/*
 * Loads a copy of the engine of its own, which shares nothing with those that
 * the process inherited. NULL where neither a memfd nor a temporary file can
 * be executed.
 */
void *p11_engine_open_copy(int fd)
{
	void *handle = NULL;
	int copy = memfd_create("p11mux-engine", MFD_CLOEXEC);
	if (copy >= 0) {
		if (copy_file(fd, copy))
			handle = open_descriptor(copy);
		close(copy);
	}
	return handle ? handle : open_temporary(fd);
}
