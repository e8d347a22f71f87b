#include "call.h"

#include <stdlib.h>

typedef unsigned long (*function_of_words)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
					   unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);

unsigned long p11_native_call(uintptr_t function, unsigned long *words)
{
	function_of_words f = (function_of_words)function;

	return f(words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7], words[8], words[9]);
}

unsigned long p11_native_open_session(void *function, unsigned long slot, unsigned long flags, uintptr_t application,
				      uintptr_t notify, unsigned long *session)
{
	unsigned long (*f)(unsigned long, unsigned long, uintptr_t, uintptr_t, unsigned long *);

	*(void **)&f = function;
	return f(slot, flags, application, notify, session);
}

unsigned long p11_native_close_session(void *function, unsigned long session)
{
	unsigned long (*f)(unsigned long);

	*(void **)&f = function;
	return f(session);
}

unsigned long p11_native_session_info(uintptr_t function, unsigned long session, unsigned long *info)
{
	unsigned long (*f)(unsigned long, unsigned long *) = (unsigned long (*)(unsigned long, unsigned long *))function;

	return f(session, info);
}

void *p11_native_alloc(size_t size)
{
	return calloc(1, size);
}

void p11_native_free(void *memory)
{
	free(memory);
}
