// Puts the page together.

// typing is the timer that waits for the end of a word.
let typing = 0;

// refresh shows what the filter lets through.
function refresh() {
  clearTimeout(typing);
  applyFilter();
  page = 0;
  timeline.layout();
  showFunctions();
  showList();
}

// setTheme makes the page dark or light, whatever the system prefers.
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(dark));
  timeline.readColours();
  timeline.draw();
}

function begin() {
  // Where there are more rows than anybody reads, the callers alone are shown at first.
  byId("together").checked = rows.length > 40;
  const failed = calls.reduce((n, c) => n + c.failed, 0);
  byId("summary").textContent = `${calls.length} calls, ${failed} errors, ${data.callers} callers, ${span(calls.length ? length : 0)}` +
    (calls.length ? ` from ${new Date(start.ms).toISOString().slice(0, 10)} ${clock(start, 0)} UTC` : "");
  byId("notes").replaceChildren(...data.notes.map((n) => make("li", {}, n)));
  byId("legend").append(...[...kinds.keys()].map((i) => make("span", { className: "kind" + i }, kinds[i][0])), make("span", { className: "error" }, "error"));

  fillControls();
  controls.search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(refresh, 120);
  });
  controls.caller.addEventListener("change", fillSessions);
  for (const c of [controls.name, controls.caller, controls.session, controls.result]) c.addEventListener("change", refresh);
  byId("filter").addEventListener("submit", (e) => e.preventDefault());
  // A reset has its effect after this event.
  byId("filter").addEventListener("reset", () => setTimeout(() => {
    fillSessions();
    refresh();
  }));

  byId("zoom-in").addEventListener("click", () => timeline.zoom(0.5));
  byId("zoom-out").addEventListener("click", () => timeline.zoom(2));
  byId("zoom-all").addEventListener("click", timeline.all);
  byId("together").addEventListener("change", timeline.layout);
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("close").addEventListener("click", () => {
    select(null);
    byId("canvas").focus();
  });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") select(null);
    if (e.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      controls.search.focus();
      e.preventDefault();
    }
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", (e) => setTheme(e.matches));
  byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));

  timeline.listen();
  setTheme(dark.matches);
  refresh();
  timeline.all();
}

begin();
