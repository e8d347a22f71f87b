#define _GNU_SOURCE
#include "load.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../include/p11-kit/pkcs11.h"

void (*p11_native_guard_enter)(void);
void (*p11_native_guard_leave)(void);

void *p11_native_self;

static void enter(void)
{
	if (p11_native_guard_enter)
		p11_native_guard_enter();
}

static void leave(void)
{
	if (p11_native_guard_leave)
		p11_native_guard_leave();
}

static void explain(struct p11_native_module *module, const char *text)
{
	snprintf(module->text, sizeof module->text, "%s", text ? text : "unknown error");
}

/*
 * The linker trusts what a file says of its segments. Where one lies beyond the
 * end, because the file was cut short, it would take the process down with it.
 */
static int is_whole(int fd, off_t size)
{
	union {
		ElfW(Ehdr) header;
		unsigned char bytes[4096]; /* program headers follow the header closely; others the linker checks alone */
	} file;
	ssize_t n = pread(fd, &file, sizeof file, 0);
	if (n < (ssize_t)sizeof file.header || memcmp(file.header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    file.header.e_phentsize != sizeof(ElfW(Phdr)) || file.header.e_phoff > (size_t)n)
		return 1; /* not what the linker maps: it will say so */
	for (size_t i = 0, at = file.header.e_phoff; i < file.header.e_phnum; i++, at += sizeof(ElfW(Phdr))) {
		ElfW(Phdr) segment;
		if (at + sizeof segment > (size_t)n)
			return n == (ssize_t)sizeof file;
		memcpy(&segment, file.bytes + at, sizeof segment);
		if (segment.p_type == PT_LOAD && (segment.p_filesz > (size_t)size ||
		                                  segment.p_offset > (size_t)size - segment.p_filesz))
			return 0;
	}
	return 1;
}

/* Whether the linker may be let at a file: it would wait for ever on a pipe that nobody writes to. */
static int may_be_library(const char *path, struct p11_native_module *module)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &info) != 0) {
		if (fd >= 0)
			close(fd);
		return 1; /* why a file cannot be opened the linker says best */
	}
	const char *fault = NULL;
	if (!S_ISREG(info.st_mode))
		fault = "not a regular file";
	else if (!is_whole(fd, info.st_size))
		fault = "the file is cut short";
	close(fd);
	if (fault)
		explain(module, fault);
	return !fault;
}

static int same_object(void *a, void *b)
{
	Dl_info of_a, of_b;
	return dladdr(a, &of_a) && dladdr(b, &of_b) && of_a.dli_fbase == of_b.dli_fbase;
}

/* The entry points of a module; C_GetInterface may be NULL. */
struct entry_points {
	CK_C_GetFunctionList get_function_list;
	CK_C_GetInterface get_interface;
};

/*
 * Opens a module and finds its entry points, which all is the linker's work.
 *
 * C_GetInterface must be the module's own. A module that depends on a library
 * with interfaces of its own, such as p11-kit's, would else hand out that
 * library's.
 */
static enum p11_native_step open_module(const char *path, struct p11_native_module *module, struct entry_points *entry)
{
	module->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module->dl) {
		explain(module, dlerror());
		return P11_NATIVE_NO_FILE;
	}
	void *list = dlsym(module->dl, "C_GetFunctionList");
	if (!list) {
		explain(module, dlerror());
		dlclose(module->dl);
		return P11_NATIVE_NO_ENTRY;
	}
	void *interface = dlsym(module->dl, "C_GetInterface");
	entry->get_function_list = (CK_C_GetFunctionList)list;
	entry->get_interface = interface && same_object(interface, list) ? (CK_C_GetInterface)interface : NULL;
	return P11_NATIVE_LOADED;
}

static int is_self(const struct entry_points *entry)
{
	return p11_native_self && (void *)entry->get_function_list == p11_native_self;
}

/*
 * The function list of the module's default interface, or NULL. Any failure
 * here is forgiven: C_GetFunctionList is the older and surer way.
 */
static void *default_interface(CK_C_GetInterface get_interface)
{
	CK_INTERFACE *interface = NULL;
	if (!get_interface || get_interface((CK_UTF8CHAR *)"PKCS 11", NULL, &interface, 0) != CKR_OK || !interface)
		return NULL;
	return interface->pFunctionList;
}

/* How much of the function list a version has (PKCS#11 3.2 §3.6). */
static size_t bytes_of(const CK_VERSION *version)
{
	if (version->major < 3)
		return sizeof(CK_FUNCTION_LIST);
	if (version->major == 3 && version->minor < 2)
		return sizeof(CK_FUNCTION_LIST_3_0);
	return sizeof(CK_FUNCTION_LIST_3_2);
}

static enum p11_native_step find_list(const struct entry_points *entry, struct p11_native_module *module)
{
	module->list = default_interface(entry->get_interface);
	if (module->list) {
		module->list_bytes = bytes_of(module->list);
		return P11_NATIVE_LOADED;
	}
	CK_FUNCTION_LIST *list = NULL;
	module->rv = entry->get_function_list(&list);
	if (module->rv != CKR_OK)
		return P11_NATIVE_REFUSED;
	if (!list)
		return P11_NATIVE_NO_LIST;
	/* What C_GetFunctionList gives is a 2.40 list, whatever version a careless module writes into it (§5.4.4). */
	module->list = list;
	module->list_bytes = sizeof(CK_FUNCTION_LIST);
	return P11_NATIVE_LOADED;
}

enum p11_native_step p11_native_load(const char *path, struct p11_native_module *module)
{
	struct entry_points entry;
	memset(module, 0, sizeof *module);
	if (!may_be_library(path, module))
		return P11_NATIVE_NO_FILE;
	enter();
	enum p11_native_step step = open_module(path, module, &entry);
	leave();
	if (step != P11_NATIVE_LOADED)
		return step;
	/* Asking the proxy module may be what makes it known, so it is looked at again. */
	step = is_self(&entry) ? P11_NATIVE_SELF : find_list(&entry, module);
	if (step == P11_NATIVE_LOADED && is_self(&entry))
		step = P11_NATIVE_SELF;
	if (step != P11_NATIVE_LOADED)
		p11_native_unload(module->dl);
	return step;
}

/* The function list of the interface by which a client module is told where its server is (abi.md 7.8). */
struct client_list {
	CK_VERSION version;
	void (*set_server_address)(const char *address);
};

void *p11_native_tell_server(const char *path, const char *address)
{
	struct p11_native_module module;
	struct entry_points entry;
	CK_INTERFACE *interface = NULL;
	memset(&module, 0, sizeof module);
	if (!may_be_library(path, &module))
		return NULL;
	enter();
	enum p11_native_step step = open_module(path, &module, &entry);
	leave();
	if (step != P11_NATIVE_LOADED)
		return NULL;
	if (entry.get_interface && !is_self(&entry) &&
	    entry.get_interface((CK_UTF8CHAR *)"Vendor p11-kit client", NULL, &interface, 0) == CKR_OK && interface) {
		const struct client_list *list = interface->pFunctionList;
		if (list && list->version.major == 0 && list->version.minor == 0 && list->set_server_address) {
			list->set_server_address(address);
			return module.dl;
		}
	}
	p11_native_unload(module.dl);
	return NULL;
}

void p11_native_unload(void *dl)
{
	enter();
	dlclose(dl);
	leave();
}

size_t p11_native_list_bytes(const void *list)
{
	return bytes_of(list);
}
