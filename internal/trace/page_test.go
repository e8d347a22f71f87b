package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var (
	pageShape  = regexp.MustCompile(`(?s)^<!doctype html>.*<style>(.*?)</style>.*<script type="application/json" id="data">(.*?)</script>\n<script>(.*?)</script>\n</body>\n</html>\n$`)
	pagePolicy = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)
	anyScript  = regexp.MustCompile(`(?i)<(/?script|!--)`)
)

// checkPage: the page has our style and scripts, allows only them, and what comes from the log is where it belongs. It gives the data.
func checkPage(t *testing.T, page string) *readData {
	t.Helper()
	m := pageShape.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has another shape: %.2000s", page)
	}
	policy := pagePolicy.FindStringSubmatch(page)
	if policy == nil {
		t.Fatal("the page has no policy")
	}
	unescaped := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(policy[1])
	for kind, text := range map[string]string{"style-src": m[1], "script-src": m[3]} {
		sum := sha256.Sum256([]byte(text))
		want := kind + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if !strings.Contains(unescaped, want) {
			t.Errorf("the policy %q has no %s", unescaped, want)
		}
	}
	if !strings.HasPrefix(unescaped, "default-src 'none'; base-uri 'none'; form-action 'none'; ") || strings.Contains(unescaped, "unsafe") {
		t.Errorf("the policy is %q", unescaped)
	}
	if n := len(anyScript.FindAllString(page, -1)); n != 4 {
		t.Errorf("%d script tags and comments, want 4", n)
	}
	var d readData
	if err := json.Unmarshal([]byte(m[2]), &d); err != nil {
		t.Fatalf("%v in %.500s", err, m[2])
	}
	return &d
}

// readData is pageData as the scripts read it.
type readData struct {
	Title   string
	Notes   []string
	Texts   []string
	Rows    []pageRow
	Calls   [][]any
	Callers int
}

// pageOf makes a page of a log.
func pageOf(t *testing.T, log string, most int) *readData {
	t.Helper()
	p := NewPage("a title <b>&", most)
	problems := 0
	for e, err := range Read("log", strings.NewReader(log)) {
		if err != nil {
			problems++
			continue
		}
		p.Add(e)
	}
	p.Damaged(problems)
	var page bytes.Buffer
	if err := p.Write(&page); err != nil {
		t.Fatal(err)
	}
	return checkPage(t, page.String())
}

// line makes a call of a log, at and for so many µs.
func testLine(caller string, view int, session, at, duration int) string {
	return fmt.Sprintf(`{"time":"2026-11-25T09:49:32.%06dZ","pid":1,"thread":2,"caller":%q,"view":%d,"module":"m","function":"C_Sign","session":%d,"result":"CKR_OK","duration":%d}`+"\n",
		at, caller, view, session, duration)
}

func TestPageRows(t *testing.T) {
	log := testLine("b", 2, 7, 50, 10) + testLine("a", 1, 3, 10, 30) + testLine("a", 1, 3, 20, 5) + testLine("a", 1, 3, 42, 5) +
		strings.Replace(testLine("a", 1, 9, 60, 5), `"session":9,`, "", 1)
	d := pageOf(t, log, 100)
	var got []string
	for _, r := range d.Rows {
		got = append(got, fmt.Sprintf("%d %s/%s lanes %d", r.Caller, r.Name, r.Session, r.Lanes))
	}
	want := "0 a [1] view 1/ lanes 1|0 a [1] view 1/3 lanes 2|1 b [1] view 2/7 lanes 1"
	if strings.Join(got, "|") != want {
		t.Errorf("rows %v\nwant %v", got, want)
	}
	var calls []string
	for _, c := range d.Calls {
		calls = append(calls, fmt.Sprintf("%v+%v row %v lane %v line %v", c[0], c[1], c[4], c[5], c[8]))
	}
	want = "0+30000 row 1 lane 0 line 2|10000+5000 row 1 lane 1 line 3|32000+5000 row 1 lane 0 line 4|40000+10000 row 2 lane 0 line 1|50000+5000 row 0 lane 0 line 5"
	if strings.Join(calls, "|") != want {
		t.Errorf("calls %v\nwant %v", calls, want)
	}
	if d.Title != "a title <b>&" || d.Callers != 2 || len(d.Notes) != 0 {
		t.Errorf("title %q, %d callers, notes %q", d.Title, d.Callers, d.Notes)
	}
}

// A row does not become higher than a screen, however many threads share it.
func TestPageLanes(t *testing.T) {
	var log strings.Builder
	for i := range 20 {
		log.WriteString(testLine("a", 1, 1, 10+i, 100))
	}
	if d := pageOf(t, log.String(), 100); d.Rows[0].Lanes != maxLanes {
		t.Errorf("%d lanes, want %d", d.Rows[0].Lanes, maxLanes)
	}
}

func TestPageNotes(t *testing.T) {
	log := strings.Replace(startLine, "false", "true", 1) + "\n" + testLine("a", 1, 1, 1, 1) + testLine("a", 1, 1, 2, 1) + testLine("a", 1, 1, 3, 1) + "broken\n" + lossLine
	d := pageOf(t, log, 1)
	want := "Shows the first 1 call of the log; 2 more are not on this page.|17 calls not in the log: it was not written as fast as the calls came.|" +
		"1 problem with the log's lines.|This log has secrets in it (log-secrets: yes)."
	if got := strings.Join(d.Notes, "|"); got != want {
		t.Errorf("notes %s\nwant %s", got, want)
	}
	if len(d.Calls) != 1 {
		t.Errorf("%d calls", len(d.Calls))
	}
}

func TestPageOfNothing(t *testing.T) {
	if d := pageOf(t, "", 10); d.Calls == nil || d.Rows == nil || d.Texts == nil || d.Notes == nil {
		t.Errorf("null where the scripts expect a list: %+v", d)
	}
}

// What a log says cannot leave the place it is put.
func TestPageInjection(t *testing.T) {
	evil := `</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>"'&`
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	// As the logger would not write it, but another may: without escapes of < and >.
	plainly := bytes.NewBuffer(nil)
	e := json.NewEncoder(plainly)
	e.SetEscapeHTML(false)
	if err := e.Encode(evil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(quoted), strings.TrimSpace(plainly.String())} {
		log := fmt.Sprintf(`{"time":"2026-11-25T09:49:32Z","pid":1,"caller":%s,"module":%[1]s,"function":%[1]s,"arguments":{%[1]s:%[1]s},"output":{%[1]s:%[1]s},"result":%[1]s,"duration":1}`, text)
		d := pageOf(t, log, 10)
		if len(d.Calls) != 1 || d.Texts[0] != evil {
			t.Errorf("%d calls, texts %q", len(d.Calls), d.Texts)
		}
	}
}
