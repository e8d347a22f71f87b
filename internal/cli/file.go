package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A file is one to be written. What was there stays until it is committed, and a failure leaves nothing behind. What a report shows
// is nobody else's business, so only its owner can read it.
type file struct {
	io.Writer
	opened    *os.File // nil for standard output
	temporary bool     // opened is to be put into place
	path      string
}

// createFile begins a file. "-" is standard output; devices and pipes are written to as they are.
func createFile(path string, stdout io.Writer) (*file, error) {
	if path == "-" {
		return &file{Writer: stdout}, nil
	}
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &file{Writer: f, opened: f}, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, hinted(err, "name a file in a directory that you may write to")
	}
	return &file{Writer: f, opened: f, temporary: true, path: path}, nil
}

// commit puts the file into its place.
func (f *file) commit() error {
	if f.opened == nil {
		return nil
	}
	if err := f.opened.Close(); err != nil || !f.temporary {
		return err
	}
	if err := os.Rename(f.opened.Name(), f.path); err != nil {
		return err
	}
	f.temporary = false
	return nil
}

// discard removes a file that was not committed.
func (f *file) discard() {
	if !f.temporary {
		return
	}
	// Its failure is not what the user has to know: something else has failed already.
	_ = f.opened.Close()
	_ = os.Remove(f.opened.Name())
}
