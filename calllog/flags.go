package calllog

import "github.com/p11mux/p11mux/ck"

// A flagName is one bit with a name.
type flagName struct {
	bit  uint64
	name string
}

// A flagSet is the flags of one structure or function: those that the text format names, and those that were defined since.
type flagSet struct {
	text [][]flagName
	more [][]flagName
}

var (
	initFlags = flagSet{text: [][]flagName{{
		{uint64(ck.CKF_OS_LOCKING_OK), "CKF_OS_LOCKING_OK"}, {uint64(ck.CKF_LIBRARY_CANT_CREATE_OS_THREADS), "CKF_LIBRARY_CANT_CREATE_OS_THREADS"},
	}}}
	slotFlags = flagSet{text: [][]flagName{{
		{uint64(ck.CKF_TOKEN_PRESENT), "CKF_TOKEN_PRESENT"}, {uint64(ck.CKF_REMOVABLE_DEVICE), "CKF_REMOVABLE_DEVICE"},
		{uint64(ck.CKF_HW_SLOT), "CKF_HW_SLOT"},
	}}}
	tokenFlags = flagSet{
		text: [][]flagName{{
			{uint64(ck.CKF_RNG), "CKF_RNG"}, {uint64(ck.CKF_WRITE_PROTECTED), "CKF_WRITE_PROTECTED"},
			{uint64(ck.CKF_LOGIN_REQUIRED), "CKF_LOGIN_REQUIRED"}, {uint64(ck.CKF_USER_PIN_INITIALIZED), "CKF_USER_PIN_INITIALIZED"},
			{uint64(ck.CKF_RESTORE_KEY_NOT_NEEDED), "CKF_RESTORE_KEY_NOT_NEEDED"}, {uint64(ck.CKF_CLOCK_ON_TOKEN), "CKF_CLOCK_ON_TOKEN"},
			{uint64(ck.CKF_PROTECTED_AUTHENTICATION_PATH), "CKF_PROTECTED_AUTHENTICATION_PATH"},
			{uint64(ck.CKF_DUAL_CRYPTO_OPERATIONS), "CKF_DUAL_CRYPTO_OPERATIONS"}, {uint64(ck.CKF_TOKEN_INITIALIZED), "CKF_TOKEN_INITIALIZED"},
			{uint64(ck.CKF_SECONDARY_AUTHENTICATION), "CKF_SECONDARY_AUTHENTICATION"},
			{uint64(ck.CKF_USER_PIN_COUNT_LOW), "CKF_USER_PIN_COUNT_LOW"}, {uint64(ck.CKF_USER_PIN_FINAL_TRY), "CKF_USER_PIN_FINAL_TRY"},
			{uint64(ck.CKF_USER_PIN_LOCKED), "CKF_USER_PIN_LOCKED"}, {uint64(ck.CKF_USER_PIN_TO_BE_CHANGED), "CKF_USER_PIN_TO_BE_CHANGED"},
			{uint64(ck.CKF_SO_PIN_COUNT_LOW), "CKF_SO_PIN_COUNT_LOW"}, {uint64(ck.CKF_SO_PIN_FINAL_TRY), "CKF_SO_PIN_FINAL_TRY"},
			{uint64(ck.CKF_SO_PIN_LOCKED), "CKF_SO_PIN_LOCKED"}, {uint64(ck.CKF_SO_PIN_TO_BE_CHANGED), "CKF_SO_PIN_TO_BE_CHANGED"},
		}},
		more: [][]flagName{{
			{uint64(ck.CKF_ERROR_STATE), "CKF_ERROR_STATE"}, {uint64(ck.CKF_SEED_RANDOM_REQUIRED), "CKF_SEED_RANDOM_REQUIRED"},
			{uint64(ck.CKF_ASYNC_SESSION_SUPPORTED), "CKF_ASYNC_SESSION_SUPPORTED"},
		}},
	}
	mechanismFlags = flagSet{
		text: [][]flagName{{{uint64(ck.CKF_HW), "CKF_HW"}}, operationFlags, {{uint64(ck.CKF_EXTENSION), "CKF_EXTENSION"}}},
		more: [][]flagName{messageOperationFlags, {
			{uint64(ck.CKF_MULTI_MESSAGE), "CKF_MULTI_MESSAGE"}, {uint64(ck.CKF_FIND_OBJECTS), "CKF_FIND_OBJECTS"},
			{uint64(ck.CKF_EC_F_P), "CKF_EC_F_P"}, {uint64(ck.CKF_EC_F_2M), "CKF_EC_F_2M"},
			{uint64(ck.CKF_EC_ECPARAMETERS), "CKF_EC_ECPARAMETERS"}, {uint64(ck.CKF_EC_OID), "CKF_EC_OID"},
			{uint64(ck.CKF_EC_UNCOMPRESS), "CKF_EC_UNCOMPRESS"}, {uint64(ck.CKF_EC_COMPRESS), "CKF_EC_COMPRESS"},
			{uint64(ck.CKF_EC_CURVENAME), "CKF_EC_CURVENAME"}, {uint64(ck.CKF_ENCAPSULATE), "CKF_ENCAPSULATE"},
			{uint64(ck.CKF_DECAPSULATE), "CKF_DECAPSULATE"},
		}},
	}
	sessionFlags = flagSet{
		text: [][]flagName{{{uint64(ck.CKF_SERIAL_SESSION), "CKF_SERIAL_SESSION"}, {uint64(ck.CKF_RW_SESSION), "CKF_RW_SESSION"}}},
		more: [][]flagName{{{uint64(ck.CKF_ASYNC_SESSION), "CKF_ASYNC_SESSION"}}},
	}
	waitFlags      = flagSet{text: [][]flagName{{{uint64(ck.CKF_DONT_BLOCK), "CKF_DONT_BLOCK"}}}}
	cancelFlags    = flagSet{text: [][]flagName{messageOperationFlags, {{uint64(ck.CKF_FIND_OBJECTS), "CKF_FIND_OBJECTS"}}, operationFlags}}
	messageFlags   = flagSet{text: [][]flagName{{{uint64(ck.CKF_END_OF_MESSAGE), "CKF_END_OF_MESSAGE"}}}}
	interfaceFlags = flagSet{text: [][]flagName{{{uint64(ck.CKF_INTERFACE_FORK_SAFE), "CKF_INTERFACE_FORK_SAFE"}}}}
)

// operationFlags are those of the operations of 2.40.
var operationFlags = []flagName{
	{uint64(ck.CKF_ENCRYPT), "CKF_ENCRYPT"}, {uint64(ck.CKF_DECRYPT), "CKF_DECRYPT"}, {uint64(ck.CKF_DIGEST), "CKF_DIGEST"},
	{uint64(ck.CKF_SIGN), "CKF_SIGN"}, {uint64(ck.CKF_SIGN_RECOVER), "CKF_SIGN_RECOVER"}, {uint64(ck.CKF_VERIFY), "CKF_VERIFY"},
	{uint64(ck.CKF_VERIFY_RECOVER), "CKF_VERIFY_RECOVER"}, {uint64(ck.CKF_GENERATE), "CKF_GENERATE"},
	{uint64(ck.CKF_GENERATE_KEY_PAIR), "CKF_GENERATE_KEY_PAIR"}, {uint64(ck.CKF_WRAP), "CKF_WRAP"}, {uint64(ck.CKF_UNWRAP), "CKF_UNWRAP"},
	{uint64(ck.CKF_DERIVE), "CKF_DERIVE"},
}

var messageOperationFlags = []flagName{
	{uint64(ck.CKF_MESSAGE_ENCRYPT), "CKF_MESSAGE_ENCRYPT"}, {uint64(ck.CKF_MESSAGE_DECRYPT), "CKF_MESSAGE_DECRYPT"},
	{uint64(ck.CKF_MESSAGE_SIGN), "CKF_MESSAGE_SIGN"}, {uint64(ck.CKF_MESSAGE_VERIFY), "CKF_MESSAGE_VERIFY"},
}
