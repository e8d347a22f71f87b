package cli

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// newNames are the options that name what a command makes.
type newNames struct {
	label string
	id    string
}

func (n *newNames) register(fs *pflag.FlagSet) {
	fs.StringVarP(&n.label, "label", "L", "", "set label")
	fs.StringVar(&n.id, "id", "", "set CKA_ID to `HEX`, pairs of digits that may be separated by colons")
}

// attributes gives the attributes that the options ask for.
func (n *newNames) attributes() ([]ck.Attribute, error) {
	var names []ck.Attribute
	if n.label != "" {
		names = append(names, p11mux.Attr(ck.CKA_LABEL, n.label))
	}
	if n.id != "" {
		id, ok := parseHex(n.id)
		if !ok {
			return nil, hinted(errors.New("failed to decode hex value: "+n.id), "write --id as pairs of hexadecimal digits: 0a:1b or 0a1b")
		}
		names = append(names, p11mux.Attr(ck.CKA_ID, id))
	}
	return names, nil
}
