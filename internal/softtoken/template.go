package softtoken

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/p11mux/p11mux/ck"
)

// newObject makes an object of a template: it checks each attribute against the rules for the object's kind and adds the
// defaults. Components of a key that the call makes itself are added later, see complete.
func newObject(a attributes, how origin) (*object, error) {
	class, ok := a.number(ck.CKA_CLASS)
	if !ok {
		return nil, missing(a, ck.CKA_CLASS)
	}
	o := &object{attributes: a, class: ck.ObjectClass(class)}
	switch o.class {
	case ck.CKO_PUBLIC_KEY, ck.CKO_PRIVATE_KEY, ck.CKO_SECRET_KEY:
		typ, ok := a.number(ck.CKA_KEY_TYPE)
		if !ok {
			return nil, missing(a, ck.CKA_KEY_TYPE)
		}
		o.keyType = ck.KeyType(typ)
	case ck.CKO_CERTIFICATE:
		typ, ok := a.number(ck.CKA_CERTIFICATE_TYPE)
		if !ok {
			return nil, missing(a, ck.CKA_CERTIFICATE_TYPE)
		}
		if ck.CertificateType(typ) != ck.CKC_X_509 {
			return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
	case ck.CKO_PROFILE:
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID // the token has its own and takes no other
	}
	if o.schema, ok = schemaFor(o.class, o.keyType); !ok {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	if err := o.checkTemplate(how); err != nil {
		return nil, err
	}
	o.addDefaults(how)
	if o.flag(ck.CKA_ALWAYS_AUTHENTICATE) && !o.flag(ck.CKA_PRIVATE) {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	}
	return o, nil
}

// missing is the error for an attribute that a template must have and that could not be read.
func missing(a attributes, typ ck.AttributeType) error {
	if _, given := a[typ]; given {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return ck.CKR_TEMPLATE_INCOMPLETE
}

// checkTemplate checks what is given, and that nothing is missing.
func (o *object) checkTemplate(how origin) error {
	// Always in the same order, so that of several attributes that are wrong the same one is told.
	for _, typ := range slices.Sorted(maps.Keys(o.attributes)) {
		value, r := o.attributes[typ], o.schema.rule(typ)
		switch {
		case r == nil:
			return ck.CKR_ATTRIBUTE_TYPE_INVALID
		case r.at&how == 0:
			return ck.CKR_ATTRIBUTE_READ_ONLY
		case !r.kind.valid(value):
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		case r.kind == bigInt:
			o.attributes[typ] = trimZeros(value)
		}
	}
	for _, rules := range o.schema {
		for i := range rules {
			if rules[i].must&how == 0 {
				continue
			}
			if _, given := o.attributes[rules[i].typ]; !given {
				return ck.CKR_TEMPLATE_INCOMPLETE
			}
		}
	}
	return nil
}

// addDefaults adds what the template left out, and a name for the object that no other has.
func (o *object) addDefaults(how origin) {
	for _, rules := range o.schema {
		for i := range rules {
			r := &rules[i]
			if r.traits&computed != 0 {
				continue
			}
			if _, given := o.attributes[r.typ]; !given {
				o.attributes[r.typ] = defaultFor(r, o.class, o.keyType, how)
			}
		}
	}
	o.nameIt()
}

// nameIt gives the object a new CKA_UNIQUE_ID.
func (o *object) nameIt() {
	var id [16]byte
	rand.Read(id[:])
	o.attributes[ck.CKA_UNIQUE_ID] = []byte(hex.EncodeToString(id[:]))
}

// history records where a key comes from (PKCS#11 3.2 §4.8). A generated key has always been what it is now; a derived key
// has, if its base key has.
func (o *object) history(how origin, mechanism ck.MechanismType, base *object) {
	if how == generated {
		o.attributes[ck.CKA_LOCAL] = fromBool(true)
		o.attributes[ck.CKA_KEY_GEN_MECHANISM] = fromULong(uint64(mechanism))
	}
	if o.class == ck.CKO_PUBLIC_KEY {
		return
	}
	sensitive, sealed := how == generated, how == generated
	if how == derived {
		sensitive, sealed = base.flag(ck.CKA_ALWAYS_SENSITIVE), base.flag(ck.CKA_NEVER_EXTRACTABLE)
	}
	o.attributes[ck.CKA_ALWAYS_SENSITIVE] = fromBool(sensitive && o.flag(ck.CKA_SENSITIVE))
	o.attributes[ck.CKA_NEVER_EXTRACTABLE] = fromBool(sealed && !o.flag(ck.CKA_EXTRACTABLE))
}

// changed gives a copy of the object with other attributes: those that have one of the traits may change, and not in a
// direction that would give protection up.
func (o *object) changed(template []ck.Attribute, allowed trait) (*object, error) {
	a, err := readTemplate(template)
	if err != nil {
		return nil, err
	}
	n := *o
	n.attributes = maps.Clone(o.attributes)
	// In the template's order: of several attributes that are wrong, the first one is told.
	for i := range template {
		typ := template[i].Type
		value, r := a[typ], o.schema.rule(typ)
		switch {
		case r == nil:
			return nil, ck.CKR_ATTRIBUTE_TYPE_INVALID
		case r.traits&allowed == 0:
			return nil, ck.CKR_ATTRIBUTE_READ_ONLY
		case !r.kind.valid(value):
			return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		was, is := o.flag(typ), len(value) == 1 && value[0] != ck.CK_FALSE
		switch typ {
		case ck.CKA_SENSITIVE, ck.CKA_WRAP_WITH_TRUSTED:
			if was && !is {
				return nil, ck.CKR_ATTRIBUTE_READ_ONLY
			}
		case ck.CKA_EXTRACTABLE, ck.CKA_COPYABLE:
			if !was && is {
				return nil, ck.CKR_ATTRIBUTE_READ_ONLY
			}
		case ck.CKA_PRIVATE:
			if was && !is {
				return nil, ck.CKR_TEMPLATE_INCONSISTENT
			}
		}
		n.attributes[typ] = value
	}
	return &n, nil
}

// complete adds the attributes that follow from others. After it, a key has its Go form.
func (o *object) complete() error {
	switch o.class {
	case ck.CKO_CERTIFICATE:
		value := o.attributes[ck.CKA_VALUE]
		if len(value) == 0 {
			if len(o.attributes[ck.CKA_URL]) == 0 {
				return ck.CKR_TEMPLATE_INCOMPLETE
			}
			o.attributes[ck.CKA_CHECK_VALUE] = []byte{}
			return nil
		}
		sum := sha1.Sum(value)
		return o.checkValue(sum[:])
	case ck.CKO_SECRET_KEY:
		return o.completeSecret()
	case ck.CKO_PUBLIC_KEY:
		return o.completePublic()
	case ck.CKO_PRIVATE_KEY:
		return o.completePrivate()
	}
	return nil
}

// checkValue sets CKA_CHECK_VALUE to the first three octets, unless the template asked for none by an empty value
// (PKCS#11 3.2 §4.10.2).
func (o *object) checkValue(from []byte) error {
	if v, given := o.attributes[ck.CKA_CHECK_VALUE]; given && len(v) == 0 {
		return nil
	}
	return o.fill(ck.CKA_CHECK_VALUE, append([]byte{}, from[:3]...))
}
