package house

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"strings"
	"testing"
)

func TestGofmt(t *testing.T) {
	each(t, ext(".go"), func(s source) {
		want, err := format.Source(s.data)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(s.data, want) {
			t.Errorf("%s is not formatted: run gofmt -w %[1]s", s.path)
		}
	})
}

func TestPackageComments(t *testing.T) {
	comment, code := map[string]bool{}, map[string]bool{}
	for _, f := range parsed(t) {
		// The tests in a directory of their own are a package to be explained as well.
		code[f.dir()] = true
		if f.tree.Doc != nil && strings.TrimSpace(f.tree.Doc.Text()) != "" {
			comment[f.dir()] = true
		}
	}
	for dir := range code {
		if !comment[dir] {
			t.Errorf("%s: no file has a package comment, saying what the package is for", dir)
		}
	}
}

func TestDocComments(t *testing.T) {
	for _, f := range parsed(t) {
		if f.isTest() {
			continue
		}
		for _, name := range undocumented(f.tree) {
			t.Errorf("%s: exported %s has no comment", f.path, name)
		}
	}
}

// undocumented lists the exported names of a file that have no comment of their own. For constants and variables a comment
// on their group will do.
func undocumented(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			receiver := ""
			if d.Recv != nil {
				if receiver = typeName(d.Recv.List[0].Type); !ast.IsExported(receiver) {
					continue
				}
				receiver += "."
			}
			if d.Name.IsExported() && d.Doc == nil {
				names = append(names, receiver+d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || len(d.Specs) > 1) {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// typeName is the name of a receiver's type without its pointer and its parameters.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	}
	return ""
}

// TestNoSkips: a test that is not run proves nothing. What it lacks, scripts/install-test-deps.sh installs.
func TestNoSkips(t *testing.T) {
	for _, f := range parsed(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch sel.Sel.Name {
			case "Skip", "Skipf", "SkipNow":
				// Inputs that a fuzz target has no use for are no test that is left out.
				if x, ok := sel.X.(*ast.Ident); ok && x.Name != "t" && x.Name != "b" && x.Name != "tb" {
					return true
				}
				if !insideFuzz(f.tree, call.Pos()) {
					t.Errorf("%s: skips a test; let it fail and say what to install", f.fset.Position(call.Pos()))
				}
			}
			return true
		})
	}
}

// insideFuzz tells whether a position is in a fuzz target.
func insideFuzz(file *ast.File, pos token.Pos) bool {
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.FuncDecl); ok && d.Pos() <= pos && pos < d.End() {
			return strings.HasPrefix(d.Name.Name, "Fuzz")
		}
	}
	return false
}
