package cli

import (
	"errors"
	"io/fs"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// hints are what to do about what tokens say.
var hints = []struct {
	err  error
	hint string
}{
	{ck.CKR_USER_NOT_LOGGED_IN, "add --login, or a PIN: --pin-file FILE, " + pinVariable + " in the environment, or pin-source in the URI"},
	{ck.CKR_PIN_INCORRECT, "check the PIN before you try again: tokens lock themselves after a few wrong ones"},
	{ck.CKR_PIN_LEN_RANGE, "check the PIN: its length is not one that the token takes"},
	{ck.CKR_PIN_LOCKED, "the security officer has to give the user a new PIN"},
	{ck.CKR_PIN_EXPIRED, "change the PIN with the token's own tool"},
	{ck.CKR_TOKEN_WRITE_PROTECTED, "the token cannot be changed: use another one"},
	{ck.CKR_SESSION_READ_ONLY, "the token cannot be changed: use another one"},
	{ck.CKR_MECHANISM_INVALID, "run 'p11mux list-mechanisms' to see what the token can do"},
	{ck.CKR_KEY_SIZE_RANGE, "run 'p11mux list-mechanisms' to see which sizes the token takes"},
	{ck.CKR_CURVE_NOT_SUPPORTED, "use another --curve"},
	{ck.CKR_DOMAIN_PARAMS_INVALID, "use another --curve"},
	{ck.CKR_ACTION_PROHIBITED, "the object says of itself that it must not be destroyed or changed"},
	{ck.CKR_DEVICE_MEMORY, "delete what the token does not need any more"},
	{ck.CKR_TOKEN_NOT_PRESENT, "insert the token, and run 'p11mux list-tokens' to see whether it is there"},
	{ck.CKR_DEVICE_REMOVED, "insert the token, and run 'p11mux list-tokens' to see whether it is there"},
	{p11mux.ErrNotFound, "run 'p11mux list-tokens' and 'p11mux list-objects' to see what there is"},
	{ck.CKR_ATTRIBUTE_VALUE_INVALID, "the token does not take such an object"},
	{ck.CKR_ATTRIBUTE_TYPE_INVALID, "the token does not take such an object"},
	{ck.CKR_TEMPLATE_INCONSISTENT, "the token does not take such an object"},
}

// hintFor says what to do about an error of a command.
func hintFor(err error, command string) string {
	if h, ok := errors.AsType[*hintedError](err); ok {
		return h.hint
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return "run '" + command + " --help' for how to use it"
	}
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		if e.Op == "write" {
			return "see whether there is room where the output goes, and whether you may write there"
		}
		return "check the name of the file, and whether you may read it"
	}
	return "run 'p11mux doctor' to see whether modules and configuration are right"
}
