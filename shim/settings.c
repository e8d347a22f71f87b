/* What the host program sets for the whole process: its name and the configuration's places. */
#define _GNU_SOURCE
#include <string.h>

#include "internal.h"
#include "p11-kit/p11-kit.h"

#define PROGNAME_MAX 256 /* bytes, with the final NUL */

static char progname[PROGNAME_MAX];

struct p11_settings p11_settings;

P11_EXPORT void p11_kit_set_progname(const char *name)
{
	p11_lock_records();
	p11_settings.progname = NULL;
	if (name && *name) {
		size_t len = strnlen(name, sizeof progname - 1);
		memcpy(progname, name, len);
		progname[len] = '\0';
		p11_settings.progname = progname;
	}
	p11_unlock_records();
}

P11_EXPORT void p11_kit_override_system_files(const char *system_conf, const char *user_conf,
                                              const char *package_modules, const char *system_modules,
                                              const char *user_modules)
{
	p11_lock_records();
	if (system_conf)
		p11_settings.system_config = system_conf;
	if (user_conf)
		p11_settings.user_config = user_conf;
	if (package_modules)
		p11_settings.package_modules = package_modules;
	if (system_modules)
		p11_settings.system_modules = system_modules;
	if (user_modules)
		p11_settings.user_modules = user_modules;
	p11_unlock_records();
}
