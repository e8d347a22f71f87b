//go:build cgo

package p11mux_test

import (
	"context"
	"fmt"
	"log"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// Two packages of one program use the same module and know nothing of each other. Each has loaded it for itself, and who
// closes first does not hurt the other. With the module's own C_Initialize and C_Finalize, the second package would be
// refused, and the first would pull the module away under it.
func ExampleLoadModule_shared() {
	first, second := newPackage(), newPackage()
	fmt.Println("first: ", first.digest("abc"))
	first.close()
	fmt.Println("second:", second.digest("abc"))
	second.close()
	second.close() // twice is harmless
	// Output:
	// first:  a9993e364706816aba3e25717850c26c9cd0d89d
	// second: a9993e364706816aba3e25717850c26c9cd0d89d
}

// A library is what might be a package of its own.
type library struct {
	module  *p11mux.Module
	session *p11mux.Session
}

func newPackage() *library {
	ctx := context.Background()
	module, err := p11mux.LoadModule("p11mux-softtoken.so")
	if err != nil {
		log.Fatal(err)
	}
	token, err := module.Token(ctx, "pkcs11:token=p11mux%20demo")
	if err != nil {
		log.Fatal(err)
	}
	session, err := token.OpenSession(ctx, p11mux.ReadOnly)
	if err != nil {
		log.Fatal(err)
	}
	return &library{module, session}
}

func (l *library) digest(text string) string {
	digest, err := l.session.Digest(context.Background(), ck.Mechanism{Type: ck.CKM_SHA_1}, []byte(text))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", digest)
}

func (l *library) close() {
	if err := l.module.Close(); err != nil {
		log.Fatal(err)
	}
}
