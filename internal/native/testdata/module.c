/*
 * A module that does nothing but look at what it is called with. Functions that the test has no use for give
 * 0x80000000 plus their index, so that it can see which of them was called.
 */
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <string.h>

#include "../../../shim/zfunctions.h"

#define P11_FUNCTION(index, name, major, minor, args, names) static CK_RV plain_##name args;
P11_FUNCTIONS
#undef P11_FUNCTION

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"

#define P11_FUNCTION(index, name, major, minor, args, names) \
	static CK_RV plain_##name args { return 0x80000000UL + index; }
P11_FUNCTIONS
#undef P11_FUNCTION

static CK_RV check_sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
	if (session != 7 || data_len != 4 || memcmp(data, "data", 4) != 0)
		return CKR_ARGUMENTS_BAD;
	if (signature && *signature_len < 9) {
		*signature_len = 9;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (signature)
		memcpy(signature, "signature", 9);
	*signature_len = 9;
	return CKR_OK;
}

static CK_RV check_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
	if (pin == NULL)
		return pin_len == 0 ? CKR_OK : CKR_ARGUMENTS_BAD;
	return pin_len == 4 && memcmp(pin, "1234", 4) == 0 ? CKR_OK : CKR_PIN_INCORRECT;
}

static CK_RV check_encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
	CK_GCM_PARAMS_PTR gcm;

	if (mechanism == NULL)
		return CKR_OPERATION_CANCEL_FAILED;
	gcm = mechanism->pParameter;
	if (mechanism->mechanism != CKM_AES_GCM || mechanism->ulParameterLen != sizeof(*gcm) || gcm->ulIvLen != 12 ||
	    gcm->ulAADLen != 3 || memcmp(gcm->pAAD, "aad", 3) != 0 || gcm->ulTagBits != 128)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(gcm->pIv, "made by it!!", 12);
	return CKR_OK;
}

static CK_RV check_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR templ, CK_ULONG count)
{
	CK_ATTRIBUTE_PTR nested;

	if (count != 4)
		return CKR_ARGUMENTS_BAD;
	memcpy(templ[0].pValue, "label", 5);
	templ[0].ulValueLen = 5;
	templ[1].ulValueLen = templ[1].pValue == NULL ? 77 : CK_UNAVAILABLE_INFORMATION;
	templ[2].ulValueLen = CK_UNAVAILABLE_INFORMATION;
	nested = templ[3].pValue;
	nested->type = CKA_TOKEN;
	memcpy(nested->pValue, "\x01", 1);
	nested->ulValueLen = 1;
	templ[3].ulValueLen = sizeof(*nested);
	return CKR_ATTRIBUTE_SENSITIVE;
}

/* Gives one session's figures; for any other it spoils the caller's memory and gives an error. */
static CK_RV check_get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info)
{
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	info->slotID = 11;
	info->state = CKS_RW_USER_FUNCTIONS;
	info->flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	info->ulDeviceError = 14;
	return session == 7 ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

static CK_RV check_generate_random(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len)
{
	memset(data, 'r', len);
	return CKR_OK;
}

static CK_RV check_get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count)
{
	*count = *count + 1; /* more than there is room for */
	return CKR_OK;
}

static CK_RV check_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
	memset(info, ' ', offsetof(CK_TOKEN_INFO, flags));
	memcpy(info->label, "a token", 7);
	info->flags = CKF_TOKEN_INITIALIZED;
	info->ulMaxPinLen = CK_UNAVAILABLE_INFORMATION;
	info->firmwareVersion.minor = 5;
	memcpy(info->utcTime, "2026010203040500", 16);
	return CKR_OK;
}

static CK_RV check_unwrap_key_authenticated(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped_key,
					    CK_ULONG wrapped_key_len, CK_ATTRIBUTE_PTR templ, CK_ULONG count, CK_BYTE_PTR data, CK_ULONG data_len, CK_OBJECT_HANDLE_PTR key)
{
	if (session != 1 || mechanism->mechanism != CKM_AES_KEY_WRAP || unwrapping_key != 2 || wrapped_key_len != 3 || count != 1 ||
	    templ->type != CKA_LABEL || data_len != 5 || wrapped_key[2] != 'c' || data[4] != 'e')
		return CKR_ARGUMENTS_BAD;
	*key = 99;
	return CKR_OK;
}

static CK_UTF8CHAR_PTR pending; /* a pending call keeps what it was given */

static CK_RV check_async_complete(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR name, CK_ASYNC_DATA_PTR result)
{
	pending = name;
	return CKR_PENDING;
}

static CK_RV check_async_get_id(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR name, CK_ULONG_PTR id)
{
	*id = 0;
	return pending != name && strcmp((char *)pending, "C_Sign") == 0 ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_FUNCTION_LIST_3_2 list = {
	{ 3, 2 },
#define P11_FUNCTION(index, name, major, minor, args, names) plain_##name,
	P11_FUNCTIONS
#undef P11_FUNCTION
};

static void fill(void)
{
	list.C_Sign = check_sign;
	list.C_Login = check_login;
	list.C_EncryptInit = check_encrypt_init;
	list.C_GetAttributeValue = check_get_attribute_value;
	list.C_GetSessionInfo = check_get_session_info;
	list.C_GenerateRandom = check_generate_random;
	list.C_GetMechanismList = check_get_mechanism_list;
	list.C_GetTokenInfo = check_get_token_info;
	list.C_UnwrapKeyAuthenticated = check_unwrap_key_authenticated;
	list.C_AsyncComplete = check_async_complete;
	list.C_AsyncGetID = check_async_get_id;
	list.C_WrapKeyAuthenticated = NULL;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
	static CK_FUNCTION_LIST old;

	fill();
	memcpy(&old, &list, sizeof(old));
	old.version.major = 2;
	old.version.minor = 40;
	*out = &old;
	return CKR_OK;
}

CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION_PTR version, CK_INTERFACE_PTR_PTR out, CK_FLAGS flags)
{
	static CK_INTERFACE interface = { (CK_UTF8CHAR_PTR)"PKCS 11", &list, 0 };

	fill();
	*out = &interface;
	return CKR_OK;
}
