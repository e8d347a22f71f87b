package transport

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/p11mux/p11mux/internal/stream"
)

// How long a program may take to end once its connection is closed, and once it has been asked to.
const (
	patience = 3 * time.Second
	grace    = time.Second
)

// A process is the connection to a program that was started for it. It implements rpc.Conn.
type process struct {
	*stream.Socket
	fd    int         // of the process, -1 if there is none
	stuck atomic.Bool // it did not answer in time, so it is not waited for
	close func()      // is called before the descriptors are closed
}

// Read reads at least one octet.
func (p *process) Read(b []byte, timeout time.Duration) (int, error) {
	n, err := p.Socket.Read(b, timeout)
	p.note(err)
	return n, err
}

// Write writes all of b.
func (p *process) Write(b []byte, timeout time.Duration) error {
	err := p.Socket.Write(b, timeout)
	p.note(err)
	return err
}

func (p *process) note(err error) { p.stuck.Store(err == syscall.ETIMEDOUT) }

// Close closes the connection, and waits until the program has ended. One that does not is asked to by SIGTERM, and ended by
// SIGKILL.
func (p *process) Close() error {
	p.close()
	err := p.Socket.Close()
	if p.fd < 0 || err == syscall.EBADF {
		return err
	}
	wait := patience
	if p.stuck.Load() {
		wait = 0
	}
	if !stream.Ended(p.fd, wait) {
		p.send(syscall.SIGTERM)
		if !stream.Ended(p.fd, grace) {
			p.send(syscall.SIGKILL)
			stream.Ended(p.fd, grace)
		}
	}
	p.reap()
	_ = syscall.Close(p.fd)
	return err
}

// System calls and their constants that package syscall lacks, the same on all architectures.
const (
	sysPidfdSendSignal = 424
	pPidfd             = 3 // P_PIDFD of waitid(2)
	wAll               = 0x40000000
)

func (p *process) send(signal syscall.Signal) {
	_, _, _ = syscall.RawSyscall6(sysPidfdSendSignal, uintptr(p.fd), uintptr(signal), 0, 0, 0, 0)
}

// reap takes the program away where the host itself is who adopts processes without a parent: nobody else would. Where it is not,
// the call fails and does nothing.
func (p *process) reap() {
	var info [128]byte // siginfo_t, which is of no interest
	_, _, _ = syscall.Syscall6(syscall.SYS_WAITID, pPidfd, uintptr(p.fd), uintptr(unsafe.Pointer(&info)),
		syscall.WEXITED|syscall.WNOHANG|wAll, 0, 0)
}
