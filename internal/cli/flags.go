package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// timeFlag is an option that is a length of time: a bare number counts seconds, as people and p11-kit write it.
type timeFlag struct{ to *time.Duration }

// timeVar registers an option that is a length of time. What its variable has is what it is without the option.
func timeVar(fs *pflag.FlagSet, to *time.Duration, name, short, text string) {
	fs.VarP(timeFlag{to}, name, short, text)
}

// String is what the option can be given as.
func (f timeFlag) String() string {
	if *f.to == 0 {
		return "0" // which the help takes for none
	}
	return f.to.String()
}

// Type is the word that stands for the value in the help.
func (timeFlag) Type() string { return "TIME" }

// Set takes seconds, or a number with a unit.
func (f timeFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, bare := strconv.ParseUint(text, 10, 64); bare == nil && n <= uint64(math.MaxInt64/time.Second) {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		return errors.New("it is no time: write seconds, such as 5, or a number with its unit, such as 500ms, 5s or 2m")
	}
	*f.to = d
	return nil
}

// countFlag is an option that is a number, and makes sense from some number on.
type countFlag struct {
	to    *uint
	least uint
}

// countVar registers an option that is a number, and what it is without the option.
func countVar(fs *pflag.FlagSet, to *uint, name string, least, without uint, text string) {
	*to = without
	fs.Var(countFlag{to, least}, name, text)
}

// String is what the option can be given as.
func (f countFlag) String() string { return strconv.FormatUint(uint64(*f.to), 10) }

// Type is the word that stands for the value in the help.
func (countFlag) Type() string { return "N" }

// Set takes a number.
func (f countFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, strconv.IntSize-1)
	if err != nil || uint(n) < f.least {
		return fmt.Errorf("write a number, %d or more", f.least)
	}
	*f.to = uint(n)
	return nil
}
