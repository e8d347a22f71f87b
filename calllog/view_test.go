package calllog

import "testing"

// A view has one number, which no other has, and which stays in a process that was forked.
func TestView(t *testing.T) {
	v, w := new(View), new(View)
	first, second := v.Number(), w.Number()
	if first == 0 || second != first+1 || v.Number() != first {
		t.Errorf("numbers %d, %d, then %d", first, second, v.Number())
	}
	inherited := AdoptView(second + 10)
	if n := inherited.Number(); n != second+10 {
		t.Errorf("the inherited view has number %d", n)
	}
	if n := AdoptView(first).Number(); n != first {
		t.Errorf("an older one has number %d", n)
	}
	if n := new(View).Number(); n != second+11 {
		t.Errorf("a new one has number %d", n)
	}
}
