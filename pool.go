package p11mux

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/p11mux/p11mux/ck"
)

// A pool keeps read-only sessions with a token for whoever needs one for a moment. Logged in is the application, not a
// session, and it ends with the last session: so the pool keeps its sessions until the module is closed.
type pool struct {
	token *Token
	limit int // not changed

	mu   sync.Mutex
	idle []*Session
	open int // idle, lent, and being opened
	// waiting are those that wait for a session, the longest first. What they get is theirs; nil means that there may be
	// room for one more.
	waiting []chan *Session
}

// get lends a session, and waits for one when there are as many as may be.
func (p *pool) get(ctx context.Context) (*Session, error) {
	m := p.token.module()
	for {
		if m.closed.Load() {
			return nil, m.refused(ck.FuncOpenSession, ck.CKR_CRYPTOKI_NOT_INITIALIZED, ErrClosed)
		}
		if ctx.Err() != nil {
			return nil, m.canceled(ck.FuncOpenSession, ctx)
		}
		s, wait := p.take()
		if s == nil && wait == nil {
			var err error
			if s, wait, err = p.more(ctx); err != nil {
				return nil, err
			}
		}
		if wait != nil {
			select {
			case s = <-wait:
			case <-ctx.Done():
				p.leave(wait)
				return nil, m.canceled(ck.FuncOpenSession, ctx)
			case <-m.done:
				continue
			}
		}
		switch {
		case s == nil:
		case s.usable():
			return s, nil
		default:
			p.discard(s)
		}
	}
}

// take takes an idle session, or a place in the queue. Neither means that the caller is to open one.
func (p *pool) take() (*Session, chan *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return s, nil
	}
	if p.open < p.limit {
		p.open++
		return nil, nil
	}
	return nil, p.queue()
}

// queue takes a place in the queue. The lock must be held.
func (p *pool) queue() chan *Session {
	wait := make(chan *Session, 1)
	p.waiting = append(p.waiting, wait)
	return wait
}

// more opens the session that take left room for. Where the token allows no more, for others have sessions with it too, it
// takes a place in the queue for one of ours.
func (p *pool) more(ctx context.Context) (*Session, chan *Session, error) {
	s, err := p.fresh(ctx)
	if err == nil {
		return s, nil, nil
	}
	p.mu.Lock()
	p.open--
	if errors.Is(err, ck.CKR_SESSION_COUNT) && p.open > 0 {
		defer p.mu.Unlock()
		if len(p.idle) > 0 {
			return nil, nil, nil // there is one now
		}
		return nil, p.queue(), nil
	}
	next := p.first()
	p.mu.Unlock()
	// Whoever waits for this room has to find out by itself.
	if next != nil {
		next <- nil
	}
	return nil, nil, err
}

// fresh opens a session for the pool.
func (p *pool) fresh(ctx context.Context) (*Session, error) {
	s, err := p.token.open(ctx, ReadOnly)
	if err == nil {
		s.pooled = true
	}
	return s, err
}

// first takes who has waited longest out of the queue, nil for nobody. The lock must be held.
func (p *pool) first() chan *Session {
	if len(p.waiting) == 0 {
		return nil
	}
	next := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	return next
}

// leave gives up a place in the queue, and passes on what was given to it meanwhile.
func (p *pool) leave(wait chan *Session) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, wait); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if s := <-wait; s != nil {
		p.put(s)
		return
	}
	p.wake()
}

// put takes a session back.
func (p *pool) put(s *Session) {
	if !s.usable() {
		p.discard(s)
		return
	}
	p.mu.Lock()
	next := p.first()
	if next == nil {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if next != nil {
		next <- s
	}
}

// discard closes a session in place of taking it back. If it is the last one, there is a new one first: who is logged in
// stays so.
func (p *pool) discard(s *Session) {
	p.mu.Lock()
	last := p.open == 1
	p.mu.Unlock()
	if last && !s.gone() {
		if fresh, err := p.fresh(context.Background()); err == nil {
			_ = s.Close()
			p.put(fresh)
			return
		}
	}
	_ = s.Close()
	p.mu.Lock()
	p.open--
	p.mu.Unlock()
	p.wake()
}

// wake tells who has waited longest that there may be room.
func (p *pool) wake() {
	p.mu.Lock()
	next := p.first()
	p.mu.Unlock()
	if next != nil {
		next <- nil
	}
}

// drain closes the sessions that are idle.
func (p *pool) drain() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.open -= len(idle)
	p.mu.Unlock()
	for _, s := range idle {
		_ = s.Close()
		p.wake()
	}
}
