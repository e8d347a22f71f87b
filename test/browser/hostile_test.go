package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A log that wants to be more than text does not succeed, wherever its texts are shown.
func TestHostileLog(t *testing.T) {
	attacks := []string{
		`</script><script>window.owned = 1</script>`,
		`<!--<script>`,
		`<img src=x onerror="window.owned = 1"><svg onload="window.owned = 1">`,
		`"><iframe src="javascript:parent.owned = 1"></iframe>`,
		`'); window.owned = 1; ('`,
		"${window.owned = 1}` + {{.}}",
		`__proto__`, `constructor`, `toString`,
		"\u2028\u2029\u202e\x00\x1b[31m",
		`</style><style>body { display: none }`,
		`&lt;b&gt;`,
	}
	var log strings.Builder
	for i, a := range attacks {
		// As an attacker would write it: not one character is escaped that need not be.
		var text strings.Builder
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(a); err != nil {
			t.Fatal(err)
		}
		q := strings.TrimSpace(text.String())
		fmt.Fprintf(&log, `{"time":%q,"pid":1,"thread":2,"caller":%s,"view":1,"module":%[2]s,"function":%[2]s,"session":7,"arguments":{%[2]s:%[2]s},"output":{%[2]s:[%[2]s]},"result":%[2]s,"duration":1}`+"\n", at(0), q)
		if i == 0 {
			fmt.Fprintf(&log, `{"time":%q,"pid":1,"log":"p11mux","format":1,"caller":%s,"secrets":false}`+"\n", at(0), q)
		}
	}
	// It reaches for the numbers of the page as well.
	fmt.Fprintf(&log, `{"time":%q,"pid":-1,"view":-9e2,"function":"","session":18446744073709551615,"arguments":%s,"result":"","duration":1.5e15}`+"\n",
		at(0), strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000))
	path, said := write(t, log.String())
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, `:14: "view" cannot be a JSON number -9e2`) {
		t.Errorf("said %q", said)
	}

	b := open(t, path)
	b.matches(fmt.Sprintf("%d of %[1]d calls, %[1]d errors", len(attacks)))
	for i, a := range attacks {
		// Not by the mouse: the list may be made anew at any moment, for what was typed before.
		value[bool](b, fmt.Sprintf(`(document.querySelector('tr[data-call="%d"] button').click(), true)`, i))
		want(b, `document.getElementById("detail-title").textContent === `+quoted(a), true)
		want(b, fmt.Sprintf(`document.getElementById("arguments").textContent.length > %d`, len(a)/2), true)
		b.do(chromedp.SetValue(chromedp.CSS("#search"), a), chromedp.SendKeys(chromedp.CSS("#search"), " "))
		b.showAll()
		b.matches(fmt.Sprintf("%d of %[1]d calls, %[1]d errors", len(attacks)))
		b.choose("function", a+" (1)")
		b.matches(fmt.Sprintf("1 of %d calls, 1 errors", len(attacks)))
		b.showAll()
		b.matches(fmt.Sprintf("%d of %[1]d calls, %[1]d errors", len(attacks)))
	}
	want(b, `typeof window.owned`, "undefined")
	want(b, `document.querySelectorAll("img, iframe, style:not(head style), script:not(body > script), body svg:not(td svg)").length`, 0)
	want(b, `document.scripts.length`, 2)
	want(b, `getComputedStyle(document.body).display`, "block")
	// The policy holds by itself: a script that were to come in would not run.
	value[chromedp.Void](b, `(() => { document.addEventListener("securitypolicyviolation", (e) => { window.refused = e.effectiveDirective; });
		document.body.append(Object.assign(document.createElement("script"), { textContent: "window.owned = 1" })); return {}; })()`)
	want(b, `window.refused ?? "nothing"`, "script-src-elem")
	want(b, `typeof window.owned`, "undefined")
	b.forgive("Content Security Policy")
}

// forgive takes what the test itself has caused from what the page did.
func (b *tab) forgive(text string) {
	b.Helper()
	for range 500 {
		b.mu.Lock()
		for i, bad := range b.bad {
			if strings.Contains(bad, text) {
				b.bad = append(b.bad[:i], b.bad[i+1:]...)
				b.mu.Unlock()
				return
			}
		}
		b.mu.Unlock()
		b.do(chromedp.Sleep(pause))
	}
	b.Errorf("the page has nothing to say of %s", text)
}
