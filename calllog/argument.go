package calllog

import "github.com/p11mux/p11mux/ck"

// A kind is how a word, or what it leads to, is written.
type kind uint8

const (
	kindNumber kind = iota
	kindSlot
	kindSession
	kindObject
	kindMechanismType
	kindUser
	kindFlags
	kindBool
	kindPointer
	kindBytes // followed by the length
	kindLabel
	kindText // NUL-terminated
	kindVersion
	kindTemplate // followed by the count
	kindMechanism
	kindInitArgs
	kindCount       // address of a number that goes in
	kindOut         // address of one result, of the kind in "of"
	kindOutPointer  // address of an address
	kindFill        // buffer that is filled, followed by its length
	kindOutBytes    // buffer, followed by the address of its length
	kindOutList     // array, followed by the address of its count
	kindOutMax      // array, followed by its room and the address of its count
	kindOutTemplate // template that is filled, followed by its count
	kindOutInterfaces
	kindInfo
	kindSlotInfo
	kindTokenInfo
	kindSessionInfo
	kindMechanismInfo
	kindAsyncData
)

// An argument is one argument of a function as a log shows it.
type argument struct {
	name    string // in the standard
	text    string // in the text format; "" where that leaves it out
	kind    kind
	of      kind // of elements, and of what an address leads to
	at      uint8
	in, out bool // before and after the call, in the text format
	secret  bool
	flags   *flagSet
}

// argumentsOf gives the arguments of a function.
func argumentsOf(f ck.Func) []argument { return arguments[starts[f]:starts[f+1]] }

// inText tells whether the text format has the function: p11-kit leaves out those that only give function lists, and the two of
// PKCS#11's parallel sessions of old (abi.md 8).
func inText(f ck.Func) bool {
	switch f {
	case ck.FuncGetFunctionList, ck.FuncGetInterfaceList, ck.FuncGetInterface, ck.FuncGetFunctionStatus, ck.FuncCancelFunction:
		return false
	}
	return true
}

// isResult tells whether an argument is one that the call fills.
func (a *argument) isResult() bool { return a.kind >= kindOut }

// Kinds of the values of attributes.
type valueKind uint8

const (
	valueBytes valueKind = iota
	valueBool
	valueUlong
	valueTemplate
	valueMechanism
	valueMechanisms
	valueClass
	valueKeytype
	valueCerttype
	valueCategory
	valueTrust
	valueAssertion
)

// A logKind says which logs have the value of an attribute.
type logKind uint8

const (
	logSecret logKind = iota
	logPublic
	logPrinted
)

type attribute struct {
	value uint32
	name  string
	kind  valueKind
	log   logKind
}

// attributeOf finds an attribute, nil for one that is not known.
func attributeOf(t uint64) *attribute {
	lo, hi := 0, len(attributes)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if uint64(attributes[m].value) < t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(attributes) && uint64(attributes[lo].value) == t {
		return &attributes[lo]
	}
	return nil
}
