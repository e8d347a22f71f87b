// Package browser looks at the page of trace report --html as a person does, in headless Chromium. It is a module of its own, since
// nothing else needs what drives a browser.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take before something is wrong with it.
const patience = time.Minute

// pause is how long to wait until one looks again.
const pause = 10 * time.Millisecond

// browser is the one that all tests share; each has a tab of its own.
var browser context.Context

func TestMain(m *testing.M) {
	os.Exit(func() int {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			// Tests are run by root in containers, where Chromium's sandbox does not work. The pages are ours.
			chromedp.NoSandbox,
			chromedp.WindowSize(1280, 900),
		)
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		defer stop()
		ctx, stopBrowser := chromedp.NewContext(allocator)
		defer stopBrowser()
		if _, err := chromedp.Run(ctx, chromedp.Title()); err != nil {
			fmt.Fprintf(os.Stderr, "Chromium does not start: %v\nRun scripts/install-test-deps.sh.\n", err)
			return 1
		}
		browser = ctx
		return m.Run()
	}())
}

// p11mux is the program that make has built.
func p11mux(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("P11MUX_BUILD")
	if dir == "" {
		dir = "../../build"
	}
	path, err := filepath.Abs(filepath.Join(dir, "bin/p11mux"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make first", err)
	}
	return path
}

// write makes a page of a log, and gives its path and what was said about the log.
func write(t *testing.T, log string) (path, said string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "calls.jsonl"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.Command(p11mux(t), "trace", "report", "--html", "page.html", "calls.jsonl")
	cmd.Dir, cmd.Stderr = dir, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return filepath.Join(dir, "page.html"), stderr.String()
}

// A tab shows a page, and notes what should not happen in it.
type tab struct {
	*testing.T
	ctx context.Context

	mu  sync.Mutex
	bad []string
}

// open shows a page.
func open(t *testing.T, path string) *tab {
	t.Helper()
	b := &tab{T: t}
	ctx, stop := chromedp.NewContext(browser, chromedp.WithListener(func(event any) { b.note(event, "file://"+path) }))
	t.Cleanup(stop)
	b.ctx = ctx
	b.do(chromedp.Navigate("about:blank"))
	ctx, stopWaiting := context.WithTimeout(ctx, patience)
	t.Cleanup(stopWaiting)
	b.ctx = ctx
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	b.do(chromedp.Navigate("file://"+path), chromedp.WaitVisible(chromedp.CSS("#matches")))
	t.Cleanup(b.check)
	return b
}

// note takes down what the page does that it should not.
func (b *tab) note(event any, url string) {
	var bad string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		bad = "throws: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			bad += ": " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		bad = "wrote to the console: " + string(e.Type)
	case *log.EventEntryAdded:
		bad = "logged: " + e.Entry.Text
	case *network.EventRequestWillBeSent:
		if e.Request.URL != url && e.Request.URL != "about:blank" {
			bad = "asked for " + e.Request.URL
		}
	case *page.EventJavascriptDialogOpening:
		bad = "opened a dialog: " + e.Message
		// The tab waits until it is gone, which the test that fails anyhow need not.
		go func() { _, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) }()
	}
	if bad != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bad = append(b.bad, bad)
	}
}

// check fails the test if the page did something that it should not.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range b.bad {
		b.Errorf("the page %s", bad)
	}
}

// do does something in the tab.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// get gives what an action gives.
func get[T any](b *tab, action chromedp.Action[T]) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// call runs a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// settle waits until the page has been laid out and drawn as it is now.
func (b *tab) settle() {
	b.Helper()
	get(b, chromedp.Evaluate[bool](`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(true)))))`,
		chromedp.EvalAwaitPromise))
}

// click clicks on what a CSS selector finds.
func (b *tab) click(selector string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// showAll resets the filter.
func (b *tab) showAll() {
	b.Helper()
	b.click("#filter button[type=reset]")
}

// keys types keys, one after the other, wherever the focus is.
func (b *tab) keys(keys ...string) {
	b.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// text is what is to be read in an element.
func (b *tab) text(selector string) string {
	b.Helper()
	return get(b, chromedp.Text(chromedp.CSS(selector)))
}

// value is that of an expression.
func value[T any](b *tab, expression string) T {
	b.Helper()
	return get(b, chromedp.Evaluate[T](expression))
}

// want waits until an expression has a value: the page does some things a moment later.
func want[T comparable](b *tab, expression string, wanted T) {
	b.Helper()
	var got T
	for range 500 {
		if got = value[T](b, expression); got == wanted {
			return
		}
		b.do(chromedp.Sleep(pause))
	}
	b.Errorf("%s is %v, want %v", expression, got, wanted)
}

// matches waits until the filter says how many calls are shown.
func (b *tab) matches(wanted string) {
	b.Helper()
	want(b, `document.getElementById("matches").value`, wanted)
}

// choose chooses an option of a select by its text.
func (b *tab) choose(id, text string) {
	b.Helper()
	found := value[bool](b, fmt.Sprintf(`(() => {
		const s = document.getElementById(%q), o = [...s.options].find((o) => o.text === %q);
		if (!o) return false;
		s.value = o.value;
		s.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	})()`, id, text))
	if !found {
		b.Fatalf("%s has no option %q; it has %v", id, text, value[[]string](b, fmt.Sprintf(`[...document.getElementById(%q).options].map((o) => o.text)`, id)))
	}
}

// dark has the system prefer dark pages, or light ones.
func (b *tab) dark(dark bool) {
	b.Helper()
	theme := "light"
	if dark {
		theme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
}
