package main

import (
	"errors"

	"github.com/ThalesGroup/crypto11"
)

// openCrypto11 finds the token's key by crypto11, whose signers take sessions from its pool.
func openCrypto11(path string, login bool) (*binding, error) {
	if !login {
		return nil, errors.New("crypto11 shows no sessions: it has nothing to do without a login")
	}
	c, err := crypto11.Configure(&crypto11.Config{Path: path, TokenLabel: label, Pin: pin})
	if err != nil {
		return nil, err
	}
	key, err := c.FindKeyPair(nil, []byte(label))
	if err == nil && key == nil {
		err = errors.New("the token has no key")
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &binding{signer: key, close: c.Close}, nil
}
