package softtoken

import (
	"crypto/rand"

	"github.com/p11mux/p11mux/ck"
)

// seedRandom is C_SeedRandom. The operating system's generator takes no seed from a caller.
func (t *Token) seedRandom(c *ck.SeedRandomCall) error {
	s, err := t.acquire(c.Session)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	return ck.CKR_RANDOM_SEED_NOT_SUPPORTED
}

// generateRandom is C_GenerateRandom.
func (t *Token) generateRandom(c *ck.GenerateRandomCall) error {
	s, err := t.acquire(c.Session)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if c.RandomData == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	rand.Read(c.RandomData)
	return nil
}
