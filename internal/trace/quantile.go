package trace

import (
	"math"
	"math/bits"
	"time"
)

// A spread counts durations so finely that a quantile is less than one part in a hundred off, in memory that does not grow with
// their number. Durations below precise nanoseconds are counted one by one; above, each doubling has precise/2 buckets.
type spread struct {
	buckets  []uint64 // as far as there are any
	n        uint64
	sum      time.Duration
	min, max time.Duration
}

const (
	preciseBits = 7
	precise     = 1 << preciseBits
)

// bucket is the number of the bucket for a duration, which is not negative.
func bucket(d time.Duration) int {
	shift := max(bits.Len64(uint64(d))-preciseBits, 0)
	return shift*precise/2 + int(uint64(d)>>shift)
}

// middle is the duration in the middle of a bucket.
func middle(b int) time.Duration {
	if b < precise {
		return time.Duration(b)
	}
	shift := b/(precise/2) - 1
	low := uint64(b-shift*precise/2) << shift
	return time.Duration(low + 1<<shift/2)
}

func (s *spread) add(d time.Duration) {
	if s.n == 0 || d < s.min {
		s.min = d
	}
	s.max = max(s.max, d)
	s.n++
	s.sum += d
	b := bucket(d)
	for b >= len(s.buckets) {
		s.buckets = append(s.buckets, 0)
	}
	s.buckets[b]++
}

// quantile is the duration that a part q of all, between 0 and 1, does not exceed; 0 if there is none.
func (s *spread) quantile(q float64) time.Duration {
	if s.n == 0 {
		return 0
	}
	rank := min(uint64(max(math.Ceil(q*float64(s.n))-1, 0)), s.n-1) // of the one that is looked for, counted from 0
	switch rank {
	case 0:
		return s.min
	case s.n - 1:
		return s.max
	}
	for b, n := range s.buckets {
		if rank < n {
			return min(max(middle(b), s.min), s.max)
		}
		rank -= n
	}
	return s.max
}
