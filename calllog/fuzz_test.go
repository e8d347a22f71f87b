package calllog

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// FuzzCall logs calls whose pointers are NULL or lead into memory full of such pointers, and whose lengths are anything. Nothing may
// fault, a line of JSON is one, and no octet may be read beyond the memory.
func FuzzCall(f *testing.F) {
	// So low that an address is also a length that a buffer may have, and below the program. Behind it there is nothing.
	const base, size = 0x10000, 0x3e0000
	p, _, errno := syscall.Syscall6(syscall.SYS_MMAP, base, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|0x100000 /* MAP_FIXED_NOREPLACE */, ^uintptr(0), 0)
	if errno != 0 || p != base {
		f.Fatalf("mmap at %#x gives %#x: %v", base, p, errno)
	}
	mem := unsafe.Slice(at[uint64](base), size/8)
	for i := range uint8(ck.NumFuncs) {
		f.Add(i, uint64(i), uint64(0))
		f.Add(i, uint64(i)+1000, uint64(ck.CKR_BUFFER_TOO_SMALL))
	}
	types := []uint64{uint64(ck.CKM_AES_GCM), uint64(ck.CKM_KIP_MAC), uint64(ck.CKM_CMS_SIG), uint64(ck.CKM_RSA_AES_KEY_WRAP),
		uint64(ck.CKM_PBE_SHA1_RC4_40), uint64(ck.CKA_WRAP_TEMPLATE), uint64(ck.CKA_LABEL), uint64(ck.CKA_ALLOWED_MECHANISMS), uint64(ck.CKA_CLASS)}
	lengths := []uint64{0, 1, 8, 16, 24, 40, 48, 56, 64, unavailable, 1 << 46, 1 << 16, 1<<16 + 1, 4096}
	f.Fuzz(func(t *testing.T, fn uint8, seed, rv uint64) {
		rng := rand.New(rand.NewPCG(seed, rv))
		pointer := func() uint64 {
			if rng.IntN(4) == 0 {
				return 0
			}
			return base + rng.Uint64N(1<<12)*8
		}
		fill := func() {
			for i := range 1 << 13 {
				switch rng.IntN(4) {
				case 0:
					mem[i] = types[rng.IntN(len(types))]
				case 1:
					mem[i] = lengths[rng.IntN(len(lengths))]
				case 2:
					mem[i] = rng.Uint64()
				default:
					mem[i] = pointer()
				}
			}
			// Mechanisms and attributes are looked at here, and have pointers in the places of pointers: lengths within text are believed.
			for i := 1 << 12; i+2 < 1<<13; i += 3 {
				mem[i], mem[i+1], mem[i+2] = types[rng.IntN(len(types))], pointer(), lengths[rng.IntN(8)]
			}
		}
		fill()
		clear(mem[1<<13:])
		f := ck.Func(fn) % ck.NumFuncs
		var w cabi.Words
		for i := range w {
			w[i] = uintptr(pointer())
		}
		args := argumentsOf(f)
		for i, a := range args {
			switch a.kind {
			case kindTemplate, kindOutTemplate:
				w[a.at] = base + 8*(1<<12+3*uintptr(rng.IntN(1000)))
				w[a.at+1] = uintptr([]uint64{0, 1, 5, 100, 1<<16 + 1, unavailable}[rng.IntN(6)])
			case kindMechanism:
				w[a.at] = base + 8*(1<<12+3*uintptr(rng.IntN(1000)))
			case kindBytes, kindFill:
				w[a.at+1] = uintptr(lengths[rng.IntN(len(lengths))])
			case kindOutMax:
				w[a.at+1] = uintptr(lengths[rng.IntN(8)])
			case kindOutList, kindOutBytes, kindOutInterfaces:
				// The room that a caller says there is, there is.
				if count := base + 8*uintptr(1<<13+i); rng.IntN(8) > 0 {
					w[a.at+1] = count
					*at[uint64](count) = lengths[rng.IntN(8)]
				} else {
					w[a.at+1] = 0
				}
			}
		}
		for _, secrets := range []bool{false, true} {
			for _, text := range []bool{false, true} {
				r := record{secrets: secrets}
				r.begin(args, &w)
				if text {
					r.textIn(f)
				} else {
					r.text(`{"arguments":`)
					r.jsonArguments(f)
				}
				for i := range 8 { // the module writes
					mem[1<<13+i] = lengths[rng.IntN(len(lengths))]
				}
				for i := 1<<12 + 2; i < 1<<13; i += 3 {
					mem[i] = lengths[rng.IntN(len(lengths))]
				}
				if text {
					r.textOut(f, ck.RV(rv))
				} else {
					r.jsonOutput(f, ck.RV(rv))
					r.text("}")
					if !json.Valid(r.buf) || strings.Contains(string(r.buf), "\n") {
						t.Fatalf("%v: %q", f, r.buf)
					}
				}
				for i := 1<<12 + 2; i < 1<<13; i += 3 {
					mem[i] = lengths[rng.IntN(8)]
				}
			}
		}
	})
}
