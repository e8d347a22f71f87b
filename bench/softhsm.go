package main

import (
	"fmt"
	"os"

	"github.com/p11mux/p11mux/internal/testkit"
)

// findSoftHSM looks for the module and makes it a token with keys in the temporary directory.
func (b *bench) findSoftHSM() error {
	b.softhsm = b.options.softhsm
	if b.softhsm == "" {
		b.softhsm = testkit.FindSoftHSM()
	}
	if b.softhsm == "" {
		return nil
	}
	_, err := b.makeToken("softhsm2.conf", "tokens")
	return err
}

// makeToken makes a token with the program "token", and gives what is to be in the environment of who uses it.
func (b *bench) makeToken(conf, directory string, more ...string) (env string, err error) {
	if err := os.Mkdir(b.path(directory), 0o700); err != nil {
		return "", err
	}
	if err := b.write("directories.tokendir = "+b.path(directory)+"\nobjectstore.backend = file\nlog.level = ERROR\n", conf); err != nil {
		return "", err
	}
	env = "SOFTHSM2_CONF=" + b.path(conf)
	if _, err := b.run([]string{env}, "token", append([]string{b.softhsm}, more...)...); err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return env, nil
}

// absent is a row for what cannot be measured because the module is not there.
func absent(title string, ways []way) row {
	r := row{title: title}
	for _, w := range ways {
		r.cells[w].missing = "no SoftHSM"
	}
	return r
}
