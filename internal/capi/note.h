/*
 * How the parts of p11mux in one process find each other, whoever loaded them
 * and however privately: each has an ELF note that leads to a structure in it.
 * The note's descriptor is the distance from itself to the structure, a signed
 * 64-bit number.
 *
 * Needs _GNU_SOURCE.
 */
#ifndef P11_NOTE_H
#define P11_NOTE_H

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define P11_NOTE_NAME "p11mux"

/* Types of notes. */
#define P11_NOTE_OFFER   1 /* struct p11_offer, engine_abi.h */
#define P11_NOTE_LIBRARY 2 /* struct p11_library, library.h */

/* At file level: a note of a type that leads to a structure with hidden visibility, which has to be marked as used. */
#define P11_NOTE(type, structure) P11_NOTE_EXPANDED(type, structure)
#define P11_NOTE_EXPANDED(type, structure) \
	_Static_assert(sizeof P11_NOTE_NAME == 7, "the note says so"); \
	__asm__(".pushsection .note.p11mux, \"a\", @note\n" \
	        ".balign 4\n" \
	        ".long 7, 8, " #type "\n" /* sizes of name and descriptor, type */ \
	        ".asciz \"" P11_NOTE_NAME "\"\n" \
	        ".balign 4\n" \
	        ".quad " #structure " - .\n" \
	        ".popsection\n")

/* The descriptor of the note with this name (its NUL counts) and type, or NULL. */
static inline const void *p11_find_note(const unsigned char *notes, size_t len, const char *name_wanted, size_t name_size,
                                        uint32_t type, size_t *size)
{
	size_t at = 0;
	while (at + sizeof(ElfW(Nhdr)) <= len) {
		ElfW(Nhdr) note;
		memcpy(&note, notes + at, sizeof note);
		size_t name = at + sizeof note;
		size_t desc = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
		size_t next = desc + (((size_t)note.n_descsz + 3) & ~(size_t)3);
		if (desc > len || next > len || next <= at)
			return NULL;
		if (note.n_type == type && note.n_namesz == name_size && memcmp(notes + name, name_wanted, name_size) == 0) {
			*size = note.n_descsz;
			return notes + desc;
		}
		at = next;
	}
	return NULL;
}

struct p11_notes_visit {
	uint32_t type;
	int (*visit)(void *structure, void *data);
	void *data;
};

static inline int p11_notes_of_object(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	const struct p11_notes_visit *how = data;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type != PT_NOTE)
			continue;
		size_t n;
		const unsigned char *desc = p11_find_note((const unsigned char *)(info->dlpi_addr + segment->p_vaddr),
		                                          segment->p_memsz, P11_NOTE_NAME, sizeof P11_NOTE_NAME, how->type, &n);
		int64_t distance;
		if (!desc || n != sizeof distance)
			continue;
		memcpy(&distance, desc, sizeof distance);
		if (how->visit((void *)(desc + distance), how->data))
			return 1;
	}
	return 0;
}

/* Calls visit for what each note of a type leads to, until it answers with 1. The dynamic linker's lock is held meanwhile. */
static inline void p11_visit_notes(uint32_t type, int (*visit)(void *structure, void *data), void *data)
{
	struct p11_notes_visit how = { type, visit, data };
	dl_iterate_phdr(p11_notes_of_object, &how);
}

#endif
