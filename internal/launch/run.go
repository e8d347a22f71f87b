package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// A Program is what to run. Its standard input, output and error are this process's.
type Program struct {
	Path string   // of its file
	Args []string // the first is its name, as it sees it
	Env  []string
}

// An End is how a program ended.
type End struct {
	Code   int            // its exit status, if Signal is 0
	Signal syscall.Signal // what ended it, or 0
	Left   bool           // processes that it started are still there
}

// forwarded are the signals that people and supervisors send to a process, which are meant for the program. Those that a terminal
// sends are in [fromTerminal].
var forwarded = []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH}

// fromTerminal are the signals that a terminal sends to all processes in the foreground: the program has them already.
var fromTerminal = []os.Signal{syscall.SIGINT, syscall.SIGQUIT}

// Run runs the program to its end and passes on to it the signals that this process gets. Processes that it leaves behind become
// children of this one, for as long as it lives, so that it can tell that they are there. An error means that it did not start.
//
// It changes how this process handles signals and must not be called by two goroutines at a time.
func Run(p Program) (End, error) {
	if err := adoptOrphans(); err != nil {
		return End{}, fmt.Errorf("becoming the parent of what it leaves behind: %w", err)
	}
	signals := make(chan os.Signal, 16)
	for _, s := range append(forwarded, fromTerminal...) {
		// What is ignored here (by nohup) shall be ignored there.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)

	cmd := exec.Cmd{Path: p.Path, Args: p.Args, Env: p.Env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := cmd.Start(); err != nil {
		return End{}, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGINT && s != syscall.SIGQUIT || !inForeground() {
				// It may have ended meanwhile, which the next turn finds.
				_ = cmd.Process.Signal(s)
			}
		case err := <-done:
			return end(&cmd, err)
		}
	}
}

// end says how the program ended.
func end(cmd *exec.Cmd, err error) (End, error) {
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return End{}, err
	}
	e := End{Left: orphans()}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		e.Code = cmd.ProcessState.ExitCode()
	case status.Signaled():
		e.Signal = status.Signal()
	default:
		e.Code = status.ExitStatus()
	}
	return e, nil
}

// orphans reaps the processes that have ended and tells whether there are others.
func orphans() bool {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return false
		case pid == 0:
			return true
		}
	}
}

// prSetChildSubreaper is of prctl(2): processes whose parent ends become children of this one.
const prSetChildSubreaper = 36

func adoptOrphans() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	return nil
}

// EndBy ends this process by a signal, as the program was ended, so that whoever waits for it sees the same. If the signal does not
// end it, it exits as shells do.
func EndBy(s syscall.Signal) {
	// What there is to say of the crash, the program's own core says.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	signal.Reset(s)
	if err := syscall.Kill(syscall.Getpid(), s); err == nil {
		// It is delivered by the kernel, to any thread.
		time.Sleep(time.Second)
	}
	os.Exit(128 + int(s))
}
