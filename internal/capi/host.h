/* The shim's functions, callable from Go. */
#include "engine_abi.h"

extern struct p11_host *p11_engine_host;

void p11_host_message(const char *text, size_t len);
const char *p11_host_describe(unsigned long rv);
const char *p11_host_getenv(const char *name);
struct p11_record *p11_host_record_new(void *list, size_t list_bytes, void *dl, const char *path, size_t path_len);
int p11_host_record_configure(struct p11_record *record, const char *name, size_t name_len,
                              const char *options, size_t options_len, uint32_t flags);
void p11_host_record_free(struct p11_record *record);
void p11_host_record_connected(struct p11_record *record, int connection, int process);
int p11_host_global_configure(const char *options, size_t options_len);
struct p11_handle *p11_host_handle_new(struct p11_record *record);
void p11_host_handle_retire(struct p11_handle *handle);
void p11_host_handle_state(struct p11_handle *handle, int on);
struct p11_proxy *p11_host_proxy_new(const struct p11_member *members, size_t count, int major, int minor);
int p11_host_proxy_prepare(struct p11_proxy *proxy);
int p11_host_proxy_slots(struct p11_proxy *proxy, uint64_t room);
struct p11_log *p11_host_log_new(uint32_t id, const char *settings, size_t len);
void p11_host_log_renew(struct p11_log *log, uint32_t id);
void p11_host_handle_log(struct p11_handle *handle, struct p11_log *log);
/* offer.c */
void p11_offer_make(void);
const struct p11_offer *p11_offer_made(void);

/* Records and handles as the engine is started; handles are given to p11mux_engine_adopt. */
struct p11_record *p11_host_record_first(void);
void p11_host_adopt_handles(void);
