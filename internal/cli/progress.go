package cli

import (
	"fmt"
	"sync/atomic"
	"time"
)

// clearLine is for a terminal: what is written next takes the place of the line.
const clearLine = "\r\x1b[K"

// A progress shows on a terminal that a long work goes on. It is nothing elsewhere, and for work that is over at once.
type progress struct {
	job      *job
	count    atomic.Int64
	end, out chan struct{}
}

// Showing begins when somebody may wonder, and the line is often enough renewed to be seen alive.
const (
	progressDelay = 500 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

// progress begins to show a work, until done is called.
func (j *job) progress(what string) *progress {
	p := &progress{job: j, end: make(chan struct{}), out: make(chan struct{})}
	j.working = p
	if j.isKit || j.quiet || !isTerminal(j.err) {
		close(p.out)
		return p
	}
	go func() {
		defer close(p.out)
		begin := time.Now()
		timer := time.NewTimer(progressDelay)
		defer timer.Stop()
		for shown := false; ; shown = true {
			select {
			case <-p.end:
				if shown {
					fmt.Fprint(j.err, clearLine)
				}
				return
			case <-timer.C:
				timer.Reset(progressEvery)
			}
			text := what
			if n := p.count.Load(); n > 0 {
				text = fmt.Sprintf("%s: %d", what, n)
			}
			fmt.Fprintf(j.err, "\r%s (%d s)\x1b[K", text, int(time.Since(begin).Seconds()))
		}
	}()
	return p
}

// step counts one more thing that is ready.
func (p *progress) step() { p.count.Add(1) }

// done ends the showing and leaves nothing of it.
func (p *progress) done() {
	close(p.end)
	<-p.out
	p.job.working = nil
}
