// Package module has the one interface that everything which executes PKCS#11 calls has: a native module, a remote one,
// and each layer around them. A layer is one function with a type switch.
package module

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// A Module executes PKCS#11 calls. It is safe for concurrent use, also by modules that are not: such a module is locked by
// who loads it.
//
// Do executes one call and sets its results. It gives nil for CKR_OK, the [ck.RV] for a refusal of the token, and an error
// that wraps an RV (a [ck.CallError]) for a failure of ours; [ck.RVOf] tells what a C caller sees. Results are set only
// when Do gives nil; the lengths of buffers also with CKR_BUFFER_TOO_SMALL, and the template of C_GetAttributeValue also
// with CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID and CKR_BUFFER_TOO_SMALL (PKCS#11 3.2 §5.2, §5.7).
//
// The call and its buffers belong to Do until it returns, and to the caller after that: Do keeps none of them. A context
// that ends makes Do return early only where the layer can abandon a call without harm; a native call cannot be
// interrupted.
type Module interface {
	Do(ctx context.Context, call ck.Call) error
}

// Func is a function as a [Module].
type Func func(ctx context.Context, call ck.Call) error

// Do calls f.
func (f Func) Do(ctx context.Context, call ck.Call) error { return f(ctx, call) }
