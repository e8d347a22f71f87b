package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0": 0, "9223372036": 9223372036 * time.Second, "2.5s": 2500 * time.Millisecond, "500ms": 500 * time.Millisecond,
		"1h2m": 62 * time.Minute,
	} {
		var got time.Duration
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		timeVar(fs, &got, "time", "t", "")
		if err := fs.Parse([]string{"-t", text}); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		// The option can be passed on as it says that it is.
		var again time.Duration
		if err := (timeFlag{&again}).Set(fs.Lookup("time").Value.String()); err != nil || again != want {
			t.Errorf("%s again: %v, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "5x", "-1", "-5s", "x", "9223372037", "18446744073709551616", "2.5", "1e3"} {
		got := time.Minute
		err := timeFlag{&got}.Set(text)
		if err == nil || got != time.Minute {
			t.Errorf("%s: %v, %v", text, got, err)
		} else if strings.Contains(err.Error(), "parsing") || !strings.Contains(err.Error(), "5s") {
			t.Error(err)
		}
	}
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		text string
		want uint
		ok   bool
	}{{"10", 10, true}, {"11", 11, true}, {"9", 7, false}, {"0", 7, false}, {"-1", 7, false}, {"x", 7, false}, {"", 7, false}, {"99999999999999999999", 7, false}} {
		var got uint
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		countVar(fs, &got, "count", 10, 7, "")
		err := fs.Parse([]string{"--count", c.text})
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%s: %d, %v", c.text, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "--count") || !strings.Contains(err.Error(), "10 or more")) {
			t.Error(err)
		}
	}
}
