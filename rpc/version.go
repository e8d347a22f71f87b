package rpc

import "github.com/p11mux/p11mux/ck"

// Version is the version of the protocol that both ends of a connection have agreed on.
type Version byte

// MaxVersion is the highest version that this package speaks: 2, of p11-kit 0.25.6 and later. Version 1 is that of 0.25.0
// to 0.25.5, and version 0 of what was before.
const MaxVersion Version = 2

// A message is a kind of message: a function's arguments and results.
type message struct {
	function ck.Func
	since    Version // peers of lower versions do not know it
	request  string  // the signatures, which travel with each message
	reply    string
}

// messageError is the id of the reply that says that a call was refused, and its signature.
const (
	messageError   = 0
	signatureError = "u"
)

// A dialect is how one end of a connection encodes what has more than one encoding.
type dialect struct {
	version Version
	old     bool // mechanisms are encoded as before version 2
	nested  nesting
}

// nesting is where lists of wanted attributes follow a template that is wanted.
type nesting byte

const (
	nestedWithRoom nesting = iota // where the template has room
	nestedNever                   // nowhere: clients up to 0.25.3
	nestedAlways                  // also where it has no room: clients of 0.25.4 and 0.25.5
)

// dialectFor is what a version means. Below 2 peers can differ from it; see decodeRequest.
func dialectFor(v Version) dialect {
	d := dialect{version: v, old: v < 2}
	if v == 0 {
		d.nested = nestedNever
	}
	return d
}

// layouts gives the version whose layouts of parameters are in use. It is that of the encoding, which some peers have at
// another version.
func (d dialect) layouts() Version {
	if d.old {
		return min(d.version, 1)
	}
	return MaxVersion
}
