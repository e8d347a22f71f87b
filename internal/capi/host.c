#include "host.h"

#include "_cgo_export.h"

struct p11_host *p11_engine_host;

void p11_host_message(const char *text, size_t len)
{
	p11_engine_host->message(text, len);
}

const char *p11_host_describe(unsigned long rv)
{
	return p11_engine_host->describe(rv);
}

const char *p11_host_getenv(const char *name)
{
	return p11_engine_host->get_environment(name);
}

struct p11_record *p11_host_record_new(void *list, size_t list_bytes, void *dl, const char *path, size_t path_len)
{
	return p11_engine_host->record_new(list, list_bytes, dl, path, path_len);
}

int p11_host_record_configure(struct p11_record *record, const char *name, size_t name_len,
                              const char *options, size_t options_len, uint32_t flags)
{
	return p11_engine_host->record_configure(record, name, name_len, options, options_len, flags);
}

void p11_host_record_free(struct p11_record *record)
{
	p11_engine_host->record_free(record);
}

void p11_host_record_connected(struct p11_record *record, int connection, int process)
{
	p11_engine_host->record_connected(record, connection, process);
}

int p11_host_global_configure(const char *options, size_t options_len)
{
	return p11_engine_host->global_configure(options, options_len);
}

struct p11_handle *p11_host_handle_new(struct p11_record *record)
{
	return p11_engine_host->handle_new(record);
}

void p11_host_handle_retire(struct p11_handle *handle)
{
	p11_engine_host->handle_retire(handle);
}

void p11_host_handle_state(struct p11_handle *handle, int on)
{
	p11_engine_host->handle_state(handle, on);
}

struct p11_proxy *p11_host_proxy_new(const struct p11_member *members, size_t count, int major, int minor)
{
	return p11_engine_host->proxy_new(members, count, major, minor);
}

int p11_host_proxy_prepare(struct p11_proxy *proxy)
{
	return p11_engine_host->proxy_prepare(proxy);
}

int p11_host_proxy_slots(struct p11_proxy *proxy, uint64_t room)
{
	return p11_engine_host->proxy_slots(proxy, room);
}

struct p11_record *p11_host_record_first(void)
{
	return p11_engine_host->record_first();
}

struct p11_log *p11_host_log_new(uint32_t id, const char *settings, size_t len)
{
	return p11_engine_host->log_new(id, settings, len);
}

void p11_host_log_renew(struct p11_log *log, uint32_t id)
{
	p11_engine_host->log_renew(log, id);
}

void p11_host_handle_log(struct p11_handle *handle, struct p11_log *log)
{
	p11_engine_host->handle_log(handle, log);
}

static void adopt(struct p11_handle *handle, struct p11_record *record, struct p11_proxy *proxy, struct p11_log *log, void *data)
{
	(void)data;
	p11mux_engine_adopt(handle, record ? record->list : NULL, proxy, log);
}

void p11_host_adopt_handles(void)
{
	p11_engine_host->handle_each(adopt, NULL);
}
