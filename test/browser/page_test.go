package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// rowsShown is how many rows the list of calls has.
const rowsShown = `document.querySelectorAll("#calls tbody tr").length`

func TestOverview(t *testing.T) {
	path, said := write(t, twoCallers(t))
	if said != "" {
		t.Errorf("said %q", said)
	}
	b := open(t, path)
	if got, want := b.text("#summary"), "20 calls, 5 errors, 2 callers, 940 µs from 2026-11-25 09:49:32.123456 UTC"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	b.matches("20 of 20 calls, 5 errors")
	want(b, rowsShown, 20)
	functions := b.text("#functions tbody")
	for _, want := range []string{"C_Sign\t10\t0\t400 µs\t40.0 µs\t40.0 µs\t40.0 µs\t40.0 µs", "C_GetAttributeValue\t10\t5\t25.0 µs\t2.50 µs"} {
		if !strings.Contains(functions, want) {
			t.Errorf("the functions are %q, want %q", functions, want)
		}
	}
	// All ten calls of a function took as long, so its histogram has one bar.
	want(b, `[...document.querySelectorAll("#functions svg")].map((s) => s.querySelectorAll("rect").length).join()`, "1,1")
	want(b, `document.querySelector("#functions svg rect title").textContent`, "39.8 µs to 63.1 µs: 10")
	want(b, `document.querySelectorAll("#notes li").length`, 0)
}

func TestFilter(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)

	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "KEY3 getattr"))
	b.matches("1 of 20 calls, 1 errors")
	want(b, rowsShown, 1)
	want(b, `document.querySelectorAll("#functions tbody tr").length`, 1)
	b.showAll()
	b.matches("20 of 20 calls, 5 errors")

	b.choose("function", "C_Sign (10)")
	b.matches("10 of 20 calls, 0 errors")
	b.choose("result", "all errors")
	b.matches("0 of 20 calls, 0 errors")
	want(b, `document.getElementById("range").textContent`, "no calls")
	b.choose("function", "all")
	b.matches("5 of 20 calls, 5 errors")
	b.choose("result", "CKR_OK (15)")
	b.matches("15 of 20 calls, 0 errors")
	b.choose("caller", "nss [77] view 2")
	b.matches("5 of 20 calls, 0 errors")
	// Only the sessions of the chosen caller are offered.
	want(b, `[...document.getElementById("session").options].map((o) => o.text).join()`, "all,softhsm · session 3")
	b.choose("caller", "all")
	b.choose("result", "all")
	b.choose("session", fmt.Sprintf("gnutls [77] view 1 · softhsm · session %d", uint64(bigHandle)))
	b.matches("10 of 20 calls, 0 errors")
	b.showAll()
	b.matches("20 of 20 calls, 5 errors")

	// A click on a function shows only its calls.
	b.do(chromedp.Click(`//table[@id="functions"]//button[text()="C_GetAttributeValue"]`))
	b.matches("10 of 20 calls, 5 errors")
}

func TestClick(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)
	want(b, `document.getElementById("detail").hidden`, true)
	b.click(`tr[data-call="4"] button`)
	want(b, `document.getElementById("selected").textContent`, "C_Sign returned CKR_OK after 40.0 µs")
	// The number has all its digits.
	wantArguments := fmt.Sprintf("{\n  \"hSession\": %d,\n  \"pData\": {\n    \"length\": 32\n  }\n}", uint64(bigHandle))
	want(b, `document.getElementById("arguments").textContent`, wantArguments)
	want(b, `document.getElementById("output").textContent`, "{\n  \"pSignature\": {\n    \"length\": 2,\n    \"value\": \"0aff\"\n  }\n}")
	want(b, `document.getElementById("fields").innerText.split("\n").filter(Boolean).slice(-2).join(" ")`, "Log calls.jsonl:6")
	want(b, `document.querySelector("tr.selected").dataset.call`, "4")

	// Where the timeline shows it, a click chooses it.
	want(b, `document.getElementById("canvas").dataset.x > 0`, true)
	b.settle()
	x, y := value[float64](b, `Number(document.getElementById("canvas").dataset.x)`), value[float64](b, `Number(document.getElementById("canvas").dataset.y)`)
	selected := `document.querySelector("tr.selected")?.dataset.call ?? "none"`
	// Another call that is long enough to be seen does not move the view.
	b.click(`tr[data-call="6"] button`)
	want(b, selected, "6")
	at := b.canvas()
	b.do(chromedp.MouseClickXY(at[0]+x, at[1]+y))
	want(b, selected, "4")
	// The mouse is told what is under it.
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]+x+2, at[1]+y+1))
	want(b, `document.getElementById("tip").textContent`, "C_Sign: CKR_OK, 40.0 µs")
	b.click("#close")
	want(b, `document.getElementById("detail").hidden`, true)
	want(b, `document.activeElement.id`, "canvas")
	// A click where no call is chooses none.
	b.keys("n")
	want(b, selected, "0")
	at = b.canvas()
	b.do(chromedp.MouseClickXY(at[0]+x, at[1]+5))
	want(b, selected, "none")
}

// canvas brings the timeline into view and says where it is.
func (b *tab) canvas() []float64 {
	b.Helper()
	b.settle()
	return value[[]float64](b, `(() => {
		const c = document.getElementById("canvas");
		c.scrollIntoView({ block: "center", behavior: "instant" });
		const r = c.getBoundingClientRect();
		return [r.x, r.y];
	})()`)
}

func TestKeyboard(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)
	selected := `document.querySelector("tr.selected")?.dataset.call ?? "none"`
	b.do(chromedp.Focus(chromedp.CSS("#canvas")))
	for _, step := range []struct{ key, selected string }{
		{"n", "0"}, {"n", "1"}, {"p", "0"}, {"e", "3"}, {"e", "7"}, {"E", "3"}, {"+", "3"}, {"0", "3"}, {kb.ArrowRight, "3"}, {kb.Escape, "none"},
	} {
		b.keys(step.key)
		want(b, selected, step.selected)
	}
	want(b, `document.getElementById("detail").hidden`, true)

	// What is drawn changes with the view, and comes again with it.
	b.keys("0")
	drawn := func() string {
		b.settle()
		return value[string](b, `document.getElementById("canvas").toDataURL()`)
	}
	whole := drawn()
	b.keys("+", "+")
	if drawn() == whole {
		t.Error("the timeline looks the same when it is enlarged")
	}
	b.keys("0")
	if drawn() != whole {
		t.Error("the whole log does not look as before")
	}

	// As a keyboard sends it: what the page does with the key comes before the character.
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Text: "/"})
	want(b, `document.activeElement.id`, "search")
	// Keys of the timeline are letters elsewhere.
	b.keys("n")
	want(b, `document.getElementById("search").value`, "n")
	want(b, selected, "none")
}

// All sessions of a caller can share a row, in which calls that overlap are still drawn apart.
func TestTogether(t *testing.T) {
	log := twoCallers(t)
	// A second session of gnutls, which is in a call while the first one is.
	other := uint64(4)
	log += line(t, record{Time: at(0), PID: 77, Thread: 80, Caller: "gnutls", View: 1, Module: "softhsm", Function: "C_Login", Session: &other, Result: "CKR_OK", Duration: 20})
	path, _ := write(t, log)
	b := open(t, path)
	height := `document.getElementById("rows").clientHeight`
	want(b, `document.getElementById("together").checked`, false)
	apart := value[int](b, height)
	b.click("#together")
	b.settle()
	// One row less, but a second lane in the row of gnutls.
	want(b, height, apart-6)
	b.do(chromedp.Focus(chromedp.CSS("#canvas")))
	b.keys("n")
	want(b, `document.getElementById("detail-title").textContent`, "C_Sign")
	b.settle()
	y := value[float64](b, `Number(document.getElementById("canvas").dataset.y)`)
	b.keys("n")
	want(b, `document.getElementById("detail-title").textContent`, "C_Login")
	b.settle()
	want(b, `Number(document.getElementById("canvas").dataset.y)`, y+14)
	b.click("#together")
	want(b, height, apart)
}

// quoted is a text in JavaScript.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestErrorsAreMarked(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)
	// By a word, and in the list by a sign, not by colour alone.
	want(b, `[...document.querySelectorAll("#calls tr.failed td:nth-child(6)")].map((e) => e.textContent).join()`,
		strings.TrimSuffix(strings.Repeat("✗ CKR_OBJECT_HANDLE_INVALID,", 5), ","))
	// In the timeline in a colour of their own, which is there only while they are.
	red := `(() => {
		const c = document.getElementById("canvas"), copy = document.createElement("canvas");
		Object.assign(copy, { width: c.width, height: c.height });
		const p = copy.getContext("2d", { willReadFrequently: true });
		p.drawImage(c, 0, 0);
		const d = p.getImageData(0, 0, c.width, c.height).data;
		let n = 0;
		for (let i = 0; i < d.length; i += 4) n += d[i] === 0xc0 && d[i + 1] === 0x18 && d[i + 2] === 0x2a;
		return n > 50;
	})()`
	b.dark(false)
	want(b, red, true)
	b.choose("result", "CKR_OK (15)")
	want(b, red, false)
}

func TestThemes(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)
	background := `getComputedStyle(document.body).backgroundColor`
	b.dark(true)
	want(b, background, "rgb(18, 22, 28)")
	b.dark(false)
	want(b, background, "rgb(246, 247, 249)")
	b.click("#theme")
	want(b, background, "rgb(18, 22, 28)")
	want(b, `document.getElementById("theme").getAttribute("aria-pressed")`, "true")
}

// Everything that can be used has a name for those who do not see it.
func TestNames(t *testing.T) {
	path, _ := write(t, twoCallers(t))
	b := open(t, path)
	nameless := `[...document.querySelectorAll("button, input, select, canvas, svg")].filter((e) =>
		!(e.getAttribute("aria-label") || e.textContent.trim() && e.tagName === "BUTTON" || e.labels?.length)).map((e) => e.outerHTML).join()`
	want(b, nameless, "")
	want(b, `document.documentElement.lang`, "en")
}

func TestManyCalls(t *testing.T) {
	path, said := write(t, many(t, 100_000))
	if said != "" {
		t.Errorf("said %q", said)
	}
	b := open(t, path)
	all := value[string](b, `document.getElementById("matches").value`)
	if !strings.HasPrefix(all, "100000 of 100000 calls, ") {
		t.Errorf("matches %q", all)
	}
	want(b, `document.getElementById("range").textContent`, "1 to 100 of 100000")
	b.click("#next")
	want(b, `document.getElementById("range").textContent`, "101 to 200 of 100000")
	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "session 1042"))
	want(b, `document.querySelectorAll("#functions tbody tr").length`, 7)
	want(b, `document.getElementById("matches").value !== `+quoted(all), true)
	// Two hundred rows are too many to begin with. They do not fit: the timeline is scrolled, and its canvas stays as large as what can be seen.
	b.showAll()
	b.matches(all)
	want(b, `document.getElementById("together").checked && document.getElementById("rows").clientHeight < 200`, true)
	b.click("#together")
	want(b, `document.getElementById("rows").clientHeight > 3000 && document.getElementById("canvas").clientHeight < 1000`, true)
	b.do(chromedp.Focus(chromedp.CSS("#canvas")))
	b.keys("p")
	want(b, `document.querySelector("tr.selected")?.dataset.call ?? "none"`, "99999")
	want(b, `document.getElementById("range").textContent`, "99901 to 100000 of 100000")
	want(b, `document.getElementById("canvas").dataset.x > 0 && document.getElementById("canvas").dataset.y > 0`, true)
}

func TestNothing(t *testing.T) {
	path, _ := write(t, "")
	b := open(t, path)
	b.matches("0 of 0 calls, 0 errors")
	want(b, `document.getElementById("range").textContent`, "no calls")
	b.do(chromedp.Focus(chromedp.CSS("#canvas")))
	b.keys("n", "e", "+")
	want(b, `document.getElementById("detail").hidden`, true)
}

func TestDamagedLog(t *testing.T) {
	log := twoCallers(t)
	path, said := write(t, log[:len(log)-20]+"\n"+`{"time":"2026-11-25T09:49:34Z","pid":77,"dropped":3}`)
	if want := "calls.jsonl:21: cut off in the middle of a record\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	b := open(t, path)
	b.matches("19 of 19 calls, 4 errors")
	want(b, `[...document.querySelectorAll("#notes li")].map((e) => e.textContent).join("|")`,
		"3 calls not in the log: it was not written as fast as the calls came.|1 problem with the log's lines.")
}
