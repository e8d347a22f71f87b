package main

import (
	"math"
	"slices"
)

// percentile is the value below which p percent of the values lie, between two values in proportion. NaN of none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := p / 100 * float64(len(sorted)-1)
	low := int(at)
	if low == len(sorted)-1 {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// median is the middle value; NaN of none.
func median(values []float64) float64 { return percentile(values, 50) }
