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
	if err := os.Mkdir(b.path("tokens"), 0o700); err != nil {
		return err
	}
	conf := "directories.tokendir = " + b.path("tokens") + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := b.write(conf, "softhsm2.conf"); err != nil {
		return err
	}
	if _, err := b.run(nil, "token", b.softhsm); err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	return nil
}

// absent is a row for what cannot be measured because the module is not there.
func absent(title string, ways []way) row {
	r := row{title: title}
	for _, w := range ways {
		r.cells[w].missing = "no SoftHSM"
	}
	return r
}
