package browser

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

var (
	pictureLog = flag.String("log", "", "take the picture of this log, not of one that is made up")
	picture    = flag.String("picture", "", "write the picture to this file: docs/trace.png was made so, of the log of go test ./test -run TraceTogether -keep-trace")
)

// TestPicture takes the picture of a page that is in the documentation: a call is chosen, and its arguments are shown beside the timeline.
func TestPicture(t *testing.T) {
	log := twoCallers(t)
	if *pictureLog != "" {
		text, err := os.ReadFile(*pictureLog)
		if err != nil {
			t.Fatal(err)
		}
		log = string(text)
	}
	path, _ := write(t, log)
	b := open(t, path)
	b.dark(false)
	b.do(chromedp.EmulateViewport(1360, 820))
	// The longest call: the first of the slowest function is long enough to be seen.
	b.click("#functions tbody tr:first-child button")
	b.click("#calls tbody tr:first-child button")
	b.showAll()
	b.click("#zoom-all")
	b.do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, 0); document.activeElement.blur(); ({})`))
	b.settle()
	data := get(b, chromedp.CaptureScreenshot())
	got, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if size := got.Bounds().Size(); size.X != 1360 || size.Y != 820 {
		t.Errorf("the picture is %v", size)
	}
	want(b, `document.getElementById("detail").hidden`, false)
	if *picture != "" {
		if err := os.WriteFile(*picture, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
