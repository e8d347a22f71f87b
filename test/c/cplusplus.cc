/*
 * A program in C++ with all headers: every function is declared as C has it, and
 * some are called. It prints nothing, and exits with 0 if all is well.
 */
#define P11_KIT_FUTURE_UNSTABLE_API
#define P11_KIT_NO_DEPRECATIONS
#include <p11-kit/p11-kit.h>
#include <p11-kit/deprecated.h>
#include <p11-kit/pin.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/pkcs11x.h>
#include <p11-kit/remote.h>
#include <p11-kit/uri.h>

/* 0.24 has a parameter of this name, which C++ does not let be. */
#define template templ
#include <p11-kit/iter.h>
#undef template

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
			std::exit(1); \
		} \
	} while (0)

/* Keeps the linker from leaving out what is not called. */
static const void *volatile used;

template <typename... Functions> static void link(Functions... functions)
{
	const void *all[] = { reinterpret_cast<const void *>(functions)... };
	for (const void *function : all)
		MUST((used = function) != nullptr);
}

static void link_all()
{
	link(p11_kit_modules_load, p11_kit_modules_initialize, p11_kit_modules_load_and_initialize, p11_kit_modules_finalize,
	     p11_kit_modules_release, p11_kit_modules_finalize_and_release, p11_kit_module_for_name, p11_kit_module_get_name,
	     p11_kit_module_get_filename, p11_kit_module_get_flags, p11_kit_module_load, p11_kit_module_initialize,
	     p11_kit_module_finalize, p11_kit_module_release, p11_kit_config_option, p11_kit_strerror, p11_kit_space_strlen,
	     p11_kit_space_strdup, p11_kit_be_quiet, p11_kit_be_loud, p11_kit_message, p11_kit_set_progname,
	     p11_kit_override_system_files);
	link(p11_kit_initialize_registered, p11_kit_finalize_registered, p11_kit_registered_modules,
	     p11_kit_registered_module_to_name, p11_kit_registered_name_to_module, p11_kit_registered_option,
	     p11_kit_initialize_module, p11_kit_finalize_module, p11_kit_load_initialize_module);
	link(p11_kit_uri_new, p11_kit_uri_free, p11_kit_uri_parse, p11_kit_uri_format, p11_kit_uri_get_module_info,
	     p11_kit_uri_match_module_info, p11_kit_uri_get_slot_info, p11_kit_uri_match_slot_info, p11_kit_uri_get_slot_id,
	     p11_kit_uri_set_slot_id, p11_kit_uri_get_token_info, p11_kit_uri_match_token_info, p11_kit_uri_get_attribute,
	     p11_kit_uri_set_attribute, p11_kit_uri_clear_attribute, p11_kit_uri_get_attributes, p11_kit_uri_set_attributes,
	     p11_kit_uri_clear_attributes, p11_kit_uri_match_attributes, p11_kit_uri_any_unrecognized,
	     p11_kit_uri_set_unrecognized, p11_kit_uri_message, p11_kit_uri_get_pin_source, p11_kit_uri_set_pin_source,
	     p11_kit_uri_get_pin_value, p11_kit_uri_set_pin_value, p11_kit_uri_get_pinfile, p11_kit_uri_set_pinfile,
	     p11_kit_uri_get_module_name, p11_kit_uri_set_module_name, p11_kit_uri_get_module_path,
	     p11_kit_uri_set_module_path, p11_kit_uri_get_vendor_query, p11_kit_uri_set_vendor_query);
	link(p11_kit_pin_new, p11_kit_pin_new_for_string, p11_kit_pin_new_for_buffer, p11_kit_pin_ref, p11_kit_pin_unref,
	     p11_kit_pin_get_value, p11_kit_pin_get_length, p11_kit_pin_register_callback, p11_kit_pin_unregister_callback,
	     p11_kit_pin_request, p11_kit_pin_file_callback);
	link(p11_kit_iter_new, p11_kit_iter_free, p11_kit_iter_add_callback, p11_kit_iter_add_filter, p11_kit_iter_set_uri,
	     p11_kit_iter_begin, p11_kit_iter_begin_with, p11_kit_iter_next, p11_kit_iter_get_kind, p11_kit_iter_get_module,
	     p11_kit_iter_get_slot, p11_kit_iter_get_slot_info, p11_kit_iter_get_token, p11_kit_iter_get_session,
	     p11_kit_iter_get_object, p11_kit_iter_get_attributes, p11_kit_iter_load_attributes, p11_kit_iter_keep_session,
	     p11_kit_iter_destroy_object);
}

static void uris()
{
	std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)> uri(p11_kit_uri_new(), p11_kit_uri_free);
	const std::string text = "pkcs11:token=work;object=key;type=private?pin-source=here";
	char *formatted = nullptr;

	MUST(p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_OBJECT_ON_TOKEN, uri.get()) == P11_KIT_URI_OK);
	MUST(p11_kit_uri_get_pin_source(uri.get()) == std::string("here"));
	MUST(std::memcmp(p11_kit_uri_get_token_info(uri.get())->label, "work ", 5) == 0);
	MUST(p11_kit_uri_get_attribute(uri.get(), CKA_LABEL)->ulValueLen == 3);
	MUST(p11_kit_uri_format(uri.get(), P11_KIT_URI_FOR_ANY, &formatted) == P11_KIT_URI_OK);
	MUST(text == formatted);
	std::free(formatted);
}

static P11KitPin *give_pin(const char *source, P11KitUri *, const char *, P11KitPinFlags flags, void *data)
{
	MUST(flags == P11_KIT_PIN_FLAGS_USER_LOGIN);
	++*static_cast<int *>(data);
	return p11_kit_pin_new_for_string(source);
}

static void pins()
{
	int asked = 0;

	MUST(p11_kit_pin_register_callback(P11_KIT_PIN_FALLBACK, give_pin, &asked, nullptr) == 0);
	P11KitPin *pin = p11_kit_pin_request("here", nullptr, nullptr, P11_KIT_PIN_FLAGS_USER_LOGIN);
	MUST(pin && p11_kit_pin_get_length(pin) == 4 && asked == 1);
	p11_kit_pin_unref(pin);
	p11_kit_pin_unregister_callback(P11_KIT_PIN_FALLBACK, give_pin, &asked);
}

static CK_RV all_match(P11KitIter *, CK_BBOOL *matches, void *)
{
	*matches = CK_TRUE;
	return CKR_OK;
}

static void iterate(CK_FUNCTION_LIST *module)
{
	std::unique_ptr<P11KitIter, decltype(&p11_kit_iter_free)> iter(
		p11_kit_iter_new(nullptr, static_cast<P11KitIterBehavior>(P11_KIT_ITER_WITH_TOKENS | P11_KIT_ITER_WITHOUT_OBJECTS)),
		p11_kit_iter_free);
	int tokens = 0;
	CK_RV rv;

	p11_kit_iter_add_callback(iter.get(), all_match, nullptr, nullptr);
	p11_kit_iter_begin_with(iter.get(), module, 0, 0);
	while ((rv = p11_kit_iter_next(iter.get())) == CKR_OK) {
		MUST(p11_kit_iter_get_kind(iter.get()) == P11_KIT_ITER_KIND_TOKEN);
		MUST(p11_kit_iter_get_module(iter.get()) == module && p11_kit_iter_get_slot(iter.get()) != 0);
		tokens++;
	}
	MUST(rv == CKR_CANCEL && tokens == 2);
}

int main(int, char **argv)
{
	link_all();
	uris();
	pins();
	CK_FUNCTION_LIST *module = p11_kit_module_load(argv[1], 0);
	MUST(module != nullptr);
	MUST(p11_kit_module_initialize(module) == CKR_OK);
	iterate(module);
	MUST(p11_kit_module_finalize(module) == CKR_OK);
	char *name = p11_kit_module_get_filename(module);
	MUST(name && std::string(name) == argv[1]);
	std::free(name);
	p11_kit_module_release(module);
	static_assert(CKO_X_CERTIFICATE_EXTENSION == 0xd84447c8UL && CKA_NSS_URL == 0xce534351UL, "vendors");
	return 0;
}
