// What the pages do beyond plain HTML: draw the figure and copy; live.js says what is new, keys.js has the shortcuts. Every page works without it.
"use strict";
(() => {
  const WIDE = matchMedia("(min-width: 640px)");
  const DARK = matchMedia("(prefers-color-scheme: dark)");
  // Used where the figure brings no configuration of its own; uploading is on by default in Plotly.
  const CONFIG = { displayModeBar: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", scrollZoom: false, doubleClick: false, showTips: false };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const theme = () => document.documentElement.dataset.theme || (DARK.matches ? "dark" : "light");

  // ---- the figure -------------------------------------------------------------------------------------------------
  let plotly = null;
  let asked = 0;

  // Plotly writes some styles (bold ticks, hover text) as attributes, which a strict content security policy refuses;
  // the same declarations set through the object model are allowed.
  function allowStyles() {
    const write = Element.prototype.setAttribute;
    SVGElement.prototype.setAttribute = function setAttribute(name, value) {
      if (name === "style") this.style.cssText = value;
      else write.call(this, name, value);
    };
  }

  function loadPlotly(holder) {
    plotly ??= new Promise((resolve, reject) => {
      // Plotly writes its rules into a style element of this id unless it finds one that is marked so; the marked one
      // is the same rules as a file, which a strict content security policy allows.
      const sheet = document.createElement("link");
      sheet.id = "plotly.js-style-global";
      sheet.className = "no-inline-styles";
      sheet.rel = "stylesheet";
      sheet.href = holder.dataset.plotlyCss;
      const script = document.createElement("script");
      script.src = holder.dataset.plotly;
      script.onload = () => { allowStyles(); resolve(window.Plotly); };
      script.onerror = () => { plotly = null; reject(new Error("the drawing library did not load")); };
      document.head.append(sheet, script);
    });
    return plotly;
  }

  function say(holder, words) {
    let note = one(".figure-state", holder.parentElement);
    if (!note) {
      note = document.createElement("p");
      note.className = "figure-state";
      note.setAttribute("role", "status");
      holder.before(note);
    }
    note.textContent = words;
    note.hidden = !words;
  }

  async function draw() {
    const holder = one("[data-figure]");
    if (!holder || !WIDE.matches) return;
    const turn = ++asked;
    const width = Math.round(holder.clientWidth);
    holder.dataset.drawnWidth = width;
    if (!holder.classList.contains("js-plotly-plot")) holder.style.minHeight = `${holder.dataset.height}px`;
    // Until the figure of another theme comes, the last one is turned over, so that it can be read on this one's paper.
    const inked = theme();
    holder.classList.toggle("turned", Boolean(holder.dataset.inked) && holder.dataset.inked !== inked);
    const slow = setTimeout(() => { if (turn === asked) say(holder, "Reading the record."); }, 200);
    try {
      const address = new URL(holder.dataset.figure, location.href);
      address.searchParams.set("theme", inked);
      address.searchParams.set("width", width);
      const [answer, library] = await Promise.all([fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } }), loadPlotly(holder)]);
      if (answer.status === 404 && address.searchParams.has("as_of")) throw Object.assign(new Error(), { name: "Unknown" });
      if (!answer.ok) throw new Error(`the service answered ${answer.status}${answer.headers.get("X-Request-Id") ? `, request ${answer.headers.get("X-Request-Id")}` : ""}`);
      const figure = await answer.json();
      if (turn !== asked) { clearTimeout(slow); return; }
      await library.react(holder, figure.data, { ...wordless(figure.layout), width, autosize: false }, { ...CONFIG, ...figure.config });
      writeWords(holder, { ...figure.layout, width });
      holder.dataset.inked = inked;
      holder.classList.remove("turned");
      placeSlider(figure.layout);
      holder.dispatchEvent(new CustomEvent("barograph:drawn", { bubbles: true, detail: figure.layout.meta }));
      holder.dataset.drawnAt = new Date().toISOString();
      holder.style.minHeight = "";
      clearTimeout(slow);
      say(holder, "");
    } catch (error) {
      clearTimeout(slow);
      const last = holder.dataset.drawnAt;
      if (error.name === "Unknown") { say(holder, "Nothing was recorded of this incident at that moment yet. What stands here is of another one."); return; }
      say(holder, `The figure could not be drawn: ${error.message}. ${last ? `What stands here is from ${last.slice(11, 16)} UTC. ` : ""}The timeline and the table below still work.`);
      if (!last) holder.style.minHeight = "96px";
    }
  }

  // Plotly measures each label and each tick in the page before it draws it, which takes half of the time of a figure.
  // The server has measured them all: they are written here as they stand, into the layer in which Plotly would.
  const SVG = "http://www.w3.org/2000/svg";
  const MARKUP = { "&lt;": "<", "&gt;": ">", "&quot;": "\"", "&#x27;": "'", "&amp;": "&" };
  const ANCHORS = { left: "start", center: "middle", right: "end" };
  const TICKS = { bottom: 9, top: -9 };
  const LINE = 14;
  const plain = (words) => words.replace(/&(lt|gt|quot|#x27|amp);/g, (found) => MARKUP[found]);
  const milliseconds = (at) => Date.parse(`${String(at).replace(" ", "T").replace(/Z?$/, "Z")}`);
  function wordless(layout) {
    const bare = { ...layout, annotations: [] };
    for (const name of ["xaxis", "xaxis2"]) if (layout[name]?.ticktext) bare[name] = { ...layout[name], showticklabels: false };
    return bare;
  }
  function wordsOf(layout) {
    const found = (layout.annotations || []).map(({ xref, x, xshift, y, text, xanchor, font = {} }) => ({
      at: xref === "paper" ? null : milliseconds(x), shift: xshift || 0, y, text: plain(text), anchor: ANCHORS[xanchor] || "middle", font,
    }));
    for (const axis of [layout.xaxis, layout.xaxis2]) {
      const y = (1 - (axis?.position ?? 0)) * layout.height + (TICKS[axis?.side] ?? 0);
      (axis?.ticktext || []).forEach((text, n) => text.split("<br>").forEach((line, below) => {
        const weight = line.startsWith("<b>") ? 600 : 400;
        found.push({ at: milliseconds(axis.tickvals[n]), shift: 0, y: y + below * LINE, text: plain(line.replace(/<\/?b>/g, "")), anchor: "middle", font: { ...axis.tickfont, weight } });
      }));
    }
    return found;
  }
  function writeWords(holder, layout) {
    const layer = one(".infolayer", holder);
    if (!layer) return;
    const isFirst = !holder.words;
    holder.words = wordsOf(layout).map((word) => {
      const node = document.createElementNS(SVG, "text");
      const { size = 11, weight = 400, color = "currentColor", family = layout.font?.family } = word.font;
      for (const [name, value] of Object.entries({ class: "annotation-text", "text-anchor": word.anchor, "font-size": size, "font-weight": weight, "font-family": family, fill: color, y: word.y + 0.36 * size })) node.setAttribute(name, value);
      node.textContent = word.text;
      return { ...word, node };
    });
    holder.ends = { left: layout.margin?.l ?? 0, right: layout.width - (layout.margin?.r ?? 0) };
    placeWords(holder, layout.xaxis?.range);
    one(":scope > .words", layer)?.remove();
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "words");
    group.append(...holder.words.map((word) => word.node));
    layer.append(group);
    // Until the server has answered for another window, the words go along with what they stand at.
    if (isFirst) holder.on("plotly_relayout", (change) => placeWords(holder, [change["xaxis.range[0]"], change["xaxis.range[1]"]]));
  }
  function placeWords(holder, range) {
    if (!range?.[0] || !range[1]) return;
    const { left, right } = holder.ends;
    const [since, until] = range.map(milliseconds);
    for (const { node, at, shift } of holder.words) {
      const x = at === null ? left : left + ((at - since) / (until - since)) * (right - left);
      node.setAttribute("x", x + shift);
      node.style.display = x < left - 1 || x > right + 1 ? "none" : "";
    }
  }

  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => {
      const holder = one("[data-figure]");
      if (holder && Math.abs(holder.clientWidth - Number(holder.dataset.drawnWidth || 0)) > 8) draw();
    }, 200);
  });
  DARK.addEventListener("change", draw);
  WIDE.addEventListener("change", draw);

  // Another range or another known-at moment is a page of its own. The figure of that window is asked for first, and
  // once it stands and the hand rests, the page: of another range the parts below, of another moment all but the drawing.
  const RANGE_PARTS = [".toolbar", "#alt", ".table-view", ".phone-figure", ".known", "p.provenance"];
  const RESTS_MS = 1000;
  let wanted = 0;
  let asking = null;
  function replaceRange(fresh) {
    for (const part of RANGE_PARTS) one(part)?.replaceWith(one(part, fresh));
  }
  function replaceMoment(fresh) {
    replaceRange(fresh);
    const card = document.getElementById("figure");
    const next = fresh.getElementById("figure");
    // What is being written stays where it can still be written.
    const draft = document.getElementById("add-entry");
    if (draft) fresh.getElementById("add-entry")?.replaceWith(draft);
    const others = [...next.parentNode.childNodes];
    for (const node of [...card.parentNode.childNodes]) if (node !== card) node.remove();
    card.before(...others.slice(0, others.indexOf(next)));
    card.after(...others.slice(others.indexOf(next) + 1));
    one("footer.bottom").replaceWith(one("footer.bottom", fresh));
    document.title = fresh.title;
  }
  // A run of steps, as of a key that is held, is one entry, each drag its own: going back leads to where it began. The entry it began at is
  // marked as ours, else a fragment in its address would keep the page from being shown again.
  let steppedAt = -Infinity;
  function remember(address, canRun) {
    const now = performance.now();
    const isRun = canRun && now - steppedAt < RESTS_MS;
    steppedAt = canRun ? now : -Infinity;
    if (!isRun) history.replaceState({ ...history.state, parts: true }, "");
    history[isRun ? "replaceState" : "pushState"]({ parts: true }, "", address);
  }
  async function show(address, replace, { push = true, canRun = true } = {}) {
    const turn = ++wanted;
    asking?.abort();
    asking = new AbortController();
    if (push) remember(address, canRun);
    pointFigure(new URL(address, location.href));
    try {
      await draw();
      await new Promise((rested) => { setTimeout(rested, RESTS_MS); });
      if (turn !== wanted) return;
      const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" }, signal: asking.signal });
      if (answer.status === 404 && new URL(address, location.href).searchParams.has("as_of")) return;
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (turn !== wanted) return;
      replace(fresh);
      reveal();
    } catch (error) {
      if (turn === wanted && error.name !== "AbortError") location.assign(address);
    }
  }
  function pointFigure(page) {
    const holder = one("[data-figure]");
    const figure = new URL(holder.dataset.figure, location.href);
    for (const name of ["from", "to", "as_of"]) {
      if (page.searchParams.has(name)) figure.searchParams.set(name, page.searchParams.get(name));
      else figure.searchParams.delete(name);
    }
    holder.dataset.figure = figure.pathname + figure.search;
  }
  addEventListener("popstate", (event) => {
    steppedAt = -Infinity;
    if (event.state?.parts || !location.hash) { window.dispatchEvent(new CustomEvent("barograph:back")); show(location.href, replaceMoment, { push: false }); }
  });
  // What figure.js needs of this file: it turns what is done on the drawing into another window.
  window.barograph = { show: (address, how) => show(address, replaceRange, how), draw };

  // ---- known at ---------------------------------------------------------------------------------------------------
  let sliding = 0;
  function placeSlider(layout) {
    const slider = one("[data-known]");
    const track = layout.meta?.known_at;
    if (!slider) return;
    slider.hidden = !track;
    if (!track) return;
    // The thumb is 16 px wide, so its middle reaches both ends of the drawn track.
    slider.style.left = `${track.left - 8}px`;
    slider.style.width = `${track.right - track.left + 16}px`;
    slider.style.top = `${track.y - 12}px`;
    // The track is the figure's own axis, so the figure says what it spans; not while a hand is on it.
    if (track.most !== undefined && !sliding) {
      slider.min = track.least; slider.max = track.most; slider.step = track.step; slider.value = track.value;
    }
    fillSlider(slider);
  }
  function fillSlider(slider) {
    const share = (Number(slider.value) - Number(slider.min)) / (Number(slider.max) - Number(slider.min));
    slider.style.setProperty("--filled", `${100 * share}%`);
    slider.setAttribute("aria-valuetext", knownWords(slider));
  }
  function knownWords(slider) {
    const step = Number(slider.value);
    if (step >= Number(slider.max)) return "everything";
    return `as of ${new Intl.DateTimeFormat("en-GB", { timeZone: slider.dataset.zone, dateStyle: "medium", timeStyle: "short" }).format(new Date(step * 1000))}`;
  }
  const slider = one("[data-known]");
  slider?.addEventListener("input", () => {
    const told = one("[data-known-words]");
    if (told) told.textContent = knownWords(slider);
    fillSlider(slider);
  });
  slider?.addEventListener("change", () => {
    // Each press of an arrow key is a change; the record is asked once the hand rests.
    clearTimeout(sliding);
    sliding = setTimeout(() => {
      sliding = 0;
      const address = new URL(location.href);
      address.hash = "";
      if (Number(slider.value) >= Number(slider.max)) address.searchParams.delete("as_of");
      else address.searchParams.set("as_of", new Date(Number(slider.value) * 1000).toISOString());
      show(address, replaceMoment);
    }, 250);
  });

  // ---- a source's own page ----------------------------------------------------------------------------------------
  // It shows a new key once, so that it is never loaded again as a whole: parts of it are replaced as they change.
  const WAITING_MS = 3000;
  function replaceParts(fresh, except = []) {
    for (const part of all("[data-part]")) {
      const next = one(`[data-part="${part.dataset.part}"]`, fresh);
      if (!next || except.includes(part.dataset.part)) continue;
      // What the reader has opened stays open.
      const opened = all("details", part).map((node) => node.open);
      all("details", next).forEach((node, n) => { node.open = opened[n] || node.open; });
      part.replaceWith(next);
    }
    reveal();
  }
  async function documentAt(address, options = {}) {
    const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" }, ...options });
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }
  let refreshing = 0;
  function refresh() {
    clearTimeout(refreshing);
    refreshing = setTimeout(async () => {
      // A turn that fails is followed by another one: the next change, or the next look while waiting.
      try { replaceParts(await documentAt(document.body.dataset.refresh), ["test"]); } catch { /* see above */ }
    }, 150);
  }
  document.addEventListener("barograph:changed", refresh);
  function watchForFirst() {
    // Beside the stream, which a proxy may hold back.
    if (document.body.dataset.refresh) setInterval(() => { if (one("[data-waiting]") && !document.hidden) refresh(); }, WAITING_MS);
  }
  addEventListener("submit", async (event) => {
    const form = event.target.closest?.("form[data-in-place]");
    if (!form) return;
    event.preventDefault();
    const button = one("button", form);
    const words = button.textContent;
    button.disabled = true;
    button.textContent = "Sending";
    try {
      replaceParts(await documentAt(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }));
    } catch (error) {
      button.disabled = false;
      button.textContent = `${words} again: ${error.message}`;
    }
  });

  // ---- finding a format by typing ---------------------------------------------------------------------------------
  const finder = one("[data-filter]");
  function filterRows() {
    const words = finder.value.toLowerCase().split(/\s+/).filter(Boolean);
    const within = document.getElementById(finder.dataset.filter);
    let shown = 0;
    for (const list of all("[data-filter-list]", within)) {
      let here = 0;
      for (const row of list.children) {
        row.hidden = !words.every((word) => row.dataset.words.includes(word));
        here += row.hidden ? 0 : 1;
      }
      list.hidden = list.previousElementSibling.hidden = !here;
      shown += here;
    }
    const none = one("[data-filter-none]", within);
    if (none) none.hidden = shown > 0;
    const told = one("[data-filter-words]");
    if (told) told.textContent = words.length ? `${shown} found` : "";
  }
  finder?.addEventListener("input", filterRows);

  function length(seconds) {
    if (seconds < 59.5) return `${Math.max(0, Math.round(seconds))} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const [per, of, large, small] = minutes < 72 * 60 ? [60, minutes, "h", "min"] : [24, Math.round(minutes / 60), "d", "h"];
    return `${Math.floor(of / per)} ${large}${of % per ? ` ${of % per} ${small}` : ""}`;
  }
  function tick() {
    // The page was true when it was made: lengths go on from there, by the time since, whatever this machine's clock says.
    const began = performance.now();
    const starts = all("[data-ago]").map((node) => [node, Number(node.dataset.ago)]);
    if (starts.length) setInterval(() => { for (const [node, seconds] of starts) node.textContent = `${length(seconds + (performance.now() - began) / 1000)} ago`; }, 15000);
  }

  // ---- copying, menus, keys ---------------------------------------------------------------------------------------
  async function copied(button, words) {
    await navigator.clipboard.writeText(words);
    if (button.dataset.copied) return;
    const label = [...button.childNodes];
    button.dataset.copied = "yes";
    button.replaceChildren("Copied");
    setTimeout(() => { button.replaceChildren(...label); delete button.dataset.copied; }, 1500);
  }
  // Controls that only a script can serve are hidden until there is one.
  function reveal() {
    for (const node of all("[data-script-only], [data-copy], [data-copy-text], [data-copy-line]")) node.hidden = false;
    for (const node of all("[data-without-script]")) node.hidden = true;
  }
  addEventListener("click", async (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    const range = hit("a[data-range]");
    if (range && plain) {
      event.preventDefault();
      show(range.href.split("#")[0], replaceRange);
    } else if (hit("[data-copy]")) {
      const button = hit("[data-copy]");
      copied(button, new URL(button.dataset.copy, location.href.split("#")[0]).href);
    } else if (hit("[data-copy-text]")) {
      const button = hit("[data-copy-text]");
      copied(button, document.getElementById(button.dataset.copyText).textContent);
    } else if (hit("[data-copy-from]") && plain && navigator.clipboard) {
      const link = hit("[data-copy-from]");
      event.preventDefault();
      const answer = await fetch(link.dataset.copyFrom, { credentials: "same-origin" });
      if (answer.ok) copied(link, await answer.text()); else location.assign(link.href);
    }
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // A sheet that would leave the page opens to its other side.
  addEventListener("toggle", (event) => {
    const sheet = event.target.open && event.target.matches("details.menu") && one(":scope > .sheet", event.target);
    if (!sheet) return;
    sheet.classList.remove("to-left", "to-right");
    const { left, right } = sheet.getBoundingClientRect();
    if (right > document.documentElement.clientWidth) sheet.classList.add("to-left");
    else if (left < 0) sheet.classList.add("to-right");
  }, true);

  const zone = document.getElementById("zone");
  zone?.addEventListener("focus", () => {
    const list = document.getElementById("zones");
    if (!list.children.length && Intl.supportedValuesOf) list.append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((name) => new Option("", name)));
  });
  function openTarget() {
    const node = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!node) return;
    const fold = one("details", node) || node.closest("details");
    if (fold && (node.classList.contains("row") || node.classList.contains("fact") || node.closest("details") === fold)) fold.open = true;
    if (node.classList.contains("fact")) one("input:not([type=hidden])", node)?.focus();
  }
  addEventListener("hashchange", openTarget);

  reveal();
  openTarget();
  draw();
  watchForFirst();
  tick();
})();
