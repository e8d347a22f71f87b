/* What log_calls.c tells log_module.c to do. */
#ifndef P11MUX_TEST_LOG_MODULE_H
#define P11MUX_TEST_LOG_MODULE_H

#include <p11-kit/pkcs11.h>
#include <stddef.h>

struct log_script {
	CK_RV rv;
	int writes;
	struct {
		void *to;
		const void *from;
		size_t n;
	} write[8];
};

void log_script_set(struct log_script *script);

#endif
