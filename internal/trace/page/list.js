// The table of calls, and the one call that is looked at.

const perPage = 100;

// page is the first row of the list that is shown.
let page = 0;

// selected is the call that is looked at, or null.
let selected = null;

function showList() {
  page = Math.max(0, Math.min(page, Math.floor((shown.length - 1) / perPage) * perPage));
  const titles = ["Time", "Caller", "Module", "Session", "Function", "Result", "Duration"];
  const head = make("thead", {}, make("tr", {}, ...titles.map((t, i) => make("th", { scope: "col", className: [0, 3, 6].includes(i) ? "number" : "" }, t))));
  const body = shown.slice(page, page + perPage).map((c) => {
    const row = rows[c.row];
    const choose = make("button", { type: "button", className: "link" }, c.name);
    choose.addEventListener("click", () => select(c, true));
    const tr = make("tr", { className: (c.failed ? "failed " : "") + (c === selected ? "selected" : "") },
      make("td", { className: "number" }, clock(start, c.start)), make("td", {}, row.name), make("td", {}, row.module),
      make("td", { className: "number" }, row.session), make("td", {}, choose), make("td", {}, (c.failed ? "✗ " : "") + c.result),
      make("td", { className: "number" }, span(c.duration)));
    tr.dataset.call = c.index;
    return tr;
  });
  byId("calls").replaceChildren(head, make("tbody", {}, ...body));
  byId("range").textContent = shown.length ? `${page + 1} to ${Math.min(page + perPage, shown.length)} of ${shown.length}` : "no calls";
  byId("previous").disabled = page === 0;
  byId("next").disabled = page + perPage >= shown.length;
}

// turn shows another page of the list.
function turn(by) {
  page += by * perPage;
  showList();
}

// select looks at a call, or at none. reveal brings it into the timeline's view.
function select(c, reveal) {
  selected = c;
  byId("detail").hidden = !c;
  if (c) {
    const row = rows[c.row];
    byId("detail-title").textContent = c.name;
    byId("selected").textContent = `${c.name} returned ${c.result} after ${span(c.duration)}`;
    byId("selected").className = c.failed ? "failed" : "";
    const fields = [
      ["Time", new Date(start.ms).toISOString().slice(0, 10) + " " + clock(start, c.start) + " UTC"], ["Caller", row.name],
      ["Module", row.module], ["Session", row.session || "none"], ["Process", c.pid], ["Thread", c.thread], ["Log", c.file + ":" + c.line],
    ];
    byId("fields").replaceChildren(...fields.flatMap(([k, v]) => [make("dt", {}, k), make("dd", {}, String(v))]));
    byId("arguments").textContent = c.args ? pretty(c.args) : "none";
    byId("output").textContent = c.output ? pretty(c.output) : "none";
    const at = shown.indexOf(c);
    if (at >= 0) page = Math.floor(at / perPage) * perPage;
  }
  showList();
  if (c && reveal) timeline.reveal(c);
  else timeline.draw();
}
