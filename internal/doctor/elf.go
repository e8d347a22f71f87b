package doctor

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// elfProblem says why the dynamic linker will not take a file, and what to do; empty if nothing is seen.
func elfProblem(path, self string) (text, fix string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path + " is not there", "install the package that has it, correct the path, or remove the module file"
	case err != nil:
		return err.Error(), "make the file and the directories above it readable"
	case !info.Mode().IsRegular():
		return path + " is no regular file", "name the module's shared object"
	}
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return err.Error(), "make the file readable"
	}
	if err != nil {
		return path + " is no shared object", "name the module's shared object, a file whose name ends in .so"
	}
	defer f.Close()
	ours, err := elf.Open(self)
	if err != nil {
		return "", "" // not comparable
	}
	defer ours.Close()
	if f.Class != ours.Class || f.Machine != ours.Machine {
		return fmt.Sprintf("%s is for another architecture: it is %s, and programs here are %s", path, architecture(f), architecture(ours)),
			"install the module's package for this architecture"
	}
	return "", ""
}

func architecture(f *elf.File) string {
	bits := map[elf.Class]string{elf.ELFCLASS32: "32 bits", elf.ELFCLASS64: "64 bits"}[f.Class]
	return f.Machine.String() + " with " + bits
}
