// The timeline: a row for each session of each caller, drawn on a canvas that is as large as what can be seen of it.

const timeline = (() => {
  const box = byId("timeline"), space = byId("rows"), canvas = byId("canvas"), tip = byId("tip");
  const paint = canvas.getContext("2d");
  const axis = 24, laneHeight = 14, rowPadding = 6, headingHeight = 20;
  let gutter = 150, width = 0, height = 0;
  let from = 0, to = length;
  let placed = []; // rows that have calls to show: {row, index, top, height, calls}
  let colours = {};
  let waiting = false;
  const several = severalModules();
  // firstRow is the first row of each caller, which stands for all where they are together.
  const firstRow = [];
  rows.forEach((row, i) => (firstRow[row.caller] ??= i));

  // severalModules are the callers whose sessions need the names of their modules.
  function severalModules() {
    const first = new Map(), found = new Set();
    for (const row of rows) {
      if ((first.get(row.caller) ?? row.module) !== row.module) found.add(row.caller);
      first.set(row.caller, row.module);
    }
    return found;
  }

  const x = (ns) => gutter + ((ns - from) / (to - from)) * (width - gutter);
  const ns = (px) => from + ((px - gutter) / (width - gutter)) * (to - from);

  function readColours() {
    const css = getComputedStyle(document.documentElement);
    const value = (name) => css.getPropertyValue(name).trim();
    colours = { text: value("--text"), faint: value("--faint"), line: value("--line"), back: value("--raised"), failed: value("--failed"), mark: value("--mark") };
    colours.kinds = kinds.map((_, i) => value("--kind" + i));
  }

  // layout places the rows that have calls to show, below the names of their callers: one for each session, or one for all sessions of a
  // caller.
  function layout() {
    const together = byId("together").checked;
    const bands = rows.map(() => []);
    for (const c of shown) bands[together ? firstRow[rows[c.row].caller] : c.row].push(c);
    placed = [];
    let top = axis, caller = -1;
    bands.forEach((of, index) => {
      if (!of.length) return;
      const row = rows[index], heading = row.caller !== caller;
      caller = row.caller;
      if (heading) top += headingHeight;
      const lanes = together ? stack(of) : row.lanes;
      if (!together) for (const c of of) c.shownLane = c.lane;
      const high = lanes * laneHeight + rowPadding;
      placed.push({ row, heading, together, lanes, top, height: high, calls: of });
      top += high;
    });
    space.style.height = Math.max(top + 4, axis + 40) + "px";
    resize();
  }

  // stack finds a lane for each call of a caller, so that calls of several threads do not hide one another. It gives their number.
  function stack(of) {
    const ends = [];
    for (const c of of) {
      let lane = ends.findIndex((end) => end <= c.start);
      if (lane < 0) lane = Math.min(ends.length, 7);
      ends[lane] = c.end;
      c.shownLane = lane;
    }
    return ends.length;
  }

  function resize() {
    width = box.clientWidth;
    height = Math.min(box.clientHeight, space.clientHeight);
    gutter = Math.min(170, width * 0.25);
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw();
  }

  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawNow();
    });
  }

  function drawNow() {
    const scrolled = box.scrollTop;
    paint.fillStyle = colours.back;
    paint.fillRect(0, 0, width, height);
    paint.textBaseline = "middle";
    paint.font = "12px system-ui, sans-serif";
    delete canvas.dataset.x;
    drawTicks();
    for (const p of placed) {
      const top = p.top - scrolled;
      if (top + p.height < axis || top - headingHeight > height) continue;
      drawCalls(p, top);
      drawLabel(p, top);
    }
    drawAxis();
  }

  function line(x1, y1, x2, y2, colour) {
    paint.strokeStyle = colour;
    paint.beginPath();
    paint.moveTo(x1, Math.round(y1) + 0.5);
    paint.lineTo(x2, Math.round(y2) + 0.5);
    paint.stroke();
  }

  // ticks are round times, about a hundred pixels apart.
  function ticks() {
    const rough = ((to - from) / Math.max(width - gutter, 1)) * 110;
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power * 10;
    const all = [];
    for (let t = Math.ceil(from / step) * step; t <= to && all.length < 200; t += step) all.push(t);
    return all;
  }

  function drawTicks() {
    for (const t of ticks()) line(x(t), axis, x(t), height, colours.line);
  }

  // round shows a round time without the digits that say nothing.
  const round = (t) => span(t).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");

  function drawAxis() {
    paint.fillStyle = colours.back;
    paint.fillRect(0, 0, width, axis);
    line(0, axis, width, axis, colours.faint);
    paint.fillStyle = colours.text;
    paint.textAlign = "left";
    for (const t of ticks()) paint.fillText(t === 0 ? "0" : (t < 0 ? "−" : "+") + round(Math.abs(t)), x(t) + 3, axis / 2);
  }

  // drawLabel writes over what calls have left in the gutter, and the name of the caller above its first row.
  function drawLabel(p, top) {
    paint.fillStyle = colours.back;
    paint.fillRect(0, top, gutter - 1, p.height);
    line(gutter - 1, top, gutter - 1, top + p.height, colours.faint);
    paint.textAlign = "right";
    paint.fillStyle = colours.faint;
    paint.fillText(fit(p.together ? "all sessions" : rowLabel(p.row), gutter - 20), gutter - 8, top + p.height / 2);
    if (!p.heading) return;
    line(0, top - headingHeight, width, top - headingHeight, colours.faint);
    paint.textAlign = "left";
    paint.fillStyle = colours.text;
    paint.fillText(fit(p.row.name + (several.has(p.row.caller) ? "" : " · " + p.row.module), width - 20), 8, top - headingHeight / 2 + 1);
  }

  // rowLabel is a row without its caller.
  function rowLabel(row) {
    if (!row.session) return several.has(row.caller) ? row.module : "no session";
    return (several.has(row.caller) ? row.module + " · " : "session ") + row.session;
  }

  // fit cuts a text that is too wide.
  function fit(text, room) {
    text = text.slice(0, 80);
    if (paint.measureText(text).width <= room) return text;
    while (text && paint.measureText(text + "…").width > room) text = text.slice(0, -1);
    return text + "…";
  }

  // drawCalls draws what can be told apart: of the calls that share a pixel, the first, and the first error.
  function drawCalls(p, top) {
    const drawn = new Float64Array(p.lanes).fill(-1), marked = new Float64Array(p.lanes).fill(-1);
    for (const c of p.calls) {
      if (c.start > to) break;
      if (c.end < from && c !== selected) continue;
      const left = Math.max(x(c.start), gutter), right = Math.min(Math.max(x(c.end), left + 2), width);
      const lane = c.shownLane, y = top + rowPadding / 2 + lane * laneHeight;
      if (right > drawn[lane] + 0.5) {
        paint.fillStyle = c.failed ? colours.failed : colours.kinds[kind(c.name)];
        paint.fillRect(left, y, right - left, laneHeight - 2);
        drawn[lane] = right;
        if (right - left > 60) {
          paint.fillStyle = colours.back;
          paint.textAlign = "left";
          paint.fillText(fit(c.name, right - left - 8), left + 4, y + laneHeight / 2 - 1);
        }
      }
      if (c.failed && left > marked[lane] + 3) {
        drawMark(left, y);
        marked[lane] = left;
      }
      if (c === selected) drawSelected(left, right, y);
    }
  }

  // drawMark is a flag, so that errors are not told by their colour alone.
  function drawMark(left, y) {
    paint.fillStyle = colours.failed;
    paint.beginPath();
    paint.moveTo(left - 4, y - 3);
    paint.lineTo(left + 6, y - 3);
    paint.lineTo(left + 1, y + 5);
    paint.fill();
  }

  function drawSelected(left, right, y) {
    paint.strokeStyle = colours.mark;
    paint.lineWidth = 2;
    paint.strokeRect(left - 1, y - 1, Math.max(right - left, 3) + 2, laneHeight);
    paint.lineWidth = 1;
    canvas.dataset.x = (left + right) / 2;
    canvas.dataset.y = y + laneHeight / 2;
  }

  // look shows the time between two moments, neither less than a few nanoseconds nor far beside the log.
  function look(a, b) {
    const size = Math.min(Math.max(b - a, 20), length * 1.2);
    const middle = Math.min(Math.max((a + b) / 2, 0), length);
    from = middle - size / 2;
    to = middle + size / 2;
    draw();
  }

  const all = () => look(-0.02 * length, 1.02 * length);
  const pan = (part) => look(from + (to - from) * part, to + (to - from) * part);

  function zoom(factor, around = (from + to) / 2) {
    look(around - (around - from) * factor, around + (to - around) * factor);
  }

  // reveal brings a call into view: near enough to be seen, its row too.
  function reveal(c) {
    const size = Math.min(to - from, Math.max(c.duration * 20, 2000));
    if (c.start < from || c.end > to || x(c.end) - x(c.start) < 3) look(c.start + c.duration / 2 - size / 2, c.start + c.duration / 2 + size / 2);
    const p = placed.find((p) => (p.together ? p.row.caller === rows[c.row].caller : p.row === rows[c.row]));
    if (p && (p.top - axis - headingHeight < box.scrollTop || p.top + p.height > box.scrollTop + box.clientHeight)) {
      box.scrollTop = p.top - axis - box.clientHeight / 3;
    }
    draw();
  }

  // hit is the call at a place of the canvas, or the nearest a few pixels beside it.
  function hit(px, py) {
    if (px < gutter || py < axis) return null;
    const y = py + box.scrollTop;
    const p = placed.find((p) => y >= p.top && y < p.top + p.height);
    if (!p) return null;
    const lane = Math.min(Math.max(Math.floor((y - p.top - rowPadding / 2) / laneHeight), 0), p.lanes - 1);
    let best = null, distance = 5;
    for (const c of p.calls) {
      if (c.shownLane !== lane) continue;
      const left = x(c.start), right = Math.max(x(c.end), left + 2);
      const d = px < left ? left - px : px > right ? px - right : 0;
      if (d < distance || (d === distance && d === 0)) {
        best = c;
        distance = d;
      }
    }
    return best;
  }

  // step selects the next or previous call that is shown, or such an error.
  function step(by, wanted = () => true) {
    let i = selected ? shown.indexOf(selected) : by > 0 ? -1 : shown.length;
    for (i += by; i >= 0 && i < shown.length; i += by) {
      if (wanted(shown[i])) return select(shown[i], true);
    }
  }

  function listen() {
    let drag = null;
    canvas.addEventListener("pointerdown", (e) => {
      drag = { x: e.offsetX, from, to, moved: false };
      canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!drag) return showTip(e);
      const by = ((e.offsetX - drag.x) / (width - gutter)) * (drag.to - drag.from);
      drag.moved ||= Math.abs(e.offsetX - drag.x) > 3;
      if (drag.moved) look(drag.from - by, drag.to - by);
    });
    canvas.addEventListener("pointerup", (e) => {
      if (drag && !drag.moved) select(hit(e.offsetX, e.offsetY), false);
      drag = null;
    });
    canvas.addEventListener("pointerleave", () => (tip.hidden = true));
    canvas.addEventListener("wheel", (e) => {
      if (e.ctrlKey || e.metaKey) zoom(Math.exp(Math.sign(e.deltaY) * 0.25), ns(e.offsetX));
      else if (e.shiftKey || e.deltaX) pan((e.deltaX || e.deltaY) / 1000);
      else return;
      e.preventDefault();
    }, { passive: false });
    canvas.addEventListener("keydown", key);
    box.addEventListener("scroll", draw);
    new ResizeObserver(resize).observe(box);
  }

  function showTip(e) {
    const c = hit(e.offsetX, e.offsetY);
    tip.hidden = !c;
    if (!c) return;
    tip.textContent = `${c.name}: ${c.result}, ${span(c.duration)}`;
    tip.style.left = Math.min(e.clientX + 12, window.innerWidth - 300) + "px";
    tip.style.top = e.clientY + 16 + "px";
  }

  const keys = {
    ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1), "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1 / 0.7),
    0: all, n: () => step(1), p: () => step(-1), e: () => step(1, (c) => c.failed), E: () => step(-1, (c) => c.failed),
    Enter: () => selected && byId("close").focus(),
  };

  function key(e) {
    if (e.ctrlKey || e.altKey || e.metaKey || !Object.hasOwn(keys, e.key)) return;
    keys[e.key]();
    e.preventDefault();
  }

  return { layout, draw, all, zoom, reveal, readColours, listen };
})();
