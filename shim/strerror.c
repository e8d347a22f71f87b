/* What a return value means, for the person at the screen (abi.md 9.4). */
#include "internal.h"
#include "p11-kit/p11-kit.h"

P11_EXPORT const char *p11_kit_strerror(CK_RV rv)
{
	switch (rv) {
	case CKR_OK:
	case CKR_NO_EVENT:
	case CKR_FUNCTION_NOT_PARALLEL:
	case CKR_SESSION_PARALLEL_NOT_SUPPORTED:
		return "";
	case CKR_CANCEL:
	case CKR_FUNCTION_CANCELED:
		return "The operation was cancelled";
	case CKR_HOST_MEMORY:
		return "There is not enough memory on this computer";
	case CKR_SLOT_ID_INVALID:
		return "There is no such slot";
	case CKR_GENERAL_ERROR:
		return "Internal error";
	case CKR_FUNCTION_FAILED:
		return "The operation failed";
	case CKR_ARGUMENTS_BAD:
		return "Invalid arguments";
	case CKR_NEED_TO_CREATE_THREADS:
		return "The module must be allowed to create threads";
	case CKR_CANT_LOCK:
		return "The module cannot be used from several threads";
	case CKR_ATTRIBUTE_READ_ONLY:
		return "The attribute cannot be changed";
	case CKR_ATTRIBUTE_SENSITIVE:
		return "The attribute is secret and cannot be read";
	case CKR_ATTRIBUTE_TYPE_INVALID:
		return "The object has no such attribute";
	case CKR_ATTRIBUTE_VALUE_INVALID:
		return "The attribute's value is invalid";
	case CKR_DATA_INVALID:
		return "The data is invalid";
	case CKR_DATA_LEN_RANGE:
		return "The data is too long or too short";
	case CKR_DEVICE_ERROR:
		return "An error occurred on the device";
	case CKR_DEVICE_MEMORY:
		return "The device has no memory left";
	case CKR_DEVICE_REMOVED:
		return "The device was removed";
	case CKR_ENCRYPTED_DATA_INVALID:
		return "The encrypted data is invalid";
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
		return "The encrypted data is too long or too short";
	case CKR_FUNCTION_NOT_SUPPORTED:
		return "The module does not support this operation";
	case CKR_KEY_HANDLE_INVALID:
		return "There is no such key";
	case CKR_KEY_SIZE_RANGE:
		return "The key has the wrong size";
	case CKR_KEY_TYPE_INCONSISTENT:
		return "The key is of the wrong type for this operation";
	case CKR_KEY_NOT_NEEDED:
		return "A key was given but none is needed";
	case CKR_KEY_CHANGED:
		return "The key is not the one used before";
	case CKR_KEY_NEEDED:
		return "A key is needed";
	case CKR_KEY_INDIGESTIBLE:
		return "The key cannot be part of a digest";
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		return "The key may not be used for this operation";
	case CKR_KEY_NOT_WRAPPABLE:
		return "The key cannot be exported";
	case CKR_KEY_UNEXTRACTABLE:
		return "The key never leaves the device";
	case CKR_MECHANISM_INVALID:
		return "The mechanism is unknown or not available here";
	case CKR_MECHANISM_PARAM_INVALID:
		return "The mechanism's parameter is invalid";
	case CKR_OBJECT_HANDLE_INVALID:
		return "There is no such object";
	case CKR_OPERATION_ACTIVE:
		return "Another operation is still under way";
	case CKR_OPERATION_NOT_INITIALIZED:
		return "The operation was not started";
	case CKR_PIN_INCORRECT:
		return "The password or PIN is incorrect";
	case CKR_PIN_INVALID:
		return "The password or PIN has characters that are not allowed";
	case CKR_PIN_LEN_RANGE:
		return "The password or PIN is too long or too short";
	case CKR_PIN_EXPIRED:
		return "The password or PIN has expired";
	case CKR_PIN_LOCKED:
		return "The password or PIN is locked";
	case CKR_SESSION_CLOSED:
		return "The session was closed";
	case CKR_SESSION_COUNT:
		return "Too many sessions are open";
	case CKR_SESSION_HANDLE_INVALID:
		return "There is no such session";
	case CKR_SESSION_READ_ONLY:
		return "The session is read-only";
	case CKR_SESSION_EXISTS:
		return "A session is still open";
	case CKR_SESSION_READ_ONLY_EXISTS:
		return "A read-only session is still open";
	case CKR_SESSION_READ_WRITE_SO_EXISTS:
		return "The security officer is logged in";
	case CKR_SIGNATURE_INVALID:
		return "The signature is wrong";
	case CKR_SIGNATURE_LEN_RANGE:
		return "The signature has the wrong length";
	case CKR_TEMPLATE_INCOMPLETE:
		return "Required attributes are missing";
	case CKR_TEMPLATE_INCONSISTENT:
		return "The attributes contradict each other";
	case CKR_TOKEN_NOT_PRESENT:
		return "There is no token in the slot";
	case CKR_TOKEN_NOT_RECOGNIZED:
		return "The token is of an unknown kind or not set up";
	case CKR_TOKEN_WRITE_PROTECTED:
		return "The token is write-protected";
	case CKR_UNWRAPPING_KEY_HANDLE_INVALID:
		return "There is no such key to import with";
	case CKR_UNWRAPPING_KEY_SIZE_RANGE:
		return "The key to import with has the wrong size";
	case CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT:
		return "The key to import with is of the wrong type";
	case CKR_USER_ALREADY_LOGGED_IN:
		return "The user is already logged in";
	case CKR_USER_NOT_LOGGED_IN:
		return "No user is logged in";
	case CKR_USER_PIN_NOT_INITIALIZED:
		return "The user's password or PIN has not been set";
	case CKR_USER_TYPE_INVALID:
		return "There is no such kind of user";
	case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
		return "Another user is logged in";
	case CKR_USER_TOO_MANY_TYPES:
		return "Too many kinds of users are logged in";
	case CKR_WRAPPED_KEY_INVALID:
		return "The key to import is invalid";
	case CKR_WRAPPED_KEY_LEN_RANGE:
		return "The key to import has the wrong length";
	case CKR_WRAPPING_KEY_HANDLE_INVALID:
		return "There is no such key to export with";
	case CKR_WRAPPING_KEY_SIZE_RANGE:
		return "The key to export with has the wrong size";
	case CKR_WRAPPING_KEY_TYPE_INCONSISTENT:
		return "The key to export with is of the wrong type";
	case CKR_RANDOM_SEED_NOT_SUPPORTED:
		return "The random number generator takes no seed";
	case CKR_RANDOM_NO_RNG:
		return "There is no random number generator";
	case CKR_DOMAIN_PARAMS_INVALID:
		return "The domain parameters are invalid";
	case CKR_BUFFER_TOO_SMALL:
		return "There is not enough room for the result";
	case CKR_SAVED_STATE_INVALID:
		return "The saved state is invalid";
	case CKR_INFORMATION_SENSITIVE:
		return "The information is secret";
	case CKR_STATE_UNSAVEABLE:
		return "The state cannot be saved";
	case CKR_CRYPTOKI_NOT_INITIALIZED:
		return "The module has not been initialized";
	case CKR_CRYPTOKI_ALREADY_INITIALIZED:
		return "The module has already been initialized";
	case CKR_MUTEX_BAD:
		return "The lock is invalid";
	case CKR_MUTEX_NOT_LOCKED:
		return "The lock is not held";
	case CKR_FUNCTION_REJECTED:
		return "The operation was refused by the user";
	default:
		return "Unknown error";
	}
}
