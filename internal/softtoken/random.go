package softtoken

import (
	"crypto/rand"

	"github.com/p11mux/p11mux/ck"
)

// seedRandom is C_SeedRandom. The operating system's generator takes no seed from a caller.
func (t *Token) seedRandom(s *session, c *ck.SeedRandomCall) error {
	return ck.CKR_RANDOM_SEED_NOT_SUPPORTED
}

// generateRandom is C_GenerateRandom.
func (t *Token) generateRandom(s *session, c *ck.GenerateRandomCall) error {
	if c.RandomData == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	rand.Read(c.RandomData)
	return nil
}
