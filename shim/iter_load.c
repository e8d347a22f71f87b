/*
 * Attributes in memory of their own (abi.md 6.4). A module is asked for the
 * lengths, then for the values, and once more for each level of templates that
 * are values themselves. The caller's array is changed when all has gone well.
 */
#include <stdlib.h>
#include <string.h>

#include "iter.h"

#define FEW 16      /* attributes that need no memory to be asked for */
#define LEVELS 8    /* templates within templates */
#define ATTEMPTS 3  /* while the object changes under us */

/* A value on its way. */
struct block {
	CK_ATTRIBUTE *at; /* whose value it is */
	void *value;
	CK_ULONG room;    /* bytes */
	bool given;       /* by the caller, of just this length */
	bool entered;     /* a template in which there are values of ours */
};

struct load {
	P11KitIter *iter;
	CK_ATTRIBUTE *attrs; /* as the module sees them */
	CK_ULONG count;
	struct block *blocks;
	size_t blocks_len, blocks_room;
	size_t outer;   /* of them are for attrs */
	bool templates; /* some of them are for templates */
	bool emptied;   /* some of them turned out to be for nothing */
	CK_ATTRIBUTE few_attrs[FEW];
	struct block few_blocks[FEW];
};

static bool has_value(CK_ULONG len)
{
	return len != 0 && len != CK_UNAVAILABLE_INFORMATION;
}

/* Makes room to note more values. */
static bool grow(struct load *load)
{
	bool few = load->blocks == load->few_blocks;
	struct block *blocks = reallocarray(few ? NULL : load->blocks, 2 * load->blocks_room, sizeof *blocks);
	if (!blocks)
		return false;
	if (few)
		memcpy(blocks, load->few_blocks, sizeof load->few_blocks);
	load->blocks = blocks;
	load->blocks_room *= 2;
	return true;
}

/* Makes room for the value of an attribute whose length is known, or takes what is given for it, and notes that. */
static inline bool add(struct load *load, CK_ATTRIBUTE *attr, void *given)
{
	CK_ULONG len = attr->ulValueLen;
	if (load->blocks_len == load->blocks_room && !grow(load))
		return false;
	void *value = given ? given : len <= PTRDIFF_MAX ? malloc(len) : NULL;
	if (!value)
		return false;
	attr->pValue = value;
	struct block *block = &load->blocks[load->blocks_len++];
	block->at = attr;
	block->value = value;
	block->room = len;
	block->given = given != NULL;
	block->entered = false;
	if (p11_is_template(attr)) {
		/* What is in it is not there yet. (To have calloc do it for all is slower: it does not ask the thread's cache.) */
		memset(value, 0, len);
		load->templates = true;
	}
	return true;
}

/* Drops the values that are ours. */
static void drop_blocks(struct load *load)
{
	for (size_t i = 0; i < load->blocks_len; i++) {
		if (load->blocks[i].given)
			continue;
		explicit_bzero(load->blocks[i].value, load->blocks[i].room);
		free(load->blocks[i].value);
	}
	load->blocks_len = 0;
	load->templates = load->emptied = false;
}

static CK_RV ask(struct load *load)
{
	const P11KitIter *iter = load->iter;
	CK_RV rv = P11_CALL(iter->module, C_GetAttributeValue, iter->session, iter->object, load->attrs, load->count);
	/* That some are missing or secret is told by their lengths. */
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ? CKR_OK : rv;
}

/* Asks for the lengths, and makes room for each value, or takes the caller's. */
static CK_RV ask_lengths(struct load *load, const CK_ATTRIBUTE *given)
{
	for (CK_ULONG i = 0; i < load->count; i++)
		load->attrs[i] = (CK_ATTRIBUTE){ given[i].type, NULL, 0 };
	CK_RV rv = ask(load);
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	for (CK_ULONG i = 0; i < load->count; i++) {
		CK_ATTRIBUTE *attr = &load->attrs[i];
		if (!has_value(attr->ulValueLen)) {
			attr->pValue = NULL;
			continue;
		}
		bool fits = given[i].ulValueLen == attr->ulValueLen && !p11_is_template(&given[i]);
		if (!add(load, attr, fits ? given[i].pValue : NULL))
			return CKR_HOST_MEMORY;
	}
	load->outer = load->blocks_len;
	return CKR_OK;
}

/*
 * Whether the module has kept to the room it was given. CKR_BUFFER_TOO_SMALL if
 * the object has changed so much that all must be asked again.
 */
static CK_RV check(struct load *load)
{
	for (size_t i = 0; i < load->blocks_len; i++) {
		const struct block *block = &load->blocks[i];
		CK_ULONG len = block->at->ulValueLen;
		if (block->at->pValue != block->value) {
			p11_message("a module puts attribute 0x%lx somewhere else than it was told", block->at->type);
			return CKR_GENERAL_ERROR;
		}
		if (len > block->room && len != CK_UNAVAILABLE_INFORMATION) {
			p11_message("a module gives %lu bytes of attribute 0x%lx where there is room for %lu", len,
			            block->at->type, block->room);
			return CKR_GENERAL_ERROR;
		}
		if (block->entered && len != block->room)
			return CKR_BUFFER_TOO_SMALL;
		if (!has_value(len))
			load->emptied = true;
	}
	for (CK_ULONG i = 0; i < load->count && load->outer < load->count; i++)
		if (!load->attrs[i].pValue && has_value(load->attrs[i].ulValueLen))
			return CKR_BUFFER_TOO_SMALL;
	return CKR_OK;
}

/* Makes room for what is in the templates, from one block on. */
static CK_RV enter_templates(struct load *load, size_t from)
{
	for (size_t i = from, end = load->blocks_len; i < end; i++) {
		CK_ATTRIBUTE *attr = load->blocks[i].at;
		if (!p11_is_template(attr))
			continue;
		load->blocks[i].entered = true;
		load->blocks[i].room = attr->ulValueLen;
		CK_ATTRIBUTE *inner = attr->pValue;
		for (size_t j = 0; j < attr->ulValueLen / sizeof *inner; j++) {
			inner[j].pValue = NULL;
			if (has_value(inner[j].ulValueLen) && !add(load, &inner[j], NULL))
				return CKR_HOST_MEMORY;
		}
	}
	return CKR_OK;
}

/* Asks for the values, level by level. */
static CK_RV ask_values(struct load *load)
{
	size_t known = 0;
	for (int level = 0; level < LEVELS; level++) {
		CK_RV rv = ask(load);
		if (rv == CKR_OK)
			rv = check(load);
		size_t end = load->blocks_len;
		if (rv == CKR_OK && load->templates)
			rv = enter_templates(load, known);
		if (rv != CKR_OK || load->blocks_len == end)
			return rv;
		known = end;
		for (size_t i = 0; i < end; i++)
			load->blocks[i].at->ulValueLen = load->blocks[i].room;
	}
	p11_message("a module has templates of attributes within templates, without end");
	return CKR_GENERAL_ERROR;
}

/* Frees a value of the caller's, with what is in it. */
static void free_given(CK_ATTRIBUTE *attr, int level)
{
	CK_ATTRIBUTE *inner = attr->pValue;
	if (level < LEVELS && p11_is_template(attr))
		for (size_t i = 0; i < attr->ulValueLen / sizeof *inner; i++)
			free_given(&inner[i], level + 1);
	free(attr->pValue);
}

/* Gives the values to the caller. One that turned out to be empty has no memory. */
static void give(struct load *load, CK_ATTRIBUTE *templ)
{
	for (size_t i = 0; i < load->blocks_len && load->emptied; i++) {
		const struct block *block = &load->blocks[i];
		if (has_value(block->at->ulValueLen))
			continue;
		block->at->pValue = NULL;
		if (!block->given)
			free(block->value);
	}
	for (CK_ULONG i = 0; i < load->count; i++) {
		if (templ[i].pValue && templ[i].pValue != load->attrs[i].pValue)
			free_given(&templ[i], 0);
		templ[i] = load->attrs[i];
	}
}

P11_EXPORT CK_RV p11_kit_iter_load_attributes(P11KitIter *iter, CK_ATTRIBUTE *templ, CK_ULONG count)
{
	p11_return_val_if_fail(iter != NULL, CKR_GENERAL_ERROR);
	p11_return_val_if_fail(p11_iter_at_object(iter), CKR_GENERAL_ERROR);
	p11_return_val_if_fail(templ != NULL || count == 0, CKR_ARGUMENTS_BAD);
	if (count == 0)
		return CKR_OK;
	struct load load;
	load.iter = iter;
	load.count = count;
	load.attrs = count <= FEW ? load.few_attrs : reallocarray(NULL, count, sizeof *load.attrs);
	load.blocks = load.few_blocks;
	load.blocks_len = 0;
	load.blocks_room = FEW;
	load.templates = load.emptied = false;
	CK_RV rv = load.attrs ? CKR_BUFFER_TOO_SMALL : CKR_HOST_MEMORY;
	for (int attempt = 0; attempt < ATTEMPTS && rv == CKR_BUFFER_TOO_SMALL; attempt++) {
		rv = ask_lengths(&load, templ);
		if (rv == CKR_OK)
			rv = ask_values(&load);
		if (rv != CKR_OK)
			drop_blocks(&load);
	}
	if (rv == CKR_OK)
		give(&load, templ);
	if (load.blocks != load.few_blocks)
		free(load.blocks);
	if (load.attrs != load.few_attrs)
		free(load.attrs);
	return rv;
}
