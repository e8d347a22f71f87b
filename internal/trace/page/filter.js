// Which calls are shown.

const controls = {
  search: byId("search"), name: byId("function"), caller: byId("caller"), session: byId("session"), result: byId("result"),
};

// shown are the calls that match, in the order of their beginning.
let shown = calls;

// fill puts options into a select: pairs of value and text.
function fill(select, all, options) {
  select.replaceChildren(make("option", { value: "" }, all), ...options.map(([value, text]) => make("option", { value }, text)));
}

// distinct gives the sorted different values of a field with their counts.
function distinct(field) {
  const counts = new Map();
  for (const c of calls) counts.set(c[field], (counts.get(c[field]) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

// most is how many options a select has, which a log with ever new names could fill without end.
const most = 5000;

function fillControls() {
  const counted = (pairs) => pairs.slice(0, most).map(([value, n]) => ["=" + value, `${value} (${n})`]);
  fill(controls.name, "all", counted(distinct("name")));
  fill(controls.result, "all", [["failed", "all errors"], ...counted(distinct("result"))]);
  const names = new Map(rows.map((row) => [row.caller, row.name]));
  fill(controls.caller, "all", [...names].slice(0, most));
  fillSessions();
}

// fillSessions offers the sessions of the chosen caller.
function fillSessions() {
  const chosen = controls.caller.value;
  const options = rows.map((row, i) => [String(i), row]).filter(([, row]) => chosen === "" || row.caller === Number(chosen));
  fill(controls.session, "all", options.slice(0, most).map(([i, row]) =>
    [i, (chosen === "" ? row.name + " · " : "") + row.module + " · " + (row.session ? "session " + row.session : "no session")]));
}

// applyFilter finds the calls that match every control.
function applyFilter() {
  const words = controls.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const name = controls.name.value.slice(1), caller = controls.caller.value, session = controls.session.value;
  const result = controls.result.value;
  shown = calls.filter((c) =>
    (name === "" || c.name === name) &&
    (caller === "" || rows[c.row].caller === Number(caller)) &&
    (session === "" || c.row === Number(session)) &&
    (result === "" || (result === "failed" ? c.failed : c.result === result.slice(1))) &&
    words.every((w) => haystack(c).includes(w)));
  const failed = shown.reduce((n, c) => n + c.failed, 0);
  byId("matches").value = `${shown.length} of ${calls.length} calls, ${failed} errors`;
}
