// The log: what Go has laid out in the element "data".

const data = JSON.parse(byId("data").textContent);

// start is when the log begins, to the nanosecond.
const start = (() => {
  const [, seconds, fraction] = /^(.*?)(?:\.(\d+))?Z$/.exec(data.start);
  const ns = Number((fraction ?? "").padEnd(9, "0"));
  return { ms: Date.parse(seconds + "Z"), ns };
})();

// calls in the order of their beginning. Texts that many have are shared.
const calls = data.calls.map((c, index) => ({
  index,
  start: c[0],
  duration: c[1],
  end: c[0] + c[1],
  name: data.texts[c[2]],
  result: data.texts[c[3]],
  failed: data.texts[c[3]] !== "CKR_OK",
  row: c[4],
  lane: c[5], // in the row of its session
  shownLane: 0, // in the row that it is drawn in
  pid: c[6],
  thread: c[7],
  line: c[8],
  file: data.texts[c[9]],
  args: c[10],
  output: c[11],
  haystack: "",
}));

const rows = data.rows;

// length is how long the log is, in ns.
const length = calls.reduce((n, c) => Math.max(n, c.end), 1);

// rowName is a row for people.
const rowName = (row) => row.name + " · " + row.module + (row.session ? " · session " + row.session : "");

// haystack is all text of a call in lower case. It is made when it is first searched.
function haystack(c) {
  if (!c.haystack) {
    c.haystack = [c.name, c.result, rowName(rows[c.row]), "thread " + c.thread, c.args, c.output].join("\n").toLowerCase();
  }
  return c.haystack;
}

// kinds are the colours: what a function is about.
const kinds = [
  ["session", /Session|Log(in|out)|OperationState|Cancel/],
  ["object", /Object|Attribute/],
  ["sign", /Sign|Verify/],
  ["cipher", /crypt/],
  ["key", /Key|Random|capsulate/],
  ["digest", /Digest/],
  ["module", /./],
];
const kindOf = new Map();
function kind(name) {
  let k = kindOf.get(name);
  if (k === undefined) {
    k = kinds.findIndex(([, pattern]) => pattern.test(name));
    if (k < 0) k = kinds.length - 1;
    kindOf.set(name, k);
  }
  return k;
}
