package engine

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/transport"
)

// clientName is what messages call the client module.
const clientName = "p11-kit-client"

// ClientLoad is C_GetFunctionList and C_GetInterface of the client module: a new function list, with a connection of its own to the
// server that the environment names, or else to the one at address, or if that is empty at the usual place (abi.md 7.8).
func (e *Engine) ClientLoad(address string) (unsafe.Pointer, ck.RV) {
	_, env := e.host.Environment()
	if set := env.Variable("P11_KIT_SERVER_ADDRESS"); set != "" {
		address = set
	}
	if address == "" {
		dir, ok := env.RuntimeDir()
		if !ok {
			e.host.Message("cannot find the server: set XDG_RUNTIME_DIR or P11_KIT_SERVER_ADDRESS")
			return nil, ck.CKR_GENERAL_ERROR
		}
		address = transport.EncodePath(dir + "/p11-kit/pkcs11")
	}
	m, err := e.registry.Client(clientName, address)
	if err != nil {
		e.host.Message(err.Error())
		return nil, ck.RVOf(err)
	}
	list := e.list(m, true, nil, nil)
	if list == nil {
		return nil, ck.CKR_HOST_MEMORY
	}
	if caller, ok := e.caller(Handle(list)).(interface{ TakeReserved() }); ok {
		caller.TakeReserved()
	}
	return list, ck.CKR_OK
}
