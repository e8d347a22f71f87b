/*
 * A module that does what it is told: each function gives the return value, and
 * makes the writes, that the program set before (log_module.h). Before that all
 * succeed, and do nothing.
 */
#include <string.h>

#include "log_module.h"
#include "members.h"

static struct log_script *script;

__attribute__((visibility("default"))) void log_script_set(struct log_script *s)
{
	script = s;
}

static CK_RV act(void)
{
	if (!script)
		return CKR_OK;
	for (int i = 0; i < script->writes; i++)
		memcpy(script->write[i].to, script->write[i].from, script->write[i].n);
	return script->rv;
}

#define MEMBER(n, name, args, since) static CK_RV do_##name(void) { return act(); }
MEMBERS(MEMBER)
#undef MEMBER

/* A library that keeps account of sessions has a place of its own for the handle. */
static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	(void)slot;
	(void)flags;
	(void)application;
	(void)notify;
	CK_RV rv = act();
	if (rv == CKR_OK && session)
		*session = 42;
	return rv;
}

static struct {
	CK_VERSION version;
	void *functions[M_LAST_320];
} list = {
#ifdef VERSION_320
	{ 3, 2 },
#else
	{ 2, 40 },
#endif
	{
#define MEMBER(n, name, args, since) [n - 1] = n == M_C_OpenSession ? (void *)open_session : (void *)do_##name,
	MEMBERS(MEMBER)
#undef MEMBER
	},
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	*out = (CK_FUNCTION_LIST *)(void *)&list;
	return CKR_OK;
}

#ifdef VERSION_320
__attribute__((visibility("default"))) CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **out, CK_FLAGS flags)
{
	static CK_INTERFACE interface = { (CK_UTF8CHAR *)"PKCS 11", &list, 0 };
	(void)name;
	(void)version;
	(void)flags;
	*out = &interface;
	return CKR_OK;
}
#endif
