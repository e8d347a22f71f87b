package browser

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A record is a line of a log.
type record struct {
	Time      string         `json:"time"`
	PID       int            `json:"pid"`
	Thread    int            `json:"thread"`
	Caller    string         `json:"caller"`
	View      int            `json:"view"`
	Module    string         `json:"module"`
	Function  string         `json:"function"`
	Session   *uint64        `json:"session,omitempty"`
	Arguments map[string]any `json:"arguments"`
	Output    map[string]any `json:"output,omitempty"`
	Result    string         `json:"result"`
	Duration  float64        `json:"duration"`
}

// line is a record as the logger writes it.
func line(t *testing.T, r record) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

var epoch = time.Date(2026, 11, 25, 9, 49, 32, 123456789, time.UTC)

// at is a time so long after the epoch.
func at(d time.Duration) string { return epoch.Add(d).Format("2006-01-02T15:04:05.000000000Z") }

// bigHandle has more digits than a number of JavaScript.
const bigHandle = 18446744073709551557

// twoCallers is a small log: gnutls signs ten times, and nss, in another session and 5 µs later each time, is refused every second time.
func twoCallers(t *testing.T) string {
	t.Helper()
	log := fmt.Sprintf(`{"time":%q,"pid":77,"log":"p11mux","format":1,"caller":"mailer","secrets":false}`+"\n", at(0))
	for i := range 10 {
		big, small := uint64(bigHandle), uint64(3)
		log += line(t, record{
			Time: at(time.Duration(i) * 100 * time.Microsecond), PID: 77, Thread: 78, Caller: "gnutls", View: 1, Module: "softhsm", Function: "C_Sign",
			Session: &big, Arguments: map[string]any{"hSession": big, "pData": map[string]any{"length": 32}},
			Output: map[string]any{"pSignature": map[string]any{"length": 2, "value": "0aff"}}, Result: "CKR_OK", Duration: 40,
		})
		result := "CKR_OK"
		if i%2 == 1 {
			result = "CKR_OBJECT_HANDLE_INVALID"
		}
		log += line(t, record{
			Time: at(time.Duration(i)*100*time.Microsecond + 5*time.Microsecond), PID: 77, Thread: 79, Caller: "nss", View: 2, Module: "softhsm",
			Function: "C_GetAttributeValue", Session: &small, Result: result, Duration: 2.5,
			Arguments: map[string]any{"hObject": i, "pTemplate": []any{map[string]any{"type": "CKA_LABEL", "length": 4, "text": fmt.Sprint("key", i)}}},
		})
	}
	return log
}

// many is a log of n calls of two callers in a hundred sessions each.
func many(t *testing.T, n int) string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	functions := []string{"C_Sign", "C_SignInit", "C_FindObjects", "C_GetAttributeValue", "C_OpenSession", "C_Digest", "C_EncryptUpdate"}
	var log strings.Builder
	var now time.Duration
	for range n {
		view := 1 + random.IntN(2)
		session := uint64(1 + view*1000 + random.IntN(100))
		duration := math.Exp(random.Float64()*8) + 0.2
		result := "CKR_OK"
		if random.IntN(50) == 0 {
			result = "CKR_DEVICE_ERROR"
		}
		log.WriteString(line(t, record{
			Time: at(now), PID: 77, Thread: 77 + view, Caller: "mailer", View: view, Module: "softhsm", Function: functions[random.IntN(len(functions))],
			Session: &session, Arguments: map[string]any{"hSession": session}, Result: result, Duration: math.Round(duration*1000) / 1000,
		}))
		now += time.Duration(duration*1000) + time.Duration(random.IntN(5000))
	}
	return log.String()
}
