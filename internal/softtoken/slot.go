package softtoken

import "github.com/p11mux/p11mux/ck"

// getSlotList is C_GetSlotList.
func (t *Token) getSlotList(c *ck.GetSlotListCall) error {
	return deliver(&c.Slots, []ck.SlotID{Slot})
}

// getSlotInfo is C_GetSlotInfo.
func (t *Token) getSlotInfo(c *ck.GetSlotInfoCall) error {
	if c.Slot != Slot {
		return ck.CKR_SLOT_ID_INVALID
	}
	c.Info = ck.SlotInfo{Flags: ck.CKF_TOKEN_PRESENT, FirmwareVersion: ck.Version{Major: 1}}
	ck.Pad(c.Info.Description[:], description)
	ck.Pad(c.Info.ManufacturerID[:], manufacturer)
	return nil
}

// getTokenInfo is C_GetTokenInfo.
func (t *Token) getTokenInfo(c *ck.GetTokenInfoCall) error {
	if c.Slot != Slot {
		return ck.CKR_SLOT_ID_INVALID
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	info := ck.TokenInfo{
		Label:              t.label,
		Flags:              ck.CKF_RNG | ck.CKF_LOGIN_REQUIRED | ck.CKF_TOKEN_INITIALIZED,
		MaxSessionCount:    ck.CK_EFFECTIVELY_INFINITE,
		MaxRWSessionCount:  ck.CK_EFFECTIVELY_INFINITE,
		SessionCount:       uint64(len(t.sessions)),
		MinPINLen:          minPIN,
		MaxPINLen:          maxPIN,
		TotalPublicMemory:  ck.CK_UNAVAILABLE_INFORMATION,
		FreePublicMemory:   ck.CK_UNAVAILABLE_INFORMATION,
		TotalPrivateMemory: ck.CK_UNAVAILABLE_INFORMATION,
		FreePrivateMemory:  ck.CK_UNAVAILABLE_INFORMATION,
		FirmwareVersion:    ck.Version{Major: 1},
	}
	for _, s := range t.sessions {
		if s.rw {
			info.RWSessionCount++
		}
	}
	if t.user.known {
		info.Flags |= ck.CKF_USER_PIN_INITIALIZED
	}
	info.Flags |= t.user.flags(ck.CKF_USER_PIN_COUNT_LOW, ck.CKF_USER_PIN_FINAL_TRY, ck.CKF_USER_PIN_LOCKED)
	info.Flags |= t.so.flags(ck.CKF_SO_PIN_COUNT_LOW, ck.CKF_SO_PIN_FINAL_TRY, ck.CKF_SO_PIN_LOCKED)
	ck.Pad(info.ManufacturerID[:], manufacturer)
	ck.Pad(info.Model[:], model)
	ck.Pad(info.SerialNumber[:], serial)
	ck.Pad(info.UTCTime[:], "")
	c.Info = info
	return nil
}

// getMechanismList is C_GetMechanismList.
func (t *Token) getMechanismList(c *ck.GetMechanismListCall) error {
	if c.Slot != Slot {
		return ck.CKR_SLOT_ID_INVALID
	}
	over, err := room(&c.Mechanisms, len(mechanisms))
	if over {
		return err
	}
	for i := range mechanisms {
		c.Mechanisms.Buf[i] = mechanisms[i].typ
	}
	return nil
}

// getMechanismInfo is C_GetMechanismInfo.
func (t *Token) getMechanismInfo(c *ck.GetMechanismInfoCall) error {
	if c.Slot != Slot {
		return ck.CKR_SLOT_ID_INVALID
	}
	m := findMechanism(c.Type)
	if m == nil {
		return ck.CKR_MECHANISM_INVALID
	}
	c.Info = ck.MechanismInfo{MinKeySize: m.min, MaxKeySize: m.max, Flags: m.flags}
	return nil
}

// initToken is C_InitToken: it removes all objects and the user's PIN. The security officer's PIN stays.
func (t *Token) initToken(c *ck.InitTokenCall) error {
	switch {
	case c.Slot != Slot:
		return ck.CKR_SLOT_ID_INVALID
	case c.PIN == nil, len(c.Label) != len(t.label):
		return ck.CKR_ARGUMENTS_BAD
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sessions) > 0 {
		return ck.CKR_SESSION_EXISTS
	}
	if err := t.so.check(c.PIN); err != nil {
		return err
	}
	t.user = pin{}
	t.format(ck.Unpad(c.Label))
	return nil
}
