package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// maxPrompt is how many octets of an answer are taken.
const maxPrompt = 255

var (
	errNoTerminal  = errors.New("there is no terminal")
	errInterrupted = errors.New("no PIN was entered")
)

// promptTerminal asks on the terminal of the process, wherever its input and output go, and shows nothing of the answer. The answer is
// the caller's to wipe.
func promptTerminal(prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errNoTerminal
	}
	defer tty.Close()
	fd := int(tty.Fd())
	// The terminal's own editing of lines would echo; the modes are put back also when a signal ends the program.
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, errNoTerminal
	}
	ended := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		select {
		case s := <-ended:
			_ = term.Restore(fd, before)
			signal.Reset(s)
			_ = syscall.Kill(syscall.Getpid(), s.(syscall.Signal))
		case <-done:
		}
	}()
	defer func() {
		signal.Stop(ended)
		close(done)
		_ = term.Restore(fd, before)
		fmt.Fprintln(tty)
	}()
	if _, err := io.WriteString(tty, prompt); err != nil {
		return nil, err
	}
	return readAnswer(tty, true)
}

// promptPlain asks where there is no terminal, as p11-kit does.
func promptPlain(prompt string, in io.Reader, out io.Writer) ([]byte, error) {
	if _, err := io.WriteString(out, prompt); err != nil {
		return nil, err
	}
	return readAnswer(in, false)
}

// What keys send to a terminal that does not edit lines itself.
const (
	keyInterrupt = 0x03 // Ctrl-C
	keyEnd       = 0x04 // Ctrl-D
	keyBackspace = 0x08
	keyKill      = 0x15 // Ctrl-U
	keyQuit      = 0x1c // Ctrl-\
	keyDelete    = 0x7f
)

// readAnswer reads a line into memory of its own, so that no other copy has to be wiped. The end of the input ends the line.
// With keys it edits the line as a terminal does.
func readAnswer(in io.Reader, keys bool) ([]byte, error) {
	answer := make([]byte, 0, maxPrompt)
	var key [1]byte
	defer clear(key[:])
	for {
		n, err := in.Read(key[:])
		if err != nil && err != io.EOF {
			clear(answer[:cap(answer)])
			return nil, err
		}
		switch c := key[0]; {
		case n == 0 && err == io.EOF, n == 1 && c == '\n', n == 1 && keys && c == '\r':
			return answer, nil
		case n == 0:
		case keys && (c == keyInterrupt || c == keyQuit):
			clear(answer[:cap(answer)])
			return nil, hinted(errInterrupted, "run the command again")
		case keys && c == keyEnd:
			if len(answer) == 0 {
				return answer, nil
			}
		case keys && (c == keyBackspace || c == keyDelete):
			answer = answer[:max(len(answer)-1, 0)]
		case keys && c == keyKill:
			answer = answer[:0]
		case keys && c < ' ': // a key for the terminal, such as Ctrl-Z
		case len(answer) < maxPrompt:
			answer = append(answer, c)
		}
	}
}
