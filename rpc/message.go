package rpc

import (
	"errors"

	"github.com/p11mux/p11mux/ck"
)

// handshake is what C_Initialize sends to be known by.
const handshake = "PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1"

// messageInitialize is the one message whose fields are not those of the call.
const messageInitialize = 1

// A request is a call on its way.
type request struct {
	id       uint32
	call     ck.Call
	mech     *ck.Mechanism // of the call
	room     uint32        // elements or octets that the caller has room for
	held     int           // octets that were made ready for results when it was read
	reserved []byte        // of C_Initialize, without its NUL; nil if there is none
}

// errUnknown is a message of another protocol. Like errShort it ends the connection: nothing behind it can be trusted.
var errUnknown = deviceError("the message is none that is known")

// isFatal tells whether a request that cannot be read ends the connection.
func isFatal(err error) bool { return errors.Is(err, errShort) || errors.Is(err, errUnknown) }

// begin codes the id and the signature of a message.
func (x *coder) begin(id uint32, signature string) {
	sig := []byte(signature)
	x.id = id
	x.u32(&id)
	x.blob(&sig)
	if x.reading && x.err == nil && (id != x.id || sig == nil || string(sig) != signature) {
		x.fail(errUnknown)
	}
}

// encodeRequest writes the message for a call behind what is in x. The error is a refusal of this end.
func (x *coder) encodeRequest(r *request) error {
	r.id = messageFor(r.call.Func(), x.version)
	if r.id == 0 {
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	}
	if err := refuseMessages(r.call); err != nil {
		return err
	}
	x.begin(r.id, messages[r.id].request)
	if r.id == messageInitialize {
		x.initialize(r)
	} else {
		x.request(r.call)
	}
	r.mech = x.mech
	return x.err
}

// initialize codes the fields of C_Initialize.
func (x *coder) initialize(r *request) {
	hello, there := []byte(handshake), r.reserved != nil
	x.octets(&hello)
	x.flag(&there)
	text := append(r.reserved[:len(r.reserved):len(r.reserved)], 0)
	x.octets(&text)
	if !x.reading || x.err != nil {
		return
	}
	if string(hello) != handshake {
		x.fail(refusal(ck.CKR_GENERAL_ERROR, "the client says another word for its protocol"))
		return
	}
	if there {
		n := len(text) - 1
		if n < 0 || text[n] != 0 {
			x.fail(refusal(ck.CKR_ARGUMENTS_BAD, "the text for C_Initialize has no end"))
			return
		}
		r.reserved = text[:n]
	}
}

// decodeRequest reads a request. Of the encodings that clients are known to have it takes the first that leaves nothing over,
// beginning with that of the dialect, and makes the dialect the one that fitted. With an error the request has its id at most.
func decodeRequest(body []byte, d *dialect) (request, error) {
	if len(body) < 4 {
		return request{}, errShort
	}
	id := be32(body)
	if id == messageError || id >= uint32(len(messages)) {
		return request{}, errUnknown
	}
	r, surplus, err := decodeRequestAs(body, id, *d)
	if err == nil && surplus == 0 {
		return r, nil
	}
	for _, other := range d.others(id) {
		if r, surplus, err := decodeRequestAs(body, id, other); err == nil && surplus == 0 {
			*d = other
			return r, nil
		}
	}
	if err != nil {
		return request{id: id}, err
	}
	return r, nil // p11-kit ignores what is left over
}

// others are the dialects that a request could be in beside d.
func (d dialect) others(id uint32) []dialect {
	var out []dialect
	for _, letter := range messages[id].request {
		switch letter {
		case 'M':
			o := d
			o.old = !d.old
			out = append(out, o)
		case 'A':
			if messages[id].function != ck.FuncGetAttributeValue {
				break
			}
			for _, n := range [...]nesting{nestedWithRoom, nestedNever, nestedAlways} {
				if o := d; n != d.nested {
					o.nested = n
					out = append(out, o)
				}
			}
		}
	}
	return out
}

func decodeRequestAs(body []byte, id uint32, d dialect) (r request, surplus int, err error) {
	x := coder{b: body, reading: true, dialect: d}
	r = request{id: id, call: ck.NewCall(messages[id].function)}
	x.begin(id, messages[id].request)
	if id == messageInitialize {
		x.initialize(&r)
	} else {
		x.request(r.call)
	}
	r.mech, r.room, r.held = x.mech, x.room32, x.held
	return r, x.left(), x.err
}

// isReply tells whether a return value comes with results, and not as an error.
func isReply(id uint32, rv ck.RV) bool {
	switch messages[id].reply {
	case "aAu":
		switch rv {
		case ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKR_BUFFER_TOO_SMALL:
			return true
		}
	case "ay", "au":
		if rv == ck.CKR_BUFFER_TOO_SMALL {
			return messages[id].function != ck.FuncGenerateRandom
		}
	case "uPu":
		if rv == ck.CKR_BUFFER_TOO_SMALL {
			return true
		}
	}
	return rv == ck.CKR_OK
}

// encodeReply writes the reply to a request behind what is in x. What cannot be sent becomes an error reply.
func (x *coder) encodeReply(r *request, rv ck.RV) {
	start := len(x.b)
	if r.call != nil && isReply(r.id, rv) {
		x.mech, x.rv = r.mech, rv
		x.begin(r.id, messages[r.id].reply)
		x.reply(r.call)
		if x.err == nil {
			return
		}
		rv = ck.RVOf(x.err)
		clear(x.b[start:])
		x.b, x.err = x.b[:start], nil
	}
	x.begin(messageError, signatureError)
	ulong(x, &rv)
}

// decodeReply reads the reply to a request into its call, and gives what the call gives. Whatever is wrong with the reply is
// CKR_DEVICE_ERROR.
func decodeReply(body []byte, r *request, d dialect) error {
	x := coder{b: body, reading: true, isReply: true, dialect: d, mech: r.mech}
	if len(body) >= 4 && be32(body) == messageError {
		var rv ck.RV
		x.begin(messageError, signatureError)
		if ulong(&x, &rv); x.err == nil && rv == ck.CKR_OK {
			x.fail(deviceError("the reply is an error that is none"))
		}
		return outcome(x.err, rv)
	}
	x.begin(r.id, messages[r.id].reply)
	x.reply(r.call)
	switch {
	case x.err != nil || x.rv != ck.CKR_OK:
	case x.small:
		x.rv = ck.CKR_BUFFER_TOO_SMALL
	case x.lacking:
		x.rv = ck.CKR_ATTRIBUTE_TYPE_INVALID
	}
	if x.err == nil && !isReply(r.id, x.rv) {
		x.fail(deviceError("the reply has results for a call that was refused"))
	}
	return outcome(x.err, x.rv)
}

// outcome gives the error, or what the call gives if there is none.
func outcome(err error, rv ck.RV) error {
	if err != nil {
		return err
	}
	return rv.Err()
}
