// Package rpc carries PKCS#11 calls over a stream of octets, by the protocol of p11-kit's remote modules. A [Client] is a
// module whose calls are done at the other end; [Serve] does the calls that come in by a module that is here.
//
// The protocol has no protection of its own: who can read the stream reads PINs, and who can write to it uses the token. That
// is for the transport to see to.
//
// What the messages carry is generated from the tables in spec. Both directions of a message are one function (see coder), so
// that what is written can be read.
package rpc
