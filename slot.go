package p11mux

import (
	"context"
	"errors"
	"strconv"

	"github.com/p11mux/p11mux/ck"
)

// A Slot is a place for a token. It is a name and holds nothing: two slots of one number are the same. Safe for
// concurrent use.
type Slot struct {
	module *Module
	id     ck.SlotID
}

// Module is the module that the slot belongs to.
func (s *Slot) Module() *Module { return s.module }

// ID is the slot's number.
func (s *Slot) ID() ck.SlotID { return s.id }

// String names the slot by its number and its module.
func (s *Slot) String() string {
	return "slot " + strconv.FormatUint(uint64(s.id), 10) + " of " + s.module.name
}

// Info describes the slot (C_GetSlotInfo, PKCS#11 3.2 §5.5).
func (s *Slot) Info(ctx context.Context) (ck.SlotInfo, error) {
	call := ck.GetSlotInfoCall{Slot: s.id}
	err := s.module.Do(ctx, &call)
	return call.Info, err
}

func (s *Slot) tokenInfo(ctx context.Context) (ck.TokenInfo, error) {
	call := ck.GetTokenInfoCall{Slot: s.id}
	err := s.module.Do(ctx, &call)
	return call.Info, err
}

// Token gives the token in the slot, also one that is not initialized; CKR_TOKEN_NOT_PRESENT if there is none. As long as
// a slot has the same token, it is the same *Token.
func (s *Slot) Token(ctx context.Context) (*Token, error) {
	info, err := s.tokenInfo(ctx)
	if err != nil {
		return nil, err
	}
	m := s.module
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.tokens[s.id]
	if known != nil && known.is(&info) {
		known.flags.Store(uint64(info.Flags)) // a first PIN makes a login required
		return known, nil
	}
	if m.tokens == nil {
		m.tokens = make(map[ck.SlotID]*Token)
	}
	t := newToken(s, info)
	m.tokens[s.id] = t
	if known != nil {
		known.lost(known.generation.Load())
	}
	return t, nil
}

// InitToken initializes the token in the slot, or makes it anew: all that is on it is destroyed. The PIN is the security
// officer's. CKR_SESSION_EXISTS if anybody has a session with it (C_InitToken, PKCS#11 3.2 §5.5).
func (s *Slot) InitToken(ctx context.Context, label string, officer PIN) error {
	t, err := s.Token(ctx)
	if err != nil {
		return err
	}
	padded := make([]byte, 32)
	if len(label) > len(padded) {
		return s.module.refused(ck.FuncInitToken, ck.CKR_ARGUMENTS_BAD, errors.New("a label has no more than 32 octets"))
	}
	ck.Pad(padded, label)
	t.pool.drain()
	return t.withPIN(ctx, officer, func(pin []byte) error {
		return s.module.Do(ctx, &ck.InitTokenCall{Slot: s.id, PIN: pin, Label: padded})
	})
}
