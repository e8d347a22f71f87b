package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/serve"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/uri"
)

// A Service is what is served, and within which limits. It travels to the workers.
type Service struct {
	// Tokens are the URIs of the tokens that are served, with slots of their own; a token is shown if one of them matches. If there are none,
	// the module Provider is served as it is.
	Tokens []string
	// Provider is the path of the module that has the tokens, or its name in the module directory. Empty is for all configured
	// modules.
	Provider string
	// Advice is what to do where a module does not initialize, for people, who are told on the standard error; empty for nothing. Quiet is
	// whether nothing is said there of what goes wrong with clients.
	Advice string
	Quiet  bool
	// WriteProtect is whether nothing may be written to any token.
	WriteProtect bool

	MaxMessage  int           // octets of a request; 0 for as many as package rpc takes
	MaxSessions int           // of a client; 0 for as many as the module has
	Idle        time.Duration // after so long without a call a client is disconnected; 0 for never
	Stall       time.Duration // so long may a message take to arrive or to be read; 0 for ever
	Farewell    time.Duration // so long may calls take whose client is gone, before the worker ends anyway; 0 for 10 seconds
}

// Check tells what is wrong with a service without loading anything. A URI itself is not in the error, for it may have a PIN in it.
func (s *Service) Check() error {
	if len(s.Tokens) == 0 && s.Provider == "" {
		return errors.New("neither a module nor a token is named")
	}

	for i, text := range s.Tokens {
		u, err := uri.Parse(text, uri.ForToken)
		if err != nil {
			return fmt.Errorf("the URI of token %d is none: %w", i+1, err)
		}
		u.ClearPIN()
		if protect, ok := u.VendorQuery("write-protected"); ok && protect != "yes" && protect != "no" {
			return fmt.Errorf("the URI of token %d has write-protected=%q: use yes or no", i+1, protect)
		}
	}
	return nil
}

// load loads what is to be served, and initializes nothing. tell is told of configured modules that are left
// out, now or when a client initializes them.
func (s *Service) load(tell func(text string)) (module.Module, error) {
	what := s.Tokens
	if len(what) == 0 {
		what = []string{s.Provider}
	}
	prepared, err := serve.Prepare(s.Provider, what, serve.Options{Message: tell})
	if err != nil {
		return nil, fmt.Errorf("couldn't load what is to be served: %w", err)
	}
	if s.WriteProtect {
		return readOnly(prepared.Module()), nil
	}
	return prepared.Module(), nil
}

// String names what is served, for people. PINs are left out.
func (s *Service) String() string {
	if len(s.Tokens) == 0 {
		return s.Provider
	}
	var texts []string
	for _, text := range s.Tokens {
		if u, err := uri.Parse(text, uri.ForToken); err == nil {
			texts = append(texts, u.WithoutPIN().Format(uri.ForToken))
		}
	}
	return strings.Join(texts, " ")
}

// readOnly is a module whose tokens cannot be written.
func readOnly(m module.Module) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		switch call := call.(type) {
		case *ck.OpenSessionCall:
			if call.Flags&ck.CKF_RW_SESSION != 0 {
				return ck.CKR_TOKEN_WRITE_PROTECTED
			}
		case *ck.InitTokenCall:
			return ck.CKR_TOKEN_WRITE_PROTECTED
		case *ck.GetTokenInfoCall:
			err := m.Do(ctx, call)
			if err == nil {
				call.Info.Flags |= ck.CKF_WRITE_PROTECTED
			}
			return err
		}
		return m.Do(ctx, call)
	})
}
