package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/process"
	"github.com/p11mux/p11mux/registry"
)

// A probed is what a module said in its own process.
type probed struct {
	Step string `json:"step"` // the step that failed, empty if none
	Text string `json:"text"` // why it failed
	RV   string `json:"rv"`   // what the module answered, if it was that

	Absent string `json:"absent"` // why there is no server, empty if there is one or none is needed

	Description string        `json:"description"`
	Version     string        `json:"version"`
	Slots       int           `json:"slots"`
	Tokens      []probedToken `json:"tokens"`
}

type probedToken struct {
	Label string   `json:"label"`
	Flags ck.Flags `json:"flags"`
}

// The steps of a probe.
const (
	stepLoad       = "load"
	stepInitialize = "initialize"
	stepUse        = "use"
)

// Probe loads and initializes the one configured module of a name, for a program, and writes what it says to w. It is for a process
// of its own: a module may do what it likes to that, and a crash ends it by its signal.
func Probe(ctx context.Context, module, program string, w io.Writer) error {
	native.UsualCrashes()
	p := &probed{}
	p.probe(ctx, module, program)
	return json.NewEncoder(w).Encode(p)
}

func (p *probed) probe(ctx context.Context, name, program string) {
	env := conf.ProcessEnv()
	config := conf.Load(conf.Paths{}.WithEnviron(env), env)
	config.Problems = nil // they are told elsewhere
	config.Modules = slices.DeleteFunc(config.Modules, func(m conf.Module) bool { return m.Name != name })
	var messages []string
	choices, err := process.Registry().Configured(registry.Query{
		Progname: program, Critical: true, Config: config,
		Message: func(text string) { messages = append(messages, text) },
	})
	if err != nil || len(choices) != 1 {
		if err == nil {
			err = errors.New(cmp.Or(strings.Join(messages, "; "), "it is not loaded"))
		}
		p.failed(stepLoad, "", err)
		return
	}
	caller := choices[0].Module.Shared().NewCaller(nil)
	if err := caller.Do(ctx, &ck.InitializeCall{}); err != nil {
		p.failed(stepInitialize, "C_Initialize: ", err)
		return
	}
	if absent := choices[0].Module.Absent(); absent != nil {
		p.Absent = absent.Error()
	}
	p.use(ctx, caller.Do)
	if err := caller.Close(ctx); err != nil && p.Step == "" {
		p.failed(stepUse, "C_Finalize: ", err)
	}
}

// use asks for what a program asks first.
func (p *probed) use(ctx context.Context, do func(context.Context, ck.Call) error) {
	var info ck.GetInfoCall
	if err := do(ctx, &info); err != nil {
		p.failed(stepUse, "C_GetInfo: ", err)
		return
	}
	p.Description, p.Version = info.Info.LibraryDescriptionString(), info.Info.LibraryVersion.String()
	var count ck.GetSlotListCall
	if err := do(ctx, &count); err != nil {
		p.failed(stepUse, "C_GetSlotList: ", err)
		return
	}
	list := ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, count.Slots.N)}}
	if count.Slots.N > 0 {
		if err := do(ctx, &list); err != nil {
			p.failed(stepUse, "C_GetSlotList: ", err)
			return
		}
	}
	p.Slots = len(list.Slots.Bytes())
	for _, slot := range list.Slots.Bytes() {
		token := ck.GetTokenInfoCall{Slot: slot}
		switch err := do(ctx, &token); {
		case err == nil:
			p.Tokens = append(p.Tokens, probedToken{token.Info.LabelString(), token.Info.Flags})
		case !errors.Is(err, ck.CKR_TOKEN_NOT_PRESENT) && !errors.Is(err, ck.CKR_TOKEN_NOT_RECOGNIZED):
			p.failed(stepUse, "C_GetTokenInfo: ", err)
		}
	}
}

// failed notes which step failed, and which call.
func (p *probed) failed(step, call string, err error) {
	p.Step, p.Text = step, call+err.Error()
	if rv, ok := errors.AsType[ck.RV](err); ok {
		p.RV = rv.String()
	}
}
