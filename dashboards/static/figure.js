// What is done on the figure itself: another window by dragging, fitting by a double click, three clocks beneath the pointer.
// app.js draws it and keeps the page; this file only says which window is wanted.
"use strict";
(() => {
  const LEAST_MS = 1000;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const holder = one("[data-figure]");
  if (!holder || !window.barograph) return;
  let meta = null;
  let asked = null;

  // ---- another window ---------------------------------------------------------------------------------------------
  const instant = (words) => new Date(`${String(words).replace(" ", "T").replace(/Z?$/, "Z")}`);
  function ask(ends, how = { canRun: false }) {
    const address = new URL(location.href);
    address.hash = "";
    for (const [name, at] of [["from", ends?.[0]], ["to", ends?.[1]]]) {
      if (at) address.searchParams.set(name, at.toISOString());
      else address.searchParams.delete(name);
    }
    asked = ends && { since: ends[0].getTime(), until: ends[1].getTime() };
    window.barograph.show(address.href, how);
  }
  // Dragging over the drawing asks the server for that window: it lays its labels out anew, and counts become marks.
  function zoomed(change) {
    const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (!ends[0] || !ends[1]) return;
    const [since, until] = ends.map(instant);
    ask([since, new Date(Math.max(until.getTime(), since.getTime() + LEAST_MS))]);
  }
  // A bar of counts is a stretch of time: pointed at and clicked, it becomes the window.
  function clicked(event) {
    const bin = event.points?.[0]?.customdata;
    if (Array.isArray(bin)) ask(bin.map(instant));
  }
  const fit = () => ask(null);
  // The controls' own addresses are of the page that was last read; what is asked for by now may be two steps further.
  const MOVES = { earlier: [-0.5, -0.5], later: [0.5, 0.5], closer: [0.25, -0.25], further: [-0.5, 0.5] };
  function moved(event) {
    const move = MOVES[event.target.closest?.("a[data-move]")?.dataset.move];
    const now = asked || meta?.axis;
    if (!move || !now || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const length = now.until - now.since;
    const since = now.since + move[0] * length;
    ask([new Date(since), new Date(Math.max(now.until + move[1] * length, since + LEAST_MS))], { canRun: true });
  }
  addEventListener("click", moved, true);
  // Gone back, the window is that of the page again.
  addEventListener("barograph:back", () => { asked = null; });

  // ---- three clocks -----------------------------------------------------------------------------------------------
  const viewers = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const clocks = new Map();
  function clock(at, zone) {
    if (!clocks.has(zone)) {
      clocks.set(zone, new Intl.DateTimeFormat("en-GB", {
        timeZone: zone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      }));
    }
    return clocks.get(zone).format(at).replace(",", "");
  }
  function place(event) {
    const axis = meta?.axis;
    const shown = one("[data-clocks]");
    if (!axis || !shown) return;
    const x = event.clientX - holder.getBoundingClientRect().left;
    if (x < axis.left || x > axis.right) { shown.hidden = true; return; }
    const at = new Date(axis.since + ((x - axis.left) / (axis.right - axis.left)) * (axis.until - axis.since));
    // A zone that the reader chose is the reader's clock; else it is the one of the browser.
    const chosen = meta.site_zone && meta.zone !== meta.site_zone ? meta.zone : viewers;
    const told = [[meta.site_zone ? "site" : "page", meta.site_zone || meta.zone], ["you", chosen], ["UTC", "UTC"]];
    shown.replaceChildren(...told.flatMap(([name, zone]) => {
      const label = document.createElement("span");
      label.className = "dim";
      label.textContent = name;
      label.title = zone;
      const words = document.createElement("span");
      words.textContent = clock(at, zone);
      return [label, words];
    }));
    shown.hidden = false;
    const room = holder.clientWidth - shown.offsetWidth - 4;
    shown.style.left = `${Math.max(4, Math.min(x + 12, room))}px`;
    const line = one("[data-cursor]");
    line.hidden = false;
    line.style.left = `${x}px`;
  }
  function leave() {
    for (const node of all("[data-clocks], [data-cursor]")) node.hidden = true;
  }

  holder.addEventListener("barograph:drawn", (event) => {
    const first = meta === null;
    meta = event.detail;
    asked = null;
    leave();
    const range = one("[data-range-words]");
    if (range && meta.range_words) range.textContent = meta.range_words;
    if (!first) return;
    holder.on("plotly_relayout", zoomed);
    holder.on("plotly_doubleclick", fit);
    holder.on("plotly_click", clicked);
    holder.addEventListener("pointermove", place);
    holder.addEventListener("pointerleave", leave);
  });
})();
