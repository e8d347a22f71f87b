// Package uri parses, formats and matches PKCS#11 URIs (RFC 7512), which name
// modules, slots, tokens and objects: "pkcs11:token=work;type=private?pin-source=file:/run/pin".
//
// The behaviour is that of p11-kit (abi.md 4, see CONTRIBUTING.md). What to know before relying on
// a URI for a decision:
//
//   - Parsing succeeds with attributes that it does not know or that cannot be
//     true of anything, such as a label longer than labels are. The URI is then
//     marked as unrecognized, and matches nothing.
//   - An attribute that the URI does not have matches everything, so the URI
//     "pkcs11:" does.
//   - Blanks, line feeds, carriage returns and vertical tabs are removed
//     wherever they stand; tabs and form feeds are data.
//   - An empty component of the path ends it, and the rest is read as query:
//     "pkcs11:;token=a" names no token, and matches all of them.
//   - pin-source, pin-value, module-name and module-path end at their first
//     "%00", since they are C strings.
//   - [URI.MatchSlot] does not look at slot-id; [URI.MatchSlotID] does.
//   - [URI.MatchAttributes] compares the attributes that it is given. One that
//     the URI has and the caller does not give is not missed.
//
// Deliberate differences from p11-kit:
//
//   - Parsing into a URI that was used before leaves nothing of its former
//     contents; p11-kit keeps slot-description and slot-manufacturer.
//   - A text such as "token=%00", which no token can have, marks the URI as
//     unrecognized; with p11-kit it matches every token.
//   - A library-version that is refused leaves no half of itself behind.
//   - CKA_CLASS is formatted only if its value has the size of a CK_ULONG;
//     p11-kit reads beyond a shorter one.
//   - Vendor queries whose names could not be read again are refused.
//   - The memory of a PIN is wiped when the URI drops it.
//
// [URI.Format] includes the PIN, as p11-kit's does for every type of URI.
// [URI.String] and [URI.WithoutPIN] are for messages and logs. Errors never
// quote the text that was parsed.
//
// The package runs in other people's processes: it does nothing at
// initialization, keeps no state, and imports neither fmt nor os. All work is
// linear in the length of the input, but for sorting vendor queries.
package uri
