/*
 * Loads and initialises all configured modules with messages on stderr, and
 * prints their names in one line.  With an argument it changes to that user
 * first.
 */
#include "common.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	list_t *all;
	size_t i;

	if (argc > 1 && geteuid() == 0 &&
	    (setgid(atoi(argv[1])) < 0 || setuid(atoi(argv[1])) < 0))
		die("cannot become user %s", argv[1]);
	use_conf();
	p11_kit_be_loud();
	all = p11_kit_modules_load_and_initialize(0);
	if (all == NULL) {
		printf("NULL\n");
		return 0;
	}
	for (i = 0; all[i]; i++)
		printf("%s%s", i ? " " : "", p11_kit_module_get_name(all[i]));
	printf("\n");
	p11_kit_modules_finalize_and_release(all);
	return 0;
}
