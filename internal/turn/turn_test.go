package turn

import (
	"errors"
	"sync"
	"testing"
)

// One thread at a time has a turn, and Call gives what it is told to give.
func TestOneAtATime(t *testing.T) {
	var turn Turn
	var wg sync.WaitGroup
	inside, entered := 0, 0
	failure := errors.New("it failed")
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if !turn.Take() {
					t.Error("a turn is refused to a thread that is inside nothing")
					return
				}
				err := turn.Call(func() error {
					entered++
					if inside++; inside != 1 {
						t.Errorf("%d threads have the turn", inside)
					}
					inside--
					return failure
				})
				if err != failure {
					t.Errorf("Call gives %v", err)
				}
				turn.Give()
			}
		})
	}
	wg.Wait()
	if entered != 8*200 {
		t.Errorf("the turn was had %d times", entered)
	}
	left(t)
}

// A thread that is inside a turn cannot have it again, nor through a second turn.
func TestRecursion(t *testing.T) {
	var a, b Turn
	within(t, &a, func() {
		if a.Take() {
			t.Error("the turn is had twice")
		}
		within(t, &b, func() {
			if a.Take() || b.Take() {
				t.Error("the turn is had twice")
			}
		})
		within(t, &b, func() {}) // is free again
	})
	within(t, &a, func() {})
	left(t)
}

// Of threads that wait for each other in a ring, one is refused, and the others have what they wait for.
func TestRing(t *testing.T) {
	for n := range 6 {
		turns := make([]Turn, n)
		refused := make([]bool, n)
		var inside, wg sync.WaitGroup
		inside.Add(n)
		for i := range n {
			wg.Go(func() {
				within(t, &turns[i], func() {
					inside.Done()
					inside.Wait()
					next := &turns[(i+1)%n]
					if refused[i] = !next.Take(); !refused[i] {
						next.Give()
					}
				})
			})
		}
		wg.Wait()
		count := 0
		for _, r := range refused {
			if r {
				count++
			}
		}
		if want := min(n, 1); count != want {
			t.Errorf("in a ring of %d, %d are refused, want %d", n, count, want)
		}
		left(t)
	}
}

// within takes a turn that must be had, and runs inside it.
func within(t *testing.T, turn *Turn, run func()) {
	t.Helper()
	if !turn.Take() {
		t.Error("the turn is refused")
		return
	}
	defer turn.Give()
	_ = turn.Call(func() error { run(); return nil })
}

// left checks that nobody is written down any more.
func left(t *testing.T) {
	t.Helper()
	if inside, waiting := Known(); inside != 0 || waiting != 0 {
		t.Errorf("left behind: %d threads inside a module, %d waiting", inside, waiting)
	}
}
