/*
 * Signs the 32 octets 0, 1, 2 ... 31 with the keys of the SoftHSM module that
 * the configuration names "softhsm", and prints "label hexadecimal" lines.
 */
#include "token.h"

static void sign(list_t m, CK_SESSION_HANDLE s, const char *label)
{
	struct signature sig;
	CK_BYTE data[32];
	CK_ULONG i;

	for (i = 0; i < sizeof data; i++)
		data[i] = i;
	must_ok(token_sign(m, s, label, data, sizeof data, &sig));
	must_ok(token_verify(m, s, label, data, sizeof data, &sig));
	printf("%s ", label);
	for (i = 0; i < sig.n; i++)
		printf("%02x", sig.octets[i]);
	printf("\n");
	data[0] ^= 1;
	must_rv(token_verify(m, s, label, data, sizeof data, &sig), CKR_SIGNATURE_INVALID);
}

int main(void)
{
	list_t *all, m;
	CK_SESSION_HANDLE s;

	use_conf();
	all = p11_kit_modules_load_and_initialize(0);
	if (all == NULL)
		die("loading: %s", p11_kit_message());
	m = p11_kit_module_for_name(all, "softhsm");
	if (m == NULL)
		die("no module softhsm");
	s = token_login(m);
	sign(m, s, "rsa");
	sign(m, s, "ec");
	must_ok(m->C_CloseSession(s));
	p11_kit_modules_finalize_and_release(all);
	return 0;
}
