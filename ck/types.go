package ck

// The scalar types of PKCS#11 are all CK_ULONG; here each is a type of its own (PKCS#11 3.2 §3). A plain CK_ULONG is a
// uint64.
type (
	// A SlotID names a slot of one module.
	SlotID uint64
	// A SessionHandle names an open session of one module.
	SessionHandle uint64
	// An ObjectHandle names an object within a session. Zero is CK_INVALID_HANDLE.
	ObjectHandle uint64
	// MechanismType is a cryptographic operation, CKM_.
	MechanismType uint64
	// AttributeType is a property of an object, CKA_.
	AttributeType uint64
	// ObjectClass is the kind of an object, CKO_.
	ObjectClass uint64
	// KeyType is the kind of a key, CKK_.
	KeyType uint64
	// CertificateType is the kind of a certificate, CKC_.
	CertificateType uint64
	// UserType is who logs in, CKU_.
	UserType uint64
	// State is what a session may do, CKS_.
	State uint64
	// Flags are CKF_ bits; what a bit means depends on the structure or function that carries it.
	Flags uint64
)

// Version is CK_VERSION.
type Version struct{ Major, Minor byte }

// AtLeast tells whether v is w or later.
func (v Version) AtLeast(w Version) bool {
	return v.Major > w.Major || v.Major == w.Major && v.Minor >= w.Minor
}

// Out is the caller's buffer of the two-call convention (PKCS#11 3.2 §5.2).
//
// A nil Buf asks only for the length; otherwise len(Buf) is the room. The call sets N to the count that it produced into
// Buf, or to the count that it needs when Buf is nil or when it gives CKR_BUFFER_TOO_SMALL.
type Out[T any] struct {
	Buf []T
	N   uint64
}

// Bytes gives what the call produced: the first N elements of Buf.
func (o *Out[T]) Bytes() []T {
	if o.N > uint64(len(o.Buf)) {
		return nil
	}
	return o.Buf[:o.N]
}

// Attribute is a CK_ATTRIBUTE that goes into a call.
type Attribute struct {
	Type   AttributeType
	Value  []byte      // nil is NULL; integers are CK_ULONG in the host's order
	Nested []Attribute // for templates such as CKA_WRAP_TEMPLATE; takes the place of Value when it is not nil
}

// AttributeOut is a CK_ATTRIBUTE that comes out of C_GetAttributeValue (PKCS#11 3.2 §5.7).
//
// For a template such as CKA_WRAP_TEMPLATE, Nested has the room instead of Buf; N counts octets in both cases. N is
// CK_UNAVAILABLE_INFORMATION for an attribute that is sensitive, unknown to the object, or did not fit.
type AttributeOut struct {
	Type AttributeType
	Out[byte]
	Nested []AttributeOut
}

// A Mechanism is CK_MECHANISM: an operation and its parameter, nil for none.
type Mechanism struct {
	Type  MechanismType
	Param MechanismParam
}

// A MechanismParam is the parameter of a mechanism: a pointer to one of the *Params structures of this package, or a
// [RawParam]. Modules may write into the buffers that a parameter carries.
type MechanismParam interface{ mechanismParam() }

// RawParam is a parameter as plain memory: an IV, a CK_ULONG, or the structure of a mechanism that this package does not
// know. It may carry C addresses, so it must not leave the process unless the mechanism is known to have none. A nil
// RawParam is NULL.
type RawParam []byte

func (RawParam) mechanismParam() {}

// Interface is CK_INTERFACE. Name and FunctionList are C addresses that the module owns.
type Interface struct {
	Name         uintptr // NUL-terminated
	FunctionList uintptr // begins with a CK_VERSION
	Flags        Flags
}

// InitializeArgs is CK_C_INITIALIZE_ARGS. All addresses are C addresses, opaque here.
type InitializeArgs struct {
	CreateMutex, DestroyMutex, LockMutex, UnlockMutex uintptr
	Flags                                             Flags
	Reserved                                          uintptr
}

// Complete tells whether there are all mutex functions or none of them, as there must (PKCS#11 3.2 §5.4.1).
func (a *InitializeArgs) Complete() bool {
	some := a.CreateMutex != 0
	return (a.DestroyMutex != 0) == some && (a.LockMutex != 0) == some && (a.UnlockMutex != 0) == some
}

// AsyncData is CK_ASYNC_DATA. Value is a C address: an asynchronous call keeps the buffers it was given until
// C_AsyncComplete, so its memory can be neither moved nor sent.
type AsyncData struct {
	Version                  uint64
	Value                    uintptr
	ValueLen                 uint64 // octets
	Object, AdditionalObject ObjectHandle
}

// A Call is one call of a C_ function with its arguments and, once a module has done it, its results.
type Call interface {
	// Func tells which function it calls.
	Func() Func
}

// Func is a function by its index in the function list, 0 for C_Initialize.
type Func int
