package uri_test

import (
	"fmt"
	"log"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// What a URI names, and whether a token is it.
func ExampleParse() {
	u, err := uri.Parse("pkcs11:token=work;object=release%20key;type=private?pin-source=file:/run/pin", uri.ForAny)
	if err != nil {
		log.Fatal(err)
	}
	if u.Unrecognized() {
		log.Fatal("the uri has attributes that nothing can have")
	}
	token, _ := u.Get(uri.TokenLabel)
	label, _ := u.ObjectLabel()
	fmt.Printf("%q on the token %q\n", label, token)

	var info ck.TokenInfo
	ck.Pad(info.Label[:], "home")
	fmt.Println(u.MatchToken(&info))
	// Output:
	// "release key" on the token "work"
	// false
}

// A URI of one's own.
func ExampleURI_Format() {
	var u uri.URI
	if err := u.Set(uri.TokenLabel, "work"); err != nil {
		log.Fatal(err)
	}
	u.SetObjectClass(ck.CKO_CERTIFICATE)
	u.SetObjectID([]byte{1, 2})
	if err := u.SetPIN([]byte("1234")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(u.Format(uri.ForObjectOnToken))
	fmt.Println(&u) // for logs
	// Output:
	// pkcs11:token=work;id=%01%02;type=cert?pin-value=1234
	// pkcs11:token=work;id=%01%02;type=cert
}
