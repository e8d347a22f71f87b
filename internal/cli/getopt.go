package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// A getoptError is what the C library's getopt_long says of a wrong option.
type getoptError struct{ text string }

// Error is the text.
func (e *getoptError) Error() string { return e.text }

// getopt reads arguments as the C library's getopt_long does: options and operands in any order, short options in one word, long ones
// abbreviated as far as they are unambiguous. Options that p11-kit does not have are unknown.
func getopt(fs *pflag.FlagSet, args []string) (operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(operands, args...), nil
		case strings.HasPrefix(arg, "--"):
			args, err = getLong(fs, arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = getShort(fs, arg[1:], args)
		default:
			operands = append(operands, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return operands, nil
}

func getLong(fs *pflag.FlagSet, arg string, rest []string) ([]string, error) {
	name, value, has := strings.Cut(arg, "=")
	var found []*pflag.Flag
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[ownMark] != nil {
			return
		}
		if f.Name == name {
			found = []*pflag.Flag{f}
		} else if strings.HasPrefix(f.Name, name) && (len(found) == 0 || found[0].Name != name) {
			found = append(found, f)
		}
	})
	switch len(found) {
	case 0:
		return nil, &getoptError{fmt.Sprintf("unrecognized option '--%s'", plain(name))}
	case 1:
	default:
		text := fmt.Sprintf("option '--%s' is ambiguous; possibilities:", plain(name))
		for _, f := range found {
			text += " '--" + f.Name + "'"
		}
		return nil, &getoptError{text}
	}
	f := found[0]
	switch {
	case f.NoOptDefVal != "" && has:
		return nil, &getoptError{fmt.Sprintf("option '--%s' doesn't allow an argument", f.Name)}
	case f.NoOptDefVal != "":
		value = f.NoOptDefVal
	case !has && len(rest) == 0:
		return nil, &getoptError{fmt.Sprintf("option '--%s' requires an argument", f.Name)}
	case !has:
		value, rest = rest[0], rest[1:]
	}
	return rest, setOption(f, value)
}

func getShort(fs *pflag.FlagSet, cluster string, rest []string) ([]string, error) {
	for len(cluster) > 0 {
		letter := cluster[:1]
		cluster = cluster[1:]
		f := fs.ShorthandLookup(letter)
		if f == nil || f.Annotations[ownMark] != nil {
			return nil, &getoptError{fmt.Sprintf("invalid option -- '%s'", plain(letter))}
		}
		value := f.NoOptDefVal
		if value == "" {
			switch {
			case cluster != "":
				value, cluster = cluster, ""
			case len(rest) == 0:
				return nil, &getoptError{fmt.Sprintf("option requires an argument -- '%s'", letter)}
			default:
				value, rest = rest[0], rest[1:]
			}
		}
		if err := setOption(f, value); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func setOption(f *pflag.Flag, value string) error {
	if err := f.Value.Set(value); err != nil {
		return &usageError{err}
	}
	return nil
}
