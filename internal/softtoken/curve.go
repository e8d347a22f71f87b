package softtoken

import (
	"crypto/elliptic"
	"encoding/asn1"

	"github.com/p11mux/p11mux/ck"
)

// Values of CKA_EC_PARAMS: the DER of an object identifier, or of a PrintableString with a curve's name.
const (
	paramsP256      = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
	paramsP384      = "\x06\x05\x2b\x81\x04\x00\x22"
	paramsP521      = "\x06\x05\x2b\x81\x04\x00\x23"
	paramsEd25519   = "\x06\x03\x2b\x65\x70"
	paramsEd25519By = "\x13\x0cedwards25519"
)

// namedCurve finds the curve of a key of type CKK_EC.
func namedCurve(params []byte) (elliptic.Curve, error) {
	switch string(params) {
	case paramsP256:
		return elliptic.P256(), nil
	case paramsP384:
		return elliptic.P384(), nil
	case paramsP521:
		return elliptic.P521(), nil
	}
	return nil, badParams(params)
}

// paramsOf gives the CKA_EC_PARAMS of a curve that namedCurve gave.
func paramsOf(curve elliptic.Curve) []byte {
	switch curve {
	case elliptic.P256():
		return []byte(paramsP256)
	case elliptic.P384():
		return []byte(paramsP384)
	}
	return []byte(paramsP521)
}

// checkEdwards checks the curve of a key of type CKK_EC_EDWARDS.
func checkEdwards(params []byte) error {
	switch string(params) {
	case paramsEd25519, paramsEd25519By:
		return nil
	}
	return badParams(params)
}

// badParams tells parameters of curves that the token does not have from what are no parameters at all.
func badParams(params []byte) error {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(params, &v)
	if err != nil || len(rest) > 0 || v.Class != asn1.ClassUniversal {
		return ck.CKR_DOMAIN_PARAMS_INVALID
	}
	switch v.Tag {
	case asn1.TagOID, asn1.TagPrintableString, asn1.TagSequence, asn1.TagNull:
		return ck.CKR_CURVE_NOT_SUPPORTED
	}
	return ck.CKR_DOMAIN_PARAMS_INVALID
}

// wrapPoint gives a point as CKA_EC_POINT has it: in a DER OCTET STRING.
func wrapPoint(point []byte) []byte {
	return mustMarshal(point)
}

// unwrapPoint reads CKA_EC_POINT.
func unwrapPoint(value []byte) ([]byte, bool) {
	var point []byte
	rest, err := asn1.Unmarshal(value, &point)
	return point, err == nil && len(rest) == 0
}

// mustMarshal is asn1.Marshal for values that are ours and of types that it knows.
func mustMarshal(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic("softtoken: " + err.Error())
	}
	return der
}
