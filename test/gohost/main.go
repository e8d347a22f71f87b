// Gohost is a host written in Go: it opens libp11-kit.so.0 at run time, as a
// C program would, while its own run-time is kept busy with garbage and with
// goroutines that only signals can preempt.  Two Go run-times in one process
// hang each other when one of them takes the other's signal handlers.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: -ldl
#include "host.h"
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	spinners = 4
	callers  = 2
	duration = 5 * time.Second
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gohost:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: gohost MODULE")
	}
	module := C.CString(os.Args[1])
	defer C.free(unsafe.Pointer(module))
	if rc := C.host_open(); rc != 0 {
		return fmt.Errorf("cannot open the library: step %d", rc)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)

	var stop atomic.Bool
	var spins, cycles atomic.Int64
	var failure atomic.Value
	var wg sync.WaitGroup
	for range spinners {
		wg.Go(func() { spin(&stop, &spins) })
	}
	wg.Go(func() {
		for !stop.Load() {
			garbage = make([]byte, 1<<16)
			runtime.GC()
		}
	})
	for range callers {
		wg.Go(func() {
			for !stop.Load() {
				if line := C.host_cycle(module); line != 0 {
					failure.Store(fmt.Errorf("host.c:%d: a call failed", line))
					stop.Store(true)
				}
				cycles.Add(1)
			}
		})
	}
	for end := time.Now().Add(duration); time.Now().Before(end) && !stop.Load(); {
		time.Sleep(10 * time.Millisecond)
		if err := hostSignalsWork(signals); err != nil {
			failure.CompareAndSwap(nil, err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if err, ok := failure.Load().(error); ok {
		return err
	}
	if cycles.Load() == 0 || spins.Load() == 0 {
		return fmt.Errorf("%d cycles, %d spins", cycles.Load(), spins.Load())
	}
	fmt.Println("done")
	return nil
}

// garbage keeps the compiler from removing an allocation.
var garbage []byte

// spin runs loops without a call in them, which nothing but a signal stops.
func spin(stop *atomic.Bool, spins *atomic.Int64) {
	n := 0
	for !stop.Load() {
		for i := range 50_000_000 {
			n ^= i
		}
		spins.Add(1 + int64(n&1))
	}
}

// hostSignalsWork checks that the handlers of this run-time are still in place:
// a nil dereference is a panic, and a signal reaches its channel.
func hostSignalsWork(signals <-chan os.Signal) error {
	if !recovers() {
		return fmt.Errorf("a nil dereference did not panic")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		return err
	}
	select {
	case <-signals:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("a signal got lost")
	}
}

func recovers() (ok bool) {
	defer func() { ok = recover() != nil }()
	var p *int
	return *p == 0
}
