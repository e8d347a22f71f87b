package ck

import "errors"

// RV is a CK_RV. As an error it is the refusal of a module; CKR_OK is never an error value.
type RV uint64

// Error gives the name of the constant, "CKR_PIN_INCORRECT", or "CKR_0x80001234" for a value without a name.
func (v RV) Error() string { return v.String() }

// String is Error, also for CKR_OK.
func (v RV) String() string { return rvNames.name(uint64(v)) }

// Err gives v as an error: nil for CKR_OK.
func (v RV) Err() error {
	if v == CKR_OK {
		return nil
	}
	return v
}

// RVOf gives the CK_RV that a C caller sees for err: CKR_OK for nil, the RV that err is or wraps, and CKR_GENERAL_ERROR
// for every other error.
func RVOf(err error) RV {
	if err == nil {
		return CKR_OK
	}
	if v, ok := errors.AsType[RV](err); ok && v != CKR_OK {
		return v
	}
	return CKR_GENERAL_ERROR
}

// SessionOver tells whether an answer to C_CloseSession leaves no session behind.
func SessionOver(err error) bool {
	switch RVOf(err) {
	case CKR_OK, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_REMOVED:
		return true
	}
	return false
}

// A CallError is a call that failed for a reason of ours, with what its C caller sees.
type CallError struct {
	Module string // the module's name, "softhsm2", or empty
	Call   string // the function, "C_Login", or empty
	RV     RV     // what the C caller sees
	Err    error  // the cause, or nil
}

// Error gives module, function, return value and cause.
func (e *CallError) Error() string {
	s := ""
	for _, part := range []string{e.Module, e.Call} {
		if part != "" {
			s += part + ": "
		}
	}
	s += e.RV.Error()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the return value and the cause, for errors.Is and errors.As.
func (e *CallError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.RV}
	}
	return []error{e.RV, e.Err}
}
