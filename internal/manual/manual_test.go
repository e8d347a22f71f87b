package manual

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// sample is a command line with all that pages have to cope with.
func sample() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "tool COMMAND", Short: "Do things", Run: run}
	list := &cobra.Command{
		Use: "list [URI]", Short: "List things", Run: run,
		Long:    "List what a\\b names.\n\n.hidden files and 'quoted' ones are\nlisted too, all-in-all.",
		Example: "  tool list 'a;b'\n  .start \\n",
	}
	list.Flags().StringP("as", "a", "me", "who is a `NAME`")
	list.Flags().Bool("json", false, "print JSON")
	list.Flags().String("secret", "", "not shown")
	if err := list.Flags().MarkHidden("secret"); err != nil {
		panic(err)
	}
	below := &cobra.Command{Use: "deep X", Short: "Go deeper", Run: run}
	list.AddCommand(below)
	root.AddCommand(list, &cobra.Command{Use: "internal", Short: "Hidden", Hidden: true, Run: run})
	return root
}

var sampleAbout = About{
	Description: "Does things.\n\nAnd " + strings.Repeat("many ", 40) + "more.",
	Status:      []Note{{"0", "All went well."}},
	Environment: []Note{{"TOOL_X", "A variable."}},
	Files:       []Note{{"/etc/tool.conf", "A file."}},
	More:        []Note{{"PINS", "About \"PINs\"."}},
}

func TestPages(t *testing.T) {
	pages := maps.Collect(Pages(sample(), sampleAbout))
	if got, want := slices.Sorted(maps.Keys(pages)), []string{"tool-list-deep.1", "tool-list.1", "tool.1"}; !slices.Equal(got, want) {
		t.Fatalf("pages %v, want %v", got, want)
	}
	for name, parts := range map[string][]string{
		"tool.1":           {"TOOL(1)", "tool - do things", "Does things.", "list   List things. See tool-list(1).", "PINS", `About "PINs".`, "TOOL_X", "/etc/tool.conf", "tool-list-deep(1)"},
		"tool-list.1":      {"tool list [OPTION...] [URI]", `a\b names`, ".hidden files and 'quoted' ones", "all-in-all", "-a, --as NAME", "who is a NAME; me if it is not given", "--json", "  tool list 'a;b'", `  .start \n`, "All went well.", "tool(1), tool-list-deep(1)"},
		"tool-list-deep.1": {"tool list deep X", "Go deeper.", "tool-list(1)"},
	} {
		text := show(t, pages[name])
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not show %q:\n%s", name, part, text)
			}
		}
		if strings.Contains(text, "secret") || strings.Contains(text, "internal") {
			t.Errorf("%s shows what is hidden:\n%s", name, text)
		}
	}
	again := maps.Collect(Pages(sample(), sampleAbout))
	if !maps.Equal(pages, again) {
		t.Error("the same commands have other pages the second time")
	}
}

// show is what a reader sees of a page, which a checker must have nothing to say of. The checker wants a date, which would be another
// one each time.
func show(t *testing.T, source string) string {
	t.Helper()
	lint := exec.Command("mandoc", "-Tlint")
	lint.Stdin = strings.NewReader(source)
	out, err := lint.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "missing date") {
			t.Errorf("mandoc: %s%s", line, source)
		}
	}
	cmd := exec.Command("mandoc", "-Tascii", "-Owidth=200")
	cmd.Stdin = strings.NewReader(source)
	shown, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// Bold letters are typed twice.
	text := string(shown)
	for {
		i := strings.IndexByte(text, '\b')
		if i < 1 {
			return text
		}
		text = text[:i-1] + text[i+1:]
	}
}
