package transport

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// An Address says where a server is. The zero value is nowhere. It is not changed once it is made, and may be used by any goroutine.
type Address struct {
	argv []string   // of a program
	path string     // of a Unix socket
	vm   *vmAddress // of a socket of a virtual machine
}

// vmAddress is an address of AF_VSOCK.
type vmAddress struct{ cid, port uint32 }

// anyCID is VMADDR_CID_ANY, which a server listens by and nobody connects to.
const anyCID = 0xffffffff

// Parse reads an address as p11-kit's configuration has it (abi.md 2.9, 3.7):
//
//	|COMMAND            a program that is found in PATH, and is spoken to by its standard input and output
//	unix:path=/PATH     a Unix socket; %XX is an octet of the path
//	vsock:cid=N;port=N  a socket of a virtual machine; N is decimal, 0x… or 0…
//
// There is no shell: white space ends a word of a command, one for each, and ' and " keep a word together. In quotes, a backslash
// before the same quote gives the quote; everywhere else it stays, and outside quotes it keeps the next character from being special.
// Errors begin as those of p11-kit do and name the address.
func Parse(text string) (*Address, error) {
	if command, ok := strings.CutPrefix(text, "|"); ok {
		argv, err := split(command)
		if err != nil {
			return nil, errors.New("invalid remote command line: " + command)
		}
		return &Address{argv: argv}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:path="); ok && strings.HasPrefix(path, "/") {
		path, err := decodePercent(path)
		if err != nil {
			return nil, errors.New("remote not supported: " + text + ": " + err.Error())
		}
		return &Address{path: path}, nil
	}
	if rest, ok := strings.CutPrefix(text, "vsock:"); ok {
		vm, err := parseVM(rest)
		if err != nil {
			return nil, errors.New("failed to parse vsock address: '" + rest + "'")
		}
		return &Address{vm: vm}, nil
	}
	return nil, errors.New("remote not supported: " + text)
}

// IsCommand tells whether the address is a program that is started for each connection.
func (a *Address) IsCommand() bool { return a.argv != nil }

// split makes words of a command line.
func split(command string) ([]string, error) {
	var argv []string
	var word []byte
	quote, begun := byte(0), false
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && i+1 == len(command):
			return nil, errors.New("the command ends in a backslash")
		case c == '\\' && quote != 0:
			if i++; command[i] != quote {
				word = append(word, c)
			}
			word = append(word, command[i])
		case c == '\\':
			i++
			word, begun = append(word, c, command[i]), true
		case quote != 0:
			word = append(word, c)
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			argv, word, begun = append(argv, string(word)), nil, false
			continue
		case c == '\'' || c == '"':
			quote = c
		default:
			word = append(word, c)
		}
		begun = begun || len(word) > 0
	}
	if begun {
		argv = append(argv, string(word))
	}
	if len(argv) == 0 {
		return nil, errors.New("there is no command")
	}
	for _, arg := range argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return nil, errors.New("the command has a NUL in it")
		}
	}
	return argv, nil
}

// decodePercent reads %XX.
func decodePercent(text string) (string, error) {
	var b []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+2 >= len(text) {
				return "", errPercent
			}
			n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", errPercent
			}
			c, i = byte(n), i+2
		}
		if c == 0 {
			return "", errors.New("the path has a NUL in it")
		}
		b = append(b, c)
	}
	if len(b) > maxPath {
		return "", errors.New("the path is longer than the " + strconv.Itoa(maxPath) + " octets that a socket can have")
	}
	return string(b), nil
}

// maxPath is how long the path of a Unix socket can be, in octets.
const maxPath = 107

var errPercent = errors.New("% must come before two hexadecimal digits")

// EncodePath writes the path of a Unix socket as an address that Parse reads. It has nothing in it that shells take for something else.
func EncodePath(path string) string {
	const hex = "0123456789ABCDEF"
	b := []byte("unix:path=")
	for i := range len(path) {
		c := path[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_/", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// parseVM reads what follows vsock:
func parseVM(text string) (*vmAddress, error) {
	vm := new(vmAddress)
	cid, port := false, false
	for _, field := range strings.Split(strings.TrimSuffix(text, ";"), ";") {
		key, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 0, 32)
		if err != nil || strings.ContainsAny(value, "_oObB") && !strings.HasPrefix(value, "0x") {
			return nil, errVM
		}
		switch key {
		case "cid":
			vm.cid, cid = uint32(n), true
		case "port":
			vm.port, port = uint32(n), true
		default:
			return nil, errVM
		}
	}
	if !cid || !port || vm.cid == anyCID {
		return nil, errVM
	}
	return vm, nil
}

var errVM = errors.New("vsock: takes cid=N;port=N, each a number of up to 32 bits, and cid not 0xffffffff")

// ParseTimeout reads the option remote-timeout: how many seconds a call may take, 0 for as long as it likes, which is -1. At most
// a day.
func ParseTimeout(text string) (time.Duration, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err != nil || n > 24*60*60:
		return 0, errors.New("remote-timeout takes seconds, from 1 to 86400, or 0 for no limit")
	case n == 0:
		return -1, nil
	}
	return time.Duration(n) * time.Second, nil
}
