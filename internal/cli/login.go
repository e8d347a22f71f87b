package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// pinVariable is the environment variable that a PIN may be in. As p11-kit it is not looked at.
const pinVariable = "P11MUX_PIN"

// loginTo logs in to those of the tokens that need it, if the command line asks for it: with --login, and as p11mux also by naming a
// PIN.
func (j *job) loginTo(ctx context.Context, tokens []*p11mux.Token) error {
	_, source := j.uri.Get(uri.PINSource)
	_, value := j.uri.PIN()
	if !j.login && (j.isKit || j.pinFile == "" && !source && !value) {
		return nil
	}
	return j.loginAnyway(ctx, tokens)
}

// loginToChange logs in for a command that changes the token. p11-kit does so with --login only.
func (j *job) loginToChange(ctx context.Context, t *p11mux.Token) error {
	if j.isKit {
		return j.loginTo(ctx, []*p11mux.Token{t})
	}
	return j.loginAnyway(ctx, []*p11mux.Token{t})
}

func (j *job) loginAnyway(ctx context.Context, tokens []*p11mux.Token) error {
	type asked struct {
		*p11mux.Token
		flags ck.Flags
	}
	var need []asked
	for _, t := range tokens {
		info, err := t.Info(ctx)
		if err != nil {
			return err
		}
		if info.Flags&ck.CKF_LOGIN_REQUIRED != 0 && info.Flags&ck.CKF_USER_PIN_INITIALIZED != 0 {
			need = append(need, asked{t, info.Flags})
		}
	}
	known, source, err := j.knownPIN()
	if err != nil {
		return err
	}
	if known != nil && len(need) > 1 {
		// Each wrong try counts.
		return j.severalTokens("token that needs the PIN", need[0].Token, need[1].Token)
	}
	for _, t := range need {
		pin, err := j.pinFor(t.Token, t.flags, known)
		if err == nil {
			err = j.notAccepted(t.Token, cmp.Or(source, "the terminal"), t.Login(ctx, neverEmpty(pin)))
		}
		if err != nil {
			return err
		}
	}
	j.loggedIn = true
	return nil
}

// notAccepted says which PIN it is, and of which token, that the token does not take.
func (j *job) notAccepted(t *p11mux.Token, source string, err error) error {
	if j.isKit || !errors.Is(err, ck.CKR_PIN_INCORRECT) && !errors.Is(err, ck.CKR_PIN_LEN_RANGE) {
		return err
	}
	return fmt.Errorf("the PIN for %q, from %s, is not accepted: %w", t.Label(), source, err)
}

// pinFor gives what finds out the PIN of a token whose flags are given; nil if the token asks for it by itself. known needs nobody to
// be asked, and may be nil.
//
// p11-kit does not look at how many tries are left.
func (j *job) pinFor(t *p11mux.Token, flags ck.Flags, known p11mux.PIN) (p11mux.PIN, error) {
	has := func(f ck.Flags) bool { return flags&f != 0 && !j.isKit }
	switch {
	case has(ck.CKF_USER_PIN_LOCKED):
		return nil, hinted(fmt.Errorf("the PIN for %q is locked", t.Label()), "the security officer has to give the user a new PIN")
	case known != nil && has(ck.CKF_USER_PIN_FINAL_TRY):
		return nil, hinted(fmt.Errorf("one more wrong PIN locks %q, and nobody has typed this one: it was not tried", t.Label()),
			"run the command on a terminal with --login and no other PIN, and type it")
	case known != nil:
		return known, nil
	case flags&ck.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		j.tell("enter the PIN for %s on the token's own keypad%s", t.Label(), triesLeft(flags))
		return nil, nil
	case j.isKit:
		return j.askPIN(""), nil
	}
	return j.askPIN(triesLeft(flags)), nil
}

// triesLeft warns who types a PIN.
func triesLeft(flags ck.Flags) string {
	switch {
	case flags&ck.CKF_USER_PIN_FINAL_TRY != 0:
		return " (a wrong one locks it)"
	case flags&ck.CKF_USER_PIN_COUNT_LOW != 0:
		return " (the last one was wrong)"
	}
	return ""
}

// errEmptyPIN says why a PIN was not tried.
var errEmptyPIN = errors.New("the PIN is empty, and was not tried")

// neverEmpty keeps an empty PIN from the token, which would count it as a wrong one: somebody typed Enter, or a file has nothing in it.
func neverEmpty(pin p11mux.PIN) p11mux.PIN {
	if pin == nil {
		return nil
	}
	return func(ctx context.Context, t *p11mux.Token) ([]byte, error) {
		value, err := pin(ctx, t)
		if err == nil && len(value) == 0 {
			err = hinted(errEmptyPIN, "type a PIN, or use --pin-file FILE with a file that has one in it")
		}
		return value, err
	}
}

// knownPIN is the PIN that needs nobody to be asked for: that of the URI, of --pin-file, or of the environment, and in words where it is
// from. Nil if there is none.
func (j *job) knownPIN() (pin p11mux.PIN, source string, err error) {
	source = "pin-value in the URI"
	if _, ok := j.uri.PIN(); !ok {
		if j.isKit {
			return nil, "", nil // p11-kit does not use a pin-source
		}
		source = "pin-source in the URI"
	}
	pin, err = p11mux.PINFromURI(j.uri)
	switch {
	case err != nil:
		return nil, "", hinted(err, "write it as pin-source=file:/path, or use --pin-file FILE")
	case pin != nil, j.isKit:
		return readable(pin), source, nil
	case j.pinFile != "":
		return readable(p11mux.PINFile(j.pinFile)), "--pin-file", nil
	}
	if value := os.Getenv(pinVariable); value != "" {
		return p11mux.PINString(value), pinVariable + " in the environment", nil
	}
	return nil, "", nil
}

// readable says what to do if the file of a PIN is none.
func readable(pin p11mux.PIN) p11mux.PIN {
	return func(ctx context.Context, t *p11mux.Token) ([]byte, error) {
		value, err := pin(ctx, t)
		if err != nil {
			err = hinted(err, "name a file that has nothing but the PIN in it, and that you may read")
		}
		return value, err
	}
}

// askPIN asks the person at the terminal. note stands behind the token's name.
func (j *job) askPIN(note string) p11mux.PIN {
	return func(_ context.Context, t *p11mux.Token) ([]byte, error) {
		prompt := "PIN for " + plain(t.Label()) + note + ": "
		pin, err := promptTerminal(prompt)
		if err != errNoTerminal {
			return pin, err
		}
		if j.isKit {
			return promptPlain(prompt, j.in, j.err)
		}
		return nil, hinted(fmt.Errorf("there is no PIN for %q, and no terminal to ask at", t.Label()),
			"use --pin-file FILE, %s in the environment, or pin-source=file:/path in the URI", pinVariable)
	}
}

// tokenToRead gives the token to read from, logged in to if that is asked for.
func (j *job) tokenToRead(ctx context.Context, s *set) (*p11mux.Token, error) {
	t, err := j.token(ctx, s)
	if err != nil {
		return nil, err
	}
	return t, j.loginTo(ctx, []*p11mux.Token{t})
}

// tokensToRead gives the tokens that the job's URI names, logged in to if that is asked for.
func (j *job) tokensToRead(ctx context.Context, s *set) ([]*p11mux.Token, error) {
	tokens := j.tokens(ctx, s)
	return tokens, j.loginTo(ctx, tokens)
}

// change calls f with the token to change, logged in to, and a session that can write.
func (j *job) change(ctx context.Context, s *set, f func(*p11mux.Token, *p11mux.Session) error) error {
	t, err := j.tokenToChange(ctx, s)
	if err != nil {
		return err
	}
	if err := j.loginToChange(ctx, t); err != nil {
		return err
	}
	session, err := t.OpenSession(ctx, p11mux.ReadWrite)
	if err != nil {
		return err
	}
	return errors.Join(f(t, session), session.Close())
}
