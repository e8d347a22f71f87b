package softtoken_test

import (
	"context"
	"fmt"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
)

// A token is ready for C_Initialize at once. Each call is a struct; its results are in it afterwards.
func Example() {
	token, ctx := softtoken.New(), context.Background()
	open := &ck.OpenSessionCall{Slot: softtoken.Slot, Flags: ck.CKF_SERIAL_SESSION}
	for _, call := range []ck.Call{new(ck.InitializeCall), open} {
		if err := token.Do(ctx, call); err != nil {
			fmt.Println(call.Func(), err)
		}
	}
	digest := &ck.DigestCall{Session: open.Session, Data: []byte("abc"), Digest: ck.Out[byte]{Buf: make([]byte, 8)}}
	fmt.Println(token.Do(ctx, digest))
	token.Do(ctx, &ck.DigestInitCall{Session: open.Session, Mechanism: &ck.Mechanism{Type: ck.CKM_SHA_1}})
	fmt.Println(token.Do(ctx, digest), digest.Digest.N)
	digest.Digest.Buf = make([]byte, digest.Digest.N)
	fmt.Printf("%v %x\n", token.Do(ctx, digest), digest.Digest.Bytes())
	// Output:
	// CKR_OPERATION_NOT_INITIALIZED
	// CKR_BUFFER_TOO_SMALL 20
	// <nil> a9993e364706816aba3e25717850c26c9cd0d89d
}
