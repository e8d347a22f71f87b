package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux/internal/sandbox"
	"github.com/p11mux/p11mux/internal/server"
	"github.com/p11mux/p11mux/uri"
)

// A serving is one run of the server command.
type serving struct {
	cmd     *cobra.Command
	service server.Service

	foreground, detached bool
	kill, csh, sh        bool
	verbose, quiet       bool
	name                 string
	user, group          string
	asUser, asGroup      string
	clients, warm        uint
	sessions, message    uint
	timeout, drain       time.Duration
	read, write          []string
	network, open        bool
}

func serverCommand() *cobra.Command {
	s := &serving{drain: 30 * time.Second}
	s.service.Stall = 30 * time.Second
	cmd := &cobra.Command{
		Use:   "server [OPTION...] {TOKEN-URI... | MODULE}",
		Short: "Let other programs use tokens through a socket",
		Long: `Serve tokens, or a module as it is, to programs that use p11-kit-client.so,
on this machine or on another one that the socket is forwarded to. Each client
is served by a process of its own, in a sandbox. Only the user who has started
the server may connect.

It goes to the background, and prints shell commands that tell clients where
it is.`,
		Example: `  eval "$(p11mux server pkcs11:token=work)"
  p11mux server --foreground --provider /usr/lib/softhsm/libsofthsm2.so 'pkcs11:'
  p11mux server --kill`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.cmd = cmd
			s.service.Provider = fromHere(s.service.Provider)
			if len(args) > 0 {
				args[0] = fromHere(args[0])
			}
			return s.run(args)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&s.foreground, "foreground", "f", false, "stay in the foreground")
	f.StringVarP(&s.name, "name", "n", "", "listen at `SOCKET`, a path or vsock:port=N, instead of p11-kit/pkcs11-PID in $XDG_RUNTIME_DIR")
	f.StringVarP(&s.service.Provider, "provider", "p", "", "the tokens are those of `MODULE`, instead of all configured ones")
	f.StringVarP(&s.user, "user", "u", "", "only `USER` may connect")
	f.StringVarP(&s.group, "group", "g", "", "only members of `GROUP` may connect")
	f.StringVarP(&s.asUser, "run-as-user", "a", "", "become `USER` first")
	f.StringVarP(&s.asGroup, "run-as-group", "z", "", "become a member of `GROUP` alone first")
	timeVar(f, &s.timeout, "timeout", "t", "end after such a `TIME` without clients, in seconds or with its unit; 0 for never")
	f.BoolVarP(&s.kill, "kill", "k", false, "end the server that P11_KIT_SERVER_PID names")
	f.BoolVarP(&s.csh, "csh", "c", false, "print commands of csh")
	f.BoolVarP(&s.sh, "sh", "s", false, "print commands of sh")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "say who comes and goes")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "say nothing of what goes wrong with clients")
	f.BoolVar(&s.service.WriteProtect, "write-protect", false, "nothing may be written to the tokens")
	countVar(f, &s.clients, "max-clients", 1, 256, "how many may be connected at the same time")
	countVar(f, &s.sessions, "max-sessions", 0, 1024, "how many sessions a client may have open; 0 for any number")
	countVar(f, &s.message, "max-message", leastMessage, 16<<20, "the longest request, in octets")
	timeVar(f, &s.service.Idle, "idle-timeout", "", "disconnect clients that have not called for so long; 0 for never")
	timeVar(f, &s.service.Stall, "stall-timeout", "", "disconnect clients that take longer to send a request or to take an answer; 0 for never")
	timeVar(f, &s.drain, "drain", "", "how long clients may stay when the server is to end")
	countVar(f, &s.warm, "warm", 0, 2, "how many processes to keep ready for clients")
	f.StringArrayVar(&s.read, "allow-read", nil, "the module may read `PATH`, and nothing that is not named but the system's own")
	f.StringArrayVar(&s.write, "allow-write", nil, "the same for reading and writing `PATH`")
	f.BoolVar(&s.network, "allow-network", false, "the module may use TCP, where --allow-read or --allow-write is given")
	f.BoolVar(&s.open, "no-sandbox", false, "do not confine the module")
	f.BoolVar(&s.detached, "detached", false, "")
	_ = f.MarkHidden("detached") // it exists
	cmd.MarkFlagsMutuallyExclusive("csh", "sh")
	cmd.AddCommand(workerCommand())
	return cmd
}

// workerCommand is what the server starts for a client.
func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if status := server.Work(); status != 0 {
				return exit(status)
			}
			return nil
		},
	}
}

func (s *serving) run(args []string) error {
	if !s.sh && !s.csh {
		s.csh = strings.HasSuffix(os.Getenv("SHELL"), "csh")
	}
	if s.kill {
		return s.end()
	}
	if err := s.choose(args); err != nil {
		return err
	}
	peers, err := s.peers()
	if err != nil {
		return err
	}
	if s.detached {
		return s.goOn(peers)
	}
	if !s.quiet && len(s.service.Tokens) > 0 && !slices.Equal(s.service.Tokens, args) {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "%s: leave out the pin-value of the URI: the server does not use it, and other users can read it in "+
			"the list of processes\n", s.cmd.CommandPath())
	}
	if err := s.become(); err != nil {
		return err
	}
	if peers.User < 0 && peers.Group < 0 {
		peers.User = os.Geteuid()
	}
	l, err := server.Activated()
	if err != nil {
		return err
	}
	if l != nil {
		return s.serve(l, peers, func() {})
	}
	if l, err = s.listen(peers); err != nil {
		return err
	}
	if s.foreground {
		return s.serve(l, peers, func() { s.print(l.Address(), os.Getpid()) })
	}
	if len(s.service.Tokens) > 0 {
		args = s.service.Tokens
	}
	process, err := server.Detach(l, append([]string{self, "p11mux", "server", "--detached"}, s.words(args)...))
	if err != nil {
		return err
	}
	s.print(l.Address(), process.Pid)
	return nil
}

// words are the options that were given, and what is served, as the arguments of a command line.
func (s *serving) words(args []string) []string {
	var words []string
	s.cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			words = append(words, "--"+f.Name+"="+value)
		}
	})
	return append(append(words, "--"), args...)
}

// leastMessage is enough for a client to begin and to do something, in octets.
const leastMessage = 4096

// self is the program that is running, also when its file has been replaced.
const self = "/proc/self/exe"

// choose takes what is to be served from the arguments.
func (s *serving) choose(args []string) error {
	switch {
	case len(args) == 0:
		return usage("no token and no module is given")
	case strings.HasPrefix(args[0], "pkcs11:"):
		for _, text := range args {
			s.service.Tokens = append(s.service.Tokens, uri.EmptyPIN(text)) // nothing needs it, and the server's arguments can be read for long
		}
	case s.service.Provider != "":
		return usage("%q is not the URI of a token", args[0])
	case len(args) > 1:
		return usage("one module can be served, and %d are given", len(args))
	default:
		s.service.Provider = args[0]
	}
	if s.open && (len(s.read) > 0 || len(s.write) > 0) {
		return usage("--no-sandbox goes against --allow-read and --allow-write")
	}
	s.service.MaxMessage, s.service.MaxSessions = int(min(s.message, 1<<30)), int(min(s.sessions, 1<<30))
	if err := s.service.Check(); err != nil {
		return &usageError{err}
	}
	return nil
}

// peers is who may connect, as the options say.
func (s *serving) peers() (server.Peers, error) {
	uid, err := number(s.user, userID)
	if err != nil {
		return server.Peers{}, err
	}
	gid, err := number(s.group, groupID)
	return server.Peers{User: uid, Group: gid}, err
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// number is the number of a user or group, which can be given as it is; -1 for none.
func number(name string, lookup func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	id, err := lookup(name)
	if err != nil {
		if _, isNumber := strconv.ParseUint(name, 10, 31); isNumber != nil {
			return -1, &usageError{err}
		}
		id = name
	}
	return strconv.Atoi(id)
}

// become changes the user and group of the process.
func (s *serving) become() error {
	uid, err := number(s.asUser, userID)
	if err != nil {
		return err
	}
	gid, err := number(s.asGroup, groupID)
	if err != nil {
		return err
	}
	if uid >= 0 && gid < 0 { // the user's own
		u, err := user.LookupId(strconv.Itoa(uid))
		if err != nil {
			return &usageError{err}
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return err
		}
	}
	if gid >= 0 {
		if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid)); err != nil {
			return hinted(fmt.Errorf("couldn't become group %d: %w", gid, err), "only root can run a server as somebody else")
		}
	}
	if uid >= 0 {
		if err := syscall.Setuid(uid); err != nil {
			return hinted(fmt.Errorf("couldn't become user %d: %w", uid, err), "only root can run a server as somebody else")
		}
	}
	return nil
}

// listen makes the socket.
func (s *serving) listen(peers server.Peers) (*server.Listener, error) {
	name := s.name
	if name == "" {
		runtime := os.Getenv("XDG_RUNTIME_DIR")
		if runtime == "" {
			return nil, hinted(errors.New("XDG_RUNTIME_DIR is not set"), "name a socket with --name")
		}
		dir := filepath.Join(runtime, "p11-kit")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		name = filepath.Join(dir, "pkcs11-"+strconv.Itoa(os.Getpid()))
	}
	user := peers.User
	if user == os.Geteuid() {
		user = -1
	}
	l, err := server.Listen(name, user, peers.Group)
	if err != nil {
		return nil, hinted(err, "name another socket with --name")
	}
	return l, nil
}

// goOn is the process in the background.
func (s *serving) goOn(peers server.Peers) error {
	l, tell, err := server.Detached()
	if err != nil {
		return err
	}
	if peers.User < 0 && peers.Group < 0 {
		peers.User = os.Geteuid()
	}
	told := false
	err = s.serve(l, peers, func() {
		told = true
		tell(nil)
	})
	if err != nil && !told {
		tell(err)
		return exit(statusFailure)
	}
	return err
}

// serve serves until it is to end.
func (s *serving) serve(l *server.Listener, peers server.Peers, ready func()) error {
	server.Speak()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	say, silence := s.speaker()
	defer silence()
	hurry := make(chan struct{})
	go func() {
		<-signals
		server.Notify("STOPPING=1")
		cancel()
		for range signals {
			hurry <- struct{}{}
		}
	}()
	confined, err := s.confined()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s.service.Quiet, s.service.Advice = s.quiet, s.advice(confined != nil)
	return server.Serve(ctx, l, server.Options{
		Service: s.service, Peers: peers, Command: []string{self, "p11mux", "server", "worker"}, Sandbox: confined,
		Warm: int(min(s.warm, s.clients)), Clients: int(min(s.clients, 1<<20)),
		Unused: s.timeout, Drain: s.drain,
		Say:     func(format string, args ...any) { say(!s.quiet, format, args...) },
		Verbose: func(format string, args ...any) { say(s.verbose, format, args...) },
		Ready: func() {
			server.Notify("READY=1")
			ready()
		},
	}, hurry)
}

// confined are the rules for the workers, nil for none.
func (s *serving) confined() (*sandbox.Rules, error) {
	named := len(s.read) > 0 || len(s.write) > 0
	switch {
	case s.open:
		return nil, nil
	case sandbox.Version() == 0:
		if named {
			return nil, hinted(sandbox.ErrUnsupported, "leave out --allow-read and --allow-write, and the module can do all that you can")
		}
		return nil, nil
	case !named:
		rules := sandbox.Harmless()
		return &rules, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read := append([]string{exe}, s.read...)
	if strings.HasPrefix(s.service.Provider, "/") {
		read = append(read, s.service.Provider)
	}
	if err := errors.Join(there("--allow-read", s.read), there("--allow-write", s.write)); err != nil {
		return nil, hinted(err, "a path that the module may use has to be there already")
	}
	rules := sandbox.Named(read, s.write, s.network)
	return &rules, nil
}

// advice is what to do where a module does not initialize, as far as that may be for the sandbox.
func (s *serving) advice(confined bool) string {
	switch {
	case !confined:
		return ""
	case len(s.read) > 0 || len(s.write) > 0:
		return "the module may use no files but those that --allow-read and --allow-write name and the system's own: " +
			"name its configuration and what else it needs, or see whether it is that with --no-sandbox"
	}
	return "the module may write nothing below /usr and where else programs are: if it keeps something there, name it with --allow-write, or use --no-sandbox"
}

// there says which of the paths that an option names are not there.
func there(option string, paths []string) error {
	var errs []error
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", option, err))
		}
	}
	return errors.Join(errs...)
}

// How many messages wait where the standard error takes none, and how long the last ones do.
const (
	maxSaid  = 64
	lastWord = time.Second
)

// speaker gives who tells the user something, if it is to be said aloud, and what ends that. It does not wait for who reads: what is too
// much is left out, and the server goes on.
func (s *serving) speaker() (say func(aloud bool, format string, args ...any), silence func()) {
	lines := make(chan string, maxSaid)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for line := range lines {
			fmt.Fprint(s.cmd.ErrOrStderr(), line)
		}
	}()
	say = func(aloud bool, format string, args ...any) {
		if !aloud {
			return
		}
		select {
		case lines <- fmt.Sprintf("%s: %s\n", s.cmd.CommandPath(), fmt.Sprintf(format, args...)):
		default:
		}
	}
	return say, func() {
		close(lines)
		select {
		case <-ended:
		case <-time.After(lastWord):
		}
	}
}

// print prints commands for the shell that tell clients of the server.
func (s *serving) print(address string, pid int) {
	s.set("P11_KIT_SERVER_ADDRESS", address)
	s.set("P11_KIT_SERVER_PID", strconv.Itoa(pid))
}

func (s *serving) set(name, value string) {
	if strings.Contains(value, ";") { // an address of vsock
		value = "'" + value + "'"
	}
	if s.csh {
		fmt.Fprintf(s.cmd.OutOrStdout(), "setenv %s %s;\n", name, value)
	} else {
		fmt.Fprintf(s.cmd.OutOrStdout(), "%s=%s; export %s;\n", name, value, name)
	}
}

// end ends the server that the environment names.
func (s *serving) end() error {
	const variable = "P11_KIT_SERVER_PID"
	text := os.Getenv(variable)
	if text == "" {
		return hinted(errors.New(variable+" is not set"), "run this where the commands that the server has printed have been run")
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		return hinted(fmt.Errorf("%s is %q, which is no process of a server", variable, text),
			"run this where the commands that the server has printed have been run, or end the server's process yourself")
	}
	if err := signalServer(pid); err != nil {
		return hinted(fmt.Errorf("%s: process %d: %w", variable, pid, err), "unset %s and P11_KIT_SERVER_ADDRESS: they are out of date", variable)
	}
	unset := "unset"
	if s.csh {
		unset = "unsetenv"
	}
	for _, name := range []string{"P11_KIT_SERVER_ADDRESS", variable} {
		fmt.Fprintf(s.cmd.OutOrStdout(), "%s %s;\n", unset, name)
	}
	return nil
}

// errNoServer is a process that has got the number of a server which is gone.
var errNoServer = errors.New("it is no server")

// signalServer asks a process to end that is a server, ours or p11-kit's.
func signalServer(pid int) error {
	process, err := os.FindProcess(pid) // by a descriptor: from here on it stays the same one
	if err != nil {
		return err
	}
	defer process.Release()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && len(line) > 0 && !isServer(strings.Split(string(line), "\x00")) {
		return errNoServer
	}
	if err = process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		err = syscall.ESRCH
	}
	return err
}

// isServer tells whether a command line is that of a server.
func isServer(words []string) bool {
	return strings.HasSuffix(filepath.Base(words[0]), "server") || len(words) > 1 && words[1] == "server"
}
