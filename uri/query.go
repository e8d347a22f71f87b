package uri

import (
	"slices"
	"strings"
)

// A query is a query attribute with a name that the package does not know.
type query struct{ name, value string }

// vendorIndex returns where the first vendor query of a name is or would be.
func (u *URI) vendorIndex(name string) (i int, found bool) {
	return slices.BinarySearchFunc(u.vendor, name, func(q query, name string) int { return strings.Compare(q.name, name) })
}

// VendorQuery returns the value of the first vendor query of a name, and whether
// there is one.
func (u *URI) VendorQuery(name string) (value string, ok bool) {
	if i, found := u.vendorIndex(name); found {
		return u.vendor[i].value, true
	}
	return "", false
}

// SetVendorQuery replaces the value of the first vendor query of a name, or adds
// one. It refuses with [ErrUnexpected] what could not be read again as what it is:
// a name that is empty, has other characters than "a-z0-9-_", or is that of a
// query attribute with a meaning of its own, and a value with a NUL.
func (u *URI) SetVendorQuery(name, value string) error {
	if err := checkVendorQuery(name, value); err != nil {
		return err
	}
	i, found := u.vendorIndex(name)
	if found {
		u.vendor[i].value = value
	} else {
		u.vendor = slices.Insert(u.vendor, i, query{name, value})
	}
	return nil
}

// AddVendorQuery adds a vendor query after those of the same name. It refuses what
// [URI.SetVendorQuery] does.
func (u *URI) AddVendorQuery(name, value string) error {
	if err := checkVendorQuery(name, value); err != nil {
		return err
	}
	i, _ := u.vendorIndex(name)
	for i < len(u.vendor) && u.vendor[i].name == name {
		i++
	}
	u.vendor = slices.Insert(u.vendor, i, query{name, value})
	return nil
}

// checkVendorQuery says what is wrong with a vendor query, if anything is.
func checkVendorQuery(name, value string) error {
	switch {
	case !isVendorName(name):
		return &Error{Code: ErrUnexpected, Msg: `name of a vendor query is not of the characters "a-z0-9-_"`}
	case isKnownQuery(name):
		return &Error{Code: ErrUnexpected, Name: name, Msg: "is no vendor query, set it by its own function"}
	case strings.IndexByte(value, 0) >= 0:
		return &Error{Code: ErrUnexpected, Msg: "value of a vendor query contains a NUL"}
	}
	return nil
}

// RemoveVendorQuery removes the first vendor query of a name, and reports whether
// there was one.
func (u *URI) RemoveVendorQuery(name string) bool {
	i, found := u.vendorIndex(name)
	if found {
		u.vendor = slices.Delete(u.vendor, i, i+1)
	}
	return found
}

// VendorQueries calls yield with the name and value of each vendor query, by name,
// equal names in the order in which they were read, until it returns false.
func (u *URI) VendorQueries(yield func(name, value string) bool) {
	for _, q := range u.vendor {
		if !yield(q.name, q.value) {
			return
		}
	}
}

func isKnownQuery(name string) bool {
	switch name {
	case "pin-source", "pinfile", "pin-value", "module-name", "module-path":
		return true
	}
	return false
}

// isVendorName reports whether a vendor query may have the name.
func isVendorName[T string | []byte](name T) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(name) > 0
}
