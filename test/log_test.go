package test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	logAddress = regexp.MustCompile(`0x[0-9A-F]{8,}`)

	// What p11-kit prints of other members of the token's description than it names, see docs/differences.md.
	logOddities = regexp.MustCompile(`^\t(ulMaxSessionCount|ulSessionCount|ulMaxRwSessionCount|ulRwSessionCount|ul(Total|Free)(Public|Private)Memory|utcTime): `)
)

// logModule builds the module that does what it is told, and gives the folder that it is in.
func logModule(t testing.TB) string {
	t.Helper()
	return filepath.Dir(once(t, "log_module", func() string {
		return cc(t, "log-modules/logged.so", "-shared", "-fPIC", "-fvisibility=hidden", "c/log_module.c")
	}))
}

// ownLog has a module's log of ours in a file: what a program writes to standard error itself is not in it then. The reference knows no
// such option.
func ownLog(t *testing.T, lib library) (option string, read func(stderr string) string) {
	t.Helper()
	if lib == reference {
		return "", func(stderr string) string { return stderr }
	}
	path := filepath.Join(t.TempDir(), "log")
	return "log-file: " + path + "\n", func(stderr string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// logLines are the lines of a log that two libraries are to agree in.
func logLines(text string) []string {
	var lines []string
	for line := range strings.Lines(logAddress.ReplaceAllString(text, "ADDRESS")) {
		if !logOddities.MatchString(line) && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "p11-kit: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// agree compares a log with the reference's. What is masked must be what it has between quotes.
func agree(t *testing.T, reference, ours []string) {
	t.Helper()
	initFlags := regexp.MustCompile(`^\tflags: \d+(?: = CKF_LIBRARY_CANT_CREATE_OS_THREADS(?: \|)?)?(?: =)?( CKF_OS_LOCKING_OK)?\n$`)
	masked := regexp.MustCompile(`^(?:  IN| OUT): \w+ = \((\d+)\) NOT-PRINTED\n$`)
	if len(reference) < 10 || len(reference) != len(ours) {
		t.Errorf("%d lines, the reference has %d", len(ours), len(reference))
	}
	n := 0
	for i := range min(len(reference), len(ours)) {
		r, o := reference[i], ours[i]
		if m := masked.FindStringSubmatch(o); m != nil && strings.HasPrefix(r, strings.Replace(o, "NOT-PRINTED\n", `"`, 1)) {
			n++
			continue
		}
		// The number of these flags p11-kit leaves out, and the name of one of them.
		if m := initFlags.FindStringSubmatch(o); m != nil && r != o {
			o = "\tflags: \n"
			if m[1] != "" {
				o = "\tflags:  =" + m[1] + "\n"
			}
		}
		if r != o {
			t.Errorf("line %d is %q, the reference has %q", i+1, o, r)
		}
	}
	if n == 0 {
		t.Error("nothing is masked")
	}
}

// TestLogText makes every call of 2.40 in many ways, and compares the logs.
func TestLogText(t *testing.T) {
	path := program(t, "log_calls")
	logs := map[library]string{}
	for _, lib := range both {
		conf := t.TempDir()
		option, read := ownLog(t, lib)
		writeFile(t, filepath.Join(conf, "modules", "logged.module"), "module: "+filepath.Join(logModule(t), "logged.so")+"\nlog-calls: yes\n"+option)
		r := command{path: path, lib: lib, conf: conf, env: map[string]string{"TEST_MODULE_DIR": logModule(t)}}.mustRun(t)
		logs[lib] = read(r.stderr)
	}
	agree(t, logLines(logs[reference]), logLines(logs[ours]))
}

// TestLogExample compares the logs of a program that uses SoftHSM.
func TestLogExample(t *testing.T) {
	path := program(t, "log_host", "proxylib.c", ownHeaders)
	logs := map[library]string{}
	tok := newToken(t)
	for _, lib := range both {
		option, read := ownLog(t, lib)
		writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "module: "+softhsm(t)+"\nlog-calls: yes\n"+option)
		r := command{path: path, args: []string{"example"}, lib: lib, conf: tok.conf, env: tok.env}.mustRun(t)
		if r.stdout != "done\n" {
			t.Errorf("stdout is %q", r.stdout)
		}
		logs[lib] = read(r.stderr)
	}
	agree(t, logLines(logs[reference]), logLines(logs[ours]))
	for _, secret := range []string{`"1234"`, "sixteen octets", "top secret"} {
		if strings.Contains(logs[ours], secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	contains(t, "the log", logs[ours], "C_Initialize\n  IN: pInitArgs = NULL\nC_Initialize = CKR_OK\n", "pPin = (4) NOT-PRINTED", "CKA_VALUE", "{ CKA_LABEL = (10) \"secret\\tkey\" }",
		"pEncryptedData = (32) NOTHING\nC_Encrypt = CKR_BUFFER_TOO_SMALL\n", "C_Finalize = CKR_OK\n")
}

// A logEntry is a line of a log in JSON.
type logEntry struct {
	Time             time.Time
	PID, Thread      int
	Caller, Module   string
	View             int
	Function, Result string
	Session          uint64
	Arguments        map[string]any
	Output           map[string]any
	Duration         float64
	Log              string
	Format           int
	Secrets          bool
	Dropped          int
}

// entries reads a log in JSON.
func entries(t testing.TB, text string) []logEntry {
	t.Helper()
	var all []logEntry
	for line := range strings.Lines(text) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var e logEntry
		if err := d.Decode(&e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if e.Time.IsZero() || e.PID == 0 || (e.Log == "") == (e.Function == "" && e.Dropped == 0) {
			t.Fatalf("line %s", line)
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		t.Fatal("nothing is logged")
	}
	return all
}

// logHost runs a case of log_host with a SoftHSM token and options of its module, and of all, and gives the log of standard error.
func logHost(t *testing.T, name, module, global string) (string, token) {
	t.Helper()
	tok := newToken(t)
	writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "module: "+softhsm(t)+"\n"+module+"\n")
	writeFile(t, filepath.Join(tok.conf, "pkcs11.conf"), global+"\n")
	r := command{path: program(t, "log_host", "proxylib.c", ownHeaders), args: []string{name}, lib: ours, conf: tok.conf, env: tok.env}.mustRun(t)
	return r.stderr, tok
}

// Two callers of one module can be told apart.
func TestLogTwoCallers(t *testing.T) {
	text, _ := logHost(t, "two", "", "log-calls: yes\nlog-format: json")
	all := entries(t, text)
	if first := all[0]; first.Log != "p11mux" || first.Format != 1 || first.Secrets {
		t.Errorf("the log begins with %+v", first)
	}
	views := map[int]string{}
	var story []string
	for _, e := range all[1:] {
		if views[e.View] == "" {
			views[e.View] = e.Caller
		}
		if views[e.View] != e.Caller || e.Module != "softhsm" || e.PID != all[0].PID || e.Thread == 0 || e.Duration <= 0 {
			t.Errorf("entry %+v", e)
		}
		story = append(story, e.Caller+" "+e.Function+" "+e.Result)
	}
	if len(views) != 2 {
		t.Errorf("views %v", views)
	}
	contains(t, "the log", strings.Join(story, "\n"), "mail C_Initialize CKR_OK", "browser C_Initialize CKR_OK", "mail C_OpenSession CKR_OK",
		"browser C_Login CKR_USER_ALREADY_LOGGED_IN", "mail C_FindObjects CKR_OK", "browser C_Sign CKR_OK",
		"browser C_CloseSession CKR_SESSION_HANDLE_INVALID", "mail C_Finalize CKR_OK", "mail C_GetInfo CKR_CRYPTOKI_NOT_INITIALIZED", "browser C_Finalize CKR_OK")
	for _, e := range all {
		switch e.Function {
		case "C_OpenSession":
			if e.Session == 0 || e.Output["phSession"] != float64(e.Session) {
				t.Errorf("entry %+v", e)
			}
		case "C_Sign":
			if data := e.Arguments["pData"].(map[string]any); data["length"] != 9.0 || data["value"] != nil {
				t.Errorf("data %v", data)
			}
			if signature := e.Output["pSignature"].(map[string]any); len(signature["value"].(string)) != 512 {
				t.Errorf("signature %v", signature)
			}
		}
	}
}

// Threads tear no lines and lose none in a file, and tear none in a pipe, however fast it is read.
func TestLogThreads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text, _ := logHost(t, "threads", "log-calls: yes\nlog-format: json\nlog-file: "+path, "")
	if text != "" {
		t.Errorf("standard error has %q", text)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts, threads := map[string]int{}, map[int]bool{}
	for _, e := range entries(t, string(written)) {
		counts[e.Function+" "+e.Result]++
		threads[e.Thread] = true
	}
	const want = 8 * 200
	if counts["C_GetMechanismList CKR_OK"] != want || counts["C_GetSessionInfo CKR_OK"] != want || len(threads) < 9 {
		t.Errorf("calls %v of %d threads", counts, len(threads))
	}
	text, _ = logHost(t, "threads", "log-calls: yes\nlog-format: json", "")
	entries(t, text[:strings.LastIndexByte(text, '\n')+1]) // the process may have ended within a line
}

// A log that nobody reads does not stop the program.
func TestLogNotRead(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		tok := newToken(t)
		writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "module: "+softhsm(t)+"\nlog-calls: yes\nlog-format: "+format+"\n")
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program(t, "log_host", "proxylib.c", ownHeaders), "many")
		env := map[string]string{"TEST_CONF_DIR": tok.conf, "TEST_MODULE_DIR": modules(t), "TEST_LIBRARY": string(ours), "LD_LIBRARY_PATH": ours.dir(t), "PATH": os.Getenv("PATH")}
		maps.Copy(env, tok.env)
		cmd.Env, cmd.Stderr = assignments(env), w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s: %v", format, err)
			}
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			t.Errorf("%s: the program waits for somebody to read its log", format)
		}
		w.Close()
		r.Close()
	}
}

// A child of a fork has lines of its own, and a file of its own where the name has its id.
func TestLogFork(t *testing.T) {
	dir := t.TempDir()
	logHost(t, "fork", "log-calls: yes\nlog-format: json\nlog-file: "+dir+"/%n.%p", "")
	logs, err := filepath.Glob(dir + "/softhsm.*")
	if err != nil || len(logs) != 2 {
		t.Fatalf("logs %q, %v", logs, err)
	}
	callers := map[string]int{}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := entries(t, string(text))
		if all[0].Log == "" {
			t.Errorf("%s begins with %+v", path, all[0])
		}
		for _, e := range all {
			if path != fmt.Sprintf("%s/softhsm.%d", dir, e.PID) {
				t.Errorf("%s has a line of process %d", path, e.PID)
			}
			if e.Function != "" && e.View != 1 {
				t.Errorf("%s has a line of view %d", path, e.View)
			}
		}
		callers[all[0].Caller] = len(all)
		if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
	if callers["parent"] != 5 || callers["child"] != 4 {
		t.Errorf("lines by callers: %v", callers)
	}
}

// The calls of the proxy module are logged where all are, and those that it makes of a module where that one's are.
func TestLogProxy(t *testing.T) {
	whole, _ := logHost(t, "proxy", "", "log-calls: yes\nlog-format: json")
	single, _ := logHost(t, "proxy", "log-calls: yes\nlog-format: json", "")
	for module, text := range map[string]string{"proxy": whole, "softhsm": single} {
		processes := map[int]string{}
		for _, e := range entries(t, text) {
			if e.Function == "" {
				continue
			}
			if e.Module != module || e.Caller != "proxied" {
				t.Errorf("%s: entry %+v", module, e)
			}
			processes[e.PID] += e.Function + " " + e.Result + "\n"
		}
		if len(processes) != 2 {
			t.Errorf("%s: %d processes", module, len(processes))
		}
		wanted := []string{"C_Initialize CKR_OK", "C_GetSlotList CKR_OK", "C_OpenSession CKR_OK", "C_GetSessionInfo CKR_OK", "C_Logout CKR_OK"}
		if module == "proxy" {
			wanted = append(wanted, "C_GetFunctionStatus CKR_FUNCTION_NOT_PARALLEL", "C_CloseSession CKR_OK", "C_Logout CKR_SESSION_HANDLE_INVALID", "C_Finalize CKR_OK")
		} else {
			wanted = append(wanted, "C_CloseSession CKR_OK", "C_Finalize CKR_OK")
		}
		for _, story := range processes {
			contains(t, module, story, wanted...)
		}
	}
}

// A log that cannot be written, and options that mean nothing, are messages; the program goes on.
func TestLogMessages(t *testing.T) {
	for option, want := range map[string]string{
		"log-file: /nowhere/log":          "message: the calls of module 'softhsm' are not logged: cannot write to /nowhere/log: no such file or directory\n",
		"log-format: xml":                 "modules/softhsm.module:3: invalid setting 'xml' taken as 'text': option 'log-format' is either 'text' or 'json'\n",
		"log-file: here":                  "modules/softhsm.module:3: invalid setting 'here': option 'log-file' is an absolute path: calls are logged to standard error\n",
		"log-secrets: 1\nmanaged: no":     "modules/softhsm.module:3: invalid setting '1' defaulting to 'no'",
		"log-format: json\nmanaged: no\n": "message: the 'log-calls' option for module 'softhsm' is only supported for managed modules\n",
	} {
		tok := newToken(t)
		writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "module: "+softhsm(t)+"\nlog-calls: yes\n"+option+"\n")
		env := maps.Clone(tok.env)
		env["P11_KIT_DEBUG"] = "lib"
		r := command{path: program(t, "log_host", "proxylib.c", ownHeaders), args: []string{"example"}, lib: ours, conf: tok.conf, env: env}.mustRun(t)
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q: standard error lacks %q:\n%.1000s", option, want, r.stderr)
		}
		if logged := strings.Contains(r.stderr, "C_Initialize = CKR_OK\n"); logged != (strings.Contains(want, "taken as") || strings.Contains(want, "absolute path")) {
			t.Errorf("%q: calls are logged: %v", option, logged)
		}
	}
}

// What clients elsewhere call is logged by the process that serves them.
func TestLogServed(t *testing.T) {
	for _, served := range [][]string{{"configured", "softhsm"}, {"tokens", "-", "pkcs11:token=token"}} {
		c := newConsumer(t)
		log := filepath.Join(c.dir, "log")
		writeFile(t, filepath.Join(c.conf, "pkcs11.conf"), "log-calls: yes\nlog-format: json\nlog-file: "+log+"\n")
		if r := c.remote(t, ours, served, append([]string{"--list-objects"}, login...)...); r.code != 0 {
			t.Fatalf("%q: exit %d\n%s", served, r.code, r.stderr)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var story []string
		for _, e := range entries(t, string(text)) {
			if e.Module == "softhsm" && e.Caller == "serve" {
				story = append(story, e.Function+" "+e.Result)
			}
		}
		contains(t, served[0], strings.Join(story, "\n"), "C_Initialize CKR_OK", "C_OpenSession CKR_OK", "C_Login CKR_OK", "C_GetAttributeValue CKR_OK")
	}
}

// What tools do with known PINs, keys and data is in the log, and these are not, unless that is asked for.
func TestLogSecrets(t *testing.T) {
	const userPIN, officerPIN, newPIN, plaintext = "user-pin-8152", "officer-pin-9263", "new-pin-70417", "nobody may read this plaintext"
	key := []byte("known key octets")
	forms := func(secret string) []string {
		h := hex.EncodeToString([]byte(secret))
		return []string{secret, h, strings.ToUpper(h)}
	}
	for _, format := range []string{"text", "json"} {
		for _, shown := range []string{"no", "yes"} {
			t.Run(format+", log-secrets "+shown, func(t *testing.T) {
				c := newConsumer(t)
				log := filepath.Join(c.dir, "log")
				writeFile(t, filepath.Join(c.conf, "pkcs11.conf"), "log-calls: yes\nlog-format: "+format+"\nlog-secrets: "+shown+"\nlog-file: "+log+"\n")
				c.env["USER_PIN"], c.env["SO_PIN"], c.env["NEW_PIN"] = userPIN, officerPIN, newPIN
				writeFile(t, filepath.Join(c.dir, "key"), string(key))
				writeFile(t, filepath.Join(c.dir, "plain"), plaintext)
				tool := func(args ...string) {
					t.Helper()
					c.run(t, "pkcs11-tool", append([]string{"--module", proxy(t), "--token-label", "other"}, args...)...)
				}
				c.run(t, "softhsm2-util", "--init-token", "--free", "--label", "other", "--pin", "throw-away", "--so-pin", officerPIN)
				tool("--login", "--login-type", "so", "--so-pin", "env:SO_PIN", "--init-pin", "--new-pin", "env:USER_PIN")
				tool("--login", "--pin", "env:USER_PIN", "--write-object", "key", "--type", "secrkey", "--key-type", "AES:16", "--label", "k", "--id", "0a", "--usage-decrypt", "--extractable")
				tool("--login", "--pin", "env:USER_PIN", "--encrypt", "--mechanism", "AES-CBC-PAD", "--iv", "000102030405060708090a0b0c0d0e0f", "--id", "0a",
					"--input-file", "plain", "--output-file", "sealed")
				tool("--login", "--pin", "env:USER_PIN", "--decrypt", "--mechanism", "AES-CBC-PAD", "--iv", "000102030405060708090a0b0c0d0e0f", "--id", "0a",
					"--input-file", "sealed", "--output-file", "opened")
				if string(c.read(t, "opened")) != plaintext {
					t.Errorf("decrypted %q", c.read(t, "opened"))
				}
				tool("--login", "--pin", "env:USER_PIN", "--change-pin", "--new-pin", "env:NEW_PIN")
				l := linked{lib: ours, tok: c.token}
				list := l.command(t, "p11tool", "--login", "--list-all", "--provider", proxy(t), "pkcs11:token=other")
				list.env["GNUTLS_PIN"] = newPIN
				maps.Copy(list.env, confEnv(c.conf))
				list.mustRun(t)
				b, err := os.ReadFile(log)
				if err != nil {
					t.Fatal(err)
				}
				text := string(b)
				for _, f := range []string{"C_Login", "C_InitPIN", "C_SetPIN", "C_CreateObject", "C_Encrypt", "C_Decrypt", "C_FindObjects"} {
					if !strings.Contains(text, f) {
						t.Errorf("the log lacks %s", f)
					}
				}
				for what, secret := range map[string]string{"PIN": userPIN, "officer's PIN": officerPIN, "new PIN": newPIN, "key": string(key), "plaintext": plaintext} {
					found := false
					for _, form := range forms(secret) {
						found = found || strings.Contains(text, form)
					}
					if inText := format == "text" && what == "key"; found != (shown == "yes") && !(inText && !found) {
						t.Errorf("the log has the %s: %v", what, found)
					}
				}
				first, _, _ := strings.Cut(text, "\n")
				if says := strings.Contains(first, "log-secrets is on") || strings.Contains(first, `"secrets":true`); says != (shown == "yes") {
					t.Errorf("the log begins with %q", first)
				}
			})
		}
	}
}

// TestLogSanitized runs the programs with a library whose every access to memory is watched.
func TestLogSanitized(t *testing.T) {
	conf := t.TempDir()
	for _, format := range []string{"text", "json"} {
		writeFile(t, filepath.Join(conf, "modules", "logged.module"), "module: "+filepath.Join(logModule(t), "logged.so")+"\nlog-calls: yes\nlog-file: /dev/null\nlog-format: "+format+"\n")
		env := map[string]string{"TEST_MODULE_DIR": logModule(t)}
		maps.Copy(env, sanitizerEnv)
		checkSanitized(t, command{path: sanitized(t, memory, "log_calls"), lib: oursWatched, conf: conf, env: env}.run(t))
	}
	for name, kind := range map[string]library{"two": oursWatched, "threads": oursWatched, "fork": oursForking, "proxy": oursForking} {
		tok := newToken(t)
		writeFile(t, filepath.Join(tok.conf, "pkcs11.conf"), "log-calls: yes\nlog-format: json\nlog-file: /dev/null\n")
		env := maps.Clone(tok.env)
		maps.Copy(env, sanitizerEnv)
		path := sanitized(t, map[library]string{oursWatched: memory, oursForking: forks}[kind], "log_host", "proxylib.c", ownHeaders)
		checkSanitized(t, command{path: path, args: []string{name}, lib: kind, conf: tok.conf, env: env}.run(t))
	}
}
