// The table of functions with the spread of their durations.

// The buckets of the histograms: so many for each of so many powers of ten, from a nanosecond to more than a day.
const perDecade = 5, decades = 14;

// bucketOf is the bucket of a duration in ns.
const bucketOf = (ns) => Math.min(perDecade * decades - 1, Math.max(0, Math.floor(Math.log10(Math.max(ns, 1)) * perDecade)));

// quantile of sorted durations: what a part q of them does not exceed.
const quantile = (sorted, q) => sorted[Math.max(Math.ceil(q * sorted.length) - 1, 0)];

// summarize counts the shown calls by function, the longest total first.
function summarize() {
  const byName = new Map();
  for (const c of shown) {
    let f = byName.get(c.name);
    if (!f) byName.set(c.name, (f = { name: c.name, durations: [], failed: 0, total: 0, buckets: new Uint32Array(perDecade * decades) }));
    f.durations.push(c.duration);
    f.failed += c.failed;
    f.total += c.duration;
    f.buckets[bucketOf(c.duration)]++;
  }
  const all = [...byName.values()].sort((a, b) => b.total - a.total);
  for (const f of all) f.durations.sort((a, b) => a - b);
  return all;
}

// histogram draws buckets from the first to the last that any function uses, so that those of all functions can be compared.
function histogram(f, first, last) {
  const svg = (name, attributes, ...children) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const width = 6, height = 28, n = last - first + 1, highest = Math.log1p(f.buckets.reduce((a, b) => Math.max(a, b), 0));
  const bars = [];
  for (let b = first; b <= last; b++) {
    const x = (b - first) * width;
    if (b % perDecade === 0) bars.push(svg("line", { class: "decade", x1: x, x2: x, y1: 0, y2: height }));
    if (!f.buckets[b]) continue;
    const h = Math.max(2, (Math.log1p(f.buckets[b]) / highest) * (height - 2));
    const title = svg("title", {}, `${span(10 ** (b / perDecade))} to ${span(10 ** ((b + 1) / perDecade))}: ${f.buckets[b]}`);
    bars.push(svg("rect", { class: "bar kind" + kind(f.name), x, y: height - h, width: width - 1, height: h }, title));
  }
  const label = `Durations of ${f.name} on a logarithmic scale, from ${span(f.durations[0])} to ${span(f.durations.at(-1))}`;
  return svg("svg", { width: n * width, height, viewBox: `0 0 ${n * width} ${height}`, role: "img", "aria-label": label }, ...bars);
}

// scale names the powers of ten that have lines in the histograms.
function scale(first, last) {
  const marks = [];
  for (let b = first; b <= last; b++) if (b % perDecade === 0) marks.push(span(10 ** (b / perDecade)).replace(/\.0+/, ""));
  return marks.length > 1 ? `Lines from ${marks[0]} to ${marks.at(-1)}` : marks.length ? "Line at " + marks[0] : "Durations";
}

function showFunctions() {
  const all = summarize();
  let first = perDecade * decades, last = 0;
  for (const f of all) {
    first = Math.min(first, bucketOf(f.durations[0]));
    last = Math.max(last, bucketOf(f.durations.at(-1)));
  }
  const titles = ["Function", "Calls", "Errors", "Total", "p50", "p90", "p99", "Max", scale(first, last)];
  const head = make("thead", {}, make("tr", {}, ...titles.map((t, i) => make("th", { scope: "col", className: i > 0 && i < 8 ? "number" : "" }, t))));
  const body = all.slice(0, 500).map((f) => {
    const choose = make("button", { type: "button", className: "link", title: "Show only " + f.name }, f.name);
    choose.addEventListener("click", () => {
      controls.name.value = "=" + f.name;
      refresh();
    });
    const numbers = [f.durations.length, f.failed, span(f.total), ...[0.5, 0.9, 0.99].map((q) => span(quantile(f.durations, q))), span(f.durations.at(-1))];
    const cells = numbers.map((v, i) => make("td", { className: i === 1 && f.failed ? "number failed" : "number" }, String(v)));
    return make("tr", {}, make("th", { scope: "row" }, choose), ...cells, make("td", {}, histogram(f, first, last)));
  });
  byId("functions").replaceChildren(head, make("tbody", {}, ...body));
}
