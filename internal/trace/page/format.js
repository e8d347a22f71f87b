"use strict";
// How times and values are shown, and how elements are made. Texts from the log become text nodes only.

// span shows nanoseconds with three or four digits, in the unit that suits them.
function span(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (ns >= size) {
      const v = ns / size;
      return v.toFixed(v < 9.995 ? 2 : v < 99.95 ? 1 : 0) + " " + unit;
    }
  }
  return Math.round(ns) + " ns";
}

// clock shows the time of day, UTC, of nanoseconds since the log began.
function clock(start, ns) {
  const ms = start.ms + Math.floor((start.ns + ns) / 1e6);
  const below = Math.floor(start.ns + ns) % 1e6;
  return new Date(ms).toISOString().slice(11, 23) + String(Math.floor(below / 1e3)).padStart(3, "0");
}

// pretty spreads JSON over lines without reading its numbers, which may have more digits than a number of this language.
function pretty(json) {
  let out = "", depth = 0, inside = false;
  const line = () => "\n" + "  ".repeat(Math.min(depth, 40));
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (inside) {
      out += c;
      if (c === "\\") out += json[++i] ?? "";
      else if (c === '"') inside = false;
    } else if (c === '"') {
      inside = true;
      out += c;
    } else if (c === "{" || c === "[") {
      const empty = json[i + 1] === "}" || json[i + 1] === "]";
      depth++;
      out += empty ? c : c + line();
    } else if (c === "}" || c === "]") {
      const empty = json[i - 1] === "{" || json[i - 1] === "[";
      depth--;
      out += empty ? c : line() + c;
    } else if (c === ",") {
      out += c + line();
    } else if (c === ":") {
      out += ": ";
    } else if (c.trim()) {
      out += c;
    }
  }
  return out;
}

// make makes an element with properties and children; strings become text.
function make(name, properties, ...children) {
  const e = document.createElement(name);
  Object.assign(e, properties);
  e.append(...children);
  return e;
}

// byId finds an element of the page.
const byId = (id) => document.getElementById(id);
