package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// What a detached process has as descriptors.
const (
	detachedListener = 3
	detachedStatus   = 4
)

// ready is what a detached process says when it serves; everything else is why it does not.
const ready = "\x00"

// Detach starts a program that goes on with a listener in a session of its own, and waits until it serves. It gives the process, and closes the
// listener without removing its file. The program has to call [Detached].
func Detach(l *Listener, command []string) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	defer null.Close()
	status, theirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	defer status.Close()
	process, err := os.StartProcess(command[0], command[1:], &os.ProcAttr{
		Files: []*os.File{null, null, os.Stderr, l.file, theirs}, Env: os.Environ(), Sys: &syscall.SysProcAttr{Setsid: true},
	})
	_ = theirs.Close() // only the program writes
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	said, err := io.ReadAll(status)
	if err == nil && string(said) == ready {
		_ = l.file.Close() // the program has it
		return process, nil
	}
	_, _ = process.Wait() // it has said all
	if len(said) > 0 {
		err = errors.New(string(said))
	} else if err == nil {
		err = errors.New("the process that was to serve ended at once")
	}
	return nil, errors.Join(err, l.Close())
}

// Detached is what a program that was started by [Detach] has got: its listener, and what it has to call once, with nil when it
// serves or with the reason why it does not.
func Detached() (*Listener, func(error), error) {
	l, err := Inherited(detachedListener, true)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(detachedStatus)
	status := os.NewFile(detachedStatus, "status")
	return l, func(err error) {
		text := ready
		if err != nil {
			text = err.Error()
		}
		_, _ = status.WriteString(text) // who waits may have been killed
		_ = status.Close()
	}, nil
}

// Activated is the listener that systemd has given the process (sd_listen_fds(3)), nil if none.
func Activated() (*Listener, error) {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	switch {
	case err != nil || n == 0:
		return nil, nil
	case n > 1:
		return nil, fmt.Errorf("systemd passes %d sockets, and one can be served", n)
	}
	return Inherited(3, false)
}

// Notify tells systemd about the state of the process, if it wants to know (sd_notify(3)).
func Notify(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return // nothing depends on it but what systemd shows
	}
	_, _ = c.Write([]byte(state)) // as before
	_ = c.Close()                 // as before
}
