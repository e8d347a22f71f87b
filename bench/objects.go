package main

import "strconv"

// objects measures iterators.
func (b *bench) objects() ([]table, error) {
	t := table{
		title: "Iterators",
		note: "Time for each of 1000 objects: finding all of them, and the same with p11_kit_iter_load_attributes of five " +
			"attributes of each. Raw writes out the calls of the module. The program has a second thread, except in the last " +
			"two rows: a program that has but one is spared atomic operations by the C library, until our engine brings threads.",
		first: "module, figure", unit: "ns",
	}
	for _, m := range []struct {
		title, path string
		made        int // objects, or 1 if the module has its own
		more        []string
	}{
		{"null module", b.path("many.so"), 1, nil},
		{"SoftHSM", b.softhsm, 1000, nil},
		{"SoftHSM, one thread", b.softhsm, 1000, []string{"alone"}},
	} {
		found, loaded := m.title+", objects", m.title+", objects with attributes"
		if m.path == "" {
			t.rows = append(t.rows, absent(found, cWays[:]), absent(loaded, cWays[:]))
			continue
		}
		r, err := b.rounds(b.pick(15, 2), b.installed(true), "objects", func(w way) []string {
			return append([]string{b.libraries[w], m.path, strconv.Itoa(m.made), strconv.Itoa(b.pick(20, 2))}, m.more...)
		})
		if err != nil {
			return nil, err
		}
		for _, f := range []struct{ title, name string }{{found, "iterate"}, {loaded, "load"}} {
			made := r.row(b, f.title, f.name, 1)
			if m.more == nil {
				made.target("at most 1.1 of the reference", made.median(ours), 1.1*made.median(reference))
			}
			t.rows = append(t.rows, made)
		}
	}
	return []table{t}, nil
}

// uriTexts are what is parsed: what a program is configured with, what is printed for an object, and a module's.
var uriTexts = [...]struct{ title, text string }{
	{"key", "pkcs11:token=work;object=key;type=private?pin-source=/run/pin"},
	{"object", "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0123456789abcdef;token=My%20token;" +
		"id=%01%02%03%04;object=My%20certificate;type=cert"},
	{"module", "pkcs11:library-description=A%20library;library-manufacturer=Its%20maker;library-version=1.2;slot-id=3"},
}

// uris measures the work on URIs.
func (b *bench) uris() ([]table, error) {
	t := table{
		title: "URIs",
		note: "p11_kit_uri_parse into a URI that was used before, p11_kit_uri_format, p11_kit_uri_match_token_info, and all " +
			"three on a URI of its own, which is made and freed.",
		first: "text, figure", unit: "ns",
	}
	for _, text := range uriTexts {
		r, err := b.rounds(b.pick(15, 2), b.installed(false), "uri", func(w way) []string {
			return []string{b.libraries[w], text.text, strconv.Itoa(b.pick(8, 2)), strconv.Itoa(b.pick(20_000, 200))}
		})
		if err != nil {
			return nil, err
		}
		for _, name := range []string{"parse", "format", "match", "all"} {
			made := r.row(b, text.title+", "+name, name, 1)
			if name == "all" {
				made.target("at most 3 times the reference", made.median(ours), 3*made.median(reference))
			}
			t.rows = append(t.rows, made)
		}
	}
	return []table{t}, nil
}
