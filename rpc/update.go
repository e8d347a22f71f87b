package rpc

import "github.com/p11mux/p11mux/ck"

// kyberEncapsulate is the mode in which CKM_IBM_KYBER gives a ciphertext.
const kyberEncapsulate = 1

// update codes what the module has written into the parameter of the mechanism in the request.
func (x *coder) update(m *ck.Mechanism) {
	if m == nil || layoutFor(m.Type, MaxVersion) == layoutNone {
		return
	}
	there := !isEmpty(m.Param)
	had := there
	if x.flag(&there); !there || x.err != nil {
		return
	}
	if !had {
		x.fail(deviceError("the reply has a parameter for a mechanism without one"))
		return
	}
	switch p := m.Param.(type) {
	case *ck.IBMBTCDeriveParams:
		x.updated(&p.ChainCode)
	case *ck.IBMKyberParams:
		mode := byte(p.Mode)
		if x.octet(&mode); mode == kyberEncapsulate {
			x.updated(&p.Cipher)
		}
	}
}

// updated codes a buffer of the parameter, which keeps its length.
func (x *coder) updated(v *[]byte) {
	there := *v != nil
	x.flag(&there)
	if !there {
		n := uint32(len(*v))
		x.u32(&n) // how long it would be has no place in the caller's parameter
		return
	}
	got := *v
	x.blob(&got)
	if !x.reading || x.err != nil {
		return
	}
	if got == nil {
		x.fail(deviceError("the reply announces a buffer and has none"))
	} else if len(got) != len(*v) {
		x.fail(refusal(ck.CKR_MECHANISM_PARAM_INVALID, "the server gives the mechanism's parameter another length"))
	} else {
		copy(*v, got)
	}
}
