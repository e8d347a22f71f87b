/* Module records: the C side's memory of what is loaded, which a fork cannot take away. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static struct p11_record *records;
static char *global_options;
static size_t global_options_len;

static CK_RV not_supported(void)
{
	return CKR_FUNCTION_NOT_SUPPORTED;
}

/* Copies what a module has of the function list; never leaves a NULL behind. */
static void fill_table(struct p11_table *table, const unsigned char *list, size_t list_bytes)
{
	for (size_t i = 0; i < P11_NUM_STUBS; i++) {
		size_t offset = offsetof(CK_FUNCTION_LIST, C_Initialize) + i * sizeof(void *);
		void *function = NULL;
		if (offset + sizeof(void *) <= list_bytes)
			memcpy(&function, list + offset, sizeof function);
		table->functions[i] = function ? function : (void *)not_supported;
	}
}

/* A NUL-terminated copy; empty text is kept, for an empty value is not an absent one. */
static char *copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static struct p11_record *record_new(void *list, size_t list_bytes, void *dl, const char *path, size_t path_len)
{
	struct p11_record *record = calloc(1, sizeof *record);
	if (!record)
		return NULL;
	record->path = path ? copy_text(path, path_len) : NULL;
	if (path && !record->path) {
		free(record);
		return NULL;
	}
	record->descriptors[0] = record->descriptors[1] = -1;
	record->list = list;
	record->dl = dl;
	record->flags = P11_RECORD_CRITICAL; /* as the reference has it for a module that no file names */
	CK_VERSION version = { 3, 2 };
	if (list) {
		fill_table(&record->table, list, list_bytes);
		version = *(const CK_VERSION *)list;
	} else {
		memcpy(record->table.functions, p11_remote_functions, sizeof record->table.functions);
		record->list = record;
		record->flags |= P11_RECORD_REMOTE;
	}
	record->flags |= (uint32_t)(version.major << 8 | version.minor) << P11_RECORD_VERSION_SHIFT;
	p11_lock_records();
	record->next = records;
	records = record;
	p11_unlock_records();
	return record;
}

static int record_configure(struct p11_record *record, const char *name, size_t name_len,
                            const char *options, size_t options_len, uint32_t flags)
{
	char *new_name = copy_text(name, name_len);
	char *new_options = copy_text(options, options_len);
	if (!new_name || !new_options) {
		free(new_name);
		free(new_options);
		return -1;
	}
	p11_lock_records();
	char *old_name = record->name, *old_options = record->options;
	record->name = new_name;
	record->options = new_options;
	record->options_len = options_len;
	record->flags = (record->flags & (0xffffu << P11_RECORD_VERSION_SHIFT | P11_RECORD_REMOTE)) | flags;
	p11_unlock_records();
	free(old_name);
	free(old_options);
	return 0;
}

static void record_free(struct p11_record *record)
{
	p11_lock_records();
	for (struct p11_record **at = &records; *at; at = &(*at)->next) {
		if (*at == record) {
			*at = record->next;
			break;
		}
	}
	p11_unlock_records();
	free(record->name);
	free(record->path);
	free(record->options);
	free(record);
}

static int global_configure(const char *options, size_t options_len)
{
	char *copy = NULL;
	if (options && !(copy = copy_text(options, options_len)))
		return -1;
	p11_lock_records();
	char *old = global_options;
	global_options = copy;
	global_options_len = copy ? options_len : 0;
	p11_unlock_records();
	free(old);
	return 0;
}

static void record_connected(struct p11_record *record, int connection, int process)
{
	p11_lock_records();
	record->descriptors[0] = connection;
	record->descriptors[1] = process;
	p11_unlock_records();
}

/*
 * In a forked child: the connections are the parent's. Each would stay open for
 * as long as the child lives, and the program at its other end with it.
 */
void p11_records_disconnect(void)
{
	for (struct p11_record *record = records; record; record = record->next)
		for (int i = 0; i < 2; i++)
			if (record->descriptors[i] >= 0) {
				close(record->descriptors[i]);
				record->descriptors[i] = -1;
			}
}

/* The first record. The lock must be held while the records are walked. */
struct p11_record *p11_record_head(void)
{
	return records;
}

/* The record behind a managed list or a module's own list, or NULL. The lock must be held. */
struct p11_record *p11_record_for(const void *list)
{
	struct p11_handle *handle = p11_handle_find(list);
	if (handle)
		return handle->record;
	for (struct p11_record *record = records; record; record = record->next)
		if (record->list == list)
			return record;
	return NULL;
}

/* The value of a key in a record's options, or NULL. The lock must be held. */
const char *p11_option_in(const char *options, size_t len, const char *key)
{
	const char *end = options + len;
	while (options && options < end) {
		const char *value = options + strlen(options) + 1;
		if (strcmp(options, key) == 0)
			return value;
		options = value + strlen(value) + 1;
	}
	return NULL;
}

/* An option of the global configuration, or NULL. The lock must be held. */
const char *p11_global_option(const char *key)
{
	return p11_option_in(global_options, global_options_len, key);
}

void p11_records_api(struct p11_host *host)
{
	host->record_new = record_new;
	host->record_configure = record_configure;
	host->record_free = record_free;
	host->record_connected = record_connected;
	host->global_configure = global_configure;
	host->record_first = p11_record_head;
}
